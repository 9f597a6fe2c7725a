"""When a device may take part: idle, charging and on an unmetered network, more often at night than by day.

Devices change between eligible and not independently of each other, so that the *share* of eligible ones follows the
time of day and a device that is eligible now is more likely to be so a minute later than a day later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAY = 86_400.0  # s


@dataclass(frozen=True)
class Eligibility:
    """A sinusoid over the day.

    Attributes
    ----------
    low, high : float
        Least and largest share of eligible devices; 4:1 as recalled from the paper's appendix.
    turnover : float
        Seconds after which it no longer matters whether a device was eligible: the relaxation time of its two states.
    closed : (float, float), optional
        Seconds of the day between which nobody is eligible.
    """

    low: float = 0.25
    high: float = 1.0
    turnover: float = 1800.0
    closed: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"shares from {self.low} to {self.high} are none; give 0 <= low <= high <= 1")
        if not self.turnover > 0:
            raise ValueError(
                f"a turnover of {self.turnover} s would let devices change in no time; give seconds above 0"
            )

    def share(self, time: np.ndarray | float) -> np.ndarray:
        """Share of all devices that are eligible at `time` (s); the quietest moment is at 0.

        Examples
        --------
        >>> Eligibility().share(np.array([0.0, DAY / 2])).tolist()
        [0.25, 1.0]
        """
        middle, swing = (self.high + self.low) / 2, (self.high - self.low) / 2
        share = middle - swing * np.cos(2 * np.pi * np.asarray(time) / DAY)
        return np.where(self._closed(time), 0.0, share)

    def still(self, now: np.ndarray | float, later: np.ndarray | float) -> np.ndarray:
        """Chance that a device that is eligible `now` is so `later` (s)."""
        return self._chance(now, later, 1.0)

    def again(self, now: np.ndarray | float, later: np.ndarray | float) -> np.ndarray:
        """Chance that a device that is not eligible `now` is so `later` (s)."""
        return self._chance(now, later, 0.0)

    def _chance(self, now, later, state: float) -> np.ndarray:
        """What is known about a device fades: it starts at its state and relaxes to everybody's share."""
        forgetting = np.exp(-(np.asarray(later) - now) / self.turnover)
        share = self.share(later)
        chance = share + (state - self.share(now)) * forgetting
        return np.where(share > 0, np.clip(chance, 0, 1), 0.0)

    def _closed(self, time) -> np.ndarray:
        if self.closed is None:
            return np.zeros(np.shape(time), dtype=bool)
        return (np.mod(time, DAY) >= self.closed[0]) & (np.mod(time, DAY) < self.closed[1])
