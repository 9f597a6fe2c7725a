"""Training without rounds: one event after the other on the simulated clock, each step really taken.

A worker trains its own copy and, when its rule says so, *commits*: what it has changed since its last pull is divided
by the number of workers and added to the server's model, and the worker pulls that model.  SSP and ADSP are two rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from edgedl_lib.training.clock import ClientClock, EventQueue, Span
from edgedl_lib.training.resources.adsp.problem import TARGET_LOSS, Problem
from edgedl_lib.training.resources.perceptron import Layers

CHECK_PERIOD = 60.0  # s, Gamma in the authors' code
LOOK_PERIOD = 5.0  # s, how often the server's loss is looked at
STEP, COMMIT, CHECK, LOOK = "step", "commit", "check", "look"
RANKS = {COMMIT: 0, STEP: 1, LOOK: 2, CHECK: 3}  # of events at the same moment: a commit counts before a check


@dataclass
class Fleet:
    """What is known of M workers while they run.

    Attributes
    ----------
    steps, commits : ndarray, shape (M,)
        Taken and finished so far.
    pulled_at, busy : ndarray, shape (M,)
        Second of the last pull; seconds spent computing.
    commit_time : float
        s, to push and to pull.
    step_times : ndarray, shape (M,)
        s, as each worker reports them.
    """

    steps: np.ndarray
    commits: np.ndarray
    pulled_at: np.ndarray
    busy: np.ndarray
    commit_time: float
    step_times: np.ndarray


class Rule(Protocol):
    """When a worker commits, when it may go on, and what happens at a check."""

    def wants_commit(self, fleet: Fleet, worker: int, now: float) -> bool:
        """Asked after each step."""

    def may_go_on(self, fleet: Fleet, worker: int) -> bool:
        """Asked before each step; a worker that may not is asked again after anybody's commit."""

    def check(self, fleet: Fleet, now: float, looks: Sequence[tuple[float, float]]) -> None:
        """Called every check period with the (second, loss) pairs seen since the start."""


@dataclass(frozen=True)
class StaleSynchronous:
    """SSP: commit every step; nobody is more than `limit` steps ahead of the slowest."""

    limit: int = 40

    def wants_commit(self, fleet: Fleet, worker: int, now: float) -> bool:
        """Always."""
        return True

    def may_go_on(self, fleet: Fleet, worker: int) -> bool:
        """While the lead is below the limit."""
        return bool(fleet.steps[worker] - fleet.steps.min() < self.limit)

    def check(self, fleet: Fleet, now: float, looks: Sequence[tuple[float, float]]) -> None:
        """Nothing to decide."""


