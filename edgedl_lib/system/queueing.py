"""Requests that wait for a server: a SimPy queue to read and an array recursion for sweeps.

The queue knows nothing of what serves: a GPU that gathers a batch, an FPGA that takes items one by one and a CPU differ
in their service time alone.  The closed forms that check both stand in ``queue_theory`` and are offered here too.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.device import not_negative
from edgedl_lib.system.queue_theory import md1_wait, mg1_wait, mm1_wait, mmk_wait, require_count, utilisation

if TYPE_CHECKING:
    import simpy

__all__ = [
    "QueueRun",
    "deterministic",
    "exponential",
    "lindley_waits",
    "md1_wait",
    "mg1_wait",
    "mm1_wait",
    "mmk_wait",
    "multi_server_waits",
    "poisson_arrivals",
    "simulate_queue",
    "utilisation",
]

#: Seconds that a batch of the given size takes.
Service = Callable[[int, np.random.Generator], float]


@dataclass(frozen=True)
class QueueRun:
    """What happened to J requests, in order of arrival.

    Attributes
    ----------
    arrival, start, finish : numpy.ndarray, shape (J,)
        Seconds.
    batch : numpy.ndarray, shape (J,)
        Size of the batch in which each request was served.
    servers : int
    """

    arrival: np.ndarray
    start: np.ndarray
    finish: np.ndarray
    batch: np.ndarray
    servers: int

    @cached_property
    def wait(self) -> np.ndarray:
        """Seconds between arrival and start of service, shape (J,)."""
        return self.start - self.arrival

    @cached_property
    def latency(self) -> np.ndarray:
        """Seconds between arrival and end of service, shape (J,)."""
        return self.finish - self.arrival

    @property
    def makespan(self) -> float:
        """Seconds from time 0 until the last request is done."""
        return float(self.finish.max(initial=0.0))

    @property
    def throughput(self) -> float:
        """Requests finished per second of the makespan."""
        return len(self.finish) / self.makespan if self.makespan else 0.0

    @property
    def busy_share(self) -> float:
        """Share of the servers' time spent serving."""
        busy = float(np.sum((self.finish - self.start) / self.batch))
        return busy / (self.servers * self.makespan) if self.makespan else 0.0

    @property
    def mean_in_system(self) -> float:
        """Time average of the number of requests waiting or served, counted from events and not from latencies."""
        if not self.makespan:
            return 0.0
        times = np.concatenate([self.arrival, self.finish])
        steps = np.repeat([1, -1], len(self.arrival))
        order = np.argsort(times, kind="stable")
        inside = np.cumsum(steps[order])[:-1]
        return float(np.sum(inside * np.diff(times[order])) / self.makespan)


def deterministic(seconds: float, seconds_per_item: float = 0.0) -> Service:
    """Service time ``seconds + seconds_per_item * batch``."""
    _require_time("service time", seconds + seconds_per_item)
    return lambda batch, generator: seconds + seconds_per_item * batch


def exponential(mean: float) -> Service:
    """Exponentially distributed service time of the given mean (s), whatever the batch."""
    _require_time("mean service time", mean)
    return lambda batch, generator: float(generator.exponential(mean))


def poisson_arrivals(rate: float, count: int, seed: int | np.random.Generator) -> np.ndarray:
    """Arrival times (s) of `count` requests of a Poisson process of `rate` requests/s.

    Examples
    --------
    >>> poisson_arrivals(rate=2.0, count=3, seed=0).round(3).tolist()
    [0.34, 0.85, 0.86]
    """
    if not (rate > 0 and np.isfinite(rate)):
        raise ValueError(f"an arrival rate must be a positive number of requests/s, not {rate}")
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def simulate_queue(
    arrivals: ArrayLike,
    service: Service | float,
    *,
    servers: int = 1,
    largest_batch: int = 1,
    seed: int | np.random.Generator = 0,
) -> QueueRun:
    """First come, first served, simulated event by event in SimPy.

    A free server takes what waits, at most `largest_batch` requests, and serves them together; it never waits to fill a
    batch.

    Parameters
    ----------
    arrivals : array_like, shape (J,)
        Seconds, not decreasing.
    service : callable or float
        ``service(batch, generator)`` in seconds, or a constant.
    servers, largest_batch : int
    seed : int or numpy.random.Generator
        For random service times.

    Returns
    -------
    QueueRun

    Raises
    ------
    ValueError
        If arrivals decrease or are not finite, or a count is below one, or a service time is negative or not finite.

    Examples
    --------
    >>> simulate_queue([0, 1, 2], service=2.0).wait.tolist()
    [0.0, 1.0, 2.0]
    >>> simulate_queue([0, 1, 1.5], service=2.0, largest_batch=8).finish.tolist()  # the last two share a batch
    [2.0, 4.0, 4.0]
    """
    arrivals = _require_arrivals(arrivals)
    require_count("servers", servers)
    require_count("largest_batch", largest_batch)
    service = service if callable(service) else deterministic(service)
    start, finish, batch = _run_events(arrivals, service, servers, largest_batch, np.random.default_rng(seed))
    return QueueRun(arrivals, np.array(start), np.array(finish), np.array(batch, dtype=int), servers)


