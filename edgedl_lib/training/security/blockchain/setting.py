"""The letter's cell: devices, miners, links and what one epoch has to move (Kim et al. 2020 [223])."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgedl_lib.system.link import Link


@dataclass(frozen=True)
class Setting:
    """Sizes and speeds of BlockFL; the defaults are the letter's, recalled and partly confirmed by a follow-up.

    Attributes
    ----------
    samples : tuple of int
        Samples of each device.
    miners : int
    bandwidth : float
        Hz of every link.
    snr_db : float or tuple of float
        Signal-to-noise ratio of the links; with a tuple, of the link to each miner.
    update_bytes, header_bytes : float
        Size of a local update, and of a block without updates.
    cycles_per_sample, cycles_per_update : float
        Work to train on a sample and to add an update (one cycle a bit).
    clock : float
        Hz of a device.
    wait : float
        Seconds that a miner collects updates before it mines.

    Examples
    --------
    >>> round(float(Setting(samples=(30,) * 10).hops[0]), 3)
    0.241
    """

    samples: tuple[int, ...]
    miners: int = 10
    bandwidth: float = 300e3
    snr_db: float | tuple[float, ...] = 10.0
    update_bytes: float = 625.0
    header_bytes: float = 25_000.0
    cycles_per_sample: float = 100e3
    cycles_per_update: float = 5e3
    clock: float = 1e9
    wait: float = 0.05

    def __post_init__(self) -> None:
        if self.miners < 1 or not self.samples or min(self.samples) < 1:
            raise ValueError(f"{self.miners} miners and samples {self.samples}; each must be at least 1")
        if isinstance(self.snr_db, tuple) and len(self.snr_db) != self.miners:
            raise ValueError(f"{len(self.snr_db)} signal-to-noise ratios for {self.miners} miners; give one for each")

    @property
    def links(self) -> tuple[Link, ...]:
        """The link to each miner, at Shannon's rate."""
        ratios = np.broadcast_to(self.snr_db, self.miners)
        return tuple(Link("cell", self.bandwidth * math.log2(1 + 10 ** (ratio / 10))) for ratio in ratios)

    @property
    def block_bytes(self) -> float:
        """A block with the updates of all devices."""
        return self.header_bytes + self.update_bytes * len(self.samples)

    @property
    def hops(self) -> np.ndarray:
        """Seconds that a block takes to each miner, shape (M,)."""
        return np.array([link.transfer_time(self.block_bytes) for link in self.links])

    @property
    def local_seconds(self) -> np.ndarray:
        """Time of each device's local update, shape (D,)."""
        return np.array(self.samples) * self.cycles_per_sample / self.clock

    @property
    def upload(self) -> float:
        """Seconds of an update's upload, on the slowest link."""
        return max(link.transfer_time(self.update_bytes) for link in self.links)

    @property
    def in_time(self) -> np.ndarray:
        """Whether each device's update reaches its miner before the wait is over, shape (D,)."""
        return self.local_seconds + self.upload <= self.wait

    @property
    def finish(self) -> float:
        """Seconds after the block has reached all miners: download and the device's own aggregation."""
        return float(self.hops.max()) + self.cycles_per_update * len(self.samples) / self.clock


def letter_setting(seed: int, **changes) -> Setting:
    """Ten devices with 10 to 50 samples, drawn, and the letter's constants.

    >>> len(letter_setting(0).samples)
    10
    """
    samples = np.random.default_rng(seed).integers(10, 51, 10).tolist()
    return Setting(samples=tuple(samples), **changes)
