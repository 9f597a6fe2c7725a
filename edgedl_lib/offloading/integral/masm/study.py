"""What is asked of MASM [173]: cost against quality, its lead over simple rules, and whether its delays are true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms, Cloudlet
from edgedl_lib.offloading.integral.masm.solver import QUALITY_ROUNDING, Allocation, Overloaded, solve_all
from edgedl_lib.offloading.integral.masm.steps import capacity_step
from edgedl_lib.system.queueing import lindley_waits

POINTS = 25  # required qualities from the least to the best
MIDDLE = (0.25, 0.75)  # share of that range that is called mid-range
HIGHEST_LOAD = 0.8
GRID_WEIGHTS, GRID_CAPACITIES = 51, 300

Solver = Callable[[Cloudlet, Algorithms, Sequence[float]], Sequence[Allocation]]


@dataclass(frozen=True)
class Sweep:
    """Allocations over the required quality (P,), and what the simple rules cost: infinite where they fall short."""

    quality: np.ndarray
    allocations: tuple[Allocation, ...]
    baselines: dict[str, np.ndarray]

    @property
    def cost(self) -> np.ndarray:
        """Cost of each allocation, (P,)."""
        return np.array([each.cost for each in self.allocations])

    @property
    def middle(self) -> np.ndarray:
        """Which required qualities are mid-range, (P,)."""
        share = (self.quality - self.quality[0]) / (self.quality[-1] - self.quality[0])
        return (share >= MIDDLE[0]) & (share <= MIDDLE[1])


def sweep(cloudlet: Cloudlet, algorithms: Algorithms, solver: Solver = solve_all) -> Sweep:
    """Solve for qualities from the least to the best of the algorithms'."""
    quality = np.linspace(algorithms.quality.min(), algorithms.quality.max(), POINTS)
    return Sweep(quality, tuple(solver(cloudlet, algorithms, quality)), baselines(cloudlet, algorithms, quality))


def baselines(cloudlet: Cloudlet, algorithms: Algorithms, quality: np.ndarray) -> dict[str, np.ndarray]:
    """Costs (P,) of three rules, each with its best capacities."""
    weights = np.vstack([np.eye(len(algorithms)), np.full((1, len(algorithms)), 1 / len(algorithms))])
    costs = cloudlet.cost(algorithms, weights, capacity_step(cloudlet, algorithms, weights))
    reached = weights @ algorithms.quality >= quality[:, None] - QUALITY_ROUNDING  # (P, n + 1)
    allowed = np.where(reached, costs, np.inf)
    return {
        "equal weights": allowed[:, -1],
        "best quality only": allowed[:, int(np.argmax(algorithms.quality))],
        "best single feasible": allowed[:, :-1].min(axis=1),
    }


def saving(result: Sweep) -> float:
    """Percent of cost saved against the best single feasible algorithm, mean over mid-range qualities."""
    single = result.baselines["best single feasible"][result.middle]
    return 100 * float(np.mean(1 - result.cost[result.middle] / single))


def price_of_quality(result: Sweep) -> float:
    """Percent by which the tightest quality costs more than the loosest."""
    return 100 * float(result.cost[-1] / result.cost[0] - 1)


def decreases(result: Sweep) -> int:
    """Steps of the required quality at which the cost falls."""
    return int(np.sum(np.diff(result.cost) < -1e-6 * result.cost[:-1]))


def over_baselines(result: Sweep) -> float:
    """Largest ratio of the cost to that of the cheapest baseline which reaches the quality."""
    return float(np.max(result.cost / np.min(list(result.baselines.values()), axis=0)))


def least_slack(result: Sweep) -> float:
    """Least difference (percentage points) between achieved and required quality."""
    slacks = [each.quality - want for each, want in zip(result.allocations, result.quality, strict=True)]
    return round(100 * min(slacks), 6) + 0.0  # what the steps' own tolerance leaves is no slack


