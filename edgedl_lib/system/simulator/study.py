"""What the book looks at in the shipped scenarios: one value changed, a failure, books that balance, equal runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.system.simulator.measure import ScenarioRun
from edgedl_lib.system.simulator.run import simulate
from edgedl_lib.system.simulator.scenario import Scenario, changed, parse_scenario, scenario_text
from edgedl_lib.system.simulator.shipped import shipped_names, shipped_scenario
from edgedl_lib.system.simulator.stability import offered_loads

PERCENTS = (50, 95, 99)


@dataclass(frozen=True, eq=False)
class Sweep:
    """A scenario with one value changed, step by step.

    Attributes
    ----------
    values : numpy.ndarray, shape (V,)
    latency : numpy.ndarray, shape (V, 3)
        Median, 95th and 99th percentile (s).
    load : numpy.ndarray, shape (V,)
        The highest load of a station or connection.
    """

    values: np.ndarray
    latency: np.ndarray
    load: np.ndarray


def sweep(scenario: Scenario, path: str, values: Sequence[float], seed: int) -> Sweep:
    """Run a scenario once per value, with the same jobs each time."""
    variants = [changed(scenario, path, value) for value in values]
    latency = [simulate(each, seed).percentile(PERCENTS) for each in variants]
    load = [max(offered_loads(each).values()) for each in variants]
    return Sweep(np.asarray(values, dtype=float), np.array(latency), np.array(load))


def latency_between(run: ScenarioRun, start: float, end: float) -> np.ndarray:
    """Latencies (s) of the jobs that arrived in [start, end) and were done."""
    chosen = (run.arrival >= start) & (run.arrival < end) & ~run.lost
    return (run.finish - run.arrival)[chosen]


def slowdown_of_failure(run: ScenarioRun) -> float:
    """Median latency during the scenario's first failure over the median between warm-up and failure."""
    failure = run.scenario.failures[0]
    during = latency_between(run, failure.at, failure.until or run.scenario.duration)
    return float(np.median(during) / np.median(latency_between(run, run.scenario.warm_up, failure.at)))


def little_error(runs: Iterable[ScenarioRun]) -> float:
    """Largest relative difference (%) between the two sides of Little's law."""
    sides = [run.little() for run in runs]
    return max(100 * abs(mean - product) / mean for mean, product in sides)


def reversed_tables(scenario: Scenario) -> Scenario:
    """The same scenario with its tables written in reverse order."""
    applications = [
        replace(each, placement=dict(reversed(each.placement.items()))) for each in reversed(scenario.applications)
    ]
    return replace(
        scenario,
        stations=scenario.stations[::-1],
        connections=scenario.connections[::-1],
        applications=tuple(applications),
        workloads=scenario.workloads[::-1],
        failures=scenario.failures[::-1],
    )


def run_twice(name: str, seed: int) -> tuple[ScenarioRun, bool]:
    """The run of a shipped scenario, and whether it comes out bit for bit again from a file written anew."""
    scenario = shipped_scenario(name)
    first = simulate(scenario, seed)
    second = simulate(parse_scenario(scenario_text(reversed_tables(scenario))), seed)
    return first, first.left.tobytes() == second.left.tobytes() and first.usage == second.usage


def run_all_twice(seed: int) -> dict[str, tuple[ScenarioRun, bool]]:
    """`run_twice` for every shipped scenario."""
    return {name: run_twice(name, seed) for name in shipped_names()}
