"""MAUI's evaluation: the preset programs over round-trip times, and the solvers against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.partial.maui.call_graph import CallGraph, OffloadPlan
from edgedl_lib.offloading.partial.maui.programs import ROUND_TRIPS_MS, Program, presets, random_call_graph
from edgedl_lib.offloading.partial.maui.solvers import (
    InfeasibleLatency,
    by_greed,
    by_minimum_cut,
    every_plan,
    solve,
)

NEARBY = 0.010  # s, the round trip to a server in the next room
NEVER_MS = 1_000.0


@dataclass(frozen=True, eq=False)
class RoundTripSweep:
    """The best plans of one program over round-trip times (ms)."""

    program: str
    round_trips_ms: tuple[float, ...]
    local_energy: float
    plans: tuple[OffloadPlan, ...]

    @property
    def savings(self) -> np.ndarray:
        """J saved at each round trip."""
        return np.array([plan.saving for plan in self.plans])

    @property
    def all_local_from(self) -> float:
        """Round trip (ms) from which on nothing is offloaded; 1,000 if something always is."""
        offloads = np.flatnonzero([bool(plan.remote) for plan in self.plans])
        if not offloads.size:
            return float(self.round_trips_ms[0])
        after = offloads[-1] + 1
        return float(self.round_trips_ms[after]) if after < len(self.plans) else NEVER_MS


def sweep(program: Program, round_trips_ms=ROUND_TRIPS_MS) -> RoundTripSweep:
    """Solve one program at every round trip."""
    graphs = [program.at_round_trip(1e-3 * each) for each in round_trips_ms]
    plans = tuple(solve(graph) for graph in graphs)
    return RoundTripSweep(program.name, tuple(round_trips_ms), graphs[0].local_energy, plans)


def largest_rise(sweeps) -> float:
    """Largest rise (J) of a saving from one round trip to the next longer one."""
    return float(max(np.diff(each.savings).max() for each in sweeps))


def nearby(program: Program) -> tuple[CallGraph, OffloadPlan]:
    """A program and its best plan with the server in the next room."""
    graph = program.at_round_trip(NEARBY)
    return graph, solve(graph)


def energy_ratio(program: Program) -> float:
    """Energy of a run on the phone over that under the best plan nearby."""
    graph, plan = nearby(program)
    return graph.local_energy / plan.energy


def saving_percent(program: Program) -> float:
    """Percent of the energy that the best plan nearby saves."""
    graph, plan = nearby(program)
    return 100 * plan.saving / graph.local_energy


def speed_up(program: Program) -> float:
    """Time of a run on the phone over that under the best plan nearby."""
    graph, plan = nearby(program)
    return graph.local_time / plan.time


@dataclass(frozen=True)
class SolverAgreement:
    """Percent of random call graphs on which two solvers agree, or greed falls short."""

    brute_force: float
    minimum_cut: float
    greed_loses: float
    infeasible: int


def compare_solvers(seed: int, instances: int = 200) -> SolverAgreement:
    """Integer programme against all plans (with a latency limit), minimum cut and greed (without one)."""
    rng = np.random.default_rng(seed)
    equal, cut_equal, lost, infeasible = 0, 0, 0, 0
    for _ in range(instances):
        graph = random_call_graph(rng)
        limit = graph.local_time * rng.uniform(0.2, 1.2)
        tried, found = every_plan(graph, limit), limited(graph, limit)
        infeasible += tried is None
        equal += (tried is None) == (found is None) and (tried is None or np.isclose(tried.saving, found.saving))
        best = solve(graph)
        cut_equal += np.isclose(by_minimum_cut(graph).saving, best.saving, atol=1e-6)
        lost += by_greed(graph).saving < best.saving - 1e-6
    shares = (float(100 * count / instances) for count in (equal, cut_equal, lost))
    return SolverAgreement(*shares, infeasible)


def limited(graph: CallGraph, limit: float) -> OffloadPlan | None:
    """Best plan within a latency limit (s), or None."""
    try:
        return solve(graph, limit)
    except InfeasibleLatency:
        return None


def sweeps() -> tuple[RoundTripSweep, ...]:
    """The three presets over the paper's range of round trips."""
    return tuple(sweep(program) for program in presets())
