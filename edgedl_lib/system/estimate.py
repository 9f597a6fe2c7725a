"""A mean over repeated runs and how far it can be trusted: Student's 95 % interval, plain or of paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """Mean of repeated measurements with its 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        In the unit of the values; the interval is that of the mean, not of a single run.
    values : tuple of float
        One per seed, in the order given.
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the interval."""
        return self.low, self.high

    def __format__(self, specification: str) -> str:
        half = (self.high - self.low) / 2
        return f"{self.mean:{specification}} ± {half:{specification}}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of at least two values and its 95 % interval by Student's t distribution.

    >>> f"{estimate([1.0, 2.0, 3.0]):.2f}"
    '2.00 ± 2.48'

    Raises
    ------
    ValueError
        Fewer than two values, or one that is not finite.
    """
    from scipy.stats import t

    numbers = tuple(float(value) for value in values)
    if len(numbers) < 2:
        raise ValueError(f"an interval needs at least two runs, got {len(numbers)}; repeat with more seeds")
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"expected finite values, got {numbers}; one run failed")
    error = float(np.std(numbers, ddof=1)) / math.sqrt(len(numbers))
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(numbers) - 1)) * error
    mean = float(np.mean(numbers))
    return Estimate(mean, mean - half, mean + half, numbers)


def paired(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Estimate of ``first - second``, run by run: what differs between seeds but not between methods cancels.

    Raises
    ------
    ValueError
        Different numbers of runs.
    """
    if len(first) != len(second):
        raise ValueError(f"paired runs need equal numbers, got {len(first)} and {len(second)}")
    return estimate([a - b for a, b in zip(first, second, strict=True)])
