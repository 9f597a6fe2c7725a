"""Time and energy of a local computation on a processor whose clock can be set."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def computing_time(cycles: ArrayLike, clock: ArrayLike) -> np.ndarray:
    """Seconds that ``cycles`` take at ``clock`` hertz.

    Raises
    ------
    ValueError
        A clock that is not positive.
    """
    if not (np.asarray(clock) > 0).all():
        raise ValueError(f"clock must be positive, got {np.min(clock)} Hz")
    return np.asarray(cycles) / clock


def computing_energy(cycles: ArrayLike, clock: ArrayLike, capacitance: ArrayLike) -> np.ndarray:
    """Joules: ``capacitance / 2 * cycles * clock^2`` (Burd and Brodersen's model, as in FEDL [219]).

    Twice as fast is four times as dear: the reason why a device that waits anyway should compute slowly.

    Parameters
    ----------
    capacitance : array_like
        Effective switched capacitance, the alpha of [219] (about 2e-28).
    """
    return np.asarray(capacitance) / 2 * np.asarray(cycles) * np.asarray(clock) ** 2
