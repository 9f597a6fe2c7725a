"""What VideoEdge is compared with: fair shares, and a planner like VideoStorm's that does not see the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.problem import ROUNDING, PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import CLOUD, GRID, Hierarchy, Queries, plan_accuracy


def fair_accuracies(problem: PlanProblem) -> np.ndarray:
    """Accuracy of each query within its equal share of every resource, shape (Q,); 0 where nothing fits.

    A resource is shared by the queries that could use it: a camera by its own, the cloud by all.
    """
    touches = np.logical_or.reduceat(problem.demand > 0, problem.first, axis=0)
    share = problem.capacity / np.maximum(touches.sum(axis=0), 1)
    fits = np.all(problem.demand <= share * (1 + ROUNDING), axis=1)
    return np.maximum.reduceat(np.where(fits, problem.accuracy, 0.0), problem.first)


@dataclass(frozen=True)
class BlindRun:
    """A plan made without looking at the links, and what the links made of it.

    Attributes
    ----------
    planned : numpy.ndarray, shape (Q,)
        Accuracy that the planner expects.
    arriving : numpy.ndarray, shape (Q,)
        Share of each query's frames that reach the cloud.
    wrong_when_lost, sampled_less : numpy.ndarray, shape (Q,)
        Accuracy if a lost frame is answered wrongly, and if it only thins the frame rate.
    """

    planned: np.ndarray
    arriving: np.ndarray
    wrong_when_lost: np.ndarray
    sampled_less: np.ndarray


def network_blind(problem: PlanProblem, hierarchy: Hierarchy, queries: Queries) -> BlindRun:
    """Everything in the cloud, the greedy on the cloud's cores alone, frames lost in proportion to the overload."""
    in_cloud = np.tile(GRID.first == CLOUD, queries.count)
    unlimited = np.full_like(problem.capacity, np.inf)
    unlimited[-1] = problem.capacity[-1]
    cloud = problem.keep(in_cloud).with_capacity(unlimited)
    chosen = greedy_plan(cloud)
    arriving = _arriving(cloud.demand[chosen], hierarchy, queries)
    planned = cloud.accuracy[chosen]
    plan = np.flatnonzero(in_cloud)[chosen] - GRID.count * np.arange(queries.count)
    rates = GRID.frame_rate[plan] * arriving
    thinned = [plan_accuracy(queries, query, rate)[plan[query]] for query, rate in enumerate(rates)]
    return BlindRun(planned, arriving, planned * arriving, np.array(thinned))


def _arriving(demand: np.ndarray, hierarchy: Hierarchy, queries: Queries) -> np.ndarray:
    """Share of frames that pass the camera's uplink, then the private cluster's."""
    columns = [hierarchy.columns(camera) for camera in queries.camera.tolist()]
    rows = np.arange(queries.count)
    sent = demand[rows, [each["camera uplink"] for each in columns]]
    offered = np.bincount(queries.camera, sent, hierarchy.cameras)
    passed = _passed(hierarchy.camera_uplink, offered)[queries.camera]
    home = hierarchy.cluster[queries.camera]
    forwarded = np.bincount(home, sent * passed, hierarchy.clusters)
    return passed * _passed(hierarchy.cluster_uplink, forwarded)[home]


def _passed(capacity: np.ndarray, offered: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, capacity / np.maximum(offered, 1e-12))
