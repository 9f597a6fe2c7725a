"""Work sharing: each task is assigned when its frame begins and pushed to its device, whatever happens there."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping, Sequence

from edgedl_lib.offloading.horizontal.deepthings.cluster import (
    Cluster,
    ClusterRun,
    ClusterSetting,
    Streams,
    until_it_leaves,
)
from edgedl_lib.offloading.horizontal.deepthings.gateway import Frame, Job
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask


def run_sharing(
    tasks: Sequence[TileTask],
    streams: Streams,
    setting: ClusterSetting,
    *,
    through_gateway: bool = True,
    departures: Mapping[int, float] | None = None,
) -> ClusterRun:
    """Simulate static sharing.

    Parameters
    ----------
    tasks, streams, setting, departures
        As of `run_stealing`.
    through_gateway : bool
        The gateway collects the tasks of all sources and hands them out round robin, so each input crosses the channel
        twice; otherwise a source sends them to the devices itself.  Either way a source keeps its own share.
    """
    cluster = SharingCluster(tasks, streams, setting, departures=departures)
    cluster.through_gateway = through_gateway
    return cluster.run()


def run_alone(tasks: Sequence[TileTask], streams: Streams, setting: ClusterSetting) -> ClusterRun:
    """Every source computes all its tasks itself."""
    cluster = SharingCluster(tasks, streams, setting)
    cluster.keeps_all = True
    return cluster.run()


class SharingCluster(Cluster):
    """Each device works through a line of tasks in the order in which they arrived."""

    through_gateway = True
    keeps_all = False

    def begin(self) -> None:
        """One process for each source."""
        self.turn = itertools.cycle(range(self.setting.devices))
        for source in self.to_come:
            self.environment.process(until_it_leaves(self._spread(source)))

    def left(self, device: int) -> None:
        """Its frames end with it."""
        self.to_come.pop(device, None)

    def _spread(self, source: int) -> Generator:
        while self.to_come.get(source):
            frame = self.to_come[source].pop(0)
            yield self.environment.timeout(max(0.0, frame.arrival - self.environment.now))
            frame.start = self.environment.now
            yield from self._assign(source, frame)

    def _assign(self, source: int, frame: Frame) -> Generator:
        for task in self.tasks:
            device, job = source if self.keeps_all else next(self.turn), Job(frame, task)
            if device != source:
                yield self.channel.send(job.input_bytes)
            forwarded = self.through_gateway and device != source
            self.environment.process(until_it_leaves(self._execute(device, job, forwarded)))

    def _execute(self, device: int, job: Job, forwarded: bool) -> Generator:
        if forwarded:
            yield self.channel.send(job.input_bytes)
        yield from self.work(device, job)
