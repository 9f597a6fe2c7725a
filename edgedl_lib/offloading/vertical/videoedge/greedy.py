"""The greedy of VideoEdge: the move that buys most accuracy for its dominant demand (Hung et al. 2018 [109])."""

from __future__ import annotations

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.problem import ROUNDING, InfeasiblePlan, PlanProblem

LEAST_GAIN = 1e-12
MEASURES = ("dominant", "used")


def greedy_plan(problem: PlanProblem, *, measure: str = "dominant") -> np.ndarray:
    """Configuration of each query, shape (Q,).

    Every query starts at its cheapest configuration.  Then, as long as one fits, the move with the largest gain in
    accuracy for its cost is made; a move that gains and costs nothing comes first.

    Parameters
    ----------
    measure : {"dominant", "used"}
        Cost of a move: the change of the query's own dominant demand, or of the fullest resource over all queries.

    Raises
    ------
    InfeasiblePlan
        If no choice of configurations fits.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure {measure!r} is unknown: use one of {', '.join(MEASURES)}")
    chosen = starting_plan(problem)
    used = problem.used(chosen)
    room = problem.capacity * (1 + ROUNDING)
    while True:
        current = chosen[problem.query]
        gain = problem.accuracy - problem.accuracy[current]
        moves = np.flatnonzero(gain > LEAST_GAIN)
        change = problem.demand[moves] - problem.demand[current[moves]]
        fitting = np.all(used + change <= room, axis=1)
        moves, change = moves[fitting], change[fitting]
        if not moves.size:
            return chosen
        cost = _cost(problem, measure, moves, current[moves], used, change)
        best = _best_move(gain[moves], cost)
        chosen[problem.query[moves[best]]] = moves[best]
        used = problem.used(chosen)


def _cost(problem: PlanProblem, measure: str, moves, current, used, change) -> np.ndarray:
    if measure == "dominant":
        return problem.dominant[moves] - problem.dominant[current]
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.where(used + change > 0, (used + change) / problem.capacity, 0.0).max(axis=1)
        before = np.where(used > 0, used / problem.capacity, 0.0).max()
    return after - before


def _best_move(gain: np.ndarray, cost: np.ndarray) -> int:
    """Free moves first, the most accurate of them; then the best gain for its cost."""
    free = cost <= LEAST_GAIN
    if free.any():
        return int(np.argmax(np.where(free, gain, -np.inf)))
    return int(np.argmax(gain / cost))


def starting_plan(problem: PlanProblem) -> np.ndarray:
    """The cheapest configuration of each query; where these do not fit together, the nearest that do.

    Raises
    ------
    InfeasiblePlan
        If no choice of configurations fits; the message names the resource that the cheapest ones ask too much of.
    """
    chosen = problem.best_of(-problem.dominant)
    if problem.fits(chosen):
        return chosen
    found = _any_plan(problem)
    if found is None:
        raise InfeasiblePlan(_complaint(problem, chosen))
    return found


def _any_plan(problem: PlanProblem) -> np.ndarray | None:
    from edgedl_lib.offloading.vertical.videoedge.optimum import binary_plan

    return binary_plan(problem, -np.minimum(problem.dominant, 1e6))


def _complaint(problem: PlanProblem, cheapest: np.ndarray) -> str:
    over = problem.used(cheapest) - problem.capacity
    worst = int(np.argmax(over / np.maximum(problem.capacity, 1e-12)))
    return (
        f"no plan fits: the cheapest configurations of {problem.queries} queries ask "
        f"{problem.used(cheapest)[worst]:.3g} of {problem.resources[worst]}, which has {problem.capacity[worst]:.3g}; "
        "add capacity, drop queries, or let queries go unserved (with_nobody)"
    )


def greedy_plan_plainly(problem: PlanProblem) -> np.ndarray:
    """:func:`greedy_plan` by dominant demand in plain loops, to be read and to be tested against."""
    chosen = starting_plan(problem)
    while True:
        used, best, best_score = problem.used(chosen), None, (0.0, 0.0)
        for move in range(len(problem.query)):
            here = chosen[problem.query[move]]
            gain = problem.accuracy[move] - problem.accuracy[here]
            after = used + problem.demand[move] - problem.demand[here]
            if gain <= LEAST_GAIN or np.any(after > problem.capacity * (1 + ROUNDING)):
                continue
            cost = problem.dominant[move] - problem.dominant[here]
            score = (1.0, gain) if cost <= LEAST_GAIN else (0.0, gain / cost)
            if score > best_score:
                best, best_score = move, score
        if best is None:
            return chosen
        chosen[problem.query[best]] = best
