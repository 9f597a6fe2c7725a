"""VideoEdge in a city: cameras where users stand, private clusters at edge sites, uplinks that vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.pareto import pareto_band
from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import (
    CAMERA_CORES,
    PRIVATE_CORES,
    PRIVATE_UPLINK,
    Hierarchy,
    Queries,
    draw_queries,
    plan_problem,
)
from edgedl_lib.system.places import Places, distances
from edgedl_lib.system.trace import Trace

CAMERAS_PER_CLUSTER = 4
CLOUD_CORES_PER_CAMERA = 10.0
WIDE_BAND = 2.0  # wide enough to hold raw video beside a detector on the camera
PERIOD = 10.0


@dataclass(frozen=True)
class CameraCity:
    """Cameras and clusters on the map, and the queries on them.

    Attributes
    ----------
    places : Places
    cameras : numpy.ndarray of int, shape (M,)
        Users at whose place a camera stands.
    sites : numpy.ndarray of int, shape (P,)
        Servers that are private clusters.
    cluster : numpy.ndarray of int, shape (M,)
        Position in `sites` of each camera's cluster.
    queries : Queries
    """

    places: Places
    cameras: np.ndarray
    sites: np.ndarray
    cluster: np.ndarray
    queries: Queries

    def hierarchy(self, uplinks: np.ndarray) -> Hierarchy:
        """The hierarchy while the cameras' uplinks have these rates (M,) in bit/s."""
        clusters, cameras = len(self.sites), len(self.cameras)
        return Hierarchy(
            self.cluster,
            np.full(cameras, CAMERA_CORES),
            np.asarray(uplinks, dtype=float),
            np.full(clusters, PRIVATE_CORES),
            np.full(clusters, PRIVATE_UPLINK),
            CLOUD_CORES_PER_CAMERA * cameras,
        )

    def problem(self, uplinks: np.ndarray) -> PlanProblem:
        """The planning problem at these rates, all configurations."""
        return plan_problem(self.hierarchy(uplinks), self.queries)


def camera_city(places: Places, cameras: int, seed: int, queries_per_camera: int = 2) -> CameraCity:
    """Cameras at users drawn at random, clusters at the sites with most users, each camera at its nearest cluster."""
    if not 1 <= cameras <= len(places.users):
        raise ValueError(f"{cameras} cameras need as many users to stand at; there are {len(places.users)}")
    generator = np.random.default_rng(seed)
    spots = np.sort(generator.choice(len(places.users), cameras, replace=False))
    count = max(1, min(cameras // CAMERAS_PER_CLUSTER, len(places.servers)))
    sites = np.sort(np.argsort(-places.users_per_server, kind="stable")[:count])
    cluster = np.argmin(distances(places.users[spots], places.servers[sites]), axis=1)
    queries = draw_queries(queries_per_camera * cameras, cameras, generator)
    return CameraCity(places, spots, sites, cluster, queries)


def uplink_rates(traces: Sequence[Trace], cameras: int, moments: int, period: float = PERIOD) -> np.ndarray:
    """Rates (bit/s) of each camera's uplink, shape (moments, cameras); traces are dealt in turn and start over."""
    if not traces:
        raise ValueError("the cameras' uplinks need at least one trace")
    time = period * np.arange(moments)
    rows = [trace.rate_at(np.mod(time, max(trace.duration, period))) for trace in traces]
    return np.stack([rows[camera % len(rows)] for camera in range(cameras)], axis=1)


@dataclass(frozen=True)
class UplinkRun:
    """Mean accuracy at each of T moments under three ways to plan.

    Attributes
    ----------
    time : numpy.ndarray, shape (T,)
        Seconds.
    rate : numpy.ndarray, shape (T,)
        Mean rate of the cameras' uplinks (bit/s).
    anew, late, once : numpy.ndarray, shape (T,)
        Planned for the rates of the moment, for those of the moment before, and once for the mean rates.
    """

    time: np.ndarray
    rate: np.ndarray
    anew: np.ndarray
    late: np.ndarray
    once: np.ndarray

    @property
    def gain(self) -> float:
        """Accuracy over the whole time when planning anew over that of one plan."""
        return float(self.anew.mean() / self.once.mean())


def follow_uplinks(city: CameraCity, rates: np.ndarray, period: float = PERIOD) -> UplinkRun:
    """Plan within a Pareto band at every moment; a plan that asks more than an uplink carries loses frames there."""
    plans = [_plan(city, row) for row in rates]
    once = _plan(city, rates.mean(axis=0))
    rows = [
        (
            _delivered(city, row, plans[moment]),
            _delivered(city, row, plans[max(moment - 1, 0)]),
            _delivered(city, row, once),
        )
        for moment, row in enumerate(rates)
    ]
    return UplinkRun(period * np.arange(len(rates)), rates.mean(axis=1), *np.array(rows).T)


@dataclass(frozen=True)
class Plan:
    """Chosen configurations: accuracy and uplink rate of each query, shape (Q,)."""

    accuracy: np.ndarray
    uplink: np.ndarray


def _plan(city: CameraCity, rates: np.ndarray) -> Plan:
    problem = city.problem(rates)
    problem = problem.keep(pareto_band(problem, WIDE_BAND))
    chosen = greedy_plan(problem)
    columns = len(city.cameras) + city.queries.camera
    return Plan(problem.accuracy[chosen], problem.demand[chosen, columns])


def _delivered(city: CameraCity, rates: np.ndarray, plan: Plan) -> float:
    """Mean accuracy when a lost frame is answered wrongly."""
    offered = np.bincount(city.queries.camera, plan.uplink, len(city.cameras))
    passed = np.minimum(1.0, rates / np.maximum(offered, 1e-12))[city.queries.camera]
    return float(np.mean(plan.accuracy * np.where(plan.uplink > 0, passed, 1.0)))
