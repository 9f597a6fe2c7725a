"""Against a server that lies: signed keys, and one more stage in which clients sign who is in the sum.

A server that tells some clients that a user sent its vector, and others that it fell silent, collects both of this
user's shares.  With signatures each client answers only if enough others have signed the same list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.keys import KEY_SIZE, Entropy, secure_entropy
from edgedl_lib.training.security.secure_aggregation.parameters import (
    BadMessage,
    Parameters,
    TooFewClients,
)
from edgedl_lib.training.security.secure_aggregation.protocol import Network, Outcome, collect, make_clients
from edgedl_lib.training.security.secure_aggregation.server import Server
from edgedl_lib.training.security.secure_aggregation.wire import split, unpack_clients

SIGNATURE_SIZE = 64
Registry = Mapping[int, Ed25519PublicKey]  # whose signature is whose: known to all before the run


class SigningClient(Client):
    """A client that trusts the registry of signature keys, and the server with nothing."""

    order = ("advertise", "share", "mask", "sign", "unmask", "done")

    def __init__(
        self,
        number: int,
        values: np.ndarray,
        parameters: Parameters,
        entropy: Entropy,
        signer: Ed25519PrivateKey,
        registry: Registry,
    ) -> None:
        super().__init__(number, values, parameters, entropy)
        self._signer, self._registry = signer, registry

    def advertise(self) -> bytes:
        """Stage 0: the public keys, signed."""
        keys = super().advertise()
        return keys + self._signer.sign(_keys_statement(self.number, keys))

    def sign(self, survivors: bytes) -> bytes:
        """The additional stage: a signature under the list of who is in the sum, as this client was told."""
        self._enter("sign")
        self._survivors = survivors
        return self._signer.sign(_survivors_statement(survivors))

    def unmask(self, signatures: bytes) -> bytes:
        """Stage 3, after at least the threshold has signed the same list.

        Raises
        ------
        BadMessage
            If one of the signatures is under another list.
        """
        members, body = unpack_clients(signatures, self.parameters.clients)
        if len(members) < self.parameters.threshold:
            raise TooFewClients(f"client {self.number}: only {len(members)} clients have signed the list")
        for member, signature in zip(members, split(body, SIGNATURE_SIZE), strict=True):
            self._verify(member, signature, _survivors_statement(self._survivors))
        return super().unmask(self._survivors)

    def _key_entries(self, members: tuple[int, ...], body: bytes) -> list[bytes]:
        entries = split(body, 2 * KEY_SIZE + SIGNATURE_SIZE)
        for member, entry in zip(members, entries, strict=True):
            keys, signature = entry[: 2 * KEY_SIZE], entry[2 * KEY_SIZE :]
            self._verify(member, signature, _keys_statement(member, keys))
        return [entry[: 2 * KEY_SIZE] for entry in entries]

    def _verify(self, member: int, signature: bytes, statement: bytes) -> None:
        try:
            self._registry[member].verify(signature, statement)
        except InvalidSignature:
            raise BadMessage(member, f"its signature does not fit what client {self.number} was told") from None


class SigningServer(Server):
    """The honest server of the longer protocol."""

    key_message_size = 2 * KEY_SIZE + SIGNATURE_SIZE

    def collect_signatures(self, messages: Mapping[int, bytes]) -> bytes:
        """The additional stage: signatures; answers with all of them."""
        kept = self._accept(messages, "signed the list", SIGNATURE_SIZE, among=self.contributors)
        return self._bitmap(kept) + b"".join(kept.values())


def _keys_statement(number: int, keys: bytes) -> bytes:
    return b"keys" + number.to_bytes(2, "big") + keys


def _survivors_statement(survivors: bytes) -> bytes:
    return b"survivors" + survivors


def signing_clients(
    parameters: Parameters, inputs: Sequence[np.ndarray], entropy: Entropy = secure_entropy
) -> tuple[SigningClient, ...]:
    """Clients with new signature keys that all of them know."""
    signers = [Ed25519PrivateKey.from_private_bytes(entropy(KEY_SIZE)) for _ in inputs]
    registry = {number: signer.public_key() for number, signer in enumerate(signers)}
    return make_clients(
        parameters,
        inputs,
        lambda number, values, known: SigningClient(number, values, known, entropy, signers[number], registry),
    )


def run_signed(
    parameters: Parameters,
    inputs: Sequence[np.ndarray],
    silent_before: Mapping[int, str] | None = None,
    entropy: Entropy = secure_entropy,
) -> Outcome:
    """A whole run against an active server; the threshold must exceed two thirds of the clients to be of use."""
    clients = signing_clients(parameters, inputs, entropy)
    server, network = SigningServer(parameters), Network(silent_before or {})
    survivors, inboxes = collect(network, clients, server)
    requests = dict.fromkeys(server.contributors, survivors)
    signed = network.ask(clients, "sign", requests)
    requests = dict.fromkeys(signed, server.collect_signatures(signed))
    answers = network.ask(clients, "unmask", requests)
    total = server.unmask(answers)
    return Outcome(total, server.contributors, tuple(network.transcript), clients, server, inboxes)
