"""Training with a barrier: everybody takes the same number of steps, then waits for the slowest.

BSP is the period 1, Fixed ADACOMM any other constant; ADACOMM lets the period shrink as the loss falls.  What
is learned depends on the periods alone, so one run serves every clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.clock import ClientClock, Span, play_round
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.adsp.problem import TARGET_LOSS, Problem
from edgedl_lib.training.resources.perceptron import Layers

PERIODS = (1, 5, 10, 20, 40, 60, 80, 100)  # ADACOMM's starting periods in the authors' code
MOST_STEPS = 6000
LOOK_STEPS = 8  # steps between two looks at the loss, at least: short rounds would spend their time on looking


@dataclass(frozen=True)
class BarrierRun:
    """Averaging rounds until the target loss.

    Attributes
    ----------
    periods : ndarray, shape (rounds,)
        Steps of each round.
    losses : ndarray, shape (rounds + 1,)
        Nats on all training samples, before the first round and after each; as last seen where it was not looked at.
    layers : Layers
        The last average.
    """

    periods: np.ndarray
    losses: np.ndarray
    layers: Layers

    def seconds(self, step_times: Sequence[float], commit_time: float) -> np.ndarray:
        """End of each round on the clock, shape (rounds + 1,)."""
        clients = [ClientClock(each) for each in step_times]
        lengths = {each: play_round(clients, each).duration + commit_time for each in set(self.periods.tolist())}
        return np.concatenate([[0.0], np.cumsum([lengths[each] for each in self.periods.tolist()])])

    def time_to_loss(self, step_times: Sequence[float], commit_time: float, target: float = TARGET_LOSS) -> float:
        """Seconds until an average is as good as the target; infinity if none is."""
        reached = np.flatnonzero(self.losses <= target)
        return float(self.seconds(step_times, commit_time)[reached[0]]) if len(reached) else math.inf

    def waiting_share(self, step_times: Sequence[float], commit_time: float) -> float:
        """Share of the workers' time in which they do not compute, commits included."""
        total = self.seconds(step_times, commit_time)[-1]
        return float(1 - self.periods.sum() * np.mean(step_times) / total)


def train_with_barrier(problem: Problem, period: int, target: float = TARGET_LOSS) -> BarrierRun:
    """Rounds of `period` steps until the target loss (BSP with 1, Fixed ADACOMM otherwise)."""
    return _train(problem, lambda _loss: period, target)


def adacomm(
    problem: Problem, first: int, step_times: Sequence[float], commit_time: float, interval: float = 60.0
) -> BarrierRun:
    """ADACOMM: every `interval` seconds the period becomes sqrt(F / F0) of the first one, or half of what it was."""
    state = {"period": first, "seconds": 0.0, "next": interval, "start": None}

    def choose(loss: float) -> int:
        state["start"] = state["start"] or loss
        if state["seconds"] >= state["next"]:
            state["period"] = shorter_period(state["period"], first, loss / state["start"])
            state["next"] += interval * math.ceil((state["seconds"] - state["next"] + 1e-9) / interval)
        state["seconds"] += state["period"] * max(step_times) + commit_time
        return state["period"]

    return _train(problem, choose, TARGET_LOSS)


def shorter_period(period: int, first: int, loss_ratio: float) -> int:
    """ADACOMM's rule: ceil(sqrt(F / F0) tau0) if that is shorter than now, otherwise half; at least one step.

    Examples
    --------
    >>> shorter_period(40, 40, 0.25), shorter_period(20, 40, 0.25), shorter_period(1, 40, 1.0)
    (20, 10, 1)
    """
    proposed = math.ceil(math.sqrt(loss_ratio) * first)
    return max(1, proposed if proposed < period else period // 2)


def _train(problem: Problem, choose: Callable[[float], int], target: float) -> BarrierRun:
    generators, layers = problem.generators(), problem.start()
    periods, losses = [], [problem.loss(layers)]
    steps = looked = 0
    while losses[-1] > target and steps < MOST_STEPS:
        periods.append(choose(losses[-1]))
        layers = averaged_round(problem, layers, periods[-1], generators)
        steps += periods[-1]
        look = steps - looked >= LOOK_STEPS
        losses.append(problem.loss(layers) if look else losses[-1])
        looked = steps if look else looked
    return BarrierRun(np.array(periods), np.array(losses), layers)


def barrier_spans(step_times: Sequence[float], period: int, commit_time: float, until: float) -> list[Span]:
    """What every worker does with a constant period, until that second."""
    spans, now = [], 0.0
    while now < until:
        together = now + period * max(step_times)
        for worker, step in enumerate(step_times):
            done = now + period * step
            spans.append(Span(worker, now, done, "compute"))
            spans += [Span(worker, done, together, "wait")] if done < together else []
            spans.append(Span(worker, together, together + commit_time, "commit"))
        now = together + commit_time
    return spans


def averaged_round(problem: Problem, layers: Layers, period: int, generators: Sequence[np.random.Generator]) -> Layers:
    """All workers take `period` steps from the same model, at once on a leading axis; then the mean."""
    models = perceptron.repeated(layers, problem.workers)
    for _ in range(period):
        drawn = [problem.batch(worker, rng) for worker, rng in enumerate(generators)]
        inputs, targets = (np.stack(parts) for parts in zip(*drawn, strict=True))
        models = perceptron.descend(models, perceptron.gradient(models, inputs, targets), problem.learning_rate)
    return tuple(each.mean(0) for each in models)
