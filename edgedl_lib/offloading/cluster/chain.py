"""Stations in a row, each in a process of its own: every one computes its layers and hands on to the next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from edgedl_lib.offloading.cluster.peer import Peer, soon
from edgedl_lib.offloading.cluster.processes import Nursery, WorkerProcess
from edgedl_lib.offloading.cluster.worker_setup import Forward, Setup
from edgedl_lib.offloading.cluster.workers import set_up_all, stop_all

PATIENCE = 30.0  # s for one query


@dataclass(frozen=True)
class Station:
    """One device of a chain.

    Attributes
    ----------
    name : str
        "end", "edge", "cloud".
    setup : Setup
        What it computes; where it sends is added by the chain.
    """

    name: str
    setup: Setup


@dataclass(frozen=True, eq=False)
class ChainResult:
    """One query through all stations.

    Attributes
    ----------
    output : numpy.ndarray
    compute : numpy.ndarray, shape (stations,), s
        From a station's whole input to its output, resting included.
    transfer : numpy.ndarray, shape (stations,), s
        Into each station.
    seconds : float
        From the query to the answer, by the clock of who asked.
    """

    output: np.ndarray
    compute: np.ndarray
    transfer: np.ndarray
    seconds: float


class Chain:
    """A row of stations, as a context manager; leaving it ends their processes.

    Parameters
    ----------
    stations : sequence of Station
        In the order of the layers.
    rates : sequence of float
        bit/s of the link into each station; the first brings the query, infinite if the camera sits at the first
        station.  Answers, a few numbers, come back unshaped.

    Raises
    ------
    ValueError
        If there is no station, or not one rate for each.
    """

    def __init__(self, stations: Sequence[Station], rates: Sequence[float], *, nursery: Nursery | None = None) -> None:
        if not stations or len(stations) != len(rates):
            raise ValueError(f"{len(stations)} stations do not fit {len(rates)} links; give one into each station")
        self.stations, self.rates, self._nursery = tuple(stations), tuple(map(float, rates)), nursery
        self.processes: dict[str, WorkerProcess] = {}
        self._peers: dict[str, Peer] = {}
        self._asked = 0

    def __enter__(self) -> Chain:
        try:
            for station in self.stations:
                self.processes[station.name] = WorkerProcess(station.name, self._nursery)
                self._peers[station.name] = Peer(self.processes[station.name].address)
            self.set_rates(self.rates)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for peer in self._peers.values():
            peer.close()
        stop_all(self.processes)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Change the links; networks that are built stay."""
        self.rates = tuple(map(float, rates))
        onward = [
            Forward(self.processes[station.name].address[1], rate, station.name)
            for station, rate in zip(self.stations, self.rates, strict=True)
        ][1:]
        setups = {
            station.name: replace(station.setup, forward=forward)
            for station, forward in zip(self.stations, [*onward, None], strict=True)
        }
        set_up_all(self._peers, setups)
        self._first.pace(self.rates[0])

    def ask(self, values: np.ndarray, patience: float = PATIENCE) -> ChainResult:
        """Send one query through all stations and wait for its answer.

        Raises
        ------
        WorkerRefused
            If a station cannot do its part, or the next one is gone; the text says which.
        WireError, OSError
            If the first station is gone or silent.
        """
        self._asked += 1
        begun = time.perf_counter()
        try:
            answer = self._first.perform(self._asked, values, soon(patience))
        except OSError:
            self._first.close()  # an answer that arrives late must not be taken for that of the next query
            raise
        seconds = time.perf_counter() - begun
        arrived, ready = answer.times[:, 0], answer.times[:, 1]
        return ChainResult(answer.output, ready - arrived, arrived - np.append(begun, ready[:-1]), seconds)

    def profile(self, passes: int = 1) -> np.ndarray:
        """Seconds that a query takes at each station, by its slowed-down busy time, shape (stations,).

        The stations take turns and pause, as they do when a query travels from one to the next.
        """
        turns = [[peer.profile([0], 1, soon(PATIENCE))[0] for peer in self._peers.values()] for _ in range(passes)]
        return np.median(turns, axis=0) * [station.setup.slowdown for station in self.stations]

    def overhead(self, pings: int = 5) -> float:
        """Median seconds to a station and back with next to nothing: waking processes, not the link."""
        peers = self._peers.values()
        return float(np.median([peer.ping(soon(PATIENCE)) for _ in range(pings) for peer in peers]))

    @property
    def _first(self) -> Peer:
        return self._peers[self.stations[0].name]
