"""A client's side of Secure Aggregation: a small state machine that takes and gives bytes."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.security.secure_aggregation import shamir
from edgedl_lib.training.security.secure_aggregation.keys import (
    KEY_SIZE,
    TAG_SIZE,
    Entropy,
    KeyPair,
    decrypt,
    encrypt,
    mask_purpose,
    secure_entropy,
)
from edgedl_lib.training.security.secure_aggregation.masks import mask, signed
from edgedl_lib.training.security.secure_aggregation.parameters import Parameters, ProtocolError, TooFewClients
from edgedl_lib.training.security.secure_aggregation.wire import pack_entries, split, unpack_clients

BOX_SIZE = 2 * shamir.SHARE_SIZE + TAG_SIZE  # a share of the mask key, a share of the self-mask, the tag


class Client:
    """One client of one run; its stages are called once each, in the order of the methods.

    Parameters
    ----------
    number : int
        From 0 to ``parameters.clients - 1``.
    values : numpy.ndarray, shape (length,), or None
        Whole numbers of at most ``input_bits`` bits; who does not have them yet sets them before stage 2.
    parameters : Parameters
    entropy : callable
        Source of random bytes.

    Raises
    ------
    ValueError
        If a value does not fit.
    ProtocolError
        By a stage that is called out of order or twice, or is given a message no honest server sends.
    """

    order = ("advertise", "share", "mask", "unmask", "done")

    def __init__(
        self, number: int, values: np.ndarray | None, parameters: Parameters, entropy: Entropy = secure_entropy
    ) -> None:
        self.number, self.parameters, self.entropy = number, parameters, entropy
        self.values = None if values is None else parameters.check_input(values)
        self.masks_made = 0
        self._stage = 0

    def advertise(self) -> bytes:
        """Stage 0: two public keys, one to encrypt shares with, one to agree on masks."""
        self._enter("advertise")
        self._box_pair, self._mask_pair = KeyPair.generate(self.entropy), KeyPair.generate(self.entropy)
        return self._box_pair.public + self._mask_pair.public

    def share(self, directory: bytes) -> bytes:
        """Stage 1: shares of the mask key and of the self-mask's seed, encrypted for each of the others."""
        self._enter("share")
        self._public = self._read_directory(directory)
        self._seed = self.entropy(KEY_SIZE)
        key_shares, seed_shares = (self._shares_of(secret) for secret in (self._mask_pair.secret, self._seed))
        plain = {other: key_shares[other] + seed_shares[other] for other in self._public}
        self._held = {self.number: plain.pop(self.number)}
        return b"".join(
            encrypt(self._box_pair, self._public[other][0], self.number, other, plain[other]) for other in sorted(plain)
        )

    def mask(self, inbox: bytes) -> bytes:
        """Stage 2: the vector under its self-mask and a mask for each other client whose shares have come."""
        self._enter("mask")
        self._sharers, body = unpack_clients(inbox, self.parameters.clients)
        self._require(self._sharers, "shared keys")
        others = [other for other in self._sharers if other != self.number]
        if len(body) != BOX_SIZE * len(others) or not set(others) <= set(self._public):
            raise ProtocolError(f"client {self.number}: the inbox does not hold one box from each client it names")
        self._boxes = dict(zip(others, split(body, BOX_SIZE), strict=True))
        total = self.values + self._self_mask()
        for other in others:
            total += signed(self._pair_mask(other), self.number, other)
        return pack_entries(self.parameters.reduce(total), self.parameters.modulus_bits)

    def unmask(self, survivors: bytes) -> bytes:
        """Stage 3: of every client one share: the seed's if its vector came, the mask key's if it fell silent.

        Never both of one client; a second request finds the state machine at its end.
        """
        self._enter("unmask")
        present, _ = unpack_clients(survivors, self.parameters.clients)
        self._require(present, "sent a vector")
        if not set(present) <= set(self._sharers):
            raise ProtocolError(f"client {self.number}: a client without shares cannot have sent a vector")
        self._open_boxes()
        parts = (split(self._held[other], shamir.SHARE_SIZE)[int(other in present)] for other in self._sharers)
        return b"".join(parts)

    def _enter(self, stage: str) -> None:
        if self.order[self._stage] != stage:
            raise ProtocolError(f"client {self.number}: asked to {stage}, but {self.order[self._stage]} is next")
        self._stage += 1

    def _require(self, members: tuple[int, ...], what: str) -> None:
        if len(members) < self.parameters.threshold or self.number not in members:
            raise TooFewClients(
                f"client {self.number}: {len(members)} clients {what}; it must be one of at least "
                f"{self.parameters.threshold}"
            )

    def _read_directory(self, directory: bytes) -> dict[int, list[bytes]]:
        members, body = unpack_clients(directory, self.parameters.clients)
        self._require(members, "advertised keys")
        entries = [split(entry, KEY_SIZE) for entry in self._key_entries(members, body)]
        keys = [key for entry in entries for key in entry]
        if len(set(keys)) < len(keys):
            raise ProtocolError(f"client {self.number}: the same public key twice in the directory")
        return dict(zip(members, entries, strict=True))

    def _key_entries(self, members: tuple[int, ...], body: bytes) -> list[bytes]:
        return split(body, 2 * KEY_SIZE)

    def _shares_of(self, secret: bytes) -> dict[int, bytes]:
        members = sorted(self._public)
        places = [member + 1 for member in members]
        parts = shamir.share(int.from_bytes(secret, "big"), places, self.parameters.threshold, self.entropy)
        return {member: part.to_bytes(shamir.SHARE_SIZE, "big") for member, part in zip(members, parts, strict=True)}

    def _self_mask(self) -> np.ndarray:
        self.masks_made += 1
        return mask(self._seed, self.parameters)

    def _pair_mask(self, other: int) -> np.ndarray:
        self.masks_made += 1
        return mask(self._mask_pair.agree(self._public[other][1], mask_purpose(self.number, other)), self.parameters)

    def _open_boxes(self) -> None:
        for sender, box in self._boxes.items():
            self._held[sender] = decrypt(self._box_pair, self._public[sender][0], sender, self.number, box)
