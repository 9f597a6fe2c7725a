"""The race of the miners in arrays: every attempt at once, from unit exponentials that all rates share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.blockchain.setting import Setting


@dataclass(frozen=True)
class Race:
    """Attempts, one after another.

    Attributes
    ----------
    seconds : numpy.ndarray, shape (A,)
        Collect, mine and propagate.
    forked : numpy.ndarray of bool, shape (A,)
        Whether a second block was found before the first had arrived.
    """

    seconds: np.ndarray
    forked: np.ndarray

    @property
    def fork_share(self) -> float:
        """Share of attempts that forked."""
        return float(self.forked.mean())

    @property
    def mean_epoch(self) -> float:
        """Mean seconds of all attempts of an epoch; infinite if no attempt succeeded."""
        done = np.count_nonzero(~self.forked)
        return float(self.seconds.sum() / done) if done else float("inf")

    def epochs(self, finish: float = 0.0) -> np.ndarray:
        """Latency of every finished epoch: its attempts up to the first without a fork, and `finish` seconds."""
        ends = np.cumsum(self.seconds)[~self.forked]
        return np.diff(ends, prepend=0.0) + finish


def draw_race(setting: Setting, attempts: int, seed: int) -> np.ndarray:
    """Unit exponentials, shape (attempts, miners): divided by a rate they are the mining times."""
    return np.random.default_rng(seed).exponential(size=(attempts, setting.miners))


def race(setting: Setting, rate: float, draws: np.ndarray) -> Race:
    """Attempts at one rate (blocks per second and miner)."""
    mining = draws / rate
    winner = mining.argmin(axis=1)
    first = mining[np.arange(len(mining)), winner]
    early = mining < first[:, None] + setting.hops
    early[np.arange(len(mining)), winner] = False
    return Race(setting.wait + first + setting.hops.max(), early.any(axis=1))
