"""The sweeps of the page: three rules over five populations, over-selection, stragglers, and who gets a seat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.vanilla.pace.over_selection import chance_to_report, selected, simulated_chance
from edgedl_lib.training.vanilla.pace.rounds import RoundRules, hold_round, reservoir
from edgedl_lib.training.vanilla.pace.rules import Rule
from edgedl_lib.training.vanilla.pace.simulation import Traffic, simulate

POPULATIONS = (200, 1_000, 10_000, 100_000, 1_500_000)
FILLED, REJECTED = 0.9, 3.0  # what a served population means: share of rounds, devices turned away for each seat
GOLDEN_CASES = {(1.0, 0.1): 0.0, (1.1, 0.1): 0.454, (1.2, 0.1): 0.992, (1.3, 0.1): 1.0, (1.3, 0.2): 0.838}
SPREAD = 1.0  # sigma of the logarithm of a device's training time


@dataclass(frozen=True)
class Sweep:
    """One rule over several populations; arrays of shape (populations, seeds)."""

    populations: tuple[int, ...]
    rejected: np.ndarray
    peak: np.ndarray
    fill: np.ndarray

    def column(self, name: str, low: int = 0, high: float = np.inf) -> np.ndarray:
        """Means over seeds of the populations from `low` to `high`."""
        rows = [low <= population <= high for population in self.populations]
        return getattr(self, name)[rows].mean(axis=1)

    @property
    def largest_served(self) -> int:
        """Largest population with most rounds filled and few devices turned away; 0 if none is."""
        served = (self.fill.mean(axis=1) >= FILLED) & (self.rejected.mean(axis=1) < REJECTED)
        return int(max(np.array(self.populations)[served], default=0))


def sweep(rule: Rule, seeds: Sequence[int], populations: Sequence[int] = POPULATIONS, **settings) -> Sweep:
    """Two simulated days of every population."""
    runs: list[Traffic] = [simulate(rule, devices, seeds, **settings) for devices in populations]
    columns = [
        [getattr(run, name) for run in runs] for name in ("rejected_per_accepted", "peak_over_mean", "fill_rate")
    ]
    return Sweep(tuple(populations), *(np.array(column) for column in columns))


def exact_chances(target: int = 100) -> dict[tuple[float, float], float]:
    """Chance that enough devices report, for each golden pair of factor and drop-out."""
    return {case: chance_to_report(target, selected(target, case[0]), case[1]) for case in GOLDEN_CASES}


def simulation_error(exact: Mapping[tuple[float, float], float], seed: int, target: int = 100) -> float:
    """Largest difference between trying and the binomial distribution."""
    tried = {case: simulated_chance(target, selected(target, case[0]), case[1], seed) for case in exact}
    return max(abs(tried[case] - exact[case]) for case in exact)


@dataclass(frozen=True)
class Straggling:
    """Means over many rounds.

    Attributes
    ----------
    wait_ratio : float
        Reporting time when all survivors are waited for, over that when the target is enough.
    counted_duration : float
        Mean duration of the devices that count over that of those chosen who did not drop out.
    """

    wait_ratio: float
    counted_duration: float


def straggling(seed: int, rounds: int = 300, target: int = 100, factor: float = 1.3, spread=SPREAD) -> Straggling:
    """Rounds of devices with log-normal durations, one in ten of which drops out."""
    generator = np.random.default_rng([seed, 199])
    chosen = selected(target, factor)
    rules = RoundRules(target, chosen, target, 0.0, np.inf)
    waits, shares = [], []
    for _ in range(rounds):
        durations = generator.lognormal(0.0, spread, chosen)
        durations[generator.random(chosen) < 0.1] = np.inf
        survivors = durations[np.isfinite(durations)]
        outcome = hold_round(np.zeros(chosen), durations, rules, generator)
        if outcome.committed:
            waits.append((survivors.max(), outcome.seconds))
            shares.append((durations[outcome.counted].mean(), survivors.mean()))
    (everyone, enough), (counted, all_chosen) = np.mean(waits, axis=0), np.mean(shares, axis=0)
    return Straggling(float(everyone / enough), float(counted / all_chosen))


def early_share(seed: int, choose=reservoir, arrivals: int = 1000, seats: int = 100, rounds: int = 200) -> float:
    """Share of the seats that go to the first half of those who come."""
    generator = np.random.default_rng([seed, 200])
    stream = np.arange(arrivals)
    taken = [np.mean(choose(stream, seats, generator) < arrivals / 2) for _ in range(rounds)]
    return float(np.mean(taken))
