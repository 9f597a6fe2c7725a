"""Closed forms to check a simulation against and to sweep: M/M/1, M/D/1, M/G/1, M/M/k, M/G/1-PS, and Little's law.

The letters name arrivals, service and servers: M is memoryless (Poisson, exponential), D deterministic, G general.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.device import not_negative


def utilisation(arrival_rate: ArrayLike, service_time: ArrayLike, servers: int = 1) -> np.ndarray | float:
    """Offered load per server, ``arrival_rate * service_time / servers``; from 1 on the line grows without end."""
    require_count("servers", servers)
    load = not_negative("arrival_rate", arrival_rate) * not_negative("service_time", service_time) / servers
    return _plain(load)


def mg1_wait(arrival_rate: ArrayLike, service_time: ArrayLike, squared_variation: float = 1.0) -> np.ndarray | float:
    """Mean wait (s) at one server by the formula of Pollaczek and Khinchine; infinite from load 1 on.

    Parameters
    ----------
    arrival_rate : array_like
        Requests/s of a Poisson process.
    service_time : array_like
        Mean, in seconds.
    squared_variation : float
        Variance of the service time over its squared mean: 1 is exponential, 0 deterministic.
    """
    load = np.asarray(utilisation(arrival_rate, service_time))
    service_time = np.asarray(service_time, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = load * service_time * (1 + squared_variation) / (2 * (1 - load))
    return _plain(np.where(load < 1, wait, np.inf))


def mm1_wait(arrival_rate: ArrayLike, service_time: ArrayLike) -> np.ndarray | float:
    """Mean wait (s) of M/M/1.

    Examples
    --------
    >>> mm1_wait(arrival_rate=5.0, service_time=0.1)
    0.1
    """
    return mg1_wait(arrival_rate, service_time, squared_variation=1.0)


def md1_wait(arrival_rate: ArrayLike, service_time: ArrayLike) -> np.ndarray | float:
    """Mean wait (s) of M/D/1: half of M/M/1's.

    Examples
    --------
    >>> md1_wait(arrival_rate=5.0, service_time=0.1)
    0.05
    """
    return mg1_wait(arrival_rate, service_time, squared_variation=0.0)


def mmk_wait(arrival_rate: float, service_time: float, servers: int) -> float:
    """Mean wait (s) of M/M/k by Erlang's C formula; infinite from load 1 on.

    Examples
    --------
    >>> mmk_wait(5.0, 0.1, servers=1) == mm1_wait(5.0, 0.1)
    True
    >>> round(mmk_wait(15.0, 0.1, servers=2), 4)
    0.1286
    """
    load = utilisation(arrival_rate, service_time, servers)
    if load >= 1:
        return float("inf")
    return wait_probability(arrival_rate, service_time, servers) * service_time / (servers * (1 - load))


def wait_probability(arrival_rate: float, service_time: float, servers: int = 1) -> float:
    """Probability that a request of M/M/k has to wait at all: Erlang's C (1917); 1 from load 1 on.

    Examples
    --------
    >>> wait_probability(5.0, 0.1)  # one server: the load itself
    0.5
    >>> round(wait_probability(15.0, 0.1, servers=2), 3)
    0.643
    """
    load = utilisation(arrival_rate, service_time, servers)
    if load >= 1:
        return 1.0
    blocked = 1.0  # Erlang's B, by its recursion over the number of servers
    for count in range(1, servers + 1):
        blocked = load * servers * blocked / (count + load * servers * blocked)
    return blocked / (1 - load * (1 - blocked))


def mmk_wait_percentile(percent: ArrayLike, arrival_rate: float, service_time: float, servers: int = 1):
    """Wait (s) that `percent` of the requests of M/M/k do not exceed: who waits at all waits exponentially long.

    Parameters
    ----------
    percent : array_like
        In [0, 100).

    Examples
    --------
    >>> mmk_wait_percentile(50.0, 5.0, 0.1)  # half of them do not wait
    0.0
    >>> round(mmk_wait_percentile(95.0, 5.0, 0.1), 4)
    0.4605
    """
    percent = not_negative("percent", percent)
    if not np.all(percent < 100):
        raise ValueError(f"percent must lie in [0, 100), not {np.max(percent)}: no wait is the longest")
    load = utilisation(arrival_rate, service_time, servers)
    if load >= 1:
        return _plain(np.full(percent.shape, np.inf))
    if load == 0:
        return _plain(np.zeros(percent.shape))
    longer = wait_probability(arrival_rate, service_time, servers) / (1 - percent / 100)
    return _plain(np.maximum(np.log(longer), 0.0) * service_time / (servers * (1 - load)))


def sharing_latency(arrival_rate: ArrayLike, work: ArrayLike, mean_work: ArrayLike | None = None):
    """Mean latency (s) of a job under processor sharing, M/G/1-PS: its own work over ``1 - load``.

    Only the mean of the work counts, not its distribution (Kleinrock 1967; Sakata, Noguchi and Oizumi 1971).

    Parameters
    ----------
    arrival_rate : array_like
        Requests/s of a Poisson process.
    work : array_like
        Seconds that the job takes alone.
    mean_work : array_like, optional
        Of all jobs; `work` itself if not given, and the result is then the mean over all jobs.

    Examples
    --------
    >>> sharing_latency(arrival_rate=5.0, work=0.1)
    0.2
    >>> sharing_latency(arrival_rate=5.0, work=[0.01, 1.0], mean_work=0.1).tolist()  # short jobs are not held up
    [0.02, 2.0]
    """
    work = not_negative("work", work)
    load = np.asarray(utilisation(arrival_rate, work if mean_work is None else mean_work))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _plain(np.where(load < 1, work / (1 - load), np.inf))


def little_number(arrival_rate: ArrayLike, latency: ArrayLike) -> np.ndarray | float:
    """Mean number of requests in a system: arrival rate times mean time in it (Little 1961), whatever goes on inside.

    Examples
    --------
    >>> little_number(arrival_rate=20.0, latency=0.25)
    5.0
    """
    return _plain(not_negative("arrival_rate", arrival_rate) * not_negative("latency", latency))


def require_count(label: str, value: int) -> None:
    """Refuse what is not a whole number of at least one."""
    if value < 1 or value != int(value):
        raise ValueError(f"{label} must be a whole number of at least 1, not {value}")


def _plain(array: np.ndarray) -> np.ndarray | float:
    return array if np.ndim(array) else float(array)
