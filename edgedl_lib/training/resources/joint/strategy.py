"""Federated averaging over a radio that loses packets: who is chosen, and whose update arrives."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.models import Arrays
from edgedl_lib.training.resources.joint.cell import Pairs, pairs
from edgedl_lib.training.resources.joint.matching import SCHEMES, UNSELECTED
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging


class RadioAveraging(FederatedAveraging):
    """Chooses users and blocks by a scheme in every round; a lost packet leaves its user out of the average.

    Parameters
    ----------
    scheme : str
        A key of :data:`.matching.SCHEMES`.
    distance, samples : ndarray, shape (users,)
        Metres, and the samples that the users announce.
    blocks : int
    """

    def __init__(self, *, scheme: str, distance: np.ndarray, samples: np.ndarray, blocks: int, **settings) -> None:
        super().__init__(clients_per_round=len(distance), **settings)
        if scheme not in SCHEMES:
            raise ValueError(f"unknown scheme {scheme!r}; choose {', '.join(SCHEMES)}")
        self.scheme, self.distance, self.samples, self.blocks = scheme, distance, samples, blocks

    def round_pairs(self, server_round: int) -> Pairs:
        """The pairs under this round's fading: the same for every scheme of one seed."""
        return pairs(self.distance, self.samples, self.blocks, np.random.default_rng([self.seed, server_round, 220]))

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """Users with a block; nobody, if no pair is feasible."""
        found = self.round_pairs(server_round)
        rng = np.random.default_rng([self.seed, server_round, 225])
        blocks = SCHEMES[self.scheme](found, rng)
        chosen = np.flatnonzero(blocks != UNSELECTED)
        lost = rng.random(len(self.samples)) < found.error[np.arange(len(blocks)), blocks]
        self._heard = frozenset(chosen[~lost[chosen]].tolist())
        return chosen.tolist()

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """The mean over those who were heard; the model stays if nobody was."""
        heard = [update for update in updates if update.client in self._heard]
        return super().aggregate(server_round, arrays, heard) if heard else arrays
