"""Who is served next, and how fast: first come first served with several slots, and processor sharing.

A discipline knows work and capacity, nothing of devices or links: `amount` is seconds for a processor and bits for a
channel.  SimPy cannot take an event back, so a timer that is no longer anyone's rings in vain.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count

from simpy import Environment, Event

from edgedl_lib.system.link import BITS_PER_BYTE
from edgedl_lib.system.trace import Trace


class Work(Event):
    """A job at a processor or a channel: the event that fires when it is done.

    Attributes
    ----------
    amount : float
        Work, in the unit of the capacity that serves it.
    arrival, start : float
        Seconds; `start` is None as long as the job waits.
    """

    def __init__(self, environment: Environment, amount: float) -> None:
        super().__init__(environment)
        self.amount = amount
        self.arrival = environment.now
        self.start: float | None = None
        self.timer: Event | None = None


class ConstantCapacity:
    """`rate` units of work per second."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def seconds_for(self, amount: float, start: float) -> float:
        """Seconds that `amount` takes from `start` on; infinite if it never ends."""
        if amount == 0:
            return 0.0
        return amount / self.rate if self.rate else float("inf")

    def done_between(self, start: float, end: float) -> float:
        """Work done in an interval."""
        return self.rate * (end - start) if end > start else 0.0


class RecordedCapacity:
    """Bits per second as a trace recorded them."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def seconds_for(self, amount: float, start: float) -> float:
        """Seconds that `amount` bits take from `start` on; infinite if the trace ends at rate 0 before."""
        return float(self.trace.transfer_time(amount / BITS_PER_BYTE, start))

    def done_between(self, start: float, end: float) -> float:
        """Bits carried in an interval."""
        return float(self.trace.delivered_until(end) - self.trace.delivered_until(start))


Capacity = ConstantCapacity | RecordedCapacity


class FirstCome:
    """First come, first served by `slots` servers of equal capacity.

    Parameters
    ----------
    environment : simpy.Environment
    capacity : ConstantCapacity or RecordedCapacity
        Of one slot.
    slots : int
    done : callable
        Called with each job whose work ends.
    """

    def __init__(self, environment: Environment, capacity: Capacity, slots: int, done: Callable[[Work], None]) -> None:
        self.environment, self.capacity, self.slots, self.done = environment, capacity, slots, done
        self.line: deque[Work] = deque()
        self.serving: dict[Work, None] = {}  # a set that keeps its order: a failure must meet jobs in the same order
        self._busy = 0.0

    @property
    def present(self) -> int:
        """Jobs in line and in service."""
        return len(self.line) + len(self.serving)

    @property
    def waiting(self) -> int:
        """Jobs in line."""
        return len(self.line)

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds in use so far."""
        return self._busy + sum(self.environment.now - job.start for job in self.serving)

    def enter(self, job: Work) -> None:
        """Serve the job, or let it wait."""
        if len(self.serving) < self.slots:
            self._start(job)
        else:
            self.line.append(job)

    def progress(self, job: Work) -> float:
        """Work done on a present job so far."""
        if job.start is None:
            return 0.0
        return min(job.amount, self.capacity.done_between(job.start, self.environment.now))

    def remove(self, job: Work) -> None:
        """Take a present job out, unfinished."""
        if job in self.serving:
            self._release(job)
            self._next()
        else:
            self.line.remove(job)

    def everybody(self) -> list[Work]:
        """Present jobs: first those in service, then the line in order."""
        return [*self.serving, *self.line]

    def clear(self) -> None:
        """Take everybody out."""
        for job in list(self.serving):
            self._release(job)
        self.line.clear()

    def _start(self, job: Work) -> None:
        now = self.environment.now
        job.start = now
        self.serving[job] = None
        seconds = self.capacity.seconds_for(job.amount, now)
        if seconds < float("inf"):
            job.timer = self.environment.timeout(seconds, job)
            job.timer.callbacks.append(self._ring)

    def _ring(self, timer: Event) -> None:
        job = timer.value
        if job.timer is timer:
            self._release(job)
            if self.line:
                self._next()
            self.done(job)

    def _release(self, job: Work) -> None:
        del self.serving[job]
        job.timer = None
        self._busy += self.environment.now - job.start

    def _next(self) -> None:
        while self.line and len(self.serving) < self.slots:
            self._start(self.line.popleft())


class Sharing:
    """Processor sharing: each of n present jobs gets ``min(1, slots / n)`` of a slot's capacity.

    All jobs progress alike, so one counter of work per job serves all: a job that arrives at counter c with amount a
    leaves when the counter reaches ``c + a``.
    """

    def __init__(self, environment: Environment, capacity: Capacity, slots: int, done: Callable[[Work], None]) -> None:
        self.environment, self.capacity, self.slots, self.done = environment, capacity, slots, done
        self._jobs: list[tuple[float, int, Work]] = []  # heap of (counter at departure, number of arrival, job)
        self._number = count()
        self._counter = 0.0
        self._updated = environment.now
        self._busy = 0.0
        self._timer: Event | None = None

    @property
    def present(self) -> int:
        """Jobs in service: nobody waits."""
        return len(self._jobs)

    waiting = 0

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds in use so far."""
        return self._busy + (self.environment.now - self._updated) * min(len(self._jobs), self.slots)

    def enter(self, job: Work) -> None:
        """Serve the job together with the present ones."""
        self._update()
        job.start = self.environment.now
        heapq.heappush(self._jobs, (self._counter + job.amount, next(self._number), job))
        self._set_timer()

    def progress(self, job: Work) -> float:
        """Work done on a present job so far."""
        self._update()
        missing = next(leaves for leaves, _, present in self._jobs if present is job) - self._counter
        return max(job.amount - missing, 0.0)

    def remove(self, job: Work) -> None:
        """Take a present job out, unfinished."""
        self._update()
        self._jobs = [entry for entry in self._jobs if entry[2] is not job]
        heapq.heapify(self._jobs)
        self._set_timer()

    def everybody(self) -> list[Work]:
        """Present jobs in order of arrival."""
        return [job for _, _, job in sorted(self._jobs, key=lambda entry: entry[1])]

    def clear(self) -> None:
        """Take everybody out."""
        self._update()
        self._jobs.clear()
        self._set_timer()

    @property
    def _share(self) -> float:
        return min(1.0, self.slots / len(self._jobs))

    def _update(self) -> None:
        now = self.environment.now
        if self._jobs:
            self._busy = self.busy_seconds
            self._counter += self.capacity.done_between(self._updated, now) * self._share
        self._updated = now

    def _set_timer(self) -> None:
        self._timer = None
        if not self._jobs:
            return
        missing = max(self._jobs[0][0] - self._counter, 0.0) / self._share
        seconds = self.capacity.seconds_for(missing, self.environment.now)
        if seconds < float("inf"):
            self._timer = self.environment.timeout(seconds)
            self._timer.callbacks.append(self._ring)

    def _ring(self, timer: Event) -> None:
        if timer is not self._timer:
            return
        self._update()
        self._counter = max(self._counter, self._jobs[0][0])  # rounding must not leave a job a hair short for ever
        leaving = []
        while self._jobs and self._jobs[0][0] <= self._counter:
            leaving.append(heapq.heappop(self._jobs)[2])
        self._set_timer()
        for job in leaving:
            self.done(job)


DISCIPLINES = {"fifo": FirstCome, "sharing": Sharing}
