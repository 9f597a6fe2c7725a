"""The same runs without processes and sockets: tasks and queries on the simulator's processors and channels.

Nothing here is fitted to a measured run.  The inputs are busy times profiled beforehand, exact frame sizes, the rates
of the links, and one round trip of next to nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import simpy

from edgedl_lib.offloading.cluster.batch import Attempt, Batch, Loss
from edgedl_lib.system.simulator.parts import Channel, PartFailed, Processor


def chain_latency(
    compute: Sequence[float], sent_bytes: Sequence[float], rates: Sequence[float], overhead: float = 0.0
) -> float:
    """Seconds of one query through a chain of stations.

    Parameters
    ----------
    compute : (stations,) s
        At each station, its slow-down included.
    sent_bytes : (stations,)
        Frame into each station.
    rates : (stations,) bit/s
        Of the link into each station.
    overhead : float
        Seconds of a round trip of next to nothing, paid at each link.

    Examples
    --------
    >>> round(chain_latency([0.1, 0.2], [1000, 500], [8e6, 8e3]), 6)
    0.801
    """
    environment = simpy.Environment()

    def query() -> Iterator[simpy.Event]:
        for number, (seconds, size, rate) in enumerate(zip(compute, sent_bytes, rates, strict=True)):
            yield Channel(environment, f"link {number}", rate, latency=overhead).send(size)
            yield Processor(environment, f"station {number}").execute(seconds=seconds)

    environment.run(environment.process(query()))
    return float(environment.now)


def batch_run(
    compute: Sequence[float], sent_bytes: Sequence[float], reply_bytes: Sequence[float], rate: float, workers: int,
    *, overhead: float = 0.0, leaves: Mapping[str, float] | None = None,
) -> Batch:  # fmt: skip
    """A batch on equal workers, each with a link of its own in either direction; one task at a time each.

    Parameters
    ----------
    compute, sent_bytes, reply_bytes : (tasks,)
        Seconds at the worker, slow-down included, and frames to it and back.
    rate : float
        bit/s, both ways.
    workers : int
    overhead : float
        Seconds of a round trip of next to nothing, paid once for each task.
    leaves : mapping of "worker n" to s, optional
        When workers die.

    Returns
    -------
    Batch
        Without outputs.

    Examples
    --------
    >>> batch_run([1.0, 1.0, 1.0], [0, 0, 0], [0, 0, 0], 8e6, 2).seconds
    2.0
    """
    environment = simpy.Environment()
    office = _Office(environment, len(compute))
    for number in range(1, workers + 1):
        parts = _parts(environment, f"worker {number}", rate, overhead)
        environment.process(office.attend(f"worker {number}", parts, compute, sent_bytes, reply_bytes))
        if leaves and f"worker {number}" in leaves:
            environment.process(_leave(environment, parts, leaves[f"worker {number}"]))
    environment.run(office.all_done)
    return Batch({}, tuple(office.attempts), tuple(office.losses), seconds=float(environment.now))


class _Office:
    """The simulated twin of the coordinator."""

    def __init__(self, environment: simpy.Environment, tasks: int) -> None:
        self.environment, self.open, self.unfinished = environment, deque(range(tasks)), tasks
        self.attempts: list[Attempt] = []
        self.losses: list[Loss] = []
        self.all_done, self.returned = environment.event(), environment.event()

    def attend(self, name, parts, compute, sent_bytes, reply_bytes) -> Iterator[simpy.Event]:
        down, processor, up = parts
        while self.unfinished:
            if not self.open:
                yield self.returned
                continue
            task, begun = self.open.popleft(), self.environment.now
            try:
                sent = yield down.send(sent_bytes[task])
                service = yield processor.execute(seconds=compute[task])
                yield up.send(reply_bytes[task])
            except PartFailed:
                return self._give_back(task, name, begun)
            self._accept(Attempt(task, name, begun, self.environment.now, sent.finish, service.finish))

    def _accept(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self.unfinished -= 1
        if not self.unfinished:
            self.all_done.succeed()

    def _give_back(self, task: int, name: str, begun: float) -> None:
        now = self.environment.now
        self.attempts.append(Attempt(task, name, begun, now))
        self.losses.append(Loss(name, task, "left", now))
        self.open.appendleft(task)
        self.returned.succeed()
        self.returned = self.environment.event()


def _parts(
    environment: simpy.Environment, name: str, rate: float, overhead: float
) -> tuple[Channel, Processor, Channel]:
    down = Channel(environment, f"to {name}", rate, latency=overhead)
    return down, Processor(environment, name), Channel(environment, f"from {name}", rate)


def _leave(environment: simpy.Environment, parts: Sequence[Channel | Processor], when: float) -> Iterator[simpy.Event]:
    yield environment.timeout(when)
    for part in parts:
        part.fail()


def relative(measured: np.ndarray, simulated: np.ndarray) -> float:
    """Measured over simulated where they differ most, as a ratio.

    >>> relative(np.array([1.0, 1.1, 0.8]), np.ones(3))
    0.8
    """
    ratios = np.asarray(measured, float) / np.asarray(simulated, float)
    return float(ratios[np.argmax(np.abs(np.log(ratios)))])
