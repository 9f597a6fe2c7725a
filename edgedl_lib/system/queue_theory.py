"""Closed forms for mean waits, to check a simulation against and to sweep: M/M/1, M/D/1, M/G/1 and M/M/k."""

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
    blocked = 1.0  # Erlang's B, by its recursion over the number of servers
    for count in range(1, servers + 1):
        blocked = load * servers * blocked / (count + load * servers * blocked)
    waits = blocked / (1 - load * (1 - blocked))
    return waits * service_time / (servers * (1 - load))


def require_count(label: str, value: int) -> None:
    """Refuse what is not a whole number of at least one."""
    if value < 1 or value != int(value):
        raise ValueError(f"{label} must be a whole number of at least 1, not {value}")


def _plain(array: np.ndarray) -> np.ndarray | float:
    return array if np.ndim(array) else float(array)
