"""Queues at array speed, random numbers included: the twins of the event-driven simulator for long runs and sweeps.

One server follows Lindley's recursion ``W' = max(0, W + S - A)``: within a block a running sum minus its running
minimum.  A block fits the processor's cache; what is left at its end is the first wait of the next one.  Several
servers have no such closed form, but many independent replications can take every step side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from edgedl_lib.system.estimate import Estimate, estimate
from edgedl_lib.system.queue_theory import require_count, utilisation

BLOCK = 1 << 14  # 128 KiB of float64: three such buffers stay in a second-level cache
BATCHES = 20  # of consecutive waits, whose means are nearly independent: their spread gives the interval

#: Fills an array with service times of mean 1.
Draw = Callable[[np.random.Generator, np.ndarray], None]


def _exponential(generator: np.random.Generator, out: np.ndarray) -> None:
    generator.standard_exponential(out=out)


def _deterministic(generator: np.random.Generator, out: np.ndarray) -> None:
    out.fill(1.0)


SERVICES: dict[str, Draw] = {"exponential": _exponential, "deterministic": _deterministic}


def wait_blocks(
    arrival_rate: float,
    service_time: float,
    count: int,
    seed: int | np.random.Generator,
    *,
    service: str = "exponential",
    block: int = BLOCK,
) -> Iterator[np.ndarray]:
    """Waits (s) at one server with Poisson arrivals, block after block, beginning with an empty server.

    Parameters
    ----------
    arrival_rate : float
        Requests/s.
    service_time : float
        Mean, s.
    count : int
        Requests in all.
    seed : int or numpy.random.Generator
    service : {"exponential", "deterministic"}
        M/M/1 or M/D/1.
    block : int
        Requests per block; the last one may be shorter.

    Yields
    ------
    numpy.ndarray, shape (<= block,)
        The same memory each time: use it before asking for the next.
    """
    draw, generator = _require_service(service), np.random.default_rng(seed)
    gap = _require_rate(arrival_rate, service_time, count)
    steps, gaps = np.empty(block), np.empty(block)
    wait, next_step = 0.0, 0.0
    for begin in range(0, count, block):
        size = min(block, count - begin)
        walk, low = steps[:size], gaps[:size]
        draw(generator, walk)
        walk *= service_time
        generator.standard_exponential(out=low)
        low *= gap
        walk -= low  # service of a request minus the gap until the next one
        last = float(walk[-1])
        walk[1:] = walk[:-1]  # the wait of a request comes from the one before it
        walk[0] = wait + next_step
        _keep_above_zero(walk, low)
        wait, next_step = float(walk[-1]), last
        yield walk


def _keep_above_zero(steps: np.ndarray, spare: np.ndarray) -> None:
    """Lindley's recursion in place: the running sum, lifted by as much as it ever fell below zero."""
    np.add.accumulate(steps, out=steps)
    np.minimum.accumulate(steps, out=spare)
    np.minimum(spare, 0.0, out=spare)
    steps -= spare


def random_waits(
    arrival_rate: float,
    service_time: float,
    count: int,
    seed: int | np.random.Generator,
    *,
    service: str = "exponential",
) -> np.ndarray:
    """Waits (s) of `count` requests at one server, shape (count,): M/M/1 or M/D/1, from its first request on.

    Examples
    --------
    >>> random_waits(arrival_rate=0.5, service_time=1.0, count=5, seed=1).round(2).tolist()
    [0.0, 0.0, 0.0, 4.27, 4.58]
    """
    waits = np.empty(count)
    begin = 0
    for block in wait_blocks(arrival_rate, service_time, count, seed, service=service):
        waits[begin : begin + len(block)] = block
        begin += len(block)
    return waits


