"""Timing that survives a busy machine: warm-up, short windows, and rivals measured in turn.

A ratio of two times is only as good as the moments at which they were taken. Rivals therefore run in rounds: one window
of each, then the next round, so that a neighbour's load or a change of clock meets all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np

WARM_UP_CALLS = 20  # first calls fill caches, allocate memory and let a runtime choose its kernel
WARM_UP_SECONDS = 0.1  # a call of a second need not be repeated twenty times to be warm
WINDOW_SECONDS = 0.004  # far above the clock's resolution, short enough to fall between two disturbances


@dataclass(frozen=True)
class Timing:
    """Seconds per call, one entry per window.

    Examples
    --------
    >>> Timing((0.003, 0.002, 0.004)).median
    0.003
    """

    windows: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.windows or not all(np.isfinite(self.windows)) or min(self.windows) <= 0:
            raise ValueError(f"a timing needs positive, finite windows, got {self.windows}; measure at least one")

    @property
    def minimum(self) -> float:
        """The least disturbed window (s)."""
        return float(min(self.windows))

    @property
    def median(self) -> float:
        """The typical window (s)."""
        return float(np.median(self.windows))


def measure_in_turn(
    calls: Mapping[str, Callable[[], object]],
    *,
    windows: int = 7,
    window_seconds: float = WINDOW_SECONDS,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> dict[str, Timing]:
    """Time rivals in rounds, one window of each per round.

    Parameters
    ----------
    calls : mapping of name to function without arguments
    windows : int
        Rounds; at least 5 for a figure that is reported.
    window_seconds : float
        Length of one window (s); a call that takes longer fills a window alone.
    warm_up_seconds : float
        Each call is warmed up for this long (s) or for twenty calls, whichever ends first; once at least.

    Returns
    -------
    dict of str to Timing
        In the order of `calls`.
    """
    if not calls or windows < 1:
        raise ValueError(f"nothing to time: {len(calls)} calls in {windows} windows; give at least one of each")
    repeats = {name: _warm_up(call, window_seconds, warm_up_seconds) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(windows):
        for name, call in calls.items():
            seconds[name].append(_window(call, repeats[name]))
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def ratio_in_turn(numerator: Timing, denominator: Timing) -> float:
    """Median over rounds of the ratio inside one round: both sides met the same disturbance.

    Examples
    --------
    >>> ratio_in_turn(Timing((2.0, 4.0, 6.0)), Timing((1.0, 2.0, 3.0)))
    2.0
    """
    if len(numerator.windows) != len(denominator.windows):
        raise ValueError("a ratio in turn needs two timings from the same rounds; time both in one call")
    return float(np.median(np.divide(numerator.windows, denominator.windows)))


def _window(call: Callable[[], object], repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        call()
    return (perf_counter() - start) / repeats


def _warm_up(call: Callable[[], object], window_seconds: float, warm_up_seconds: float) -> int:
    """Run `call` until it is warm; returns how many calls fill one window."""
    fastest, spent, calls = np.inf, 0.0, 0
    while calls < WARM_UP_CALLS and spent < warm_up_seconds:
        seconds = _window(call, 1)
        fastest, spent, calls = min(fastest, seconds), spent + seconds, calls + 1
    return max(1, int(window_seconds / fastest))
