"""The survey's four modes as scenarios: the same cameras, the same network, the same links; another placement.

Four cameras see pictures periodically.  Each mode is an application for every camera: a few tasks, where they run, and
the bytes between them (one for each element: eight bits).  What a mode may choose, it chooses for the rate at hand as
if the system were empty: where to cut, or how deep to tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.tiles.geometry import tiling_cost
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT
from edgedl_lib.offloading.modes.answers import Answers
from edgedl_lib.system.catalogue import sustained_rate
from edgedl_lib.system.link import bits
from edgedl_lib.system.simulator.scenario import Application, Connection, Scenario, Station, Task, Workload

MICROCONTROLLER = "Nucleo-L4R5ZI (Cortex-M4)"
MODES = ("end alone", "integral", "partial", "vertical", "horizontal")
TILE_GRID = (2, 2)
TILE_DEPTHS = ("pool1", "pool2", "pool3", "conv6")
LABEL_BYTES = 4


@dataclass(frozen=True)
class Setting:
    """What stays the same in all modes.

    Attributes
    ----------
    graph : LayerGraph
        The trunk.
    levels : tuple of float
        FLOP of the end's, the edge's and the cloud's part in vertical collaboration, their answers included.
    boundaries : tuple of str
        Last layer of the end's and of the edge's part.
    answers : Answers
        Of the same network; vertical collaboration needs its shares.
    speeds : mapping of level to FLOP/s
    cameras : int
    frame_rate : float
        Pictures per second of each camera.
    latencies : mapping
        Seconds one way over the ``air`` and the ``backhaul``.
    backhaul_rate : float
        bit/s between edge and cloud.
    """

    graph: LayerGraph
    levels: tuple[float, float, float]
    answers: Answers
    boundaries: tuple[str, str] = ("pool2", "pool3")
    speeds: Mapping[str, float] = field(default_factory=lambda: default_speeds())
    cameras: int = 4
    frame_rate: float = 0.5
    latencies: Mapping[str, float] = field(default_factory=lambda: {"air": 0.002, "backhaul": 0.020})
    backhaul_rate: float = 100e6

    def sent_bytes(self, layer: str) -> int:
        """Bytes of one picture's features after a layer, in eight bits."""
        return self.graph[layer].output_elements

    @property
    def picture_bytes(self) -> int:
        """Bytes of a raw picture."""
        return int(np.prod(self.graph.input_shape))


def default_speeds() -> dict[str, float]:
    """Sustained FLOP/s: a microcontroller in eight bits, a Raspberry Pi 4 and a Tesla T4."""
    return {
        "end": sustained_rate(MICROCONTROLLER, precision="int8"),
        "edge": sustained_rate("Raspberry Pi 4 Model B"),
        "cloud": sustained_rate("Tesla T4"),
    }


