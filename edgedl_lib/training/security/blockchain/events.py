"""The same race as events in SimPy: miners search, a block travels, and whoever finds one meanwhile forks the chain."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy

from edgedl_lib.training.security.blockchain.setting import Setting


@dataclass(frozen=True)
class Attempt:
    """One attempt to add a block.

    Attributes
    ----------
    start, mining, found, end : float
        Seconds: the devices begin, the miners begin, the first block is found, it has reached all miners.
    winner : int
    rivals : tuple of (int, float)
        Miners that found a block before the winner's reached them, and when.
    """

    start: float
    mining: float
    found: float
    end: float
    winner: int
    rivals: tuple[tuple[int, float], ...]

    @property
    def forked(self) -> bool:
        """Whether the epoch begins again."""
        return bool(self.rivals)


class Network:
    """Miners that race for the next block.

    Parameters
    ----------
    setting : Setting
    mining_times : numpy.ndarray, shape (A, M)
        Seconds each miner would need in each attempt.
    """

    def __init__(self, setting: Setting, mining_times: np.ndarray) -> None:
        self.setting, self.mining_times = setting, mining_times
        self.environment = simpy.Environment()
        self.attempts: list[Attempt] = []

    def run(self) -> tuple[Attempt, ...]:
        """All attempts, one after another."""
        self.environment.process(self._attempts())
        self.environment.run()
        return tuple(self.attempts)

    def _attempts(self) -> Generator:
        for times in self.mining_times:
            start = self.environment.now
            yield self.environment.timeout(self.setting.wait)  # local training, upload, exchange between miners
            mining = self.environment.now
            self.finds: list[tuple[int, float]] = []
            self.received = [self.environment.event() for _ in times]
            searches = [self.environment.process(self._mine(miner, seconds)) for miner, seconds in enumerate(times)]
            yield self.environment.all_of(searches + self.received)
            (winner, found), *rivals = self.finds
            self.attempts.append(Attempt(start, mining, found, self.environment.now, winner, tuple(rivals)))

    def _mine(self, miner: int, seconds: float) -> Generator:
        search = self.environment.timeout(seconds)
        yield search | self.received[miner]
        if self.received[miner].triggered:
            return  # another block has come: acknowledge it and stop
        self.finds.append((miner, self.environment.now))
        if len(self.finds) == 1:
            for other, hop in enumerate(self.setting.hops):
                self.environment.process(self._propagate(other, hop))

    def _propagate(self, receiver: int, hop: float) -> Generator:
        yield self.environment.timeout(hop)
        self.received[receiver].succeed()


def simulate(setting: Setting, rate: float, draws: np.ndarray) -> tuple[Attempt, ...]:
    """Attempts at one rate, from the unit exponentials of :func:`.race.draw_race`."""
    return Network(setting, draws / rate).run()


def epochs(attempts: tuple[Attempt, ...], finish: float = 0.0) -> np.ndarray:
    """Latency of every finished epoch (s)."""
    ends = np.array([attempt.end for attempt in attempts if not attempt.forked])
    return np.diff(ends, prepend=0.0) + finish
