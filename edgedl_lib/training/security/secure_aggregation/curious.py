"""What a curious server can make of all it has seen, and variants without a part of the protection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.security.secure_aggregation import shamir
from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.keys import KeyPair, mask_purpose
from edgedl_lib.training.security.secure_aggregation.masks import mask, signed
from edgedl_lib.training.security.secure_aggregation.protocol import Outcome
from edgedl_lib.training.security.secure_aggregation.server import Server

BINS = 64


class PairwiseOnlyClient(Client):
    """No self-mask: enough as long as messages are never late."""

    def _self_mask(self) -> np.ndarray:
        return np.zeros_like(self.values)


class PairwiseOnlyServer(Server):
    """The server of such clients."""

    def _remove_self_mask(self, client: int, seed: bytes) -> None:
        """Nothing to remove."""


class AnsweringClient(Client):
    """A client without memory, which answers every request for shares."""

    def _enter(self, stage: str) -> None:
        self._stage = self.order.index(stage) + 1


def read_late_vector(outcome: Outcome, client: int) -> np.ndarray:
    """What the server has once the vector of a client that it declared silent does arrive.

    It rebuilt this client's mask key to finish the sum, and can now remove every pairwise mask.
    """
    late = outcome.clients[client].mask(outcome.inboxes[client])
    values = outcome.server.read_vector(late)
    pair = KeyPair.from_secret(outcome.server.secrets[client])
    for other in outcome.inboxes:
        if other != client:
            seed = pair.agree(outcome.server.mask_keys[other], mask_purpose(client, other))
            values = values - signed(mask(seed, outcome.server.parameters), client, other)
    return outcome.server.parameters.reduce(values)


def uniformity(values: np.ndarray, bits: int) -> float:
    """Probability that uniform entries of `bits` bits look at least as uneven (chi-squared test, 64 bins)."""
    from scipy.stats import chisquare

    counts = np.bincount((values >> (bits - BINS.bit_length() + 1)).astype(np.int64), minlength=BINS)
    return float(chisquare(counts).pvalue)


def possible_secrets(known: dict[int, int], threshold: int, prime: int, make_shares=shamir.share) -> np.ndarray:
    """For each secret of a small field: how many of all possible sharings agree with the known shares.

    Parameters
    ----------
    known : dict of int to int
        Place to share.
    threshold, prime : int
        Few and small: every polynomial is tried.
    """
    places = list(known)
    counts = np.zeros(prime, dtype=int)
    for secret in range(prime):
        for draws in np.ndindex(*[prime] * (threshold - 1)):
            shares = make_shares(secret, places, threshold, _script(draws), prime)
            counts[secret] += shares == list(known.values())
    return counts


def _script(draws: Sequence[int]):
    remaining = iter(draws)
    return lambda size: int(next(remaining)).to_bytes(size, "big")