def mode_scenario(mode: str, setting: Setting, rate: float, duration: float = 200.0) -> Scenario:
    """The scenario of a mode when the air that cameras and edge share carries `rate` bit/s.

    Raises
    ------
    ValueError
        If the mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is unknown: use one of {', '.join(MODES)}")
    cameras = [f"camera-{number}" for number in range(1, setting.cameras + 1)]
    stations = [Station(name, "end", flop_per_s=setting.speeds["end"]) for name in cameras]
    stations += [Station(level, level, flop_per_s=setting.speeds[level]) for level in ("edge", "cloud")]
    connections = (
        Connection("air", (*cameras, "edge"), rate, setting.latencies["air"]),
        Connection("backhaul", ("edge", "cloud"), setting.backhaul_rate, setting.latencies["backhaul"]),
    )
    step = 1 / (setting.frame_rate * setting.cameras)  # cameras take turns
    workloads = [
        Workload(pictures_of(name), "periodic", rate=setting.frame_rate, start=number * step)
        for number, name in enumerate(cameras)
    ]
    applications = [APPLICATIONS[mode](setting, rate, camera, cameras) for camera in cameras]
    return Scenario(mode, stations, connections, applications, workloads, duration=duration, warm_up=0.1 * duration)


def pictures_of(camera: str) -> str:
    """Name of the application of a camera."""
    return f"pictures of {camera}"


def end_alone(setting: Setting, rate: float, camera: str, cameras: list[str]) -> Application:
    """The camera computes everything: no mode at all, and the bar for all of them."""
    return Application(pictures_of(camera), camera, (Task("network", flop=setting.graph.flop),), {"network": camera})


def integral(setting: Setting, rate: float, camera: str, cameras: list[str]) -> Application:
    """The picture travels, and the edge computes everything."""
    task = Task("network", flop=setting.graph.flop)
    return Application(pictures_of(camera), camera, (task,), {"network": "edge"}, setting.picture_bytes, LABEL_BYTES)


def partial(setting: Setting, rate: float, camera: str, cameras: list[str]) -> Application:
    """The camera computes up to the best cut for the rate, the edge what remains."""
    cut, flop = best_cut(setting, rate), setting.graph.flop_per_layer()
    if cut == 0:
        return integral(setting, rate, camera, cameras)
    if cut == len(flop):
        return end_alone(setting, rate, camera, cameras)
    sent = setting.sent_bytes(setting.graph.layer_names[cut - 1])
    first = Task("first layers", flop=float(flop[:cut].sum()), output_bytes=sent)
    rest = Task("rest", flop=float(flop[cut:].sum()), after=("first layers",))
    placement = {"first layers": camera, "rest": "edge"}
    return Application(pictures_of(camera), camera, (first, rest), placement, 0.0, LABEL_BYTES)


def vertical(setting: Setting, rate: float, camera: str, cameras: list[str]) -> Application:
    """Each level answers what it is sure of; features of the rest climb to the next."""
    end, _, cloud = setting.answers.shares
    parts = dict(zip(("end", "edge", "cloud"), setting.levels, strict=True))
    sent = [setting.sent_bytes(layer) for layer in setting.boundaries]
    climbing = min(cloud / (1 - end), 1.0) if end < 1 else 0.0  # of the pictures that reach the edge
    tasks = (
        Task("end part", flop=parts["end"], output_bytes=sent[0]),
        Task("edge part", flop=parts["edge"], after=("end part",), output_bytes=sent[1], probability=1 - end),
        Task("cloud part", flop=parts["cloud"], after=("edge part",), probability=climbing),
    )
    placement = {"end part": camera, "edge part": "edge", "cloud part": "cloud"}
    return Application(pictures_of(camera), camera, tasks, placement, 0.0, LABEL_BYTES)


def horizontal(setting: Setting, rate: float, camera: str, cameras: list[str]) -> Application:
    """The cameras share one picture in tiles; the one that saw it merges them and finishes."""
    depth = best_depth(setting, rate)
    tiles, rest = tile_tasks(setting, depth)
    placement = {"tiles": tuple(cameras), "rest": camera}
    return Application(pictures_of(camera), camera, (tiles, rest), placement, setting.picture_bytes, LABEL_BYTES)


APPLICATIONS: dict[str, Callable[[Setting, float, str, list[str]], Application]] = dict(
    zip(MODES, (end_alone, integral, partial, vertical, horizontal), strict=True)
)


def best_cut(setting: Setting, rate: float) -> int:
    """Layers on the camera at the fastest cut between camera and edge; Neurosurgeon's scan [12]."""
    flop = setting.graph.flop_per_layer()
    sent = [setting.picture_bytes, *(layer.output_elements for layer in setting.graph.layers)]
    sent[-1] = 0
    costs = ChainCosts(setting.graph.layer_names, flop / setting.speeds["end"], flop / setting.speeds["edge"], sent)
    return int(scan_cuts(costs, rate, rtt=2 * setting.latencies["air"]).cuts[0])


def tile_tasks(setting: Setting, depth: str) -> tuple[Task, Task]:
    """Tiles through the layers up to `depth`, in equal parts of their exact totals, and what remains after merging."""
    copies, names = TILE_GRID[0] * TILE_GRID[1], setting.graph.layer_names
    cost = tiling_cost(setting.graph, TILE_GRID, until=depth)
    last = names.index(depth) + 1
    tiles = Task(
        "tiles", flop=2 * cost.mac / copies, copies=copies,
        input_bytes=cost.input_bytes / BYTES_PER_ELEMENT / copies, output_bytes=setting.sent_bytes(depth) / copies,
    )  # fmt: skip
    return tiles, Task("rest", flop=float(setting.graph.flop_per_layer()[last:].sum()), after=("tiles",))


def best_depth(setting: Setting, rate: float) -> str:
    """Layer up to which tiling is fastest in an empty system: one tile stays, the others cross the air twice."""

    def seconds(depth: str) -> float:
        tiles, rest = tile_tasks(setting, depth)
        crossing = bits((tiles.copies - 1) * (tiles.input_bytes + tiles.output_bytes)) / rate
        return crossing + (tiles.flop + rest.flop) / setting.speeds["end"]

    return min(TILE_DEPTHS, key=seconds)
