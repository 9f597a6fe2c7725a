"""How a benchmark turns times into one score, and what the choice of mean decides (AI Benchmark, Ignatov et al. [54]).

The application's score is a weighted sum of inverse times: an arithmetic mean of speed-ups, which one accelerated test
can dominate.  The geometric mean ranks by the typical test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.system.catalogue import DATA, read_rows

PHONE_CHIPS = ("Kirin 970", "Snapdragon 855", "Helio P60")
#: Two devices over a reference: one twice as fast in every test, the other 20 times in one test only.
CONSTRUCTED = {"even": (2.0,) * 6, "accelerated": (20.0,) + (1.0,) * 5}


@dataclass(frozen=True)
class BenchmarkTest:
    """One test of the application: number, network, whether it can run on an accelerator, and its precision."""

    number: int
    network: str
    accelerated: bool
    precision: str


def benchmark_tests() -> tuple[BenchmarkTest, ...]:
    """The tests of AI Benchmark's first version (``data/ai_benchmark_tests.csv``)."""
    rows = read_rows(DATA / "ai_benchmark_tests.csv", ("number", "network", "accelerated", "precision"))
    return tuple(
        BenchmarkTest(int(row["number"]), row["network"], row["accelerated"] == "yes", row["precision"]) for row in rows
    )


def arithmetic_score(speedups: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Weighted mean of speed-ups over a reference (equal weights by default).

    Examples
    --------
    >>> arithmetic_score([20, 1, 1, 1])
    5.75
    """
    return float(np.average(_positive(speedups), weights=weights))


def geometric_score(speedups: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Weighted geometric mean of speed-ups over a reference.

    Examples
    --------
    >>> round(geometric_score([16, 1, 1, 1]), 9)
    2.0
    """
    return float(np.exp(np.average(np.log(_positive(speedups)), weights=weights)))


def rank_reversals(speedups: Mapping[str, Sequence[float]] | None = None) -> int:
    """Pairs of devices that the two means rank differently.

    Parameters
    ----------
    speedups : mapping of str to sequence, optional
        Speed-up over a common reference of each device in each test; two constructed devices by default.
    """
    speedups = CONSTRUCTED if speedups is None else speedups
    arithmetic = {name: arithmetic_score(values) for name, values in speedups.items()}
    geometric = {name: geometric_score(values) for name, values in speedups.items()}
    return sum(
        (arithmetic[a] - arithmetic[b]) * (geometric[a] - geometric[b]) < 0 for a, b in combinations(speedups, 2)
    )


def phone_scores() -> dict[str, float]:
    """Published scores of four phones of 2018, best first (recalled)."""
    rows = read_rows(DATA / "ai_benchmark_phones.csv", ("phone", "score"))
    return {row["phone"]: float(row["score"]) for row in rows}


def published_lead() -> float:
    """Best published score over the next."""
    best, second = sorted(phone_scores().values(), reverse=True)[:2]
    return best / second


@dataclass(frozen=True)
class AcceleratedProfile:
    """Speed-ups of an accelerated phone over the next one, test by test.

    Attributes
    ----------
    speedups : tuple of float
    accelerated : tuple of bool
        Which tests run on the accelerator.
    """

    speedups: tuple[float, ...]
    accelerated: tuple[bool, ...]

    @property
    def lead(self) -> float:
        """Score over the next phone's, all tests."""
        return arithmetic_score(self.speedups)

    @property
    def lead_without_accelerator(self) -> float:
        """Score over the next phone's in the tests that run on processors alone."""
        left = [value for value, accelerated in zip(self.speedups, self.accelerated, strict=True) if not accelerated]
        return arithmetic_score(left)


def accelerated_profile() -> AcceleratedProfile:
    """A phone like the Huawei P20 Pro: processor slower than the next phone's, accelerator gain fitted to the lead.

    Processor tests run at the ratio of the clocks; the gain of the accelerated tests is the one that gives the
    published lead.
    """
    on_processor = facts("phone_socs", "Kirin 970")["cpu_clock"] / facts("phone_socs", "Snapdragon 845")["cpu_clock"]
    accelerated = tuple(test.accelerated for test in benchmark_tests())
    count = sum(accelerated)
    gain = (published_lead() * len(accelerated) - on_processor * (len(accelerated) - count)) / count
    return AcceleratedProfile(tuple(gain if flag else on_processor for flag in accelerated), accelerated)


def chip_rate(chip: str, test: BenchmarkTest) -> float:
    """Operations/s of a chip in a test: its accelerator's for that precision if it has one, else its processor's."""
    figures = facts("phone_socs", chip)
    if not test.accelerated:
        return figures["cpu_peak"]
    return figures.get(f"{test.precision}_peak", figures["cpu_peak"])


def winners_by_test(chips: Sequence[str] = PHONE_CHIPS) -> dict[int, str]:
    """Fastest chip of each test, by number of the test."""
    if not chips:
        raise ValueError("no chips to compare: give at least one of data/phone_socs.csv")
    return {test.number: max(chips, key=lambda chip: chip_rate(chip, test)) for test in benchmark_tests()}


def largest_winning_share(chips: Sequence[str] = PHONE_CHIPS) -> float:
    """Largest share of the tests that one chip wins: 1 would be an entire winner."""
    winners = list(winners_by_test(chips).values())
    return max(winners.count(chip) for chip in chips) / len(winners)


def _positive(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.size == 0 or not np.all(array > 0):
        raise ValueError(f"speed-ups must be positive numbers, at least one, not {array.tolist()}")
    return array
