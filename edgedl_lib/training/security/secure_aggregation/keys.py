"""Keys from the `cryptography` library: X25519 agreements, HKDF, AES-GCM, and where random bytes come from."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edgedl_lib.training.security.secure_aggregation.parameters import BadMessage

KEY_SIZE = 32  # bytes: keys, agreements and seeds alike
TAG_SIZE = 16
NUMBER_SIZE = 2  # a client's number inside a derivation
NONCE = bytes(12)  # every key encrypts exactly one message, so that one nonce serves all

Entropy = Callable[[int], bytes]
secure_entropy: Entropy = secrets.token_bytes


def seeded_entropy(seed: int) -> Entropy:
    """Bytes that a seed repeats: for figures and tests only, since whoever knows the seed knows all keys."""
    return np.random.default_rng(seed).bytes


@dataclass(frozen=True)
class KeyPair:
    """A private key, and the public one that others agree with."""

    private: X25519PrivateKey
    public: bytes
    _shared: dict[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)  # one exchange, both purposes

    @classmethod
    def generate(cls, entropy: Entropy) -> KeyPair:
        """A new pair."""
        return cls.from_secret(entropy(KEY_SIZE))

    @classmethod
    def from_secret(cls, secret: bytes) -> KeyPair:
        """The pair of a private key of 32 bytes."""
        private = X25519PrivateKey.from_private_bytes(secret)
        return cls(private, private.public_key().public_bytes_raw())

    def __reduce__(self) -> tuple:
        return KeyPair.from_secret, (self.secret,)  # a client keeps its keys from one message to the next

    @property
    def secret(self) -> bytes:
        """The private key's 32 bytes."""
        return self.private.private_bytes_raw()

    def agree(self, public: bytes, purpose: bytes) -> bytes:
        """Key that this pair and the owner of `public` share, and nobody else, for one purpose."""
        if public not in self._shared:
            self._shared[public] = self.private.exchange(X25519PublicKey.from_public_bytes(public))
        return HKDF(SHA256(), KEY_SIZE, salt=None, info=purpose).derive(self._shared[public])


def mask_purpose(first: int, second: int) -> bytes:
    """Derivation of a mask: the same for both ends."""
    return b"mask" + _numbers(*sorted((first, second)))


def shares_purpose(sender: int, receiver: int) -> bytes:
    """Derivation of the key for shares: one for each direction."""
    return b"shares" + _numbers(sender, receiver)


def _numbers(*clients: int) -> bytes:
    return b"".join(client.to_bytes(NUMBER_SIZE, "big") for client in clients)


def encrypt(pair: KeyPair, public: bytes, sender: int, receiver: int, plain: bytes) -> bytes:
    """What only the receiver can read, and nobody can change, redirect or attribute to another sender."""
    purpose = shares_purpose(sender, receiver)
    return AESGCM(pair.agree(public, purpose)).encrypt(NONCE, plain, purpose)


def decrypt(pair: KeyPair, public: bytes, sender: int, receiver: int, box: bytes) -> bytes:
    """The opposite of :func:`encrypt`.

    Raises
    ------
    BadMessage
        If the message is not what the sender encrypted for the receiver.
    """
    purpose = shares_purpose(sender, receiver)
    try:
        return AESGCM(pair.agree(public, purpose)).decrypt(NONCE, box, purpose)
    except InvalidTag:
        raise BadMessage(sender, f"its shares for client {receiver} were changed on the way") from None
