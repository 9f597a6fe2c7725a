"""Distributed gradient descent on a simulated clock: with fixed periods (many at once), and with the controller's."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from edgedl_lib.training.communication.adaptive.clock import BUDGET, Clock, Times
from edgedl_lib.training.communication.adaptive.control import Control, Costs, Estimates, best_period, measure
from edgedl_lib.training.communication.adaptive.nodes import Nodes

MEASURED = Times()  # on the authors' devices
SHIPPED = Control()  # the authors' configuration
SEEN_EVERY = 10  # steps or updates between two looks at the loss, where nothing is aggregated
FIXED_PERIODS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100)


@dataclass(frozen=True, eq=False)
class Descent:
    """What one run leaves.

    Attributes
    ----------
    model : ndarray, shape (d,)
        The aggregated model with the lowest loss.
    loss : float
        Its global loss.
    periods : tuple of int
        Local steps of each round.
    losses : tuple of float
        Global loss after each round, the start first.
    times : tuple of float
        Seconds at which those models existed.
    spent : float
        Seconds, the last evaluation included.
    estimates : tuple of Estimates
        As the controller saw them; empty where nothing was estimated.
    """

    model: np.ndarray
    loss: float
    periods: tuple[int, ...]
    losses: tuple[float, ...]
    times: tuple[float, ...]
    spent: float
    estimates: tuple[Estimates, ...] = ()

    @property
    def mean_period(self) -> float:
        """Local steps per round, on average over the rounds."""
        return float(np.mean(self.periods)) if self.periods else 0.0


@dataclass
class _Batches:
    """Mini-batches of each node, from its own shuffled samples; all of them if ``size`` is None."""

    nodes: Nodes
    size: int | None
    rng: np.random.Generator
    current: Nodes = field(init=False)
    uses: int = 0

    def __post_init__(self) -> None:
        self.current = self.nodes
        self._queues = [np.empty(0, dtype=int) for _ in self.nodes.sizes]

    def next(self) -> Nodes:
        """A new batch at every node."""
        if self.size is not None:
            width = min(self.size, int(self.nodes.sizes.min()))
            rows = np.stack([self._take(node, width) for node in range(len(self._queues))])
            picked = self.nodes.signed[np.arange(len(rows))[:, None], rows]
            self.current, self.uses = _Batch(picked, np.full(len(rows), width), self.nodes.weights), 0
        return self.current

    def _take(self, node: int, width: int) -> np.ndarray:
        if len(self._queues[node]) < width:
            self._queues[node] = self.rng.permutation(self.nodes.sizes[node])
        taken, self._queues[node] = np.split(self._queues[node], [width])
        return taken


@dataclass(frozen=True)
class _Batch(Nodes):
    """One mini-batch per node; the nodes keep the weights of all their data."""

    shares: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        return self.shares


def schedule(period: int, clock: Clock) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Rounds of a fixed period until the budget is used up: their steps, and when each ended."""
    periods, ends = [], [0.0]
    while (steps := clock.affordable(period)) > 0 and clock.pay(steps):
        periods.append(steps)
        ends.append(clock.spent)
    return tuple(periods), tuple(ends)


def descend_fixed(
    nodes: Nodes,
    periods: tuple[int, ...] = FIXED_PERIODS,
    *,
    step: float = 0.01,
    times: Times = MEASURED,
    budget: float = BUDGET,
    seed: int = 0,
    batch: int | None = None,
) -> list[Descent]:
    """One run for each fixed period, all in lockstep as columns of one array."""
    clocks = [Clock(times, budget, np.random.default_rng([seed, period])) for period in periods]
    plans = [schedule(period, clock) for period, clock in zip(periods, clocks, strict=True)]
    losses, best = _lockstep(
        nodes, [plan[0] for plan in plans], step, _Batches(nodes, batch, np.random.default_rng(seed))
    )
    return [
        Descent(model, min(track), plan, tuple(track), ends, clock.total)
        for model, track, (plan, ends), clock in zip(best.T, losses, plans, clocks, strict=True)
    ]


def _lockstep(nodes: Nodes, plans: list[tuple[int, ...]], step: float, batches: _Batches):
    """Losses after every aggregation of each run, and each run's best model, shape (d, runs)."""
    dimension = nodes.signed.shape[2]
    best = np.zeros((dimension, len(plans)))
    losses = [[float(value)] for value in nodes.loss(best)]
    ends = [set(np.cumsum(plan).tolist()) for plan in plans]
    last = np.array([sum(plan) for plan in plans])
    running = np.flatnonzero(last)  # columns of `models`; a run that has ended leaves
    models = np.zeros((len(nodes.sizes), dimension, len(running)))
    for now in range(1, last.max(initial=0) + 1):
        models -= step * batches.next().gradients(models)
        columns = np.array([column for column, run in enumerate(running) if now in ends[run]], dtype=int)
        if len(columns):
            mean = nodes.average(models[:, :, columns])
            models[:, :, columns] = mean
            _note(running[columns], nodes.loss(mean), mean.T, losses, best)
            going = last[running] > now
            models, running = np.ascontiguousarray(models[:, :, going]), running[going]
    return losses, best


