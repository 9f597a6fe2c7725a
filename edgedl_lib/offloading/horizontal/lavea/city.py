"""LAVEA in a city: every site is a front node with users of its own, and a neighbour of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.horizontal.lavea import frames, selection
from edgedl_lib.offloading.horizontal.lavea.cluster import NEIGHBOUR_LINKS, EdgeCluster, draw_stream
from edgedl_lib.offloading.horizontal.lavea.frames import EDGE_CLOCK, FRAME_CYCLES
from edgedl_lib.offloading.horizontal.lavea.placement import PlacementRun, place
from edgedl_lib.offloading.horizontal.lavea.schemes import SCHEMES, Scheme
from edgedl_lib.offloading.horizontal.lavea.study import selection_problem
from edgedl_lib.system.places import Places
from edgedl_lib.system.trace import Trace

CITY_SCHEMES = ("front only", "STTF", "SQLF", "SSLF")
MEAN_LOAD = 0.6


def city_cluster(places: Places, mean_load: float = MEAN_LOAD, links: Sequence[float] = NEIGHBOUR_LINKS) -> EdgeCluster:
    """One edge node per site, its load by the users nearest to it, its neighbours the nearest sites.

    Parameters
    ----------
    mean_load : float
        Work of all users over the capacity of all sites, below 1.
    links : sequence of float
        bit/s to the nearest, second and third neighbour, and so on.
    """
    if not 0 < mean_load < 1:
        raise ValueError(f"a city whose sites are asked for {mean_load} of their time cannot keep up: use 0 < load < 1")
    share = places.users_per_server / len(places.users)
    capacity = len(places.servers) * EDGE_CLOCK / FRAME_CYCLES.mean()
    nearest, _ = places.neighbours(len(links))
    count = len(places.servers)
    return EdgeCluster(
        rates=mean_load * capacity * share,
        neighbours=tuple(tuple(row) for row in nearest.tolist()),
        link_rates=(tuple(links),) * count,
        places=np.ones(count, dtype=bool),
    )


@dataclass(frozen=True)
class CityRun:
    """One scheme in one city.

    Attributes
    ----------
    places : Places
    cluster : EdgeCluster
    run : PlacementRun
    duration : float
        Seconds of arrivals.
    """

    places: Places
    cluster: EdgeCluster
    run: PlacementRun
    duration: float

    @property
    def asked(self) -> np.ndarray:
        """Load that its own users bring to each site, shape (S,)."""
        return self._load(self.run.stream.home)

    @property
    def served(self) -> np.ndarray:
        """Load that each site serves, shape (S,)."""
        return self._load(self.run.node)

    @property
    def moved(self) -> np.ndarray:
        """Jobs per second from each site to each other, shape (S, S)."""
        count = self.cluster.nodes
        flat = np.bincount(self.run.stream.home * count + self.run.node, minlength=count**2).reshape(count, count)
        return (flat - np.diag(np.diag(flat))) / self.duration

    def _load(self, node: np.ndarray) -> np.ndarray:
        return np.bincount(node, self.run.stream.seconds, self.cluster.nodes) / self.duration


def run_city(
    places: Places, seed: int, duration: float = 200.0, schemes: Mapping[str, Scheme] | None = None
) -> dict[str, CityRun]:
    """The same jobs under each scheme, reports every second."""
    schemes = {name: SCHEMES[name] for name in CITY_SCHEMES} if schemes is None else schemes
    cluster = city_cluster(places)
    stream = draw_stream(cluster, duration, seed)
    return {
        name: CityRun(places, cluster, place(cluster, stream, scheme), duration) for name, scheme in schemes.items()
    }


def against_best_other(runs: Mapping[str, CityRun], name: str = "SSLF") -> float:
    """Mean response of one scheme over that of the best other."""
    others = min(run.run.mean_response for other, run in runs.items() if other != name)
    return runs[name].run.mean_response / others


@dataclass(frozen=True)
class TraceRun:
    """Selection over a varying uplink, T moments.

    Attributes
    ----------
    time, rate : numpy.ndarray, shape (T,)
        Seconds; bit/s that all clients share.
    selected, all_local, all_edge : numpy.ndarray, shape (T,)
        Total response in seconds.
    offloaded : numpy.ndarray, shape (T,)
        Share of tasks at the edge.
    """

    time: np.ndarray
    rate: np.ndarray
    selected: np.ndarray
    all_local: np.ndarray
    all_edge: np.ndarray
    offloaded: np.ndarray

    @property
    def saving(self) -> float:
        """Total response over the whole trace, over the better of all-local and all-edge."""
        return float(self.selected.sum() / min(self.all_local.sum(), self.all_edge.sum()))


CAMERAS = (frames.SLOW_CLIENT, frames.FAST_CLIENT) * 3
CAMERA_PIXELS = tuple(frames.PIXELS[[0, 0, 1, 1, 2, 2]])
LEAST_RATE = 1e3  # bit/s: a dead link still has to be divided by


def follow_trace(trace: Trace, period: float = 5.0, crowd: float = 1.0) -> TraceRun:
    """Six cameras decide anew every `period` seconds what to offload over the link's rate of that moment."""
    time = np.arange(0.0, trace.duration, period)
    rate = np.maximum(trace.rate_at(time), LEAST_RATE)
    rows = [_moment(float(each), crowd) for each in rate]
    return TraceRun(time, rate, *np.array(rows).T)


def _moment(uplink: float, crowd: float) -> tuple[float, float, float, float]:
    problem = selection_problem(CAMERA_PIXELS, CAMERAS, uplink, crowd)
    chosen = selection.relaxed_selection(problem)
    choices = np.array([chosen, np.zeros(problem.tasks, bool), np.ones(problem.tasks, bool)])
    return (*selection.total_response(problem, choices), chosen.mean())
