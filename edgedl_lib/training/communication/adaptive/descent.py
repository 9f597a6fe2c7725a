"""Distributed gradient descent on a simulated clock: with fixed periods (many at once), and with the controller's."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from edgedl_lib.training.communication.adaptive.clock import BUDGET, Clock, Times
from edgedl_lib.training.communication.adaptive.control import Control, Costs, Estimates, best_period, measure
from edgedl_lib.training.communication.adaptive.nodes import Nodes

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
    """Mini-batches of each node, drawn without replacement from its own shuffled samples; all samples if ``size`` is None."""

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
            picked = np.take_along_axis(self.nodes.signed, rows[:, :, None], axis=1)
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
    times: Times = Times(),
    budget: float = BUDGET,
    seed: int = 0,
    batch: int | None = None,
) -> list[Descent]:
    """One run for each fixed period, all in lockstep as columns of one array."""
    clocks = [Clock(times, budget, np.random.default_rng([seed, period])) for period in periods]
    plans = [schedule(period, clock) for period, clock in zip(periods, clocks, strict=True)]
    losses, best = _lockstep(nodes, [plan[0] for plan in plans], step, _Batches(nodes, batch, np.random.default_rng(seed)))
    return [
        Descent(model, min(track), plan, tuple(track), ends, clock.total)
        for model, track, (plan, ends), clock in zip(best.T, losses, plans, clocks, strict=True)
    ]


def _lockstep(nodes: Nodes, plans: list[tuple[int, ...]], step: float, batches: _Batches):
    """Losses after every aggregation of each run, and each run's best model, shape (d, runs)."""
    dimension = nodes.signed.shape[2]
    models = np.zeros((len(nodes.sizes), dimension, len(plans)))
    best = np.zeros((dimension, len(plans)))
    losses = [[float(nodes.loss(best[:, :1])[0])] for _ in plans]
    ends = [np.cumsum(plan) for plan in plans]
    for now in range(1, max((end[-1] for end in ends if len(end)), default=0) + 1):
        running = np.array([run for run, end in enumerate(ends) if len(end) and now <= end[-1]])
        models[:, :, running] -= step * batches.next().gradients(models[:, :, running])
        done = np.array([run for run in running if now in ends[run]], dtype=int)
        if len(done):
            mean = nodes.average(models[:, :, done])
            models[:, :, done] = mean
            for run, value, model in zip(done, nodes.loss(mean), mean.T, strict=True):
                if value < min(losses[run]):
                    best[:, run] = model
                losses[run].append(float(value))
    return losses, best


def descend_adaptively(
    nodes: Nodes,
    control: Control = Control(),
    *,
    times: Times = Times(),
    budget: float = BUDGET,
    seed: int = 0,
    batch: int | None = None,
    choose=best_period,
) -> Descent:
    """Distributed descent whose period the controller chooses anew after each aggregation (Wang et al. 2019, algorithm 2).

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
    """Local models after ``steps`` steps; the first uses the last batch once more, for three steps at a period of one."""
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


def descend_centrally(nodes: Nodes, *, step: float = 0.01, times: Times = Times(), budget: float = BUDGET) -> Descent:
    """Gradient descent on the union of the data, with a step's mean time and no aggregation."""
    steps = int(budget / times.local_mean)
    losses, best = _lockstep(nodes, [(1,) * steps], step, _Batches(nodes, None, np.random.default_rng(0)))
    ends = tuple(times.local_mean * np.arange(steps + 1))
    return Descent(best[:, 0], min(losses[0]), (1,) * steps, tuple(losses[0]), ends, ends[-1])


def descend_asynchronously(
    nodes: Nodes, *, step: float = 0.01, times: Times = Times(), budget: float = BUDGET, seed: int = 0
) -> Descent:
    """Nobody waits: a node pulls the model, computes one gradient on it, pushes it, and pulls again."""
    rng = np.random.default_rng([seed, 1])
    alone = [Nodes(nodes.signed[i : i + 1], nodes.sizes[i : i + 1]) for i in range(len(nodes.sizes))]
    model = np.zeros((nodes.signed.shape[2], 1))
    events = [(sum(times.draw(1, rng)), node, model) for node in range(len(alone))]
    heapq.heapify(events)
    losses, ends, best = [float(nodes.loss(model)[0])], [0.0], model
    share = nodes.weights * len(alone)
    while events[0][0] <= budget:
        now, node, pulled = heapq.heappop(events)
        model = model - step * share[node] * alone[node].gradients(pulled[None])[0]
        losses.append(float(nodes.loss(model)[0]))
        ends.append(now)
        best = model if losses[-1] <= min(losses) else best
        heapq.heappush(events, (now + sum(times.draw(1, rng)), node, model))
    return Descent(best[:, 0], min(losses), (1,) * (len(losses) - 1), tuple(losses), tuple(ends), ends[-1])