def grid_cost(cloudlet: Cloudlet, pair: Algorithms, quality: float) -> float:
    """Cheapest point of a fine grid over one weight and two capacities."""
    weights = np.linspace(0, 1, GRID_WEIGHTS)
    weights = np.append(weights, (quality - pair.quality[1]) / (pair.quality[0] - pair.quality[1]))
    grid = np.append(0.0, np.geomspace(1e-4, 1, GRID_CAPACITIES) * cloudlet.capacity)
    fits = grid[:, None] + grid <= cloudlet.capacity
    best = np.inf
    for weight in weights:
        if weight * pair.quality[0] + (1 - weight) * pair.quality[1] < quality - QUALITY_ROUNDING:
            continue
        first = _alone(cloudlet, pair.only(0), weight, grid)
        second = _alone(cloudlet, pair.only(1), 1 - weight, grid)
        best = min(best, np.min(first[:, None] + second, where=fits, initial=np.inf))
    return float(best)


def _alone(cloudlet: Cloudlet, one: Algorithms, weight: float, capacities: np.ndarray) -> np.ndarray:
    """One machine's part of the cost for each capacity."""
    return cloudlet.cost(one, np.full((len(capacities), 1), weight), capacities[:, None])


def worst_grid_ratio(cloudlet: Cloudlet, algorithms: Algorithms, solver: Solver = solve_all) -> float:
    """Cost over the grid's, the worst of all pairs, each at the quality halfway between its two."""
    ratios = []
    for i, j in combinations(range(len(algorithms)), 2):
        pair = algorithms.only(i, j)
        if pair.quality[0] == pair.quality[1]:
            continue
        quality = float(pair.quality.mean())
        ratios.append(solver(cloudlet, pair, [quality])[0].cost / grid_cost(cloudlet, pair, quality))
    return max(ratios)


def simulated_delay(cloudlet: Cloudlet, allocation: Allocation, tasks: int, seed: int) -> float:
    """Mean seconds per task of a simulated cloudlet with exponential work.

    Dealing out Poisson arrivals at random gives each machine its own Poisson stream.  Every used machine is simulated
    for as many tasks, so that one with little work is known as well as the others, and counts by its share.
    """
    generator = np.random.default_rng(seed)
    algorithms, delay = allocation.algorithms, 0.0
    for index in np.flatnonzero(allocation.weights):
        weight = allocation.weights[index]
        arrivals = np.cumsum(generator.exponential(1 / (weight * cloudlet.arrival_rate), tasks))
        services = generator.exponential(algorithms.cycles[index] / allocation.capacities[index], tasks)
        computing = float(np.mean(lindley_waits(arrivals, services) + services))
        delay += weight * (cloudlet.sending(algorithms)[index] + computing)
    return float(delay)


def kept_on_test(result: Sweep, test_quality: np.ndarray) -> float:
    """Least difference (percentage points) between the quality on test images and the required one."""
    pairs = zip(result.allocations, result.quality, strict=True)
    return 100 * min(float(each.weights @ test_quality) - want for each, want in pairs)


def loads(cloudlet: Cloudlet, allocation: Allocation) -> np.ndarray:
    """Load of each used machine."""
    used = allocation.weights > 0
    return (cloudlet.limits(allocation.algorithms, allocation.weights)[used]) / allocation.capacities[used]


def crowded(cloudlet: Cloudlet, allocation: Allocation, load: float = HIGHEST_LOAD) -> Allocation:
    """The same weights with so little capacity that every used machine has this load."""
    capacities = cloudlet.limits(allocation.algorithms, allocation.weights) / load
    cost = float(cloudlet.cost(allocation.algorithms, allocation.weights, capacities))
    return replace(allocation, capacities=capacities, cost=cost)


def delay_error(cloudlet: Cloudlet, allocations: Sequence[Allocation], tasks: int, seed: int) -> float:
    """Largest relative error (%) of the formula against simulation; loads above the highest are refused."""
    errors = []
    for each in allocations:
        if loads(cloudlet, each).max() > HIGHEST_LOAD * (1 + 1e-9):
            raise Overloaded(f"a load of {loads(cloudlet, each).max():.2f} is simulated too slowly; ask for less")
        formula = float(cloudlet.delay(each.algorithms, each.weights, each.capacities))
        errors.append(100 * abs(formula / simulated_delay(cloudlet, each, tasks, seed) - 1))
    return max(errors)


def margin_without_delay(
    cloudlet: Cloudlet, algorithms: Algorithms, quality: float, solver: Solver = solve_all
) -> float:
    """Largest capacity of a used machine over its stability limit when only energy counts."""
    allocation = solver(replace(cloudlet, delay_weight=0.0), algorithms, [quality])[0]
    return float(1 / loads(cloudlet, allocation).min())
