"""Devices, their shared radio channel and the gateway: what stealing and sharing have in common."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from edgedl_lib.offloading.horizontal.deepthings.gateway import Frame, Gateway, Job
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask
from edgedl_lib.system.simulator.parts import Channel, DeviceLeft, Processor


@dataclass(frozen=True)
class ClusterSetting:
    """The cluster.

    Attributes
    ----------
    devices : int
        Equal devices, one task at a time each; the gateway is another one.
    mac_per_s : float
        Multiply-accumulates per second of a device (a Raspberry Pi 3 on one core; our choice).
    rate : float
        bit/s of the radio channel that all share (our choice).
    latency : float
        Seconds of one message beside its time on the channel.
    control_bytes : int
        Size of a request, an answer without a task, a registration.
    retry : float
        Seconds after which a device that found no task asks again (authors' code).
    patience : float
        Seconds after which a source takes a stolen task back (ours: the paper does not treat departures).
    """

    devices: int = 6
    mac_per_s: float = 1.3e9
    rate: float = 20e6
    latency: float = 2e-3
    control_bytes: int = 64
    retry: float = 0.1
    patience: float = 10.0

    def __post_init__(self) -> None:
        if not isinstance(self.devices, int) or self.devices < 1:
            raise ValueError(f"devices is {self.devices!r}, a cluster needs at least one")
        for name in ("mac_per_s", "rate", "retry", "patience"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}, it must be positive and finite")


Streams = Mapping[int, Sequence[float]]  # device -> arrival times of its frames (s), rising


@dataclass(frozen=True)
class ClusterRun:
    """What happened.

    Attributes
    ----------
    source, arrival, start, finish : ndarray
        One entry per frame; ``finish`` is infinite for a frame that was lost.
    executed : ndarray
        Tasks that each device computed.
    moved : int
        Tasks that were computed elsewhere than at their source.
    shared : int
        Tasks that used their neighbours' overlap.
    taken_back : int
        Stolen tasks that a source took back because no result came.
    duplicates : int
        Results that came twice; the second is thrown away.
    carried_bytes : float
        Bytes over the channel.
    busy : ndarray
        Seconds that each device computed.
    """

    source: np.ndarray
    arrival: np.ndarray
    start: np.ndarray
    finish: np.ndarray
    executed: np.ndarray
    moved: int
    shared: int
    taken_back: int
    duplicates: int
    carried_bytes: float
    busy: np.ndarray

    @property
    def done(self) -> np.ndarray:
        """Which frames were completed."""
        return np.isfinite(self.finish)

    @property
    def makespan(self) -> float:
        """Seconds from the first arrival to the last completed frame."""
        return float(self.finish[self.done].max() - self.arrival.min())

    @property
    def throughput(self) -> float:
        """Completed frames per second."""
        return float(self.done.sum() / self.makespan)

    @property
    def latency(self) -> np.ndarray:
        """Seconds from the start of each frame to its last result; infinite if lost."""
        return self.finish - self.start


class Cluster:
    """Base of the two ways to spread tasks; a subclass says what a device does."""

    def __init__(
        self,
        tasks: Sequence[TileTask],
        streams: Streams,
        setting: ClusterSetting,
        *,
        reuse: bool = False,
        departures: Mapping[int, float] | None = None,
    ) -> None:
        _check_streams(streams, departures or {}, setting)
        self.tasks, self.setting, self.reuse = tuple(tasks), setting, reuse
        self.environment = simpy.Environment()
        self.channel = Channel(self.environment, "radio", setting.rate, latency=setting.latency, discipline="sharing")
        self.devices = [Processor(self.environment, f"device {index}") for index in range(setting.devices)]
        self.to_come = {source: [Frame(source, arrival) for arrival in times] for source, times in streams.items()}
        self.gateway = Gateway([frame for frames in self.to_come.values() for frame in frames], len(self.tasks))
        self.executed = [0] * setting.devices
        self.moved = self.shared = self.taken_back = 0
        for device, time in (departures or {}).items():
            self.environment.process(self._depart(device, time))

    def run(self) -> ClusterRun:
        """Run until every frame is complete or lost."""
        self.begin()
        self.environment.run()
        frames = self.gateway.frames
        times = {name: np.array([getattr(frame, name) for frame in frames], float) for name in ("arrival", "start")}
        finish = np.array([np.inf if frame.finish is None else frame.finish for frame in frames])
        return ClusterRun(
            np.array([frame.source for frame in frames]),
            finish=finish,
            executed=np.array(self.executed),
            moved=self.moved,
            shared=self.shared,
            taken_back=self.taken_back,
            duplicates=self.gateway.duplicates,
            carried_bytes=self.channel.bytes_carried,
            busy=np.array([device.busy_seconds for device in self.devices]),
            **times,
        )

    def begin(self) -> None:
        """Start the processes of all devices."""
        raise NotImplementedError

    def left(self, device: int) -> None:
        """What else happens when a device leaves."""

    def work(self, device: int, job: Job) -> Generator:
        """Compute a task at a device and send its result off without waiting for it."""
        if job.shared:
            yield self.channel.send(job.task.received_bytes)
        yield self.devices[device].execute(seconds=job.mac / self.setting.mac_per_s)
        self.executed[device] += 1
        self.moved += device != job.frame.source
        self.shared += job.shared
        self.environment.process(self._deliver(job))

    def message(self) -> simpy.Event:
        """A small message over the channel."""
        return self.channel.send(self.setting.control_bytes)

    def ready(self, job: Job) -> Job:
        """The task as it can run now: on its neighbours' overlap if all of it is at the gateway."""
        has_all = bool(job.task.donors) and set(job.task.donors) <= job.frame.overlaps
        return Job(job.frame, job.task, self.reuse and has_all)

    def _deliver(self, job: Job) -> Generator:
        yield self.channel.send(job.task.output_bytes)
        self.gateway.accept(job, self.environment.now)
        if self.reuse and not job.task.donors:
            yield self.channel.send(job.task.given_bytes)
            job.frame.overlaps.add(job.task.place)

    def _depart(self, device: int, time: float) -> Generator:
        yield self.environment.timeout(time)
        self.devices[device].fail()
        self.left(device)
        yield self.environment.timeout(self.setting.patience)
        self.gateway.lose(device)


def until_it_leaves(process: Generator) -> Generator:
    """Run a device's process; the device's departure ends it."""
    try:
        yield from process
    except DeviceLeft:
        return


def _check_streams(streams: Streams, departures: Mapping[int, float], setting: ClusterSetting) -> None:
    for device in (*streams, *departures):
        if device not in range(setting.devices):
            raise ValueError(f"device {device} is unknown; the cluster has devices 0 to {setting.devices - 1}")
    if not any(len(times) for times in streams.values()):
        raise ValueError("no frames: give at least one source at least one arrival time")
    for device, times in streams.items():
        if any(not 0 <= time < math.inf for time in times) or list(times) != sorted(times):
            raise ValueError(f"arrival times {list(times)} of device {device} must be finite, from 0 and rising")
