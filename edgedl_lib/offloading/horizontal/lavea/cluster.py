"""Edge nodes that help each other, and the jobs that reach them.

A front node may place a job of its own users at a neighbour; a placed job is not placed again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.horizontal.lavea.frames import EDGE_CLOCK, FRAME_BYTES, FRAME_CYCLES
from edgedl_lib.system.link import BITS_PER_BYTE


@dataclass(frozen=True)
class EdgeCluster:
    """N edge nodes.

    Attributes
    ----------
    rates : numpy.ndarray, shape (N,)
        Jobs per second of each node's own users.
    neighbours : tuple of tuple of int
        Nodes that each node may ask for help, nearest link first.
    link_rates : tuple of tuple of float
        bit/s of the link to each of those neighbours.
    places : numpy.ndarray of bool, shape (N,)
        Whether the node places jobs elsewhere at all.
    """

    rates: np.ndarray
    neighbours: tuple[tuple[int, ...], ...]
    link_rates: tuple[tuple[float, ...], ...]
    places: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.rates)
        if not len(self.neighbours) == len(self.link_rates) == len(self.places) == count:
            raise ValueError(f"{count} nodes need as many lists of neighbours, of link rates, and of who places")
        for node, (known, speeds) in enumerate(zip(self.neighbours, self.link_rates, strict=True)):
            if len(known) != len(speeds) or node in known or any(not 0 <= other < count for other in known):
                raise ValueError(f"node {node} needs one link rate per neighbour and neighbours among 0..{count - 1}")
            if any(not speed > 0 for speed in speeds):
                raise ValueError(f"the links of node {node} need positive rates in bit/s, not {speeds}")

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return len(self.rates)

    def transfer_seconds(self, node: int) -> tuple[float, ...]:
        """Seconds per byte to each neighbour of `node`."""
        return tuple(BITS_PER_BYTE / rate for rate in self.link_rates[node])


#: Own load of the three neighbours, and the links to them, nearest first.
NEIGHBOUR_LOADS = (0.3, 0.5, 0.6)
NEIGHBOUR_LINKS = (100e6, 40e6, 20e6)
FRONT = 0


def front_and_neighbours(rate: float, loads=NEIGHBOUR_LOADS, links=NEIGHBOUR_LINKS) -> EdgeCluster:
    """One front node that `rate` jobs/s reach, and neighbours with work of their own that keep it to themselves.

    Examples
    --------
    >>> front_and_neighbours(2.5).rates.tolist()
    [2.5, 0.6, 1.0, 1.2]
    """
    seconds = FRAME_CYCLES.mean() / EDGE_CLOCK
    own = [load / seconds for load in loads]
    return EdgeCluster(
        rates=np.array([rate, *own]),
        neighbours=(tuple(range(1, len(loads) + 1)), *[()] * len(loads)),
        link_rates=(tuple(links), *[()] * len(loads)),
        places=np.array([True] + [False] * len(loads)),
    )


@dataclass(frozen=True)
class JobStream:
    """J jobs in order of arrival, the same for every scheme.

    Attributes
    ----------
    arrival : numpy.ndarray, shape (J,)
        Seconds.
    home : numpy.ndarray of int, shape (J,)
        Node that the job reaches.
    seconds, size_bytes : numpy.ndarray, shape (J,)
        Work on any node, and what a transfer carries.
    chance : numpy.ndarray, shape (J,)
        A number in [0, 1) for schemes that throw dice.
    """

    arrival: np.ndarray
    home: np.ndarray
    seconds: np.ndarray
    size_bytes: np.ndarray
    chance: np.ndarray

    @property
    def jobs(self) -> int:
        """Number of jobs J."""
        return len(self.arrival)


def draw_stream(cluster: EdgeCluster, duration: float, seed: int | np.random.Generator) -> JobStream:
    """Poisson arrivals at every node for `duration` seconds, each job one of the four frame sizes."""
    if not (duration > 0 and np.isfinite(duration)):
        raise ValueError(f"a job stream lasts a positive number of seconds, not {duration}")
    generator = np.random.default_rng(seed)
    counts = generator.poisson(np.asarray(cluster.rates) * duration)
    home = np.repeat(np.arange(cluster.nodes), counts)
    arrival = generator.uniform(0.0, duration, home.size)
    size = generator.integers(len(FRAME_BYTES), size=home.size)
    order = np.argsort(arrival, kind="stable")
    return JobStream(
        arrival[order],
        home[order],
        (FRAME_CYCLES / EDGE_CLOCK)[size],
        FRAME_BYTES[size],
        generator.random(home.size),
    )


def periodic_stream(period: float, count: int, seed: int | np.random.Generator) -> JobStream:
    """One job every `period` seconds at the front node, nothing elsewhere."""
    size = np.random.default_rng(seed).integers(len(FRAME_BYTES), size=count)
    arrival = period * np.arange(1, count + 1)
    return JobStream(
        arrival, np.full(count, FRONT), (FRAME_CYCLES / EDGE_CLOCK)[size], FRAME_BYTES[size], np.zeros(count)
    )
