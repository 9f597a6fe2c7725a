"""Floats as whole numbers whose sum cannot wrap: an error instead of a silent clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantiser:
    """Evenly spaced levels from ``-limit`` to ``limit``, zero among them.

    Attributes
    ----------
    limit : float
        Largest magnitude that is accepted.
    bits : int
        At least 2; gives ``2**bits - 1`` levels.

    Examples
    --------
    >>> quantiser = Quantiser(limit=1.0, bits=8)
    >>> quantiser.encode(np.array([-1.0, 0.0, 0.5]))
    array([  0, 127, 191])
    >>> quantiser.decode_sum(np.array([127 + 191]), count=2).round(3)
    array([0.504])
    """

    limit: float
    bits: int

    def __post_init__(self) -> None:
        if not (self.limit > 0 and np.isfinite(self.limit) and 2 <= self.bits <= 52):
            raise ValueError(f"limit {self.limit} and {self.bits} bits; use a positive limit and 2 to 52 bits")

    @property
    def zero(self) -> int:
        """Whole number that stands for 0."""
        return 2 ** (self.bits - 1) - 1

    @property
    def step(self) -> float:
        """Distance of two levels."""
        return self.limit / self.zero

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Nearest levels, as whole numbers from 0.

        Raises
        ------
        OverflowError
            If a value is not finite or larger than the limit.
        """
        values = np.asarray(values, dtype=float)
        outside = np.flatnonzero(~(np.abs(values) <= self.limit))
        if outside.size:
            raise OverflowError(
                f"entry {outside[0]} is {values.ravel()[outside[0]]:g}, outside ±{self.limit:g}: clip the update or "
                "raise the limit, since a wrapped sum would go unnoticed"
            )
        return np.rint(values / self.step).astype(np.int64) + self.zero

    def decode_sum(self, total: np.ndarray, count: int) -> np.ndarray:
        """The sum of `count` encoded vectors as floats."""
        return (np.asarray(total).astype(np.int64) - count * self.zero) * self.step
