"""The elements of a scenario, as data: stations, connections, applications (task graphs), workloads, failures.

Everything is in SI units: seconds, bytes, bit/s, watts, joules, FLOP.  An element refuses a field that makes no sense;
what elements say about each other is checked by `Scenario`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edgedl_lib.system.simulator import schema
from edgedl_lib.system.simulator.schema import MISSING_VALUE, ScenarioError, ruled
from edgedl_lib.system.trace import Trace


@dataclass(frozen=True)
class Station:
    """A device.

    Attributes
    ----------
    name : str
    level : {"end", "edge", "cloud"}
    slots : int
        Jobs served at once at full speed.
    discipline : {"fifo", "sharing"}
    flop_per_s : float, optional
        Of one slot; only for tasks given in FLOP.
    busy_power, idle_power : float, optional
        W; without them the run reports no energy for the station.
    longest_line : int, optional
        A task that finds so many waiting is refused.
    """

    name: str = ruled(schema.text())
    level: str = ruled(schema.choice("end", "edge", "cloud"), "end")
    slots: int = ruled(schema.whole(1), 1)
    discipline: str = ruled(schema.choice("fifo", "sharing"), "fifo")
    flop_per_s: float | None = ruled(schema.number(above=0), None)
    busy_power: float | None = ruled(schema.number(), None)
    idle_power: float | None = ruled(schema.number(), None)
    longest_line: int | None = ruled(schema.whole(0), None)

    def __post_init__(self) -> None:
        schema.check(self, f"stations {self.name!r}")


@dataclass(frozen=True)
class Connection:
    """A link, or a medium that several stations share: all its transfers, in both directions, use one channel.

    Attributes
    ----------
    name : str
    stations : tuple of str
        Two for a link; more share a medium.
    rate : float or Trace
        bit/s.
    latency : float
        Seconds one way.
    discipline : {"sharing", "fifo"}
    energy_per_bit : float
        J/bit.
    one_way : bool
        Carries only from the first station to the others.
    """

    name: str = ruled(schema.text())
    stations: tuple[str, ...] = ruled(schema.names(2))
    rate: float | Trace = None  # checked below: a number or a recording
    latency: float = ruled(schema.number(), 0.0)
    discipline: str = ruled(schema.choice("sharing", "fifo"), "sharing")
    energy_per_bit: float = ruled(schema.number(), 0.0)
    one_way: bool = ruled(schema.flag(), False)

    def __post_init__(self) -> None:
        where = f"connections {self.name!r}"
        schema.check(self, where)
        if self.rate is None:
            raise ScenarioError(where, "rate", MISSING_VALUE, "give bit/s, or a trace in its place")
        if not isinstance(self.rate, Trace):
            rule = schema.number()
            if not rule.accepts(self.rate):
                raise ScenarioError(where, "rate", self.rate, "give zero or a positive number of bit/s")
            object.__setattr__(self, "rate", rule.convert(self.rate))
        elif self.rate.time[0] > 0:
            raise ScenarioError(where, "rate", self.rate.name, "a trace begins at time 0 or before")

    def reaches(self, start: str, end: str) -> bool:
        """Whether bytes can go from one station to another over this connection."""
        allowed = start == self.stations[0] if self.one_way else start in self.stations
        return allowed and end in self.stations and end != start


@dataclass(frozen=True)
class Task:
    """A node of an application's graph.

    Attributes
    ----------
    name : str
    seconds : float or mapping of station to float, optional
        Work at the full speed of one slot.
    flop : float, optional
        Instead of seconds.
    after : tuple of str
        Tasks whose output it needs; none: it needs the application's input.
    copies : int
        Equal parts (tiles) that run side by side; what comes after waits for all of them.
    input_bytes : float, optional
        That each copy takes from each task before it, if not all of that task's `output_bytes`; of a first task: from
        the source, if not all of the application's `input_bytes`.
    output_bytes : float
        Of each copy, to each task after it.
    probability : float
        That a job needs this task (and what comes after it alone): an early exit before it.
    distribution : {"constant", "exponential"}
        Of the work, around its mean.
    """

    name: str = ruled(schema.text())
    seconds: float | Mapping[str, float] | None = ruled(schema.seconds_by_station(), None)
    flop: float | None = ruled(schema.number(), None)
    after: tuple[str, ...] = ruled(schema.names(), ())
    copies: int = ruled(schema.whole(1), 1)
    input_bytes: float | None = ruled(schema.number(), None)
    output_bytes: float = ruled(schema.number(), 0.0)
    probability: float = ruled(schema.fraction(), 1.0)
    distribution: str = ruled(schema.choice("constant", "exponential"), "constant")

    def __post_init__(self) -> None:
        where = f"tasks {self.name!r}"
        schema.check(self, where)
        if (self.seconds is None) == (self.flop is None):
            raise ScenarioError(where, "seconds", self.seconds, "give the work once: seconds or flop")


@dataclass(frozen=True)
class Application:
    """A graph of tasks and where they run.

    Attributes
    ----------
    name : str
    source : str
        Station at which inputs arise and to which results return.
    tasks : tuple of Task
    placement : mapping of task to tuple of str
        Its station, or several candidates: the one with the least work outstanding takes it.
    input_bytes, result_bytes : float
        Input of each job; result that each last task returns.
    timeout : float, optional
        Seconds after which a job is given up and counted as lost.
    """

    name: str = ruled(schema.text())
    source: str = ruled(schema.text())
    tasks: tuple[Task, ...] = ()
    placement: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    input_bytes: float = ruled(schema.number(), 0.0)
    result_bytes: float = ruled(schema.number(), 0.0)
    timeout: float | None = ruled(schema.number(above=0), None)

    def __post_init__(self) -> None:
        where = f"applications {self.name!r}"
        schema.check(self, where)
        if not self.tasks:
            raise ScenarioError(where, "tasks", MISSING_VALUE, "add at least one task")
        object.__setattr__(self, "tasks", tuple(self.tasks))
        object.__setattr__(self, "placement", MappingProxyType(_candidates(where, self.placement)))

    def task(self, name: str) -> Task:
        """The task of that name."""
        return next(task for task in self.tasks if task.name == name)


def _candidates(where: str, placement: Mapping[str, str | tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if not isinstance(placement, Mapping):
        raise ScenarioError(where, "placement", placement, 'give a table of tasks, such as {detect = "edge"}')
    rule, stations = schema.names(1), {}
    for task, value in placement.items():
        value = [value] if isinstance(value, str) else value
        if not rule.accepts(value):
            raise ScenarioError(where, f"placement.{task}", value, "give a station or a list of different stations")
        stations[task] = tuple(value)
    return stations


@dataclass(frozen=True)
class Workload:
    """When jobs of an application arrive.

    Attributes
    ----------
    application : str
    kind : {"poisson", "periodic", "recorded"}
    rate : float, optional
        Jobs/s; for Poisson and periodic arrivals.
    start, end : float
        Seconds; the end of the scenario if not given.
    times : tuple of float, optional
        Recorded arrivals (s).
    """

    application: str = ruled(schema.text())
    kind: str = ruled(schema.choice("poisson", "periodic", "recorded"))
    rate: float | None = ruled(schema.number(above=0), None)
    start: float = ruled(schema.number(), 0.0)
    end: float | None = ruled(schema.number(), None)
    times: tuple[float, ...] | None = ruled(schema.times(), None)

    def __post_init__(self) -> None:
        where = f"workloads for {self.application!r}"
        schema.check(self, where)
        needed, other = ("times", "rate") if self.kind == "recorded" else ("rate", "times")
        if getattr(self, needed) is None:
            raise ScenarioError(where, needed, MISSING_VALUE, f"{self.kind} arrivals need it")
        if getattr(self, other) is not None:
            raise ScenarioError(where, other, getattr(self, other), f"{self.kind} arrivals take {needed} instead")
        if self.times == ():
            raise ScenarioError(where, "times", [], "a recorded workload needs at least one arrival")


@dataclass(frozen=True)
class Failure:
    """A device that leaves, or a link that drops.

    Attributes
    ----------
    what : str
        Station or connection.
    at, until : float
        Seconds; without `until` it does not come back.
    """

    what: str = ruled(schema.text())
    at: float = ruled(schema.number())
    until: float | None = ruled(schema.number(), None)

    def __post_init__(self) -> None:
        where = f"failures of {self.what!r}"
        schema.check(self, where)
        if self.until is not None and self.until <= self.at:
            raise ScenarioError(where, "until", self.until, f"give a time after at = {self.at}")