@dataclass
class EventRun:
    """A run on the clock.

    Attributes
    ----------
    looks : list of (second, loss)
        Nats of the server's model on all training samples.
    end : float
        Second at which the target was seen, or the run was given up.
    reached : bool
    fleet : Fleet
        As it was at the end.
    checks : list of (second, commits, steps)
        Numbers of commits and steps of each worker, ndarrays of shape (M,).
    spans : list of Span
        What each worker did, if asked for.
    """

    layers: Layers
    fleet: Fleet
    looks: list[tuple[float, float]] = field(default_factory=list)
    checks: list[tuple[float, np.ndarray, np.ndarray]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    end: float = math.inf
    reached: bool = False

    @property
    def time_to_loss(self) -> float:
        """Seconds to the target; infinity if it was not reached."""
        return self.end if self.reached else math.inf

    @property
    def waiting_share(self) -> float:
        """Share of the workers' time in which they do not compute, commits included."""
        return float(1 - self.fleet.busy.sum() / (len(self.fleet.busy) * self.end))

    @property
    def commit_spread(self) -> int:
        """Largest difference between two workers' commits at any check."""
        return max((int(np.ptp(commits)) for _, commits, _ in self.checks), default=0)


def run_events(
    problem: Problem,
    clients: Sequence[ClientClock],
    rule: Rule,
    commit_time: float,
    *,
    target: float = TARGET_LOSS,
    until: float = 20_000.0,
    divide: bool = True,
    keep_spans: bool = False,
) -> EventRun:
    """Let the workers run until the server's loss reaches the target, or until that second.

    Parameters
    ----------
    clients : sequence of ClientClock
        One per worker; one that falls silent takes no further step, and nobody is told.
    commit_time : float
        s; infinite if nothing ever reaches the server.
    divide : bool
        Whether a commit is divided by the number of workers; without it training diverges.
    """
    if len(clients) != problem.workers:
        raise ValueError(f"{len(clients)} clocks for {problem.workers} workers; give one for each")
    return _Loop(problem, clients, rule, commit_time, divide, keep_spans).run(target, until)


class _Loop:
    """The event loop: one method for each kind of event."""

    def __init__(self, problem: Problem, clients, rule: Rule, commit_time: float, divide: bool, keep_spans: bool):
        count = problem.workers
        self.problem, self.clients, self.rule, self.keep_spans = problem, clients, rule, keep_spans
        self.share = np.float32(1 / count if divide else 1)
        zeros = (np.zeros(count, int), np.zeros(count, int), np.zeros(count), np.zeros(count))
        self.result = EventRun(
            problem.start(), Fleet(*zeros, commit_time, np.array([each.step_time for each in clients]))
        )
        self.own = [self.result.layers] * count  # each worker's copy
        self.pulled = [self.result.layers] * count  # what it was when it was pulled
        self.generators = problem.generators()
        self.held_since: dict[int, float] = {}
        self.queue = EventQueue()

    def run(self, target: float, until: float) -> EventRun:
        result, fleet = self.result, self.result.fleet
        self.rule.check(fleet, 0.0, ())
        for worker in range(len(self.own)):
            self.go_on(worker, 0.0)
        self.plan(LOOK_PERIOD, LOOK)
        self.plan(CHECK_PERIOD, CHECK)
        while not result.reached:
            now, (kind, worker) = self.queue.pop()
            if now > until:
                break
            getattr(self, f"on_{kind}")(worker, now)
            result.reached = kind == LOOK and result.looks[-1][1] <= target
            result.end = now
        return result

    def plan(self, time: float, kind: str, worker: int = -1) -> None:
        if worker >= 0 and time > self.clients[worker].silent_from:
            return  # it dies before
        self.queue.push(time, (kind, worker), RANKS[kind])

    def go_on(self, worker: int, now: float) -> None:
        if self.rule.may_go_on(self.result.fleet, worker):
            self.note(worker, self.held_since.pop(worker, now), now, "wait")
            self.plan(now + self.clients[worker].step_time, STEP, worker)
        else:
            self.held_since.setdefault(worker, now)

    def on_step(self, worker: int, now: float) -> None:
        fleet, duration = self.result.fleet, self.clients[worker].step_time
        self.own[worker] = self.problem.step(self.own[worker], worker, self.generators[worker])
        fleet.steps[worker] += 1
        fleet.busy[worker] += duration
        self.note(worker, now - duration, now, "compute")
        if self.rule.wants_commit(fleet, worker, now):
            self.plan(now + fleet.commit_time, COMMIT, worker)
        else:
            self.go_on(worker, now)

    def on_commit(self, worker: int, now: float) -> None:
        result, fleet = self.result, self.result.fleet
        changes = zip(result.layers, self.own[worker], self.pulled[worker], strict=True)
        result.layers = tuple(each + self.share * (own - pulled) for each, own, pulled in changes)
        self.own[worker] = self.pulled[worker] = result.layers
        fleet.commits[worker] += 1
        fleet.pulled_at[worker] = now
        self.note(worker, now - fleet.commit_time, now, "commit")
        for each in (worker, *sorted(self.held_since)):
            self.go_on(each, now)

    def on_look(self, _worker: int, now: float) -> None:
        self.result.looks.append((now, self.problem.loss(self.result.layers)))
        self.plan(now + LOOK_PERIOD, LOOK)

    def on_check(self, _worker: int, now: float) -> None:
        fleet = self.result.fleet
        self.result.checks.append((now, fleet.commits.copy(), fleet.steps.copy()))
        self.rule.check(fleet, now, self.result.looks)
        self.plan(now + CHECK_PERIOD, CHECK)

    def note(self, worker: int, start: float, end: float, kind: str) -> None:
        if self.keep_spans and end > start:
            self.result.spans.append(Span(worker, start, end, kind))
