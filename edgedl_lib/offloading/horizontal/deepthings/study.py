"""What is measured about DeepThings [156]: the table of grids, speed-up, throughput against sharing, departures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.inference.tiles.geometry import TilingCost, network_mac, tiling_cost
from edgedl_lib.inference.tiles.reuse_plan import checkerboard_plan, plan_mac
from edgedl_lib.inference.tiles.stages import tile_stages
from edgedl_lib.nets.zoo.yolo import yolov2_prefix
from edgedl_lib.offloading.horizontal.deepthings.cluster import ClusterRun, ClusterSetting, Streams
from edgedl_lib.offloading.horizontal.deepthings.sharing import run_alone, run_sharing
from edgedl_lib.offloading.horizontal.deepthings.stealing import run_stealing
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask, frame_tasks

SETTING = ClusterSetting()
GRID = (5, 5)
SIDES = (1, 2, 3, 4, 5)
MEBIBYTE = 2**20
SINGLE_SOURCE: Streams = {0: (0.0,) * 6}  # six frames at once: the source is never without work
EVEN_LOAD: Streams = {device: (0.0,) * 4 for device in range(SETTING.devices)}

THREE_SOURCES: Streams = {device: (0.0,) * 3 for device in (0, 2, 4)}

# Worked out before this library existed (exact shapes, inclusive intervals): side -> MiB, ratio, ratio, MiB.
EXPECTED = {
    "memory": (56.41, 20.00, 16.02, 11.62, 9.08),
    "work": (1.000, 1.247, 1.529, 1.845, 2.196),
    "reuse_work": (1.000, 1.017, 1.069, 1.155, 1.276),
    "input": (4.23, 6.03, 8.15, 10.59, 13.35),
}


@dataclass(frozen=True)
class GridRow:
    """One line of the table of grids."""

    side: int
    cost: TilingCost
    reuse_mac: int

    @property
    def figures(self) -> dict[str, float]:
        """The columns that have an expected value."""
        return {
            "memory": self.cost.peak_bytes / MEBIBYTE,
            "work": self.cost.work,
            "reuse_work": self.reuse_mac / self.cost.network_mac,
            "input": self.cost.input_bytes / MEBIBYTE,
        }


def grid_table(depth: int = 16, sides: Sequence[int] = SIDES) -> tuple[GridRow, ...]:
    """Memory, work and bytes of square grids over the first ``depth`` layers of YOLOv2."""
    stages = tile_stages(yolov2_prefix(depth))
    return tuple(
        GridRow(side, tiling_cost(stages, (side, side)), plan_mac(stages, checkerboard_plan(stages, (side, side))))
        for side in sides
    )


def deviations(rows: Sequence[GridRow]) -> dict[str, float]:
    """Largest deviation of each column from its expected values, as a share."""
    return {
        name: max(abs(row.figures[name] / value - 1) for row, value in zip(rows, values, strict=True))
        for name, values in EXPECTED.items()
    }


@functools.cache
def tasks() -> tuple[TileTask, ...]:
    """The 25 tasks of a frame."""
    return frame_tasks(yolov2_prefix(), GRID)


def plain_seconds(setting: ClusterSetting = SETTING) -> float:
    """One frame on one device without tiles."""
    return network_mac(tile_stages(yolov2_prefix())) / setting.mac_per_s


def frame_seconds(devices: int, *, reuse: bool = False, setting: ClusterSetting = SETTING) -> float:
    """One frame of one source on a cluster of thieves."""
    run = run_stealing(tasks(), {0: (0.0,)}, replace(setting, devices=devices), reuse=reuse)
    return float(run.latency[0])


def speed_ups(devices: Sequence[int], *, reuse: bool = False, setting: ClusterSetting = SETTING) -> np.ndarray:
    """Time of a frame on one device, with the same tiles, over that on a cluster; shape (devices,)."""
    alone = frame_seconds(1, reuse=reuse, setting=setting)
    return np.array([alone / frame_seconds(count, reuse=reuse, setting=setting) for count in devices])


def gain_over_sharing(streams: Streams, *, through_gateway: bool = True, setting: ClusterSetting = SETTING) -> float:
    """Throughput of stealing over that of static sharing on the same frames."""
    shared = run_sharing(tasks(), streams, setting, through_gateway=through_gateway)
    return run_stealing(tasks(), streams, setting).throughput / shared.throughput


def dynamic_streams(seed: int, setting: ClusterSetting = SETTING, rounds: int = 10, gap: float = 5.0) -> Streams:
    """Every ``gap`` seconds another one to four devices get a frame each: more than sharing can work off.

    >>> sorted(dynamic_streams(0, rounds=1).values())
    [(0.0,), (0.0,), (0.0,), (0.0,)]
    """
    rng = np.random.default_rng(seed)
    streams: dict[int, tuple[float, ...]] = {}
    for number in range(rounds):
        count = int(rng.integers(1, min(4, setting.devices) + 1))
        for device in rng.choice(setting.devices, count, replace=False).tolist():
            streams[device] = (*streams.get(device, ()), number * gap)
    return streams


def source_fairness(run: ClusterRun) -> float:
    """Mean time of a frame at the slowest source over that at the fastest."""
    means = [run.latency[run.source == source].mean() for source in np.unique(run.source)]
    return float(max(means) / min(means))


@dataclass(frozen=True)
class Departures:
    """What a thief costs that leaves, at each of several moments of a frame.

    Attributes
    ----------
    time : ndarray
        Moments, s.
    latency : ndarray
        Seconds of the frame; infinite if it is lost.
    undisturbed : float
        Seconds of the frame when nobody leaves.
    redone : ndarray
        Tasks that the source took back.
    """

    time: np.ndarray
    latency: np.ndarray
    undisturbed: float
    redone: np.ndarray

    @property
    def lost(self) -> int:
        """Frames that were never completed."""
        return int(np.isinf(self.latency).sum())


def thief_leaves(moments: int = 8, thief: int = 3, setting: ClusterSetting = SETTING) -> Departures:
    """One source, six devices; one thief leaves at evenly spaced moments within the frame."""
    undisturbed = frame_seconds(setting.devices, setting=setting)
    times = undisturbed * (np.arange(moments) + 0.5) / moments
    runs = [run_stealing(tasks(), {0: (0.0,)}, setting, departures={thief: float(time)}) for time in times]
    return Departures(
        times, np.array([run.latency[0] for run in runs]), undisturbed, np.array([run.taken_back for run in runs])
    )


METHODS = {
    "stealing": run_stealing,
    "sharing by the sources": functools.partial(run_sharing, through_gateway=False),
    "sharing by the gateway": run_sharing,
    "everyone alone": run_alone,
}


def throughput_by_sources(setting: ClusterSetting = SETTING, frames: int = 3) -> dict[str, np.ndarray]:
    """Frames per second when the first one, two, ... devices have frames without end; shape (devices,) each."""
    streams = [{source: (0.0,) * frames for source in range(count)} for count in range(1, setting.devices + 1)]
    return {
        name: np.array([method(tasks(), each, setting).throughput for each in streams])
        for name, method in METHODS.items()
    }


def throughput_by_devices(setting: ClusterSetting = SETTING) -> dict[str, np.ndarray]:
    """Frames per second of one source in clusters of one, two, ... devices; shape (devices,) each."""
    settings = [replace(setting, devices=count) for count in range(1, setting.devices + 1)]
    return {
        name: np.array([method(tasks(), SINGLE_SOURCE, each).throughput for each in settings])
        for name, method in METHODS.items()
    }


def gain_over_nothing(streams: Streams, setting: ClusterSetting = SETTING) -> float:
    """Throughput of stealing over that of sources that keep their tasks."""
    return run_stealing(tasks(), streams, setting).throughput / run_alone(tasks(), streams, setting).throughput


def radio_sweep(rates: Sequence[float], streams: Streams, setting: ClusterSetting = SETTING) -> dict[str, np.ndarray]:
    """Gain of stealing in throughput over each other method, by the rate of the radio (bit/s); shape (rates,) each."""
    settings = [replace(setting, rate=rate) for rate in rates]
    stolen = [run_stealing(tasks(), streams, each).throughput for each in settings]
    rivals = {name: method for name, method in METHODS.items() if method is not run_stealing}
    return {
        name: np.array(stolen) / [method(tasks(), streams, each).throughput for each in settings]
        for name, method in rivals.items()
    }
