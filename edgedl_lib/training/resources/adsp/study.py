"""What the page measures of ADSP: seconds to the same loss, waiting, commits, and what happens when a worker dies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgedl_lib.training.clock import ClientClock, one_slow_worker
from edgedl_lib.training.resources.adsp import barrier
from edgedl_lib.training.resources.adsp.barrier import BarrierRun
from edgedl_lib.training.resources.adsp.events import EventRun, Rule, StaleSynchronous, run_events
from edgedl_lib.training.resources.adsp.problem import Problem
from edgedl_lib.training.resources.adsp.rule import AdaptiveSynchronous

FIXED_PERIODS = (4, 8, 16, 32, 40, 64)
MIDDLE = 7 / 3  # heterogeneity of the step times 1, 1 and 3 s
DEATH = 300.0  # s


def clocks(level: float, workers: int = 3, dies_at: float = np.inf) -> list[ClientClock]:
    """One slow worker at that heterogeneity; it is the one that may die."""
    *others, slow = one_slow_worker(level, workers)
    return [*(ClientClock(each) for each in others), ClientClock(slow, silent_from=dies_at)]


def fixed_runs(problem: Problem, periods: Sequence[int] = FIXED_PERIODS) -> dict[int, BarrierRun]:
    """Averaging with each constant period; what is learned does not depend on the clock."""
    return {period: barrier.train_with_barrier(problem, period) for period in periods}


def best_fixed(runs: Mapping[int, BarrierRun], level: float, commit_time: float) -> tuple[float, int]:
    """Seconds to the target with the best constant period, and that period."""
    times = {period: run.time_to_loss(one_slow_worker(level), commit_time) for period, run in runs.items()}
    best = min(times, key=times.get)
    return times[best], best


def run_adsp(problem: Problem, level: float, commit_time: float, rule: Rule | None = None, **options) -> EventRun:
    """ADSP with its search, unless another rule is given."""
    return run_events(problem, clocks(level), rule or AdaptiveSynchronous(), commit_time, **options)


def run_ssp(problem: Problem, level: float, commit_time: float, limit: int = 40, **options) -> EventRun:
    """Stale synchronous training."""
    return run_events(problem, clocks(level), StaleSynchronous(limit), commit_time, **options)


def best_adacomm(problem: Problem, level: float, commit_time: float, firsts=barrier.PERIODS) -> tuple[float, int]:
    """Seconds to the target with ADACOMM's best starting period, and that period."""
    steps = one_slow_worker(level)
    runs = {first: barrier.adacomm(problem, first, steps, commit_time) for first in firsts}
    times = {first: run.time_to_loss(steps, commit_time) for first, run in runs.items()}
    best = min(times, key=times.get)
    return times[best], best


def saved(seconds: float, reference: float) -> float:
    """Per cent of the reference's time that is saved."""
    return 100 * (1 - seconds / reference)


def pace_after_death(problem: Problem, rule: Rule | None = None, until: float = 900.0) -> float:
    """Steps a second of all but the last worker after its death, over before."""
    run = run_events(
        problem, clocks(MIDDLE, dies_at=DEATH), rule or AdaptiveSynchronous(), 1.0, target=0.0, until=until
    )
    counts = {time: steps[:-1].sum() for time, _, steps in run.checks}
    last = max(counts)
    return float((counts[last] - counts[DEATH]) / (last - DEATH) / (counts[DEATH] / DEATH))