def _note(runs: np.ndarray, values: np.ndarray, means: np.ndarray, losses: list[list[float]], best: np.ndarray) -> None:
    """Append each run's loss; keep its model if there was none better."""
    for run, value, mean in zip(runs, values, means, strict=True):
        if value < min(losses[run]):
            best[:, run] = mean
        losses[run].append(float(value))


def descend_adaptively(
    nodes: Nodes,
    control: Control = SHIPPED,
    *,
    times: Times = MEASURED,
    budget: float = BUDGET,
    seed: int = 0,
    batch: int | None = None,
    choose=best_period,
) -> Descent:
    """Descent whose period the controller chooses anew after each aggregation (Wang et al. 2019, algorithm 2).

    A node compares its own last model with the aggregated one, whose gradient is the next round's first step; the
    server hears of it when that round ends.  So the first two rounds have one step.  Each round takes one gradient more
    than its period, at the node's own last model.  ``choose`` may be replaced by a rule with the same arguments.
    """
    clock = Clock(times, budget, np.random.default_rng([seed, 0]), extra_steps=1)
    batches = _Batches(nodes, batch, np.random.default_rng(seed))
    mean = np.zeros((nodes.signed.shape[2], 1))
    heard, pending, period, current = [], None, 1, batches.next()
    track, losses, ends, best = [], [float(nodes.loss(mean)[0])], [0.0], mean
    while (steps := clock.affordable(period)) > 0 and clock.pay(steps):
        own, current = _local_steps(mean, steps, control.step, batches, current)
        mean = nodes.average(own)
        losses.append(float(nodes.loss(mean)[0]))
        best = mean if losses[-1] <= min(losses) else best
        track.append(steps)
        ends.append(clock.spent)
        if pending is not None:
            heard.append(pending)
            period = choose(pending, Costs(clock.local, clock.aggregation, budget), control, period)
        pending = _compare(current, own, mean, pending)
    return Descent(best[:, 0], min(losses), tuple(track), tuple(losses), tuple(ends), clock.total, tuple(heard))


def _local_steps(mean: np.ndarray, steps: int, step: float, batches: _Batches, current: Nodes):
    """Local models after ``steps`` steps; the first reuses the last batch, up to three times at a period of one."""
    own = np.broadcast_to(mean, (len(current.sizes), *mean.shape))
    for index in range(steps):
        if index > 0 or (steps == 1 and batches.uses >= 3):
            current = batches.next()
        batches.uses += 1
        own = own - step * current.gradients(own)
    return own, current


def _compare(batch: Nodes, own: np.ndarray, mean: np.ndarray, previous: Estimates | None) -> Estimates:
    shared = np.broadcast_to(mean, own.shape)
    return measure(
        batch.losses(own)[:, 0],
        batch.losses(shared)[:, 0],
        batch.gradients(own)[:, :, 0],
        batch.gradients(shared)[:, :, 0],
        np.linalg.norm((own - shared)[:, :, 0], axis=1),
        batch.weights,
        previous,
    )


def descend_centrally(nodes: Nodes, *, step: float = 0.01, times: Times = MEASURED, budget: float = BUDGET) -> Descent:
    """Gradient descent on the union of the data, with a step's mean time and no aggregation."""
    plan = (SEEN_EVERY,) * int(budget / times.local_mean / SEEN_EVERY)
    losses, best = _lockstep(nodes, [plan], step, _Batches(nodes, None, np.random.default_rng(0)))
    ends = tuple(times.local_mean * SEEN_EVERY * np.arange(len(plan) + 1))
    return Descent(best[:, 0], min(losses[0]), plan, tuple(losses[0]), ends, ends[-1])


def descend_asynchronously(
    nodes: Nodes, *, step: float = 0.01, times: Times = MEASURED, budget: float = BUDGET, seed: int = 0
) -> Descent:
    """Nobody waits: a node pulls the model, computes one gradient on it, pushes it, and pulls again."""
    rng = np.random.default_rng([seed, 1])
    alone = [Nodes(nodes.signed[i : i + 1], nodes.sizes[i : i + 1]) for i in range(len(nodes.sizes))]
    model = np.zeros((nodes.signed.shape[2], 1))
    events = [(sum(times.draw(1, rng)), node, model) for node in range(len(alone))]
    heapq.heapify(events)
    losses, ends, best = [float(nodes.loss(model)[0])], [0.0], model
    share, updates = nodes.weights * len(alone), 0
    while events[0][0] <= budget:
        now, node, pulled = heapq.heappop(events)
        model = model - step * share[node] * alone[node].gradients(pulled[None])[0]
        updates += 1
        if updates % SEEN_EVERY == 0:
            losses.append(float(nodes.loss(model)[0]))
            ends.append(now)
            best = model if losses[-1] <= min(losses) else best
        heapq.heappush(events, (now + sum(times.draw(1, rng)), node, model))
    return Descent(best[:, 0], min(losses), (1,) * updates, tuple(losses), tuple(ends), ends[-1])
