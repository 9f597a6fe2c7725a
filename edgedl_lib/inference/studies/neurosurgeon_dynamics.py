"""Neurosurgeon while the world moves: the link's rate follows a trace, the server's load comes and goes.

A phone sends a query every second.  The adaptive phone looks at the rate and the load of that moment and decides anew;
a static one keeps the cut that was best when it was installed (Kang et al. 2017 [12], sections 5.3 and 5.4).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.system.trace import Trace

Load = Callable[[float], float]  # seconds -> share of the server that others use, in [0, 1)
Choice = Callable[[float, float], int]  # rate (bit/s) and load -> cut


@dataclass(frozen=True, eq=False)
class PhoneRun:
    """What happened to Q queries: when each was asked, which cut it took, and how long it took, arrays (Q,)."""

    start: np.ndarray
    cut: np.ndarray
    latency: np.ndarray

    @property
    def p95(self) -> float:
        """95th percentile of the latency (s)."""
        return float(np.percentile(self.latency, 95))

    @property
    def mean(self) -> float:
        """Mean latency (s)."""
        return float(self.latency.mean())


def load_factor(load):
    """How many times slower a server is whose share `load` belongs to others: K = 1 / (1 - load), as in M/M/1.

    >>> load_factor(0.0), round(load_factor(0.9), 6)
    (1.0, 10.0)

    Raises
    ------
    ValueError
        If a load lies outside [0, 1).
    """
    if not np.all((np.asarray(load) >= 0) & (np.asarray(load) < 1)):
        raise ValueError(f"load is {load}: give a share of at least 0 and below 1")
    return 1 / (1 - load)


def changing_load(period: float = 240.0, highest: float = 0.9) -> Load:
    """A load that swings between 0 and `highest` once per `period` (s)."""
    return lambda seconds: highest * (1 - np.cos(2 * np.pi * seconds / period)) / 2


def adaptive(costs: ChainCosts) -> Choice:
    """Decide for each query by the rate and load of its moment."""
    return lambda rate, load: int(scan_cuts(costs, rate, server_load=load_factor(load)).cuts[0])


def static(cut: int) -> Choice:
    """Always the same cut."""
    return lambda rate, load: cut


def simulate_phone(costs: ChainCosts, trace: Trace, load: Load, choose: Choice, starts: np.ndarray) -> PhoneRun:
    """Run the queries of one phone in SimPy: processor, radio and server part, each one query at a time.

    Parameters
    ----------
    trace : rate of the uplink over time
    load : of the server, which slows its part by `load_factor`
    choose : decides when the phone's processor turns to the query
    starts : (Q,) s, when queries are asked
    """
    import simpy

    environment = simpy.Environment()
    processor, radio = simpy.Resource(environment), simpy.Resource(environment)
    cuts, latency = np.zeros(len(starts), dtype=int), np.zeros(len(starts))
    device = np.concatenate([[0.0], np.cumsum(costs.device_latency)])
    server = np.concatenate([np.cumsum(costs.server_latency[::-1])[::-1], [0.0]])

    def query(number: int, start: float):
        yield environment.timeout(start)
        with processor.request() as turn:
            yield turn
            cut = cuts[number] = choose(trace.rate_at(environment.now), load(environment.now))
            yield environment.timeout(device[cut])
        if cut < len(costs.names):
            with radio.request() as turn:
                yield turn
                yield environment.timeout(trace.transfer_time(costs.transfer_bytes[cut], environment.now))
            yield environment.timeout(load_factor(load(environment.now)) * server[cut])
        latency[number] = environment.now - start

    for number, start in enumerate(starts):
        environment.process(query(number, float(start)))
    environment.run()
    return PhoneRun(np.asarray(starts), cuts, latency)


def best_static(costs: ChainCosts, trace: Trace, load: Load, starts: np.ndarray) -> tuple[int, PhoneRun]:
    """The single cut with the least mean latency in hindsight, and its run."""
    runs = [simulate_phone(costs, trace, load, static(cut), starts) for cut in range(len(costs.names) + 1)]
    best = min(range(len(runs)), key=lambda cut: runs[cut].mean)
    return best, runs[best]


def steps_back(cuts: np.ndarray) -> int:
    """Steps at which a cut that should only move toward the device moves toward the server.

    >>> steps_back(np.array([0, 15, 15, 4, 23]))
    1
    """
    return int(np.sum(np.diff(cuts) < 0))
