"""MASM [173], reconstructed: alternate two convex steps from many starts and keep the cheapest result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms, Cloudlet
from edgedl_lib.offloading.integral.masm.steps import capacity_step, weight_step

TOLERANCE = 1e-6  # relative change of the cost at which alternation ends
LONGEST = 60  # alternations
RANDOM_STARTS = 3
QUALITY_ROUNDING = 1e-9
HAIR_OF_DELAY = 1e-3  # weight of delay that keeps the steps moving when only energy counts


class InfeasibleQuality(ValueError):
    """No mix of the algorithms reaches the required quality."""


class Overloaded(ValueError):
    """The capacity serves no mix that reaches the required quality."""


@dataclass(frozen=True)
class Allocation:
    """Who does how much of the work, and with what capacity.

    Attributes
    ----------
    algorithms : Algorithms
    weights : ndarray, shape (n,)
        Shares of the tasks, sum 1.
    capacities : ndarray, shape (n,)
        Cycles/s.
    cost : float
    """

    algorithms: Algorithms
    weights: np.ndarray
    capacities: np.ndarray
    cost: float

    @property
    def quality(self) -> float:
        """Mean quality over tasks."""
        return float(self.weights @ self.algorithms.quality)


def solve(cloudlet: Cloudlet, algorithms: Algorithms, quality: float, seed: int = 0) -> Allocation:
    """Cheapest weights and capacities with a mean quality of at least `quality`.

    Parameters
    ----------
    quality : float
        Required mean over tasks.
    seed : int
        Of the random starts.

    Raises
    ------
    InfeasibleQuality
        If even the best algorithm alone is below `quality`.
    Overloaded
        If no start can be served stably.

    Examples
    --------
    >>> one = Algorithms(("net",), np.array([2e7]), np.array([4096.0]), np.array([0.9]))
    >>> allocation = solve(Cloudlet(), one, 0.9)
    >>> allocation.weights.tolist(), bool(allocation.capacities[0] > 20 * 2e7)
    ([1.0], True)
    """
    return solve_all(cloudlet, algorithms, [quality], seed)[0]


def solve_all(
    cloudlet: Cloudlet, algorithms: Algorithms, qualities: Sequence[float], seed: int = 0
) -> tuple[Allocation, ...]:
    """:func:`solve` for several required qualities at once, all starts of all of them side by side."""
    _require_reachable(algorithms, max(qualities))
    moving = replace(cloudlet, delay_weight=max(cloudlet.delay_weight, HAIR_OF_DELAY))
    begun = [starts(algorithms, quality, seed) for quality in qualities]
    wanted = np.repeat(qualities, [len(each) for each in begun])
    weights = alternate(moving, algorithms, np.concatenate(begun), wanted)
    capacities = capacity_step(cloudlet, algorithms, weights)
    costs = cloudlet.cost(algorithms, weights, capacities)
    ends = np.cumsum([len(each) for each in begun])
    best = [
        end - len(each) + int(np.argmin(costs[end - len(each) : end])) for each, end in zip(begun, ends, strict=True)
    ]
    if not np.all(np.isfinite(costs[best])):
        raise Overloaded(
            f"{cloudlet.capacity:g} cycles/s serve no mix of quality {max(qualities):g} at "
            f"{cloudlet.arrival_rate:g} tasks/s: add capacity, or ask for less quality"
        )
    return tuple(Allocation(algorithms, weights[row], capacities[row], float(costs[row])) for row in best)


def alternate(cloudlet: Cloudlet, algorithms: Algorithms, weights: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Alternate both steps from every start until no cost falls by more than `TOLERANCE`.

    Parameters
    ----------
    weights : ndarray, shape (S, n)
        Starts that reach the quality.
    quality : ndarray, shape (S,)
        Required mean quality of each.

    Returns
    -------
    ndarray, shape (S, n)
        Weights; a start that cannot be served stays as it is.
    """
    weights = weights.copy()
    capacities = capacity_step(cloudlet, algorithms, weights)
    costs = cloudlet.cost(algorithms, weights, capacities)
    active = np.flatnonzero(np.isfinite(costs))
    for _ in range(LONGEST):
        moved = weight_step(cloudlet, algorithms, capacities[active], quality[active])
        served = capacity_step(cloudlet, algorithms, moved)
        cost = cloudlet.cost(algorithms, moved, served)
        reached = moved @ algorithms.quality >= quality[active] - QUALITY_ROUNDING
        better = reached & (cost < costs[active] * (1 - TOLERANCE))
        active = active[better]
        if not len(active):
            break
        weights[active], capacities[active], costs[active] = moved[better], served[better], cost[better]
    return weights


def starts(algorithms: Algorithms, quality: float, seed: int) -> np.ndarray:
    """Weights that reach the quality, (S, n): single algorithms, pairs, and mixes of all."""
    identity = np.eye(len(algorithms))
    generator = np.random.default_rng(seed)
    mixes = [np.full(len(algorithms), 1 / len(algorithms))]
    mixes += list(generator.dirichlet(np.ones(len(algorithms)), RANDOM_STARTS))
    pairs = [(i, j) for i in range(len(algorithms)) for j in range(i)]
    mixes += [towards(identity[j], identity[i], algorithms, quality) for i, j in pairs]
    best = identity[int(np.argmax(algorithms.quality))]
    reaching = [towards(mix, best, algorithms, quality) for mix in [*mixes, *identity]]
    return np.unique(np.array([mix for mix in reaching if mix is not None]), axis=0)


def towards(weights: np.ndarray, best: np.ndarray, algorithms: Algorithms, quality: float) -> np.ndarray:
    """`weights` moved towards `best` as far as the quality asks, or all the way."""
    have, most = weights @ algorithms.quality, best @ algorithms.quality
    share = 0.0 if have >= quality else min(1.0, (quality - have) / (most - have)) if most > have else 1.0
    return (1 - share) * weights + share * best


def _require_reachable(algorithms: Algorithms, quality: float) -> None:
    most = float(np.max(algorithms.quality))
    if not quality <= most + QUALITY_ROUNDING:
        raise InfeasibleQuality(
            f"a mean quality of {quality:g} is out of reach: the best algorithm, "
            f"{algorithms.names[int(np.argmax(algorithms.quality))]}, has {most:g}; ask for no more than that"
        )
