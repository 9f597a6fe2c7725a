"""What happened in a run: latencies, losses, energy, utilisation, bytes, and Little's law as a check of the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from simpy import Environment

from edgedl_lib.system.simulator.network import Network
from edgedl_lib.system.simulator.scenario import Scenario


@dataclass(frozen=True)
class Meter:
    """Totals of a station or a connection since time 0; `energy` is None if a power is unknown."""

    busy_seconds: float
    energy: float | None
    size_bytes: float = 0.0
    lost_bytes: float = 0.0


@dataclass(frozen=True)
class Account:
    """All meters at one moment."""

    time: float
    meters: dict[str, Meter]

    @classmethod
    def read(cls, network: Network) -> Account:
        """The meters now."""
        meters = {}
        for name, part in network.processors.items():
            known = part.busy_power is not None and part.idle_power is not None
            meters[name] = Meter(part.busy_seconds, part.energy() if known else None)
        for name, part in network.channels.items():
            meters[name] = Meter(part.busy_seconds, part.energy(), part.bytes_carried, part.bytes_lost)
        return cls(network.environment.now, meters)


@dataclass(frozen=True)
class Usage:
    """A station or a connection between warm-up and the end of arrivals.

    Attributes
    ----------
    utilisation : float
        Share of its slots' time in use.
    energy : float or None
        J; None if a power is unknown.
    size_bytes, lost_bytes : float
        Carried whole, and sent in vain before the connection dropped or the job was given up.
    """

    utilisation: float
    energy: float | None
    size_bytes: float
    lost_bytes: float


@dataclass(frozen=True, eq=False)
class ScenarioRun:
    """A finished run of J jobs, in order of arrival.

    Attributes
    ----------
    scenario : Scenario
    seed : int
    application : numpy.ndarray of str, shape (J,)
    arrival, finish : numpy.ndarray, shape (J,)
        Seconds; `finish` of a lost job is NaN.
    left : numpy.ndarray, shape (J,)
        When the job left the system, done or lost (s).
    lost : numpy.ndarray of bool, shape (J,)
    usage : dict of str to Usage
        By station and by connection.
    placed : dict of str to int
        Task copies done on each station, over the whole run.
    mean_in_system : float
        Time average of the number of jobs in the system over the whole run, counted as jobs came and went.
    """

    scenario: Scenario
    seed: int
    application: np.ndarray
    arrival: np.ndarray
    finish: np.ndarray
    left: np.ndarray
    lost: np.ndarray
    usage: dict[str, Usage]
    placed: dict[str, int]
    mean_in_system: float

    def counted(self, application: str | None = None) -> np.ndarray:
        """Which jobs measures count, shape (J,): those that came after the warm-up, of one application or all."""
        chosen = self.arrival >= self.scenario.warm_up
        return chosen if application is None else chosen & (self.application == application)

    def latency(self, application: str | None = None) -> np.ndarray:
        """Seconds from arrival to result of the counted jobs that were not lost."""
        chosen = self.counted(application) & ~self.lost
        return (self.finish - self.arrival)[chosen]

    def percentile(self, percent: float | Sequence[float], application: str | None = None) -> np.ndarray | float:
        """Percentiles of the latency (s); NaN if no job was done."""
        latency = self.latency(application)
        if not latency.size:
            return np.full(np.shape(percent), np.nan) if np.ndim(percent) else float("nan")
        value = np.percentile(latency, percent)
        return value if np.ndim(percent) else float(value)

    def throughput(self, application: str | None = None) -> float:
        """Jobs done per second between warm-up and the end of arrivals, whenever they came."""
        chosen = ~self.lost & (self.finish >= self.scenario.warm_up) & (self.finish <= self.scenario.duration)
        if application is not None:
            chosen &= self.application == application
        return float(chosen.sum() / (self.scenario.duration - self.scenario.warm_up))

    def lost_share(self, application: str | None = None) -> float:
        """Share of the counted jobs that were lost."""
        chosen = self.counted(application)
        return float(self.lost[chosen].mean()) if chosen.any() else 0.0

    def utilisation(self, name: str) -> float:
        """Share of the slots' time in use, of a station or a connection."""
        return self._usage(name).utilisation

    def energy(self, name: str | None = None) -> float:
        """Joules of a station or a connection, or of everything whose powers are known."""
        if name is not None:
            energy = self._usage(name).energy
            return float("nan") if energy is None else energy
        return float(sum(each.energy for each in self.usage.values() if each.energy is not None))

    def bytes_carried(self, connection: str | None = None) -> float:
        """Bytes that one connection, or all of them together, carried."""
        if connection is not None:
            return self._usage(connection).size_bytes
        return float(sum(each.size_bytes for each in self.usage.values()))

    def little(self) -> tuple[float, float]:
        """Mean number of jobs in the system, and arrival rate times mean time in the system; Little 1961: equal."""
        span = self.left.max(initial=0.0)
        if not span:
            return 0.0, 0.0
        rate, stay = len(self.arrival) / span, np.mean(self.left - self.arrival)
        return self.mean_in_system, float(rate * stay)

    def summary(self) -> dict[str, float]:
        """The measures that one looks at first, by name with unit."""
        median, tail = map(float, self.percentile([50, 95]))
        mean, product = self.little()
        return {
            "jobs": len(self.arrival),
            "lost (%)": 100 * self.lost_share(),
            "median latency (ms)": 1e3 * median,
            "95th percentile (ms)": 1e3 * tail,
            "throughput (1/s)": self.throughput(),
            "energy where known (J)": self.energy(),
            "bytes carried (MB)": self.bytes_carried() / 1e6,
            "mean in system": mean,
            "rate x mean stay": product,
        }

    def _usage(self, name: str) -> Usage:
        if name not in self.usage:
            raise KeyError(f"no station or connection {name!r} in this run: there are {', '.join(sorted(self.usage))}")
        return self.usage[name]