def mean_wait(
    arrival_rate: float,
    service_time: float,
    count: int,
    seed: int | np.random.Generator,
    *,
    service: str = "exponential",
) -> Estimate:
    """Mean wait (s) at one server in a long run, with the interval of twenty batches of consecutive requests.

    The first twentieth of the run warms up and is not counted.
    """
    require_count("count", count)
    sums = [block.sum() for block in wait_blocks(arrival_rate, service_time, count, seed, service=service)]
    return _batched(np.array(sums[: count // BLOCK]) / BLOCK)


def replicated_waits(arrivals: np.ndarray, services: np.ndarray, servers: int) -> np.ndarray:
    """Waits at several servers with one line, for many independent replications side by side.

    The times at which the servers become free are kept sorted; a new one is sifted in by minima and maxima.  The result
    is exact: each column equals `edgedl_lib.system.queueing.multi_server_waits`.

    Parameters
    ----------
    arrivals, services : numpy.ndarray, shape (J, R)
        Arrival times (s, not decreasing down a column) and service times (s) of J requests in R replications.
    servers : int

    Returns
    -------
    numpy.ndarray, shape (J, R)
        Seconds.

    Examples
    --------
    >>> replicated_waits(np.array([[0.0], [0.0], [0.0], [1.0]]), np.full((4, 1), 2.0), servers=2).ravel().tolist()
    [0.0, 0.0, 2.0, 1.0]
    """
    require_count("servers", servers)
    waits = np.empty(arrivals.shape)
    free = np.zeros((servers, arrivals.shape[1]))  # sorted: the first row is free first
    spare = np.empty(arrivals.shape[1])
    for arrival, service, wait in zip(arrivals, services, waits, strict=True):
        _serve_next(free, spare, arrival, service, wait)
    return waits


def _serve_next(
    free: np.ndarray, spare: np.ndarray, arrival: np.ndarray, service: np.ndarray, wait: np.ndarray
) -> None:
    """One request in every replication, in place."""
    np.maximum(arrival, free[0], out=spare)
    np.subtract(spare, arrival, out=wait)
    spare += service
    for row in range(1, len(free)):
        np.minimum(spare, free[row], out=free[row - 1])
        np.maximum(spare, free[row], out=spare)
    free[-1] = spare


def mean_wait_several(
    arrival_rate: float,
    service_time: float,
    servers: int,
    count: int,
    seed: int | np.random.Generator,
    *,
    replications: int = 1000,
    chunk: int = 64,
) -> Estimate:
    """Mean wait (s) of M/M/k over independent replications: they begin empty and warm up for a quarter of their length.

    Parameters
    ----------
    count : int
        Requests in all, shared by the replications.
    replications : int
        The interval comes from twenty groups of them.
    chunk : int
        Requests of each replication that are drawn at once.
    """
    gap = _require_rate(arrival_rate, service_time, count)
    if utilisation(arrival_rate, service_time, servers) >= 1:
        raise ValueError(f"{servers} servers have no mean wait at {arrival_rate} requests/s of {service_time} s each")
    generator, length = np.random.default_rng(seed), max(4, count // replications)
    free, spare, wait = np.zeros((servers, replications)), np.empty(replications), np.empty(replications)
    now, total, counted = np.zeros(replications), np.zeros(replications), 0
    gaps, services = np.empty((chunk, replications)), np.empty((chunk, replications))
    for request in range(length):
        turn = request % chunk
        if turn == 0:
            for drawn, mean in ((gaps, gap), (services, service_time)):
                generator.standard_exponential(out=drawn)
                drawn *= mean
        now += gaps[turn]
        _serve_next(free, spare, now, services[turn], wait)
        if request >= length // 4:
            total += wait
            counted += 1
    return _batched(total / counted, warm_up=0)


def _batched(means: np.ndarray, warm_up: int | None = None) -> Estimate:
    """Mean of many means and its interval, from the means of twenty groups of neighbours."""
    warm_up = len(means) // BATCHES if warm_up is None else warm_up
    if len(means) - warm_up < BATCHES:
        raise ValueError(f"a run of {len(means)} parts is too short for an interval: ask for more requests")
    return estimate([float(group.mean()) for group in np.array_split(means[warm_up:], BATCHES)])


def _require_service(service: str) -> Draw:
    if service not in SERVICES:
        raise ValueError(f"service {service!r} is unknown: use one of {sorted(SERVICES)}")
    return SERVICES[service]


def _require_rate(arrival_rate: float, service_time: float, count: int) -> float:
    require_count("count", count)
    if not (0 < arrival_rate < np.inf and 0 <= service_time < np.inf):
        raise ValueError(
            f"arrivals need a positive rate and a service time of zero or more, not {arrival_rate} and {service_time}"
        )
    return 1 / arrival_rate
