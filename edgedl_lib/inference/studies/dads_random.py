"""DADS on random graphs: how often each shortcut goes wrong (Hu et al., INFOCOM 2019, and its public copies)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.dag import (
    heavy_load_partition,
    min_cut_partition,
    printed_construction,
    topological_neurosurgeon,
)
from edgedl_lib.inference.partition.dag_plan import DagCosts
from edgedl_lib.inference.partition.random_costs import random_dag_costs

RATE = 1e6  # bit/s: a transfer takes as long as a layer
TOLERANCE = 1e-6  # relative
FEWEST_NODES, MOST_NODES = 6, 13  # the input among them: 5 to 12 layers


@dataclass(frozen=True)
class RandomGraphResult:
    """One random graph: latencies (s), stage times (s), and whether the printed construction's plan can run at all."""

    optimal: float
    min_cut: float
    without_auxiliary: float
    printed_feasible: bool
    topological: float

    @property
    def min_cut_optimal(self) -> bool:
        """Whether the minimum cut equals exhaustive search."""
        return abs(self.min_cut - self.optimal) <= TOLERANCE * self.optimal

    @property
    def auxiliary_needed(self) -> bool:
        """Whether leaving out the auxiliary nodes leads to a slower plan."""
        return abs(self.without_auxiliary - self.optimal) > TOLERANCE * self.optimal

    @property
    def topological_excess(self) -> float:
        """What cutting the topological order costs over the optimum (percent)."""
        return 100 * (self.topological / self.optimal - 1)


@dataclass(frozen=True)
class HeavyLoadResult:
    """Longest stage (s) on one random graph: exhaustive optimum, DSH and DSL."""

    optimal: float
    dsh: float
    dsl: float


def random_graphs(count: int, seed: int) -> tuple[DagCosts, ...]:
    """Graphs of 5 to 12 layers with arbitrary times."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(FEWEST_NODES, MOST_NODES + 1, size=count)
    return tuple(random_dag_costs(rng, int(size)) for size in sizes)


def closed_plans(costs: DagCosts) -> np.ndarray:
    """All feasible plans of a small graph, (plans, M) bool: a layer is on the device only with all its predecessors."""
    count = len(costs.names)
    plans = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count - 1)) % 2 == 1
    plans = np.column_stack([np.ones(len(plans), dtype=bool), plans])
    for node, predecessors in enumerate(costs.predecessors):
        for predecessor in predecessors:
            plans = plans[~plans[:, node] | plans[:, predecessor]]
    return plans


def all_stage_times(costs: DagCosts, rate: float) -> np.ndarray:
    """Device, link and server time (s) of every feasible plan, (plans, 3): the vectorised exhaustive search."""
    plans = closed_plans(costs)
    sent = np.zeros(plans.shape, dtype=bool)
    for node, successors in enumerate(costs.successors):
        if successors:
            sent[:, node] = plans[:, node] & ~plans[:, list(successors)].all(axis=1)
    device = plans @ costs.device_latency
    server = ~plans @ costs.server_latency
    return np.column_stack([device, sent @ (8 * costs.output_bytes / rate), server])


def examine(costs: DagCosts, rate: float = RATE) -> RandomGraphResult:
    """Hold the minimum cut and its shortcuts against exhaustive search."""
    return RandomGraphResult(
        optimal=float(all_stage_times(costs, rate).sum(axis=1).min()),
        min_cut=min_cut_partition(costs, rate).latency,
        without_auxiliary=min_cut_partition(costs, rate, auxiliary_nodes=False).latency,
        printed_feasible=printed_construction(costs, rate).is_closed,
        topological=topological_neurosurgeon(costs, rate).latency,
    )


def examine_heavy_load(costs: DagCosts, rate: float = RATE) -> HeavyLoadResult:
    """Hold DSH and DSL against the plan whose longest stage is shortest."""
    return HeavyLoadResult(
        optimal=float(all_stage_times(costs, rate).max(axis=1).min()),
        dsh=heavy_load_partition(costs, rate).stages.longest,
        dsl=min_cut_partition(costs, rate).stages.longest,
    )


def worst_ratio(results: Sequence[HeavyLoadResult]) -> float:
    """Largest longest stage of DSH over the optimum."""
    return max(result.dsh / result.optimal for result in results)