@dataclass
class Recorder:
    """Takes down who comes and goes while the run goes on."""

    environment: Environment
    scenario: Scenario
    application: list[str] = field(default_factory=list)
    arrival: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    lost: list[bool] = field(default_factory=list)
    placed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.placed = {station.name: 0 for station in self.scenario.stations}
        self._present, self._area, self._since = 0, 0.0, 0.0

    def enter(self, application: str) -> int:
        """A job arrives; returns its number."""
        self._step(+1)
        self.application.append(application)
        self.arrival.append(self.environment.now)
        self.left.append(np.nan)
        self.lost.append(True)
        return len(self.arrival) - 1

    def leave(self, number: int, good: bool) -> None:
        """A job is done, or lost."""
        self._step(-1)
        self.left[number] = self.environment.now
        self.lost[number] = not good

    def count(self, station: str) -> None:
        """A station has done a copy of a task."""
        self.placed[station] += 1

    def _step(self, change: int) -> None:
        now = self.environment.now
        self._area += self._present * (now - self._since)
        self._present, self._since = self._present + change, now

    def run(self, seed: int, warm: Account, end: Account) -> ScenarioRun:
        """The finished run, measured between two readings of the meters; jobs that never end are lost."""
        self._step(0)
        lost, left = np.array(self.lost, dtype=bool), np.array(self.left, dtype=float)
        left[np.isnan(left)] = self.environment.now
        span = left.max(initial=0.0)
        return ScenarioRun(
            scenario=self.scenario,
            seed=seed,
            application=np.array(self.application, dtype=str),
            arrival=np.array(self.arrival, dtype=float),
            finish=np.where(lost, np.nan, left),
            left=left,
            lost=lost,
            usage=_usage(self.scenario, warm, end),
            placed=dict(self.placed),
            mean_in_system=float(self._area / span) if span else 0.0,
        )


def _usage(scenario: Scenario, warm: Account, end: Account) -> dict[str, Usage]:
    span = end.time - warm.time
    usage = {}
    for element in (*scenario.stations, *scenario.connections):
        before, after = warm.meters[element.name], end.meters[element.name]
        busy = (after.busy_seconds - before.busy_seconds) / (getattr(element, "slots", 1) * span)
        energy = None if after.energy is None else after.energy - before.energy
        sizes = after.size_bytes - before.size_bytes, after.lost_bytes - before.lost_bytes
        usage[element.name] = Usage(busy, energy, *sizes)
    return usage
