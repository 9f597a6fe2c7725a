"""A program as MAUI sees it: methods, what they cost here and there, and the calls between them."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgedl_lib.inference.partition.validation import checked_names


class UnknownMethod(KeyError):
    """A method that the program does not have; the message lists the ones it has."""

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class Method:
    """One method, all of its calls in one run of the program taken together.

    Attributes
    ----------
    local_energy : J on the phone
    local_time, remote_time : s on the phone and on the server
    remoteable : False if it reads a sensor, draws, or talks to the user
    waiting_energy : J that the phone spends while the server runs it; the paper's objective counts none
    """

    name: str
    local_energy: float
    local_time: float = 0.0
    remote_time: float = 0.0
    remoteable: bool = True
    waiting_energy: float = 0.0

    def __post_init__(self) -> None:
        for field in ("local_energy", "local_time", "remote_time", "waiting_energy"):
            _require_cost(f"{field} of {self.name!r}", getattr(self, field), finite=True)

    @property
    def gain(self) -> float:
        """J that the phone saves if the server runs the method, transfers aside."""
        return self.local_energy - self.waiting_energy


@dataclass(frozen=True)
class Call:
    """All calls from one method to another, the state that goes there and comes back included.

    Attributes
    ----------
    energy : J of the phone if the two run on different sides; infinite if the state cannot move
    time : s in that case
    """

    caller: str
    callee: str
    energy: float
    time: float = 0.0

    def __post_init__(self) -> None:
        for field in ("energy", "time"):
            _require_cost(f"{field} of the call {self.caller} -> {self.callee}", getattr(self, field), finite=False)


@dataclass(frozen=True)
class CallGraph:
    """Methods and calls of one program.

    Raises
    ------
    ValueError
        No methods, a name that occurs twice, or no method that must stay on the phone: someone has to hold it.
    UnknownMethod
        A call from or to a method that is not there.
    """

    methods: tuple[Method, ...]
    calls: tuple[Call, ...]

    def __post_init__(self) -> None:
        checked_names(method.name for method in self.methods)
        if all(method.remoteable for method in self.methods):
            raise ValueError("every method is remoteable: pin the one that the user starts (remoteable=False)")
        for call in self.calls:
            self.index(call.caller)
            self.index(call.callee)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the methods."""
        return tuple(method.name for method in self.methods)

    def index(self, name: str) -> int:
        """Position of a method."""
        if name not in self.names:
            raise UnknownMethod(f"no method {name!r} in the program; its methods are {', '.join(self.names)}")
        return self.names.index(name)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of callers and callees, (C,) each."""
        pairs = [(self.index(call.caller), self.index(call.callee)) for call in self.calls]
        callers, callees = np.array(pairs, dtype=int).reshape(-1, 2).T
        return callers, callees

    @cached_property
    def gains(self) -> np.ndarray:
        """J saved by each method on the server, (M,)."""
        return np.array([method.gain for method in self.methods])

    @property
    def local_energy(self) -> float:
        """J of a run that never leaves the phone."""
        return sum(method.local_energy for method in self.methods)

    @property
    def local_time(self) -> float:
        """s of a run that never leaves the phone."""
        return sum(method.local_time for method in self.methods)


@dataclass(frozen=True)
class OffloadPlan:
    """Which methods run on the server, and what a run then costs the phone.

    Attributes
    ----------
    remote : names
    saving : J less than a run on the phone alone, negative if more
    energy : J of the phone
    time : s
    """

    remote: frozenset[str]
    saving: float
    energy: float
    time: float


def evaluate(graph: CallGraph, remote: Collection[str]) -> OffloadPlan:
    """Cost of a run with the methods of `remote` on the server; a call is paid where it changes sides.

    Raises
    ------
    UnknownMethod
        A name that is no method.
    ValueError
        A method that must stay on the phone.

    Examples
    --------
    >>> evaluate(golden_instance(), {"b"}).saving, evaluate(golden_instance(), {"a", "b", "c"}).saving
    (7.0, 11.5)
    """
    chosen = np.zeros(len(graph.methods), bool)
    for name in remote:
        position = graph.index(name)
        if not graph.methods[position].remoteable:
            raise ValueError(f"{name!r} must stay on the phone: leave it out of the plan")
        chosen[position] = True
    return plan_of(graph, chosen)


def plan_of(graph: CallGraph, chosen: np.ndarray) -> OffloadPlan:
    """Plan of a boolean per method, (M,)."""
    callers, callees = graph.ends
    crossing = [call for call, cut in zip(graph.calls, chosen[callers] != chosen[callees], strict=True) if cut]
    saving = float(graph.gains[chosen].sum() - sum(call.energy for call in crossing))
    computing = [m.remote_time if away else m.local_time for m, away in zip(graph.methods, chosen, strict=True)]
    remote = frozenset(name for name, away in zip(graph.names, chosen, strict=True) if away)
    return OffloadPlan(remote, saving, graph.local_energy - saving, sum(computing) + sum(c.time for c in crossing))


def golden_instance() -> CallGraph:
    """Four methods whose best plans are known by hand: b and c move, and a may or may not; 11.5 J are saved."""
    energies = {"main": 1.0, "a": 5.0, "b": 9.0, "c": 4.0}
    methods = tuple(Method(name, energy, remoteable=name != "main") for name, energy in energies.items())
    edges = (("main", "a", 6.0), ("a", "b", 1.0), ("b", "c", 1.0), ("c", "main", 0.5))
    return CallGraph(methods, tuple(Call(*edge) for edge in edges))


def _require_cost(label: str, value: float, *, finite: bool) -> None:
    if math.isnan(value) or value < 0 or (finite and math.isinf(value)):
        allowed = "a finite number" if finite else "a number (infinite: must not be cut)"
        raise ValueError(f"{label} is {value}: give {allowed} of at least 0")
