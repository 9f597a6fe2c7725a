"""When should a device come back?  Three answers: at fixed times, at random, or when it will be needed.

A rule gives every device that checks in a window from which it draws its return.  Windows are counted in intervals of
the clock, and there is one for each interval in which a device may check in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgedl_lib.training.vanilla.pace.eligibility import DAY, Eligibility


@dataclass(frozen=True)
class Clock:
    """Time in intervals; a round is a whole number of them.

    Attributes
    ----------
    interval, period, duration : float
        Seconds of an interval, of a round, and of the whole simulation.
    """

    interval: float = 10.0
    period: float = 60.0
    duration: float = 2 * DAY

    def __post_init__(self) -> None:
        if self.period % self.interval or self.duration % self.period:
            raise ValueError(f"rounds of {self.period} s do not fit intervals of {self.interval} and {self.duration} s")

    @property
    def times(self) -> np.ndarray:
        """Start of every interval (s), shape (B,)."""
        return np.arange(round(self.duration / self.interval)) * self.interval

    @property
    def per_round(self) -> int:
        """Intervals in a round."""
        return round(self.period / self.interval)


@dataclass(frozen=True)
class Windows:
    """First and last interval, counted from now, in which a device may return; shape (B,) each, both inclusive."""

    first: np.ndarray
    last: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Middle of every window, in intervals."""
        return (self.first + self.last) / 2


class Rule(Protocol):
    """What the server, or the client's programmer, decides."""

    together: bool  # all start in the first interval

    def tick(self, clock: Clock) -> int:
        """A device comes only in every `tick`-th interval."""
        ...

    def windows(self, clock: Clock, eligibility: Eligibility, devices: int) -> Windows:
        """The window given in every interval, for a population of `devices`."""
        ...


@dataclass(frozen=True)
class FixedRetry:
    """Naive: every device tries at every full ten minutes."""

    seconds: float = 600.0
    together: bool = True

    def tick(self, clock: Clock) -> int:
        """Only at full ten minutes."""
        return round(self.seconds / clock.interval)

    def windows(self, clock: Clock, eligibility: Eligibility, devices: int) -> Windows:
        """The same interval of the next ten minutes."""
        same = np.full(len(clock.times), round(self.seconds / clock.interval))
        return Windows(same, same)


@dataclass(frozen=True)
class UniformReturn:
    """Any moment between the next round and twenty minutes from now, however many devices there are."""

    seconds: float = 1200.0
    together: bool = False

    def tick(self, clock: Clock) -> int:
        """At any time."""
        return 1

    def windows(self, clock: Clock, eligibility: Eligibility, devices: int) -> Windows:
        """The same window at all times."""
        count = len(clock.times)
        last = np.full(count, round(self.seconds / clock.interval))
        return Windows(np.full(count, clock.per_round), last)


@dataclass(frozen=True)
class Steering:
    """Pace steering: windows such that as many devices come as are needed, together if there are few.

    A device is away for its window and then until it is eligible: that must take, on average, as long as the others
    need for their turn.

    Attributes
    ----------
    need : int
        Devices that a round needs.
    safety : float
        How many times as many are asked for.
    population_error : float
        What the server takes the population for, over what it is.
    """

    need: int = 100
    safety: float = 1.6
    population_error: float = 1.0
    together: bool = False

    def tick(self, clock: Clock) -> int:
        """At any time."""
        return 1

    def windows(self, clock: Clock, eligibility: Eligibility, devices: int) -> Windows:
        """The next full round if all are needed in each; else from one round on, around the mean that is right."""
        turn = devices * self.population_error / (self.need * self.safety) * clock.period
        mean = mean_window(turn, eligibility.share(clock.times), eligibility.turnover) / clock.interval
        spread = np.round(2 * np.maximum(0, mean - clock.per_round)).astype(int)
        to_next_round = clock.per_round - np.arange(len(mean)) % clock.per_round
        first = np.where(mean > clock.per_round, clock.per_round, to_next_round)
        return Windows(first, first + spread)


def mean_window(turn: float, share: np.ndarray, turnover: float) -> np.ndarray:
    """Mean window (s) with which a device's whole absence, waiting for eligibility included, takes `turn` seconds.

    A device that left eligible is not so after `m` seconds with chance ``(1 - a)(1 - exp(-m / turnover))`` and then
    waits for ``turnover / a``.  Short windows: ``m = a turn``, only those eligible now count.  Long ones: ``m = turn``.

    Examples
    --------
    >>> mean_window(60.0, np.array([0.5, 1.0]), turnover=1e9).round(3).tolist()
    [30.0, 60.0]
    """
    safe = np.maximum(share, 1e-3)
    low, high = np.zeros_like(safe), np.full_like(safe, turn)
    for _ in range(50):  # the absence grows with the window: bisection
        middle = (low + high) / 2
        absence = middle - (1 - safe) * turnover / safe * np.expm1(-middle / turnover)
        low, high = np.where(absence < turn, middle, low), np.where(absence < turn, high, middle)
    return high
