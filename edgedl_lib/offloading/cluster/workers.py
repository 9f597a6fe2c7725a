"""N equal workers in processes of their own, with their coordinator in this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType

import numpy as np

from edgedl_lib.offloading.cluster.batch import Batch, Task
from edgedl_lib.offloading.cluster.coordinator import PATIENCE, Coordinator
from edgedl_lib.offloading.cluster.peer import Peer, soon
from edgedl_lib.offloading.cluster.processes import START_SECONDS, Nursery, WorkerProcess
from edgedl_lib.offloading.cluster.worker_setup import Setup


class Workers:
    """A group of workers that all run the same program, as a context manager; leaving it ends them.

    Parameters
    ----------
    count : int
        They are called "worker 1" to "worker N".
    setup : Setup
        Of each.
    rate : float
        bit/s of the link from the coordinator to each worker; every worker has a link of its own.
    patience : float
        Seconds within which a worker must have answered a task.
    nursery : Nursery, optional
        By default that of this process.

    Raises
    ------
    ValueError
        If there is no worker.
    WorkerRefused, OSError, WireError
        On entering, if the setup does not work.

    Examples
    --------
    >>> with Workers(2, Setup("layers", {"network": "lenet5"})) as workers:  # doctest: +SKIP
    ...     batch = workers.run([Task(0, image)])
    """

    def __init__(
        self, count: int, setup: Setup, *, rate: float = float("inf"), patience: float = PATIENCE,
        nursery: Nursery | None = None,
    ) -> None:  # fmt: skip
        if count < 1:
            raise ValueError(f"{count} workers do nothing; ask for at least 1")
        self.count, self.setup, self.rate, self.patience, self._nursery = count, setup, rate, patience, nursery
        self.processes: dict[str, WorkerProcess] = {}

    def __enter__(self) -> Workers:
        try:
            peers = {name: self._start(name) for name in (f"worker {n}" for n in range(1, self.count + 1))}
            self.coordinator = Coordinator(peers, patience=self.patience)
            set_up_all(peers, {name: self.setup for name in peers})
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if hasattr(self, "coordinator"):
            self.coordinator.close()
        stop_all(self.processes)

    def _start(self, name: str) -> Peer:
        if name in self.processes:
            self.processes.pop(name).stop()
        self.processes[name] = WorkerProcess(name, self._nursery)
        return Peer(self.processes[name].address, self.rate)

    def __getitem__(self, name: str) -> WorkerProcess:
        return self.processes[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the workers that still get tasks."""
        return tuple(self.coordinator.peers)

    def replace_lost(self, also: Iterable[str] = ()) -> None:
        """Start a new worker, of the same name, for each that was lost, and for others that are known to be dead."""
        for name in set(also) & set(self.coordinator.peers):
            self.coordinator.dismiss(name)
        lost = [name for name in self.processes if name not in self.coordinator.peers]
        peers = {name: self._start(name) for name in lost}
        if peers:
            set_up_all(peers, {name: self.setup for name in peers})
            self.coordinator.welcome(peers)

    def set_rate(self, rate: float) -> None:
        """Change all links, both ways; networks that are built stay."""
        self.rate, self.setup = rate, replace(self.setup, reply_rate=rate)
        peers = self.coordinator.peers
        set_up_all(peers, {name: self.setup for name in peers})
        for peer in peers.values():
            peer.pace(rate)

    def run(
        self, tasks: Iterable[Task], finished: Mapping[int, np.ndarray] | Batch | None = None, among: int | None = None
    ) -> Batch:
        """Compute all tasks, on the first `among` workers if given; see `Coordinator.run`."""
        return self.coordinator.run(tasks, finished, among=among)

    def profile(self, tasks: Iterable[int] = (0,), on: str | None = None) -> np.ndarray:
        """Seconds for which each task keeps a worker's processor busy, shape (tasks,).

        Median over the workers, which take turns, or of one pass on one of them.
        """
        tasks, peers = list(tasks), self.coordinator.peers
        asked = [peers[on]] if on else peers.values()
        return np.median([peer.profile(tasks, 1, soon(START_SECONDS)) for peer in asked], axis=0)

    def overhead(self, pings: int = 5) -> float:
        """Median seconds to a worker and back with next to nothing: waking processes, not the link."""
        peers = self.coordinator.peers.values()
        return float(np.median([peer.ping(soon(self.patience)) for _ in range(pings) for peer in peers]))


def set_up_all(peers: Mapping[str, Peer], setups: Mapping[str, Setup]) -> None:
    """Tell every worker at the same time what it computes."""
    deadline = soon(START_SECONDS)
    with ThreadPoolExecutor(max_workers=len(peers)) as pool:
        list(pool.map(lambda name: peers[name].set_up(setups[name], deadline), peers))


def stop_all(processes: dict[str, WorkerProcess]) -> None:
    """End all processes and forget them."""
    while processes:
        processes.popitem()[1].stop()
