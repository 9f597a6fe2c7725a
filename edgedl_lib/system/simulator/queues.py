"""One station as a queue, built of the simulator's own parts, and how true it is: against recursion and theory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from simpy import Environment, Event

from edgedl_lib.system.estimate import Estimate
from edgedl_lib.system.queue_arrays import mean_wait, mean_wait_several
from edgedl_lib.system.queue_theory import md1_wait, mm1_wait, mmk_wait
from edgedl_lib.system.queueing import QueueRun, poisson_arrivals
from edgedl_lib.system.simulator.lines import Work
from edgedl_lib.system.simulator.parts import Processor

#: Loads at which simulated waits are held against theory.
LOADS = (0.3, 0.6, 0.8, 0.9)

#: Work of mean 1 s, by name: the same mean, and variances of 0, 1 and 7.48 s^2.
WORKS = {
    "constant": lambda generator, count: np.ones(count),
    "exponential": lambda generator, count: generator.exponential(1.0, count),
    "a few huge": lambda generator, count: (
        generator.exponential(1.0, count) * np.where(generator.random(count) < 0.9, 0.4, 6.4)
    ),
}


def run_queue(arrivals: ArrayLike, works: ArrayLike, *, slots: int = 1, discipline: str = "fifo") -> QueueRun:
    """Jobs through one `Processor`, event by event.

    Parameters
    ----------
    arrivals, works : array_like, shape (J,)
        Arrival times (s, not decreasing) and work (s at the full speed of one slot).
    slots : int
    discipline : {"fifo", "sharing"}

    Returns
    -------
    QueueRun

    Examples
    --------
    >>> run_queue([0.0, 1.0], [2.0, 2.0]).finish.tolist()
    [2.0, 4.0]
    >>> run_queue([0.0, 1.0], [2.0, 2.0], discipline="sharing").finish.tolist()  # from 1 s on at half speed
    [3.0, 4.0]
    """
    environment = Environment()
    processor = Processor(environment, "server", slots=slots, discipline=discipline)
    jobs: list[Work] = []
    environment.process(_arrive(environment, processor, jobs, np.asarray(arrivals), np.asarray(works)))
    environment.run()
    times = np.array([job.value for job in jobs]).reshape(-1, 3)  # arrival, start, finish
    return QueueRun(*times.T, batch=np.ones(len(jobs), dtype=int), servers=slots)


def _arrive(
    environment: Environment, processor: Processor, jobs: list[Work], arrivals: np.ndarray, works: np.ndarray
) -> Iterator[Event]:
    for arrival, work in zip(arrivals.tolist(), works.tolist(), strict=True):
        yield environment.timeout(max(arrival - environment.now, 0.0))
        jobs.append(processor.execute(seconds=work))


def random_jobs(load: float, count: int, seed: int, works: str = "exponential") -> tuple[np.ndarray, np.ndarray]:
    """Poisson arrivals at rate `load`, and works of mean 1 s."""
    generator = np.random.default_rng(seed)
    arrivals = poisson_arrivals(load, count, generator)
    return arrivals, WORKS[works](generator, count)


@dataclass(frozen=True)
class QueueCheck:
    """Mean wait of one queue at one load, simulated and in closed form (service times)."""

    queue: str
    load: float
    simulated: Estimate
    theory: float

    @property
    def error(self) -> float:
        """Distance from theory in percent of it."""
        return 100 * abs(self.simulated.mean / self.theory - 1)


def check_queue(queue: str, load: float, count: int, seed: int) -> QueueCheck:
    """A long run of the array twin of M/M/1, M/D/1 or M/M/4, with service times of mean 1 s."""
    if queue == "M/M/1":
        return QueueCheck(queue, load, mean_wait(load, 1.0, count, seed), mm1_wait(load, 1.0))
    if queue == "M/D/1":
        simulated = mean_wait(load, 1.0, count, seed, service="deterministic")
        return QueueCheck(queue, load, simulated, md1_wait(load, 1.0))
    if queue == "M/M/4":
        simulated = mean_wait_several(4 * load, 1.0, 4, count, seed, replications=2000)
        return QueueCheck(queue, load, simulated, mmk_wait(4 * load, 1.0, 4))
    raise ValueError(f"queue {queue!r} is unknown: use 'M/M/1', 'M/D/1' or 'M/M/4'")


def enough_jobs(queue: str, load: float) -> int:
    """Jobs after which a mean wait is known to about half a percent.

    The higher the load, the longer it fluctuates; and at several servers few jobs wait at all at a low load.
    """
    least, growth = {"M/M/4": (12e6, 3e5), "M/D/1": (2e6, 1.5e5)}.get(queue, (3e6, 3e5))
    return int(max(least, growth / (1 - load) ** 2))


def check_queues(seed: int, times: float = 1.0) -> list[QueueCheck]:
    """All three queues at all four loads, `times` as long as half a percent asks for."""
    return [
        check_queue(queue, load, int(times * enough_jobs(queue, load)), seed)
        for queue in ("M/M/1", "M/D/1", "M/M/4")
        for load in LOADS
    ]


def worst_error(checks: list[QueueCheck], queue: str) -> float:
    """Largest error (%) of one queue over the loads."""
    return max(check.error for check in checks if check.queue == queue)


def sharing_error(seed: int, count: int, load: float = 0.4) -> dict[str, float]:
    """Error (%) of the mean latency under processor sharing, by distribution of the work.

    Latency is taken per second of work, which theory says is ``1 / (1 - load)`` for jobs of every size.
    """
    errors = {}
    for works in WORKS:
        arrivals, seconds = random_jobs(load, count, seed, works)
        latency = run_queue(arrivals, seconds, discipline="sharing").latency
        errors[works] = 100 * abs(latency.sum() / seconds.sum() * (1 - load) - 1)
    return errors
