"""MAUI while it runs: the profiler measures, the solver decides anew, and a plan that was good becomes a bad one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.partial.maui.call_graph import OffloadPlan, evaluate
from edgedl_lib.offloading.partial.maui.programs import COMPUTE_POWER, RATE, Program
from edgedl_lib.offloading.partial.maui.solvers import solve
from edgedl_lib.system.link import Link

CLOCK = 528e6  # Hz, the phone's processor
PROBE_BYTES = 10_000  # the profiler sends 10 KB and looks at the clock


@dataclass(frozen=True)
class EnergyLine:
    """Energy of a method from its CPU cycles: ``constant + slope * cycles``, J."""

    constant: float
    slope: float

    def __call__(self, cycles: float) -> float:
        return max(0.0, self.constant + self.slope * cycles)


def fit_energy(cycles: Sequence[float], energy: Sequence[float]) -> EnergyLine:
    """Line through measured (cycles, J) by least squares, as MAUI's device profiler fits it.

    Raises
    ------
    ValueError
        If there are fewer than two different numbers of cycles.

    Examples
    --------
    >>> fit_energy([1e6, 3e6], [0.2, 0.4]).slope
    1e-07
    """
    cycles, energy = np.asarray(cycles, float), np.asarray(energy, float)
    if np.unique(cycles).size < 2:
        raise ValueError(f"{np.unique(cycles).size} numbers of cycles determine no line: measure at least two")
    slope, constant = np.polyfit(cycles, energy, 1)
    return EnergyLine(float(constant), float(f"{slope:.12g}"))


def profiled_error(seed: int, samples: int = 20, noise: float = 0.1) -> float:
    """Percent by which the fitted energy per cycle is off after some noisy calls of a 0.9 W, 528 MHz processor.

    Parameters
    ----------
    noise : standard deviation of each measured energy, as a share of it
    """
    rng, joules_per_cycle = np.random.default_rng(seed), COMPUTE_POWER / CLOCK
    cycles = rng.uniform(1e7, 1e9, samples)
    measured = joules_per_cycle * cycles * (1 + noise * rng.standard_normal(samples))
    return 100 * abs(fit_energy(cycles, measured).slope / joules_per_cycle - 1)


def probe(link: Link) -> float:
    """Seconds that the probe takes over a link."""
    return float(link.transfer_time(PROBE_BYTES))


def estimated_link(probe_seconds: float, rate: float = RATE) -> Link:
    """What a probe says of a link whose rate is known: the rest of its time is the round trip."""
    alone = float(Link("probe", rate).transfer_time(PROBE_BYTES))
    return Link("estimated", rate, rtt=max(0.0, probe_seconds - alone))


@dataclass(frozen=True, eq=False)
class RunTime:
    """Runs of a program one after the other while the round trip changes.

    Attributes
    ----------
    energy : (R,) J of the phone in each run
    plans : R plans, as decided before each run
    """

    energy: np.ndarray
    plans: tuple[OffloadPlan, ...]


def run_program(program: Program, round_trips: Sequence[float], *, period: int | None = None) -> RunTime:
    """Run once per entry of `round_trips` (s), with the plan of the latest decision.

    Parameters
    ----------
    period : runs between two decisions; by default the first decision stands for ever

    Raises
    ------
    ValueError
        If the period is not positive.
    """
    if period is not None and period < 1:
        raise ValueError(f"period {period} is no number of runs: give at least 1, or None to decide once")
    energies, plans, plan = [], [], None
    for number, seconds in enumerate(round_trips):
        if plan is None or (period and number % period == 0):
            seen = estimated_link(probe(Link("real", RATE, rtt=seconds)))
            plan = solve(program.over(seen))
        plans.append(plan)
        energies.append(evaluate(program.at_round_trip(seconds), plan.remote).energy)
    return RunTime(np.array(energies), tuple(plans))


def jump(runs: int = 40, at: int = 18, before: float = 0.010, after: float = 0.220) -> np.ndarray:
    """Round-trip times (s) that jump in mid-run.

    >>> jump(runs=4, at=2)
    array([0.01, 0.01, 0.22, 0.22])
    """
    return np.where(np.arange(runs) < at, before, after)


def stale_over_adaptive(program: Program, round_trips: np.ndarray, period: int = 5) -> float:
    """Energy after the jump with the plan from before it, over that with decisions every `period` runs."""
    after = round_trips != round_trips[0]
    stale, adaptive = run_program(program, round_trips), run_program(program, round_trips, period=period)
    return float(stale.energy[after].sum() / adaptive.energy[after].sum())
