"""Two queries of one kind on one camera may run their detector once (Hung et al. 2018 [109]).

They must then agree on frame rate, resolution and the detector's place; their recognisers stay their own.  A merged
pair is one query with the configurations of both and the sum of their accuracies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.problem import InfeasiblePlan, PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import (
    GRID,
    Hierarchy,
    Queries,
    plan_accuracy,
    prefix_demand,
    suffix_demand,
)

Pair = tuple[int, int]
LEAST_GAIN = 1e-9
NOBODY: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class MergedPlan:
    """What merging came to.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Queries that run one detector.
    accuracy, alone : float
        Mean accuracy with and without merging.
    """

    pairs: tuple[Pair, ...]
    accuracy: float
    alone: float


def mergeable(queries: Queries) -> list[Pair]:
    """Pairs of queries of the same kind on the same camera."""
    return [
        (a, b)
        for a, b in combinations(range(queries.count), 2)
        if queries.camera[a] == queries.camera[b] and queries.kind[a] == queries.kind[b]
    ]


def common_prefix() -> tuple[np.ndarray, np.ndarray]:
    """Indices of the configurations of both queries that agree on their prefix, shape (J,) each."""
    same = [value[:, None] == value[None] for value in (GRID.frame_rate, GRID.resolution, GRID.first)]
    return np.nonzero(np.logical_and.reduce(same))


FIRST, SECOND = common_prefix()


def merged_problem(hierarchy: Hierarchy, queries: Queries, pairs: tuple[Pair, ...]) -> PlanProblem:
    """The planning problem in which each of `pairs` is one query; the others follow in their order.

    Raises
    ------
    ValueError
        If a query is in two pairs, or a pair has no common prefix.
    """
    paired = [query for pair in pairs for query in pair]
    allowed = set(mergeable(queries))
    if len(set(paired)) < len(paired) or not set(pairs) <= allowed:
        raise ValueError(f"pairs {pairs} must be disjoint, and of one kind on one camera")
    parts = [_merged(hierarchy, queries, pair) for pair in pairs]
    parts += [_alone(hierarchy, queries, query) for query in range(queries.count) if query not in paired]
    accuracies, demands = zip(*parts, strict=True)
    return PlanProblem(
        query=np.repeat(np.arange(len(parts)), [len(each) for each in accuracies]),
        accuracy=np.concatenate(accuracies),
        demand=np.concatenate(demands),
        capacity=hierarchy.capacity,
        resources=hierarchy.resources,
        members=queries.count,
    )


def _alone(hierarchy: Hierarchy, queries: Queries, query: int) -> tuple[np.ndarray, np.ndarray]:
    camera = int(queries.camera[query])
    return plan_accuracy(queries, query), prefix_demand(hierarchy, camera) + suffix_demand(hierarchy, camera)


def _merged(hierarchy: Hierarchy, queries: Queries, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    camera = int(queries.camera[pair[0]])
    accuracy = plan_accuracy(queries, pair[0])[FIRST] + plan_accuracy(queries, pair[1])[SECOND]
    suffix = suffix_demand(hierarchy, camera)
    return accuracy, prefix_demand(hierarchy, camera)[FIRST] + suffix[FIRST] + suffix[SECOND]


def merge_queries(
    hierarchy: Hierarchy,
    queries: Queries,
    plan: Callable[[PlanProblem], np.ndarray] = greedy_plan,
) -> MergedPlan:
    """Merge, pair by pair, whatever raises the mean accuracy most, until nothing does."""

    def accuracy(pairs: tuple[Pair, ...]) -> float:
        problem = merged_problem(hierarchy, queries, pairs)
        try:
            return problem.mean_accuracy(plan(problem))
        except InfeasiblePlan:
            return -np.inf

    merged, alone = NOBODY, accuracy(NOBODY)
    best, open_pairs = alone, mergeable(queries)
    while open_pairs:
        trials = [(accuracy((*merged, pair)), pair) for pair in open_pairs]
        value, pair = max(trials)
        if value <= best + LEAST_GAIN:
            break
        merged, best = (*merged, pair), value
        open_pairs = [each for each in open_pairs if not set(each) & set(pair)]
    if not np.isfinite(best):
        raise InfeasiblePlan(f"no plan of {queries.count} queries fits, merged or not; add capacity or drop queries")
    return MergedPlan(merged, best, alone)
