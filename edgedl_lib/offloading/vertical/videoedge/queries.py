"""Cameras, clusters and a cloud, and the plans and placements of a video query (Hung et al. 2018 [109]; figures ours).

A query is a detector followed by a recogniser.  Its accuracy depends on the plan (frame rate, resolution, network), its
demand also on where the two run; neither may run farther out than the other's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem

FRAME_RATES = (1.0, 5.0, 10.0, 15.0, 30.0)
RESOLUTIONS = (0.25, 0.5, 0.75, 1.0)  # share of the pixels of a full frame
NETWORKS = ("AlexNet", "DeepFace", "VGG16")
QUALITY = (0.70, 0.85, 1.0)
#: Levels at which detector and recogniser run.
LEVELS = ("camera", "private cluster", "cloud")
CAMERA, PRIVATE, CLOUD = range(3)
PLACEMENTS = tuple((first, second) for first in range(3) for second in range(first, 3))
#: Cores at full frame rate and resolution.
DETECTOR_CORES = 0.8
RECOGNISER_CORES = (0.6, 1.5, 4.0)
#: A full stream of 30 frames/s, and the share of it that is left when only the detected objects are cut out.
STREAM_RATE = 8e6
CROP_SHARE = 0.15
CAMERA_CORES, PRIVATE_CORES, CLOUD_CORES = 1.0, 4.0, 40.0
CAMERA_UPLINK, PRIVATE_UPLINK = 6e6, 12e6


@dataclass(frozen=True)
class Hierarchy:
    """M cameras, P private clusters, one cloud.

    Attributes
    ----------
    cluster : numpy.ndarray of int, shape (M,)
        Private cluster of each camera.
    camera_cores, camera_uplink : numpy.ndarray, shape (M,)
        Cores; bit/s to the private cluster.
    cluster_cores, cluster_uplink : numpy.ndarray, shape (P,)
        Cores; bit/s to the cloud.
    cloud_cores : float
    """

    cluster: np.ndarray
    camera_cores: np.ndarray
    camera_uplink: np.ndarray
    cluster_cores: np.ndarray
    cluster_uplink: np.ndarray
    cloud_cores: float = CLOUD_CORES

    @property
    def cameras(self) -> int:
        """Number of cameras M."""
        return len(self.cluster)

    @property
    def clusters(self) -> int:
        """Number of private clusters P."""
        return len(self.cluster_cores)

    @cached_property
    def capacity(self) -> np.ndarray:
        """Capacities in the order of :attr:`resources`, shape (2 M + 2 P + 1,)."""
        parts = (self.camera_cores, self.camera_uplink, self.cluster_cores, self.cluster_uplink, [self.cloud_cores])
        return np.concatenate([np.asarray(part, dtype=float) for part in parts])

    @cached_property
    def resources(self) -> tuple[str, ...]:
        """Names of all resources, with their unit."""
        kinds = (("camera", self.cameras, "cores"), ("camera", self.cameras, "uplink (bit/s)"))
        kinds += (("cluster", self.clusters, "cores"), ("cluster", self.clusters, "uplink (bit/s)"))
        names = [f"{what} of {level} {index}" for level, count, what in kinds for index in range(count)]
        return (*names, "cores of the cloud")

    def columns(self, camera: int) -> dict[str, int]:
        """Columns of the resources that a camera's queries use."""
        cluster, cameras, clusters = int(self.cluster[camera]), self.cameras, self.clusters
        return {
            "camera cores": camera,
            "camera uplink": cameras + camera,
            "cluster cores": 2 * cameras + cluster,
            "cluster uplink": 2 * cameras + clusters + cluster,
            "cloud cores": 2 * cameras + 2 * clusters,
        }


def four_cameras(scale: float = 1.0) -> Hierarchy:
    """Four cameras behind one private cluster; `scale` multiplies every capacity."""
    return Hierarchy(
        np.zeros(4, dtype=int),
        np.full(4, scale * CAMERA_CORES),
        np.full(4, scale * CAMERA_UPLINK),
        np.array([scale * PRIVATE_CORES]),
        np.array([scale * PRIVATE_UPLINK]),
        scale * CLOUD_CORES,
    )


@dataclass(frozen=True)
class Queries:
    """Q queries on cameras.

    Attributes
    ----------
    camera : numpy.ndarray of int, shape (Q,)
    kind : numpy.ndarray of int, shape (Q,)
        Queries of one kind on one camera share their detector, and may be merged.
    top : numpy.ndarray, shape (Q,)
        Best accuracy that the query can reach.
    pace : numpy.ndarray, shape (Q,)
        How soon its accuracy saturates with frame rate and resolution.
    """

    camera: np.ndarray
    kind: np.ndarray
    top: np.ndarray
    pace: np.ndarray

    @property
    def count(self) -> int:
        """Number of queries Q."""
        return len(self.camera)


