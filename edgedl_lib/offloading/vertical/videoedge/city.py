"""VideoEdge in a city, and over uplinks that change: cameras at users, private clusters at their nearest sites."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.optimum import accuracy_bound
from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import (
    CAMERA_CORES,
    CLOUD_CORES,
    PRIVATE_CORES,
    PRIVATE_UPLINK,
    Hierarchy,
    Queries,
    draw_queries,
    four_cameras,
    plan_problem,
)
from edgedl_lib.system.places import Places
from edgedl_lib.system.trace import Trace

UPLINKS = (0.5e6, 8e6)  # bit/s between which uplinks are drawn where none were recorded
CAMERAS_OF_FOUR = 4  # what the capacities of `queries` are meant for


@dataclass(frozen=True)
class CityPlan:
    """A plan for M cameras of a city.

    Attributes
    ----------
    places : Places
    users : numpy.ndarray of int, shape (M,)
        Users at whose places the cameras stand.
    hierarchy : Hierarchy
    accuracy : numpy.ndarray, shape (M,)
        Mean accuracy of each camera's queries.
    bound : float
        Mean accuracy that no plan exceeds.
    """

    places: Places
    users: np.ndarray
    hierarchy: Hierarchy
    accuracy: np.ndarray
    bound: float

    @property
    def gap(self) -> float:
        """Percent below the bound."""
        return 100 * (1 - float(self.accuracy.mean()) / self.bound)


def plan_city(
    places: Places, seed: int, *, cameras: int = 12, uplinks: np.ndarray | None = None, plan=greedy_plan
) -> CityPlan:
    """Cameras at random users, each behind the site nearest to it; two queries a camera.

    Parameters
    ----------
    places : Places
    seed : int
        Of the cameras, the queries and, if they are not given, the uplinks.
    cameras : int
    uplinks : numpy.ndarray, shape (M,), optional
        bit/s of each camera; by default drawn evenly on a logarithmic scale between `UPLINKS`.
    plan : function
        From a `PlanProblem` to one configuration per query.
    """
    generator = np.random.default_rng(seed)
    users = generator.choice(len(places.users), cameras, replace=False)
    if uplinks is None:
        uplinks = np.exp(generator.uniform(*np.log(UPLINKS), cameras))
    sites, cluster = np.unique(places.server_of_user[users], return_inverse=True)
    hierarchy = Hierarchy(
        cluster,
        np.full(cameras, CAMERA_CORES),
        np.asarray(uplinks, dtype=float),
        np.full(len(sites), PRIVATE_CORES),
        np.full(len(sites), PRIVATE_UPLINK),
        CLOUD_CORES * cameras / CAMERAS_OF_FOUR,
    )
    queries = draw_queries(2 * cameras, cameras, generator)
    problem = plan_problem(hierarchy, queries)
    values = problem.accuracy[plan(problem)]
    accuracy = np.bincount(queries.camera, values, cameras) / np.bincount(queries.camera, minlength=cameras)
    return CityPlan(places, users, hierarchy, accuracy, accuracy_bound(problem))


@dataclass(frozen=True)
class Replanning:
    """Mean accuracy at T moments of a varying uplink.

    Attributes
    ----------
    time, rate : numpy.ndarray, shape (T,)
        Seconds; bit/s of every camera's uplink.
    anew, once : numpy.ndarray, shape (T,)
        Planned for the rate of the moment, and planned once for the mean rate.
    """

    time: np.ndarray
    rate: np.ndarray
    anew: np.ndarray
    once: np.ndarray

    @property
    def gain(self) -> float:
        """Mean accuracy of planning anew over that of one plan."""
        return float(self.anew.mean() / self.once.mean())


def follow_uplinks(trace: Trace, seed: int, *, moments: int = 20, count: int = 16) -> Replanning:
    """Plan for the uplink of each moment, beside one plan for the mean; frames beyond the rate are answered wrongly."""
    time = np.linspace(0, trace.duration, moments, endpoint=False)
    rate = np.maximum(trace.rate_at(time), UPLINKS[0] / 10)
    queries = draw_queries(count, four_cameras().cameras, seed)
    fixed = _at_rate(float(rate.mean()), queries)
    chosen = greedy_plan(fixed)
    rows = []
    for each in rate:
        problem = _at_rate(float(each), queries)
        rows.append((problem.mean_accuracy(greedy_plan(problem)), _carried_out(problem, chosen, queries)))
    return Replanning(time, rate, *np.array(rows).T)


def _at_rate(rate: float, queries: Queries) -> PlanProblem:
    hierarchy = four_cameras()
    uplinks = np.full(hierarchy.cameras, rate)
    return plan_problem(replace(hierarchy, camera_uplink=uplinks), queries)


def _carried_out(problem: PlanProblem, chosen: np.ndarray, queries: Queries) -> float:
    """Mean accuracy of a plan for another rate: a query that uses an overfull uplink loses frames in proportion."""
    uplinks = slice(four_cameras().cameras, 2 * four_cameras().cameras)
    asked, room = problem.used(chosen)[uplinks], problem.capacity[uplinks]
    passed = np.minimum(1.0, room / np.maximum(asked, 1e-12))
    uses = problem.demand[chosen][:, uplinks].sum(axis=1) > 0
    return float(np.mean(problem.accuracy[chosen] * np.where(uses, passed[queries.camera], 1.0)))
