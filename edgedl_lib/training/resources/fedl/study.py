"""The chapter's runs of FEDL: the sweep over what a second is worth, borders of its regions, heterogeneity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from edgedl_lib.training.resources.fedl.allocation import Allocation, allocate
from edgedl_lib.training.resources.fedl.cell import FedlCell, distance_study, size_study
from edgedl_lib.training.wireless import computing_time

KAPPAS = (0.0001, 0.006, 0.01, 0.1, 0.5, 1.0, 10.0)  # those whose solutions the authors store
SWEEP = np.geomspace(1e-4, 1e3, 62)


def sweep(cell: FedlCell, kappas: Sequence[float] = SWEEP) -> list[Allocation]:
    """The optimum for every weight."""
    return [allocate(cell, float(kappa)) for kappa in kappas]


def dominated(energy: np.ndarray, time: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """Which points another one beats in one quantity without losing in the other, shape (n,)."""
    less_energy = energy[None] < energy[:, None] * (1 - tolerance)
    less_time = time[None] < time[:, None] * (1 - tolerance)
    not_more = (energy[None] <= energy[:, None] * (1 + tolerance)) & (time[None] <= time[:, None] * (1 + tolerance))
    return ((less_energy | less_time) & not_more).any(1)


def trade_share(energy: np.ndarray, time: np.ndarray, tolerance: float = 1e-9) -> float:
    """Share of steps along the sweep on which energy does not fall and time does not rise."""
    right = (np.diff(energy) >= -tolerance * energy[:-1]) & (np.diff(time) <= tolerance * time[:-1])
    return float(right.mean())


def plateau_border(cell: FedlCell) -> float:
    """Weight at which the computation time leaves its largest value, where everybody rests."""
    longest = (cell.cycles / cell.minimum_clock).max()
    return _border(cell, lambda time: time - longest * (1 - 1e-9), 1e-5, 1.0)


def bottleneck_border(cell: FedlCell) -> float:
    """Weight from which the computation time stays at its smallest value, the bottleneck's."""
    shortest = (cell.cycles / cell.maximum_clock).max()
    return _border(cell, lambda time: time - shortest * (1 + 1e-9), 1e-3, 100.0)


def size_costs(seeds: Sequence[int], ratio: float) -> np.ndarray:
    """Cost (J) of fifty devices whose sizes are spread to the ratio, kappa = 1, shape (seeds,)."""
    return np.array([allocate(size_study(ratio, seed), 1.0).cost for seed in seeds])


def distance_cost(ratio: float) -> float:
    """Cost (J) of fifty devices whose distances are spread to the ratio, kappa = 1."""
    return allocate(distance_study(ratio), 1.0).cost


def falling_share(gaps: Sequence[float]) -> float:
    """Share of neighbours of which the second is smaller."""
    return float((np.diff(gaps) < 0).mean())


def _border(cell: FedlCell, excess, low: float, high: float) -> float:
    def at(logarithm: float) -> float:
        allocation = allocate(cell, float(np.exp(logarithm)))
        return excess(float(computing_time(cell.cycles, allocation.clock).max()))

    return float(np.exp(brentq(at, np.log(low), np.log(high), xtol=1e-10)))