#: Start, finish and batch of each request: lists, because a single number goes into them faster than into an array.
Records = tuple[list[float], list[float], list[int]]


def _run_events(
    arrivals: np.ndarray, service: Service, servers: int, largest_batch: int, generator: np.random.Generator
) -> Records:
    import simpy

    environment = simpy.Environment()
    line = simpy.Store(environment)
    records: Records = ([0.0] * len(arrivals), [0.0] * len(arrivals), [1] * len(arrivals))
    environment.process(_arrive(environment, line, arrivals))
    for _ in range(servers):
        environment.process(_serve(environment, line, records, service, largest_batch, generator))
    environment.run()
    return records


def _arrive(environment: simpy.Environment, line: simpy.Store, arrivals: np.ndarray) -> Generator:
    for request, time in enumerate(arrivals.tolist()):
        yield environment.timeout(max(time - environment.now, 0.0))
        line.put(request)


def _serve(
    environment: simpy.Environment,
    line: simpy.Store,
    records: Records,
    service: Service,
    largest_batch: int,
    generator: np.random.Generator,
) -> Generator:
    start, finish, sizes = records
    while True:
        batch = [(yield line.get())]
        while line.items and len(batch) < largest_batch:
            batch.append((yield line.get()))
        begun = environment.now
        yield environment.timeout(_require_time("service time", service(len(batch), generator)))
        for request in batch:
            start[request], finish[request], sizes[request] = begun, environment.now, len(batch)


def lindley_waits(arrivals: ArrayLike, services: ArrayLike) -> np.ndarray:
    """Waits at one server: the recursion of Lindley 1952, whole array at once.

    ``W[n + 1] = max(0, W[n] + S[n] - A[n])`` is a random walk minus its running minimum.

    Parameters
    ----------
    arrivals, services : array_like, shape (J,)
        Arrival times (s, not decreasing) and service times (s); a scalar service serves all.

    Returns
    -------
    numpy.ndarray, shape (J,)
        Seconds.

    Examples
    --------
    >>> lindley_waits([0, 1, 2], 2.0).tolist()
    [0.0, 1.0, 2.0]
    """
    arrivals = _require_arrivals(arrivals)
    services = np.broadcast_to(not_negative("service time", services), arrivals.shape)
    walk = np.concatenate([[0.0], np.cumsum(services[:-1] - np.diff(arrivals))])[: len(arrivals)]
    return walk - np.minimum.accumulate(walk)


def multi_server_waits(arrivals: ArrayLike, services: ArrayLike, servers: int) -> np.ndarray:
    """Waits at several servers with one line, from the times at which the servers become free.

    Parameters
    ----------
    arrivals, services : array_like, shape (J,)
        Seconds; a scalar service serves all.
    servers : int

    Returns
    -------
    numpy.ndarray, shape (J,)
        Seconds.

    Examples
    --------
    >>> multi_server_waits([0, 0, 0, 1], 2.0, servers=2).tolist()
    [0.0, 0.0, 2.0, 1.0]
    """
    arrivals = _require_arrivals(arrivals)
    require_count("servers", servers)
    services = np.broadcast_to(not_negative("service time", services), arrivals.shape)
    free = [0.0] * servers
    waits = np.empty(len(arrivals))
    for request, (arrival, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        start = max(arrival, free[0])
        heapq.heapreplace(free, start + service)
        waits[request] = start - arrival
    return waits


def _require_arrivals(arrivals: ArrayLike) -> np.ndarray:
    arrivals = np.array(arrivals, dtype=float, ndmin=1)
    if not (np.all(np.isfinite(arrivals)) and np.all(arrivals >= 0) and np.all(np.diff(arrivals) >= 0)):
        raise ValueError("arrival times must be finite, not negative and not decreasing: sort them, in seconds")
    return arrivals


def _require_time(label: str, seconds: float) -> float:
    if not 0 <= seconds < np.inf:
        raise ValueError(f"a {label} must be a finite number of seconds, zero or more, not {seconds}")
    return seconds
