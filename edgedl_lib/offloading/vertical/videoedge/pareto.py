"""Fewer configurations: the Pareto front of accuracy against demand, and a band around it (Hung et al. 2018 [109])."""

from __future__ import annotations

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem

BAND = 1.5


def pareto_band(problem: PlanProblem, factor: float = BAND) -> np.ndarray:
    """Whether each configuration asks at most `factor` times what its accuracy needs, a boolean of shape (N,).

    Needed is the smallest dominant demand of a configuration of the same query that is at least as accurate.  A factor
    of 1 keeps the front alone; a slightly larger demand may fall on another resource, which is why a band is kept.
    """
    if not factor >= 1:
        raise ValueError(f"a band of factor {factor} would not hold the front itself: use 1 or more")
    kept = np.empty(len(problem.query), dtype=bool)
    ends = np.append(problem.first[1:], len(problem.query))
    for start, end in zip(problem.first, ends, strict=True):
        accuracy, demand = problem.accuracy[start:end], problem.dominant[start:end]
        order = np.lexsort((demand, -accuracy))
        needed = np.empty(end - start)
        needed[order] = np.minimum.accumulate(demand[order])
        kept[start:end] = demand <= factor * needed
    return kept
