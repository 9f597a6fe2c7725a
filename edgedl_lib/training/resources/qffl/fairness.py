"""How evenly a model serves the devices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TENTH = 0.1


@dataclass(frozen=True)
class Fairness:
    """Measures of one accuracy per device, as in Table 1 of Li et al. 2020 [221].

    Attributes
    ----------
    average, worst, best : float
        Per cent: of all devices, of the worst and of the best tenth of them.
    variance : float
        Population variance, per cent squared.
    jain : float
        Jain's index, (sum x)^2 / (n sum x^2): 1 if all are equal, 1/n if one has everything.
    """

    average: float
    worst: float
    best: float
    variance: float
    jain: float


def fairness(accuracies: np.ndarray) -> Fairness:
    """Measures of the devices' accuracies, each in [0, 1].

    Examples
    --------
    >>> fairness(np.array([0.5, 1.0]))
    Fairness(average=75.0, worst=50.0, best=100.0, variance=625.0, jain=0.9)
    """
    percent = 100 * np.sort(np.asarray(accuracies, dtype=float))
    tenth = math.ceil(TENTH * len(percent) - 1e-9)
    return Fairness(
        float(percent.mean()),
        float(percent[:tenth].mean()),
        float(percent[-tenth:].mean()),
        float(percent.var()),
        jain_index(percent),
    )


def jain_index(values: np.ndarray) -> float:
    """(sum x)^2 / (n sum x^2) of values that are not negative; 1 if all are zero: nobody is treated worse."""
    values = np.asarray(values, dtype=float)
    if len(values) == 0 or np.any(values < 0):
        raise ValueError(f"Jain's index needs values that are not negative, got {values}")
    squares = float(np.sum(values**2))
    return 1.0 if squares == 0 else float(values.sum() ** 2 / (len(values) * squares))
