"""A scenario: what is there, what arrives, what fails, for how long; from Python or from a TOML file.

``load_scenario("integral.toml")`` reads one, ``scenario_text(scenario)`` writes it back, and
``changed(scenario, "connections.wifi.rate", 5e6)`` is the same scenario with one value replaced.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgedl_lib.system.simulator import schema
from edgedl_lib.system.simulator.elements import Application, Connection, Failure, Station, Task, Workload
from edgedl_lib.system.simulator.schema import MISSING_VALUE, ScenarioError, ruled
from edgedl_lib.system.simulator.topology import require_consistent
from edgedl_lib.system.trace import Trace, load_trace

__all__ = [
    "Application",
    "Connection",
    "Failure",
    "Scenario",
    "ScenarioError",
    "Station",
    "Task",
    "Workload",
    "changed",
    "load_scenario",
    "parse_scenario",
    "scenario_text",
]

TABLES = {
    "stations": Station,
    "connections": Connection,
    "applications": Application,
    "workloads": Workload,
    "failures": Failure,
}


@dataclass(frozen=True)
class Scenario:
    """Everything that a run needs but its seed.

    Attributes
    ----------
    name : str
    stations, connections, applications, workloads, failures : tuples of the elements
    duration : float
        Seconds during which jobs arrive; those in progress are then finished.
    warm_up : float
        Seconds at the beginning that no measure counts.
    steady_state : bool
        Whether the run is meant to show a steady state: a load of 1 or more is then an error.

    Raises
    ------
    ScenarioError
        If elements contradict each other: a cycle, an unknown station, two stations without a route.
    """

    name: str = ruled(schema.text())
    stations: tuple[Station, ...] = ()
    connections: tuple[Connection, ...] = ()
    applications: tuple[Application, ...] = ()
    workloads: tuple[Workload, ...] = ()
    failures: tuple[Failure, ...] = ()
    duration: float = ruled(schema.number(above=0), 100.0)
    warm_up: float = ruled(schema.number(), 0.0)
    steady_state: bool = ruled(schema.flag(), False)

    def __post_init__(self) -> None:
        schema.check(self, f"scenario {self.name!r}")
        for table in TABLES:
            object.__setattr__(self, table, tuple(getattr(self, table)))
        require_consistent(self)

    def __getitem__(self, name: str) -> Station | Connection | Application:
        """Station, connection or application of that name."""
        for element in (*self.stations, *self.connections, *self.applications):
            if element.name == name:
                return element
        raise KeyError(f"scenario {self.name!r} has nothing called {name!r}")


def changed(scenario: Scenario, path: str, value: Any) -> Scenario:
    """The same scenario with one value replaced.

    Parameters
    ----------
    scenario : Scenario
    path : str
        ``duration`` or ``connections.wifi.rate``: table, name (application for a workload, thing for a failure),
        field.
    value : object

    Raises
    ------
    ScenarioError
        If there is nothing at that path, or the value makes no sense there.
    """
    table, _, rest = path.partition(".")
    if not rest:
        return _replaced(scenario, path, path, value)
    name, _, key = rest.rpartition(".")
    elements = getattr(scenario, table, ()) if table in TABLES else ()
    hits = [number for number, element in enumerate(elements) if _label(element) == name]
    if not hits:
        raise ScenarioError(f"scenario {scenario.name!r}", path, value, "write table.name.field, all of them existing")
    new = list(elements)
    for hit in hits:
        new[hit] = _replaced(elements[hit], path, key, value)
    return replace(scenario, **{table: tuple(new)})


def _label(element: Any) -> str:
    return getattr(element, "name", None) or getattr(element, "application", None) or element.what


def _replaced(element: Any, path: str, key: str, value: Any) -> Any:
    known = [each.name for each in fields(element)]
    if key not in known:
        raise ScenarioError("changed", path, value, f"no such field; known are {', '.join(known)}")
    return replace(element, **{key: value})


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a TOML file.

    A trace stands in place of a rate as ``trace = {time = [...], rate = [...]}`` or ``trace = {file = "x.csv", name =
    "...", direction = "uplink"}``; recorded arrivals as ``times = [...]`` or ``file = "x.csv"`` with a column time_s.
    Files are sought beside the scenario.

    Raises
    ------
    ScenarioError
        Naming file, key, value and remedy.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no scenario file {path}: give the path of a TOML file")
    return parse_scenario(path.read_text(encoding="utf-8"), file=path.name, folder=path.parent)


def parse_scenario(text: str, *, file: str = "text", folder: str | Path = ".") -> Scenario:
    """The scenario that a TOML text describes; `file` is what errors call it, and `folder` where its files lie.

    Examples
    --------
    >>> parse_scenario('name = "nothing happens"').name
    Traceback (most recent call last):
    edgedl_lib.system.simulator.schema.ScenarioError: text: this file, duration is missing: add the seconds of arrivals
    """
    try:
        return _scenario(tomllib.loads(text), Path(folder))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError("this file", "TOML", str(error), "mend the syntax", file) from error
    except ScenarioError as error:
        raise error.within(file) from None


def _scenario(tables: dict[str, Any], folder: Path) -> Scenario:
    tables = dict(tables)
    for table, kind in TABLES.items():
        entries = tables.get(table, [])
        if not isinstance(entries, list):
            raise ScenarioError("this file", table, entries, f"begin each entry with [[{table}]], in double brackets")
        tables[table] = tuple(_element(table, kind, entry, number, folder) for number, entry in enumerate(entries, 1))
    if "duration" not in tables:
        raise ScenarioError("this file", "duration", MISSING_VALUE, "add the seconds of arrivals")
    return schema.build(Scenario, tables, "this file")


def _element(table: str, kind: type, entry: Any, number: int, folder: Path) -> Any:
    if not isinstance(entry, Mapping):
        raise ScenarioError("this file", table, entry, f"begin each entry with [[{table}]], in double brackets")
    label = next((entry[key] for key in ("name", "application", "what") if key in entry), f"number {number}")
    where, entry = f"{table} {label!r}", dict(entry)
    if table == "connections" and "trace" in entry:
        if "rate" in entry:
            raise ScenarioError(where, "rate", entry["rate"], "give rate or trace, not both")
        entry["rate"] = _trace(where, entry.pop("trace"), folder)
    if table == "workloads" and "file" in entry:
        entry["times"] = _recorded_times(where, folder / str(entry.pop("file")))
    if table == "applications" and isinstance(entry.get("tasks"), list):
        entry["tasks"] = tuple(schema.build(Task, task, f"{where}, a task") for task in entry["tasks"])
    return schema.build(kind, entry, where)


def _trace(where: str, table: Any, folder: Path) -> Trace:
    remedy = "give {time = [...], rate = [...]} or {file = ..., name = ..., direction = ...}"
    try:
        if "file" in table:
            return load_trace(table["name"], folder / table["file"], direction=table.get("direction", "downlink"))
        return Trace(str(table.get("name", "recorded")), table["time"], table["rate"])
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise ScenarioError(where, "trace", table, f"{remedy} ({error})") from error


def _recorded_times(where: str, path: Path) -> list[float]:
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            return [float(row["time_s"]) for row in csv.DictReader(stream)]
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise ScenarioError(where, "file", path.name, f"give a CSV file with a column time_s ({error})") from error


def scenario_text(scenario: Scenario) -> str:
    """The scenario as TOML; `load_scenario` reads it back."""
    lines = [f"{key} = {_toml(getattr(scenario, key))}" for key in ("name", "duration", "warm_up", "steady_state")]
    for table in TABLES:
        for element in getattr(scenario, table):
            lines += _section(f"[[{table}]]", element)
            for task in getattr(element, "tasks", ()):
                lines += _section("[[applications.tasks]]", task)
            if placement := getattr(element, "placement", None):
                lines += [
                    "",
                    "[applications.placement]",
                    *(f"{_toml(key)} = {_toml(v)}" for key, v in placement.items()),
                ]
    return "\n".join(lines) + "\n"


def _section(header: str, element: Any) -> list[str]:
    lines = ["", header]
    for each in fields(element):
        value = getattr(element, each.name)
        if value is None or value == each.default or each.name in ("tasks", "placement"):
            continue
        key = "trace" if isinstance(value, Trace) else each.name
        lines.append(f"{key} = {_toml(value)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, Trace):
        value = {"name": value.name, "time": value.time.tolist(), "rate": value.rate.tolist()}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
