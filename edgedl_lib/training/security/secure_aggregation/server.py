"""The server's side of Secure Aggregation: collects, forwards, and removes the masks of a sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgedl_lib.training.security.secure_aggregation import shamir
from edgedl_lib.training.security.secure_aggregation.client import BOX_SIZE
from edgedl_lib.training.security.secure_aggregation.keys import KEY_SIZE, KeyPair, mask_purpose
from edgedl_lib.training.security.secure_aggregation.masks import mask, signed
from edgedl_lib.training.security.secure_aggregation.parameters import (
    BadMessage,
    Parameters,
    ProtocolError,
    TooFewClients,
)
from edgedl_lib.training.security.secure_aggregation.wire import entries_size, pack_clients, split, unpack_entries


class Server:
    """The server of one run; each stage takes the messages of the clients that answered.

    A message of the wrong size is put aside, its sender counts as silent from there on, and `rejected` says why.

    Attributes
    ----------
    mask_keys : dict of int to bytes
        Public key with which masks are agreed, of every client that advertised.
    contributors : tuple of int
        Clients whose vectors are in the sum.
    rejected : list of BadMessage
    masks_made : int
        Masks generated in order to remove them.
    secrets : dict of int to bytes
        What the shares gave: the seed of a contributor, the mask key of a silent client.

    Raises
    ------
    TooFewClients
        By a stage that fewer than the threshold answered.
    """

    key_message_size = 2 * KEY_SIZE

    def __init__(self, parameters: Parameters) -> None:
        self.parameters, self.rejected, self.masks_made = parameters, [], 0
        self.mask_keys: dict[int, bytes] = {}
        self.contributors: tuple[int, ...] = ()

    def collect_keys(self, messages: Mapping[int, bytes]) -> bytes:
        """Stage 0: public keys; answers with the directory for everybody."""
        kept = self._accept(messages, "advertised keys", self.key_message_size)
        self.mask_keys = {client: message[KEY_SIZE : 2 * KEY_SIZE] for client, message in kept.items()}
        return self._bitmap(kept) + b"".join(kept.values())

    def collect_shares(self, messages: Mapping[int, bytes]) -> dict[int, bytes]:
        """Stage 1: encrypted shares; answers with an inbox for each client that sent some."""
        boxes = BOX_SIZE * (len(self.mask_keys) - 1)
        kept = self._accept(messages, "shared keys", boxes, among=self.mask_keys)
        self._sharers = tuple(kept)
        outboxes = {sender: self._addressed(sender, message) for sender, message in kept.items()}
        return {client: self._inbox(client, outboxes) for client in kept}

    def collect_vectors(self, messages: Mapping[int, bytes]) -> bytes:
        """Stage 2: masked vectors; answers with who is in the sum."""
        kept = self._accept(
            messages,
            "sent a vector",
            entries_size(self.parameters.length, self.parameters.modulus_bits),
            among=self._sharers,
        )
        self.contributors = tuple(kept)
        self._total = np.zeros(self.parameters.length, dtype=self.parameters.dtype)
        for message in kept.values():
            self._total += self.read_vector(message)
        return self._bitmap(kept)

    def unmask(self, messages: Mapping[int, bytes]) -> np.ndarray:
        """Stage 3: shares; the sum of the contributors' vectors, exact."""
        size = shamir.SHARE_SIZE * len(self._sharers)
        kept = self._accept(messages, "answered with shares", size, among=self.contributors)
        self.secrets = secrets = self._rebuild(dict(list(kept.items())[: self.parameters.threshold]))
        for client in self._sharers:
            if client in self.contributors:
                self._remove_self_mask(client, secrets[client])
            else:
                self._remove_pair_masks(client, secrets[client])
        return self.parameters.reduce(self._total)

    def _accept(
        self, messages: Mapping[int, bytes], what: str, size: int, among: Iterable[int] | None = None
    ) -> dict[int, bytes]:
        """Messages in the order of the clients; wrong ones are put aside."""
        allowed = set(range(self.parameters.clients) if among is None else among)
        kept = {}
        for client in sorted(messages):
            reason = self._fault(client, messages[client], size, allowed)
            if reason:
                self.rejected.append(BadMessage(client, reason))
            else:
                kept[client] = messages[client]
        if len(kept) < self.parameters.threshold:
            raise TooFewClients(
                f"server: {len(kept)} clients {what}, {self.parameters.threshold} are needed; start again with others"
            )
        return kept

    def _fault(self, client: int, message: bytes, size: int, allowed: set[int]) -> str:
        if client not in allowed:
            return "has not taken part in the stage before"
        return "" if len(message) == size else f"sent {len(message)} bytes instead of {size}"

    def _bitmap(self, members: Iterable[int]) -> bytes:
        return pack_clients(members, self.parameters.clients)

    def _addressed(self, sender: int, message: bytes) -> dict[int, bytes]:
        receivers = [client for client in self.mask_keys if client != sender]
        return dict(zip(receivers, split(message, BOX_SIZE), strict=True))

    def _inbox(self, client: int, outboxes: Mapping[int, Mapping[int, bytes]]) -> bytes:
        boxes = (outboxes[sender][client] for sender in self._sharers if sender != client)
        return self._bitmap(self._sharers) + b"".join(boxes)

    def read_vector(self, message: bytes) -> np.ndarray:
        """Entries of a masked vector."""
        return unpack_entries(message, self.parameters.length, self.parameters.modulus_bits, self.parameters.dtype)

    def _rebuild(self, answers: Mapping[int, bytes]) -> dict[int, bytes]:
        """One secret for each client that shared; the weights are the same for all of them."""
        lagrange = shamir.weights([client + 1 for client in answers])
        columns = zip(*(split(message, shamir.SHARE_SIZE) for message in answers.values()), strict=True)
        secrets = (shamir.combine([int.from_bytes(part, "big") for part in column], lagrange) for column in columns)
        return {client: self._as_key(client, secret) for client, secret in zip(self._sharers, secrets, strict=True)}

    def _as_key(self, client: int, secret: int) -> bytes:
        if secret.bit_length() > 8 * KEY_SIZE:
            raise ProtocolError(f"server: the shares of client {client}'s secret do not fit together")
        return secret.to_bytes(KEY_SIZE, "big")

    def _remove_self_mask(self, client: int, seed: bytes) -> None:
        self._total -= self._mask(seed)

    def _remove_pair_masks(self, silent: int, secret: bytes) -> None:
        """What a silent client's key left in the vectors of the contributors."""
        pair = KeyPair.from_secret(secret)
        if pair.public != self.mask_keys[silent]:
            raise ProtocolError(f"server: the shares of client {silent}'s key do not give the key it advertised")
        for client in self.contributors:
            seed = pair.agree(self.mask_keys[client], mask_purpose(silent, client))
            self._total -= signed(self._mask(seed), client, silent)

    def _mask(self, seed: bytes) -> np.ndarray:
        self.masks_made += 1
        return mask(seed, self.parameters)
