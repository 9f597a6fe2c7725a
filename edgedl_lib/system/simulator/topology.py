"""What the elements of a scenario say about each other: names, graphs without cycles, and routes between stations."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from edgedl_lib.system.simulator.elements import Application, Connection, Task
from edgedl_lib.system.simulator.schema import MISSING_VALUE, ScenarioError

if TYPE_CHECKING:
    from edgedl_lib.system.simulator.scenario import Scenario

#: One step of a route: the connection and the station behind it.
Hop = tuple[str, str]


def find_route(
    connections: Iterable[Connection], start: str, end: str, absent: Collection[str] = ()
) -> tuple[Hop, ...] | None:
    """Fewest hops from one station to another; among equals, the connections that come first.

    Parameters
    ----------
    connections : iterable of Connection
    start, end : str
    absent : collection of str
        Stations and connections that carry nothing now.

    Returns
    -------
    tuple of (connection, station), or None
        Empty if both are the same station.
    """
    connections = [each for each in connections if each.name not in absent]
    routes: dict[str, tuple[Hop, ...]] = {start: ()}
    line = deque([start])
    while line and end not in routes:
        here = line.popleft()
        for connection in connections:
            for there in connection.stations:
                if there not in routes and there not in absent and connection.reaches(here, there):
                    routes[there] = (*routes[here], (connection.name, there))
                    line.append(there)
    return None if {start, end} & set(absent) else routes.get(end)


def ordered_tasks(application: Application) -> tuple[Task, ...]:
    """Tasks such that each comes after those it needs, else in the order given.

    Raises
    ------
    ScenarioError
        If tasks wait for each other in a circle.
    """
    done: dict[str, Task] = {}
    waiting = list(application.tasks)
    while waiting:
        ready = [task for task in waiting if all(name in done for name in task.after)]
        if not ready:
            circle = " -> ".join(_circle(application, waiting))
            where = f"applications {application.name!r}"
            raise ScenarioError(where, "after", circle, "tasks wait for each other in a circle: remove one 'after'")
        done |= {task.name: task for task in ready}
        waiting = [task for task in waiting if task.name not in done]
    return tuple(done.values())


def _circle(application: Application, waiting: list[Task]) -> list[str]:
    stuck = {task.name for task in waiting}
    path = [waiting[0].name]
    while path[-1] not in path[:-1]:
        path.append(next(name for name in application.task(path[-1]).after if name in stuck))
    return path[path.index(path[-1]) :]


def require_consistent(scenario: Scenario) -> None:
    """Refuse a scenario whose elements contradict each other.

    Raises
    ------
    ScenarioError
    """
    where = f"scenario {scenario.name!r}"
    for table in ("stations", "applications", "workloads"):
        if not getattr(scenario, table):
            raise ScenarioError(where, table, MISSING_VALUE, f"add at least one [[{table}]]")
    stations = _different(scenario, "stations")
    connections = _different(scenario, "connections")
    applications = _different(scenario, "applications")
    if both := sorted(stations & connections):
        raise ScenarioError(f"connections {both[0]!r}", "name", both[0], "a station has that name: choose another")
    if taken := sorted(applications & (stations | connections)):
        remedy = "a station or connection has that name: choose another"
        raise ScenarioError(f"applications {taken[0]!r}", "name", taken[0], remedy)
    if scenario.warm_up >= scenario.duration:
        raise ScenarioError(where, "warm_up", scenario.warm_up, f"give less than duration = {scenario.duration}")
    for connection in scenario.connections:
        for station in connection.stations:
            _known(f"connections {connection.name!r}", "stations", station, stations, "station")
    for failure in scenario.failures:
        _known(f"failures of {failure.what!r}", "what", failure.what, stations | connections, "station or connection")
    for workload in scenario.workloads:
        _known(
            f"workloads for {workload.application!r}", "application", workload.application, applications, "application"
        )
        _require_span(scenario, workload)
    for application in scenario.applications:
        _require_application(scenario, application, stations)


def _different(scenario: Scenario, table: str) -> set[str]:
    known: set[str] = set()
    for element in getattr(scenario, table):
        if element.name in known:
            raise ScenarioError(f"{table} {element.name!r}", "name", element.name, "names differ: choose another")
        known.add(element.name)
    return known


def _known(where: str, key: str, name: str, known: Collection[str], kind: str) -> None:
    if name not in known:
        raise ScenarioError(where, key, name, f"no such {kind}; there are {', '.join(sorted(known))}")


def _require_span(scenario: Scenario, workload) -> None:
    where = f"workloads for {workload.application!r}"
    end = scenario.duration if workload.end is None else workload.end
    if not workload.start < end <= scenario.duration:
        key, value = ("start", workload.start) if workload.end is None else ("end", end)
        raise ScenarioError(where, key, value, f"start < end <= duration = {scenario.duration} must hold")
    if workload.times and not any(workload.start <= time <= end for time in workload.times):
        raise ScenarioError(where, "times", list(workload.times), f"no arrival lies between {workload.start} and {end}")


def _require_application(scenario: Scenario, application: Application, stations: set[str]) -> None:
    where = f"applications {application.name!r}"
    tasks = {task.name for task in application.tasks}
    if len(tasks) < len(application.tasks):
        raise ScenarioError(where, "tasks", [task.name for task in application.tasks], "names of tasks must differ")
    _known(where, "source", application.source, stations, "station")
    for name in application.placement:
        _known(where, "placement", name, tasks, "task")
    for task in application.tasks:
        _require_task(scenario, application, task, tasks, stations)
    for task in ordered_tasks(application):
        _require_routes(scenario, application, task)


def _require_routes(scenario: Scenario, application: Application, task: Task) -> None:
    where, candidates = f"applications {application.name!r}", application.placement[task.name]
    pairs = [(start, candidates) for start in sorted(senders(application, task))]
    if application.result_bytes:
        pairs += [(station, (application.source,)) for station in candidates]
    for start, ends in pairs:
        if all(find_route(scenario.connections, start, end) is None for end in ends):
            remedy = (
                f"no route from {start!r} to {' or '.join(map(repr, ends))}: add a connection or place it elsewhere"
            )
            raise ScenarioError(where, f"placement.{task.name}", list(candidates), remedy)


def _require_task(
    scenario: Scenario, application: Application, task: Task, tasks: set[str], stations: set[str]
) -> None:
    where = f"applications {application.name!r}, task {task.name!r}"
    for name in task.after:
        _known(where, "after", name, tasks, "task")
    if task.name not in application.placement:
        raise ScenarioError(where, f"placement.{task.name}", MISSING_VALUE, "say on which station it runs")
    for station in application.placement[task.name]:
        _known(where, f"placement.{task.name}", station, stations, "station")
        if isinstance(task.seconds, dict) and station not in task.seconds:
            raise ScenarioError(where, "seconds", task.seconds, f"add the seconds on {station!r}, where it may run")
        if task.flop is not None and scenario[station].flop_per_s is None:
            raise ScenarioError(where, "flop", task.flop, f"station {station!r} needs flop_per_s, or give seconds")


def senders(application: Application, task: Task) -> set[str]:
    """Stations that may have to send this task something."""
    if not task.after:
        return {application.source} if needed_bytes(application, task, None) else set()
    before = [application.task(name) for name in task.after]
    return {
        station
        for each in before
        if needed_bytes(application, task, each)
        for station in application.placement[each.name]
    }


def needed_bytes(application: Application, task: Task, before: Task | None) -> float:
    """Bytes that a copy of `task` takes from a copy of the task before it, or from the source (None)."""
    if task.input_bytes is not None:
        return task.input_bytes
    return application.input_bytes if before is None else before.output_bytes
