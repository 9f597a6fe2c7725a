"""The load that a scenario offers to its stations and connections, and the error for a steady state that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from edgedl_lib.system.link import BITS_PER_BYTE
from edgedl_lib.system.simulator.draws import reached
from edgedl_lib.system.simulator.scenario import Application, Scenario, Task, Workload
from edgedl_lib.system.simulator.topology import find_route, needed_bytes, ordered_tasks
from edgedl_lib.system.trace import Trace


class UnstableQueue(ValueError):
    """A steady state was asked for where a line grows without end.

    Attributes
    ----------
    name : str
        Of the station, connection or queue.
    load : float
        Work offered per second over work done per second.
    """

    def __init__(self, name: str, load: float) -> None:
        super().__init__(
            f"{name!r} has no steady state at load {load:.3g}: its line grows without end from load 1 on, "
            "so lower the arrival rate, speed it up, add slots or candidates, or do not ask for a steady state"
        )
        self.name, self.load = name, load


def require_stable(scenario: Scenario) -> dict[str, float]:
    """The offered loads, all below 1.

    Raises
    ------
    UnstableQueue
        For the station or connection with the highest load, if that is 1 or more.
    """
    loads = offered_loads(scenario)
    worst = max(loads, key=loads.get)
    if loads[worst] >= 1:
        raise UnstableQueue(worst, loads[worst])
    return loads


def offered_loads(scenario: Scenario) -> dict[str, float]:
    """Load of every station and connection: work per second over what it can do, failures aside.

    Where tasks have several candidates, they are spread such that the highest load of a station is as low as it can
    be.  A connection counts what certainly goes over it: transfers between tasks with one candidate each.

    Returns
    -------
    dict of str to float
    """
    rates = {application.name: 0.0 for application in scenario.applications}
    for workload in scenario.workloads:
        rates[workload.application] += mean_rate(scenario, workload)
    loads = _station_loads(scenario, rates) | dict.fromkeys((each.name for each in scenario.connections), 0.0)
    for application in scenario.applications:
        for name, bits in _connection_bits(scenario, application):
            loads[name] += _share(rates[application.name] * bits, scenario[name].rate, scenario.duration)
    return loads


def mean_rate(scenario: Scenario, workload: Workload) -> float:
    """Arrivals per second while the workload lasts."""
    if workload.kind != "recorded":
        return workload.rate
    end = scenario.duration if workload.end is None else workload.end
    return sum(workload.start <= time < end for time in workload.times) / (end - workload.start)


def task_probabilities(application: Application) -> dict[tuple[str, str], float]:
    """Probabilities that a job runs both of two tasks, ``(name, name)``, and ``(name, "")`` that one is the last."""
    tasks = ordered_tasks(application)
    chances = [[(True, task.probability), (False, 1 - task.probability)] for task in tasks]
    cases = list(product(*([each for each in pair if each[1] > 0] for pair in chances)))
    weight = np.array([np.prod([chance for _, chance in case]) for case in cases])
    needed = reached(application, np.array([[drawn for drawn, _ in case] for case in cases]))
    column = {task.name: number for number, task in enumerate(tasks)}
    chance = {}
    for task in tasks:
        mine = needed[:, column[task.name]]
        for other in tasks:
            chance[task.name, other.name] = float(weight @ (mine & needed[:, column[other.name]]))
        after = [column[other.name] for other in tasks if task.name in other.after]
        chance[task.name, ""] = float(weight @ (mine & ~needed[:, after].any(axis=1)))
    return chance


def _station_loads(scenario: Scenario, rates: dict[str, float]) -> dict[str, float]:
    """Loads with tasks spread over their candidates as evenly as possible: a linear programme where there is choice."""
    fixed = dict.fromkeys((station.name for station in scenario.stations), 0.0)
    open_tasks: list[dict[str, float]] = []  # per task with a choice: load if all of it went to a candidate
    for application in scenario.applications:
        chance = task_probabilities(application)
        for task in application.tasks:
            rate = rates[application.name] * chance[task.name, task.name] * task.copies
            stations = application.placement[task.name]
            full = {name: rate * _seconds(scenario, name, task) / scenario[name].slots for name in stations}
            if len(full) == 1:
                fixed[stations[0]] += full[stations[0]]
            else:
                open_tasks.append(full)
    return _spread(fixed, open_tasks) if open_tasks else fixed


def _spread(fixed: dict[str, float], open_tasks: list[dict[str, float]]) -> dict[str, float]:
    from scipy.optimize import linprog

    row = {name: number for number, name in enumerate(fixed)}
    pairs = [(number, name) for number, full in enumerate(open_tasks) for name in full]
    load = np.zeros((len(fixed), len(pairs) + 1))
    load[:, -1] = -1  # minus the highest load
    choice = np.zeros((len(open_tasks), len(pairs) + 1))
    for column, (number, name) in enumerate(pairs):
        load[row[name], column] = open_tasks[number][name]
        choice[number, column] = 1
    cost = np.append(np.zeros(len(pairs)), 1.0)
    done = linprog(cost, load, -np.array(list(fixed.values())), choice, np.ones(len(open_tasks)), method="highs")
    return {name: float(fixed[name] + load[row[name], :-1] @ done.x[:-1]) for name in fixed}


def _seconds(scenario: Scenario, station: str, task: Task) -> float:
    if task.flop is not None:
        return task.flop / scenario[station].flop_per_s
    return task.seconds if isinstance(task.seconds, float) else task.seconds[station]


def _connection_bits(scenario: Scenario, application: Application) -> Iterator[tuple[str, float]]:
    """Expected bits of one job over each connection, as far as placement leaves no choice."""
    chance = task_probabilities(application)
    for task in application.tasks:
        here = application.placement[task.name]
        flows = [(here, (application.source,), chance[task.name, ""] * application.result_bytes)]
        if not task.after:
            first = chance[task.name, task.name] * needed_bytes(application, task, None)
            flows.append(((application.source,), here, first))
        for before in map(application.task, task.after):
            size = chance[before.name, task.name] * before.copies * needed_bytes(application, task, before)
            flows.append((application.placement[before.name], here, size))
        for starts, ends, size in flows:
            if len(starts) == len(ends) == 1:
                for name, _ in find_route(scenario.connections, starts[0], ends[0]) or ():
                    yield name, task.copies * size * BITS_PER_BYTE


def _share(bits_per_second: float, rate: float | Trace, duration: float) -> float:
    if isinstance(rate, Trace):
        rate = (rate.delivered_until(duration) - rate.delivered_until(0.0)) / duration
    return bits_per_second / rate if rate else (np.inf if bits_per_second else 0.0)
