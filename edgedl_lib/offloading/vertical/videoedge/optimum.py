"""How good a plan could be: the bound of the linear relaxation, the binary program, and plain enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from edgedl_lib.offloading.vertical.videoedge.problem import InfeasiblePlan, PlanProblem

MOST_QUERIES = 16
MOST_PLANS = 200_000


def accuracy_bound(problem: PlanProblem) -> float:
    """Mean accuracy that no plan exceeds: queries may mix configurations.

    Raises
    ------
    InfeasiblePlan
        If not even mixtures fit.
    """
    limited = np.isfinite(problem.capacity)
    solution = linprog(
        -problem.accuracy,
        A_ub=csr_array(problem.demand[:, limited].T),
        b_ub=problem.capacity[limited],
        A_eq=_one_each(problem),
        b_eq=np.ones(problem.queries),
        bounds=(0, 1),
        method="highs",
    )
    if solution.status == 2:
        raise InfeasiblePlan(f"no mixture of configurations of {problem.queries} queries fits the capacities")
    return float(-solution.fun / problem.members)


def optimal_plan(problem: PlanProblem, *, relative_gap: float = 1e-6, time_limit: float = 60.0) -> np.ndarray:
    """The plan of largest mean accuracy, shape (Q,), by the binary program.

    Raises
    ------
    ValueError
        More than sixteen queries.
    InfeasiblePlan
        If no plan fits.
    """
    if problem.queries > MOST_QUERIES:
        raise ValueError(f"{problem.queries} queries are too many for the binary program: use accuracy_bound")
    chosen = binary_plan(problem, problem.accuracy, relative_gap=relative_gap, time_limit=time_limit)
    if chosen is None:
        raise InfeasiblePlan(f"no choice of configurations of {problem.queries} queries fits the capacities")
    return chosen


def binary_plan(
    problem: PlanProblem, value: np.ndarray, *, relative_gap: float = 1e-6, time_limit: float = 60.0
) -> np.ndarray | None:
    """One configuration per query of the largest sum of `value` (N,) within the capacities; None if there is none."""
    limited = np.isfinite(problem.capacity)
    solution = milp(
        -value,
        constraints=[
            LinearConstraint(csr_array(problem.demand[:, limited].T), ub=problem.capacity[limited]),
            LinearConstraint(_one_each(problem), 1, 1),
        ],
        integrality=np.ones(len(value)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": relative_gap, "time_limit": time_limit},
    )
    return None if solution.x is None else problem.best_of(solution.x)


def exhaustive_plan(problem: PlanProblem) -> np.ndarray:
    """The best plan by trying all of them, for a handful of queries with few configurations.

    Raises
    ------
    ValueError
        Too many plans to try.
    InfeasiblePlan
        If none fits.
    """
    sizes = np.bincount(problem.query)
    if np.prod(sizes, dtype=float) > MOST_PLANS:
        raise ValueError(f"{np.prod(sizes, dtype=float):.3g} plans are too many to try; the limit is {MOST_PLANS}")
    options = [np.arange(start, start + size) for start, size in zip(problem.first, sizes, strict=True)]
    fitting = [plan for plan in map(np.array, product(*options)) if problem.fits(plan)]
    if not fitting:
        raise InfeasiblePlan(f"none of {int(np.prod(sizes))} plans fits the capacities")
    return max(fitting, key=problem.mean_accuracy)


def _one_each(problem: PlanProblem) -> csr_array:
    count = len(problem.query)
    return csr_array((np.ones(count), (problem.query, np.arange(count))), shape=(problem.queries, count))
