"""All that is random in a run, drawn before it: arrivals, which tasks a job needs, how much work each copy is.

A job's draws depend on the seed, on its application and on its number alone: another placement or another link meets
the very same jobs, and the order of tables in a file changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from edgedl_lib.system.simulator.scenario import Application, Scenario, Workload
from edgedl_lib.system.simulator.topology import ordered_tasks


@dataclass(frozen=True)
class Draws:
    """The jobs of one workload.

    Attributes
    ----------
    application : Application
        Its tasks in an order in which they can run.
    arrival : numpy.ndarray, shape (J,)
        Seconds.
    needed : numpy.ndarray of bool, shape (J, T)
        Whether the job runs the task.
    factor : numpy.ndarray, shape (J, C)
        Work over its mean, of each copy of each task, tasks in order.
    """

    application: Application
    arrival: np.ndarray
    needed: np.ndarray
    factor: np.ndarray


def draw(scenario: Scenario, seed: int) -> list[Draws]:
    """Jobs of every workload, ordered by the application's name and then as in the scenario."""
    ordered = sorted(scenario.workloads, key=lambda workload: workload.application)
    seen: dict[str, int] = {}
    draws = []
    for workload in ordered:
        number = seen.get(workload.application, 0)
        seen[workload.application] = number + 1
        key = [seed, crc32(workload.application.encode()), number]
        draws.append(_draw_workload(scenario, workload, key))
    return draws


def arrival_times(workload: Workload, duration: float, generator: np.random.Generator) -> np.ndarray:
    """Arrival times (s) in [start, end), not decreasing."""
    end = duration if workload.end is None else workload.end
    if workload.kind == "recorded":
        times = np.array(workload.times)
    elif workload.kind == "periodic":
        times = workload.start + np.arange(np.ceil((end - workload.start) * workload.rate)) / workload.rate
    else:
        times = workload.start + _poisson(workload.rate, end - workload.start, generator)
    return times[(times >= workload.start) & (times < end)]


def _poisson(rate: float, span: float, generator: np.random.Generator) -> np.ndarray:
    times = np.cumsum(generator.exponential(1 / rate, int(rate * span + 4 * np.sqrt(rate * span)) + 4))
    while times[-1] < span:
        more = generator.exponential(1 / rate, len(times))
        times = np.concatenate([times, times[-1] + np.cumsum(more)])
    return times


def _draw_workload(scenario: Scenario, workload: Workload, key: list[int]) -> Draws:
    application, tasks = scenario[workload.application], ordered_tasks(scenario[workload.application])
    arrival = arrival_times(workload, scenario.duration, np.random.default_rng([*key, 0]))
    luck = np.random.default_rng([*key, 1]).random((len(arrival), len(tasks)))
    copies = [task.copies for task in tasks]
    factor = np.random.default_rng([*key, 2]).exponential(1.0, (len(arrival), sum(copies)))
    constant = np.repeat([task.distribution == "constant" for task in tasks], copies)
    factor[:, constant] = 1.0
    drawn = luck < [task.probability for task in tasks]
    return Draws(application, arrival, reached(application, drawn), factor)


def reached(application: Application, drawn: np.ndarray) -> np.ndarray:
    """Which tasks run: those drawn that are first or follow at least one that runs.

    Parameters
    ----------
    drawn : numpy.ndarray of bool, shape (J, T)
        Tasks in the order of `ordered_tasks`.
    """
    tasks = ordered_tasks(application)
    column = {task.name: number for number, task in enumerate(tasks)}
    needed = drawn.copy()
    for number, task in enumerate(tasks):
        if task.after:
            needed[:, number] &= needed[:, [column[name] for name in task.after]].any(axis=1)
    return needed
