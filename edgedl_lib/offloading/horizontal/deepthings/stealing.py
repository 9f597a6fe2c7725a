"""Work stealing: a device without work asks the gateway for a source that has some and takes the head of its queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence

from edgedl_lib.offloading.horizontal.deepthings.cluster import (
    Cluster,
    ClusterRun,
    ClusterSetting,
    Streams,
    until_it_leaves,
)
from edgedl_lib.offloading.horizontal.deepthings.gateway import Job
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask


def run_stealing(
    tasks: Sequence[TileTask],
    streams: Streams,
    setting: ClusterSetting,
    *,
    reuse: bool = False,
    departures: Mapping[int, float] | None = None,
) -> ClusterRun:
    """Simulate a cluster of thieves.

    Parameters
    ----------
    tasks : sequence of TileTask
        Of one frame, in the order of the queue.
    streams : mapping
        Source to the arrival times of its frames, in seconds; a frame begins when the queue of its source is empty.
    setting : ClusterSetting
    reuse : bool
        Let tasks share their neighbours' overlap where it has arrived in time.
    departures : mapping, optional
        Device to the time (s) at which it leaves for good.
    """
    return StealingCluster(tasks, streams, setting, reuse=reuse, departures=departures).run()


class StealingCluster(Cluster):
    """Each device runs its own tasks first, then other devices'."""

    def begin(self) -> None:
        """One process for each device."""
        self.queues = [deque() for _ in self.devices]
        for device in range(self.setting.devices):
            self.environment.process(until_it_leaves(self._live(device)))

    def left(self, device: int) -> None:
        """Its tasks are gone with it, and the gateway sends nobody there."""
        self.queues[device].clear()
        self.to_come.pop(device, None)
        self.gateway.cancel(device)

    def _live(self, device: int) -> Generator:
        while not self.gateway.is_done:
            job = self._own(device) or (yield from self._steal(device))
            if job is not None:
                yield from self.work(device, job)
            elif not self.gateway.is_done:
                yield self.environment.timeout(self._pause(device))

    def _own(self, device: int) -> Job | None:
        """Head of the device's own queue; an empty queue takes the next frame that has arrived."""
        queue, frames = self.queues[device], self.to_come.get(device)
        if not queue and frames and frames[0].arrival <= self.environment.now:
            frame = frames.pop(0)
            frame.start = self.environment.now
            queue.extend(Job(frame, task) for task in self.tasks)
            self.environment.process(self._announce(device))
        return self._take(device)

    def _take(self, device: int) -> Job | None:
        queue = self.queues[device]
        if not queue:
            return None
        job = queue.popleft()
        if not queue:
            self.environment.process(self._announce(device))
        return self.ready(job)

    def _announce(self, device: int) -> Generator:
        """Tell the gateway whether the queue holds tasks: register or cancel."""
        yield self.message()
        if self.queues[device] and self.devices[device].is_present:
            self.gateway.register(device)
        else:
            self.gateway.cancel(device)

    def _steal(self, device: int) -> Generator:
        yield self.message()
        victim = self.gateway.next_victim(device)
        yield self.message()
        if victim is None:
            return None
        yield self.message()
        job = self._take(victim) if self.devices[device].is_present else None
        if job is None:
            yield self.message()
            return None
        self.environment.process(self._watch(victim, job))
        yield self.channel.send(job.input_bytes)
        return job

    def _watch(self, victim: int, job: Job) -> Generator:
        """A stolen task without a result goes back to the head of its source's queue."""
        yield self.environment.timeout(self.setting.patience)
        if job.task.place not in job.frame.results and self.devices[victim].is_present:
            self.taken_back += 1
            self.queues[victim].appendleft(Job(job.frame, job.task))
            self.environment.process(self._announce(victim))

    def _pause(self, device: int) -> float:
        frames = self.to_come.get(device)
        wait = frames[0].arrival - self.environment.now if frames else self.setting.retry
        return min(self.setting.retry, wait) if wait > 0 else self.setting.retry