def draw_queries(count: int, cameras: int, seed: int | np.random.Generator, kinds: int = 2) -> Queries:
    """`count` queries dealt to the cameras in turn, their kinds in turn on each camera."""
    if count < 1 or cameras < 1:
        raise ValueError(f"there must be at least one query and one camera, not {count} and {cameras}")
    generator = np.random.default_rng(seed)
    number = np.arange(count)
    return Queries(
        number % cameras,
        number // cameras % kinds,
        generator.uniform(0.85, 1.0, count),
        generator.uniform(0.5, 2.0, count),
    )


@dataclass(frozen=True)
class Grid:
    """The 360 configurations in flat order: frame rate, resolution, network, placement.

    Attributes
    ----------
    frame_rate, resolution, network, first, second : numpy.ndarray, shape (360,)
        `first` and `second` are the levels of detector and recogniser.
    """

    frame_rate: np.ndarray
    resolution: np.ndarray
    network: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def count(self) -> int:
        """Number of configurations."""
        return len(self.frame_rate)


def configuration_grid() -> Grid:
    """All plans with all placements.

    Examples
    --------
    >>> configuration_grid().count
    360
    """
    axes = np.meshgrid(FRAME_RATES, RESOLUTIONS, range(len(NETWORKS)), range(len(PLACEMENTS)), indexing="ij")
    rate, resolution, network, placement = (axis.ravel() for axis in axes)
    first, second = np.array(PLACEMENTS)[placement.astype(int)].T
    return Grid(rate, resolution, network.astype(int), first, second)


GRID = configuration_grid()


def plan_accuracy(
    queries: Queries, query: int, frame_rate: np.ndarray = GRID.frame_rate, grid: Grid = GRID
) -> np.ndarray:
    """Accuracy of one query in every configuration; it knows nothing of the placement, shape (360,)."""
    pace = queries.pace[query]
    seen = (1 - np.exp(-pace * frame_rate / 3)) * (1 - np.exp(-3 * pace * grid.resolution))
    return queries.top[query] * np.array(QUALITY)[grid.network] * seen


def prefix_demand(hierarchy: Hierarchy, camera: int, grid: Grid = GRID) -> np.ndarray:
    """Demand of detector and raw video, shape (360, L): what merged queries share."""
    demand, columns = np.zeros((grid.count, len(hierarchy.capacity))), hierarchy.columns(camera)
    size = grid.frame_rate / FRAME_RATES[-1] * grid.resolution
    for level, where in ((CAMERA, "camera cores"), (PRIVATE, "cluster cores"), (CLOUD, "cloud cores")):
        demand[:, columns[where]] += DETECTOR_CORES * size * (grid.first == level)
    demand[:, columns["camera uplink"]] += STREAM_RATE * size * (grid.first >= PRIVATE)
    demand[:, columns["cluster uplink"]] += STREAM_RATE * size * (grid.first == CLOUD)
    return demand


def suffix_demand(hierarchy: Hierarchy, camera: int, grid: Grid = GRID) -> np.ndarray:
    """Demand of recogniser and cut-out objects, shape (360, L); the result itself is neglected."""
    demand, columns = np.zeros((grid.count, len(hierarchy.capacity))), hierarchy.columns(camera)
    size = grid.frame_rate / FRAME_RATES[-1] * grid.resolution
    cores = np.array(RECOGNISER_CORES)[grid.network] * size
    for level, where in ((CAMERA, "camera cores"), (PRIVATE, "cluster cores"), (CLOUD, "cloud cores")):
        demand[:, columns[where]] += cores * (grid.second == level)
    crops = CROP_SHARE * STREAM_RATE * size
    demand[:, columns["camera uplink"]] += crops * ((grid.first == CAMERA) & (grid.second >= PRIVATE))
    demand[:, columns["cluster uplink"]] += crops * ((grid.first <= PRIVATE) & (grid.second == CLOUD))
    return demand


def plan_problem(hierarchy: Hierarchy, queries: Queries) -> PlanProblem:
    """Every query with its 360 configurations."""
    demands = {
        camera: prefix_demand(hierarchy, camera) + suffix_demand(hierarchy, camera)
        for camera in set(queries.camera.tolist())
    }
    return PlanProblem(
        query=np.repeat(np.arange(queries.count), GRID.count),
        accuracy=np.concatenate([plan_accuracy(queries, query) for query in range(queries.count)]),
        demand=np.concatenate([demands[camera] for camera in queries.camera.tolist()]),
        capacity=hierarchy.capacity,
        resources=hierarchy.resources,
    )
