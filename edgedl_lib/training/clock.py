"""A simulated clock of unequal clients: how fast each computes, what its link carries, when it falls silent.

The processors of one machine are equally fast, so heterogeneity cannot be measured on them: time is simulated, and only
the learning is real.  ``play_round`` times one synchronous round; ``EventQueue`` orders what happens without rounds.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgedl_lib.system.link import Link

FREE = Link("free", rate=math.inf)


@dataclass(frozen=True)
class ClientClock:
    """One client's times.

    Attributes
    ----------
    step_time : float
        Seconds that it computes for one step (or one unit of work).
    link : Link
        To the server; free unless given.
    silent_from : float
        Simulated second from which on it never answers again.
    drop_rate : float
        Probability that it leaves in the middle of a round.

    Examples
    --------
    >>> phone = ClientClock(0.5, Link("uplink", rate=8e6))
    >>> phone.answers_at(start=10.0, steps=4, size_bytes=1_000_000)
    13.0
    """

    step_time: float
    link: Link = FREE
    silent_from: float = math.inf
    drop_rate: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_time) and self.step_time > 0):
            raise ValueError(f"step_time {self.step_time} must be positive and finite; a dead client has silent_from=0")
        if not 0 <= self.drop_rate <= 1 or math.isnan(self.silent_from):
            raise ValueError(f"drop_rate {self.drop_rate} must lie in [0, 1], silent_from {self.silent_from} be a time")

    def answers_at(self, start: float, steps: float, size_bytes: float = 0.0) -> float:
        """Second at which its answer has arrived: computing, then sending; infinity if it falls silent before."""
        done = start + steps * self.step_time + float(self.link.transfer_time(size_bytes))
        return done if done <= self.silent_from else math.inf


@dataclass(frozen=True)
class RoundTimes:
    """One synchronous round on the clock.

    Attributes
    ----------
    start, end : float
        s; the server goes on at `end`.
    answered_at : ndarray, shape (K,)
        s; infinity for a client that never answers.
    """

    start: float
    end: float
    answered_at: np.ndarray

    @property
    def duration(self) -> float:
        """Length of the round, s."""
        return self.end - self.start

    @property
    def arrived(self) -> tuple[int, ...]:
        """Clients whose answer was there in time."""
        return tuple(np.flatnonzero(self.answered_at <= self.end).tolist())


def play_round(
    clients: Sequence[ClientClock],
    steps: float | Sequence[float],
    start: float = 0.0,
    *,
    size_bytes: float = 0.0,
    deadline: float = math.inf,
    rng: np.random.Generator | None = None,
) -> RoundTimes:
    """Time a round that ends with the last answer, or at the deadline (seconds after the start) if that is earlier.

    Raises
    ------
    ValueError
        A client never answers and there is no deadline; or clients may drop out and no generator is given.
    """
    if not clients:
        raise ValueError("a round needs at least one client")
    work = np.broadcast_to(np.asarray(steps, dtype=float), len(clients))
    answered = np.array([each.answers_at(start, own, size_bytes) for each, own in zip(clients, work, strict=True)])
    answered[_dropped(clients, rng)] = math.inf
    silent = np.flatnonzero(np.isinf(answered))
    if len(silent) and math.isinf(deadline):
        raise ValueError(f"clients {silent.tolist()} never answer; give the round a deadline")
    return RoundTimes(start, float(min(answered.max(), start + deadline)), answered)


def _dropped(clients: Sequence[ClientClock], rng: np.random.Generator | None) -> np.ndarray:
    rates = np.array([each.drop_rate for each in clients])
    if not rates.any():
        return np.zeros(len(clients), dtype=bool)
    if rng is None:
        raise ValueError("some clients drop out at random; give a generator")
    return rng.random(len(clients)) < rates


def heterogeneity(step_times: Sequence[float]) -> float:
    """Mean speed over the slowest one, H of Hu et al. 2020 [211].

    Examples
    --------
    >>> round(heterogeneity([1.0, 1.0, 3.0]), 2)
    2.33
    """
    speeds = 1 / np.asarray(step_times, dtype=float)
    return float(speeds.mean() / speeds.min())


def one_slow_worker(level: float, workers: int = 3) -> tuple[float, ...]:
    """Step times of 1 s and one longer one, so that the heterogeneity is `level`.

    Examples
    --------
    >>> one_slow_worker(1.0), [round(each, 3) for each in one_slow_worker(5.5)]
    ((1.0, 1.0, 1.0), [1.0, 1.0, 7.75])
    """
    slowest = (workers * level - 1) / (workers - 1) if workers > 1 else 1.0
    if slowest < 1 or (workers == 1 and level != 1):
        raise ValueError(
            f"heterogeneity {level} is not possible with {workers} workers; give at least 1, and two workers"
        )
    return (1.0,) * (workers - 1) + (slowest,)


def barrier_waste(step_times: Sequence[float]) -> float:
    """Share of all workers' speed that a barrier leaves unused: equal work for all, paced by the slowest.

    Examples
    --------
    >>> round(barrier_waste([1.0, 1.0, 3.0]), 3)
    0.571
    """
    clients = [ClientClock(each) for each in step_times]
    duration = play_round(clients, 1).duration
    possible = sum(duration / each.step_time for each in clients)
    return 1 - len(clients) / possible


@dataclass(frozen=True)
class Span:
    """What one worker does between two moments: "compute", "commit" or "wait"."""

    worker: int
    start: float
    end: float
    kind: str


@dataclass
class EventQueue:
    """What happens next; of events at the same moment the one with the lower rank, then the one pushed first.

    Examples
    --------
    >>> queue = EventQueue()
    >>> queue.push(2.0, "b"), queue.push(1.0, "a"), queue.push(2.0, "first", rank=-1)
    (None, None, None)
    >>> queue.pop(), queue.pop(), queue.pop()
    ((1.0, 'a'), (2.0, 'first'), (2.0, 'b'))
    """

    _heap: list[tuple[float, int, int, Any]] = field(default_factory=list)
    _pushed: int = 0

    def push(self, time: float, event: Any, rank: int = 0) -> None:
        """Let `event` happen at `time`; one at infinity never does."""
        if math.isnan(time):
            raise ValueError(f"{event} has no time")
        if math.isfinite(time):
            heapq.heappush(self._heap, (time, rank, self._pushed, event))
            self._pushed += 1

    def pop(self) -> tuple[float, Any]:
        """The next event and its time."""
        if not self._heap:
            raise IndexError("nothing happens any more")
        time, _, _, event = heapq.heappop(self._heap)
        return time, event

    def __len__(self) -> int:
        return len(self._heap)
