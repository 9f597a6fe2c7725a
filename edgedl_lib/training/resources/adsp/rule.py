"""ADSP's rule: at every check each worker is given as many commits as it lacks; how many all should have is searched.

Hu, Wang and Wu 2020 [211], as in the authors' code; what that leaves open is marked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.resources.adsp.events import CHECK_PERIOD, Fleet
from edgedl_lib.training.resources.adsp.problem import TARGET_LOSS

EPOCH = 1000.0  # s between two searches
SHORTEST = 10.0  # s, the floor of a commit interval in the authors' code
RISE = 1.3  # a loss that grows by this factor starts a search


def commit_interval(missing: int, commit_time: float, shortest: float = SHORTEST) -> float:
    """Seconds of training between a pull and the next commit: a check period shared by the missing commits.

    A worker that lacks none trains on without committing until the next check.

    Examples
    --------
    >>> commit_interval(1, 1.0), commit_interval(4, 5.0), commit_interval(8, 5.0), commit_interval(0, 1.0)
    (59.0, 10.0, 10.0, inf)
    """
    if missing <= 0:
        return math.inf
    return max(CHECK_PERIOD / missing - commit_time, shortest)


class AdaptiveSynchronous:
    """ADSP.

    Parameters
    ----------
    rate : int
        Commits of each worker in a check period, when the search is off; where it begins when it is on.
    search : bool
        Whether the rate is searched at the start of every epoch.
    shortest : float
        Floor of the commit interval, s.
    """

    def __init__(self, rate: int = 1, *, search: bool = True, shortest: float = SHORTEST):
        if rate < 1:
            raise ValueError(f"rate {rate} must be at least one commit in a check period")
        self.rate, self.first_rate, self.shortest = rate, rate, shortest
        self.target = 0
        self.intervals: np.ndarray | None = None
        self.search = Search() if search else None
        self.rates: list[int] = []

    def wants_commit(self, fleet: Fleet, worker: int, now: float) -> bool:
        """Once the interval since the last pull is over."""
        return bool(now - fleet.pulled_at[worker] >= self.intervals[worker])

    def may_go_on(self, fleet: Fleet, worker: int) -> bool:
        """Always: nobody waits."""
        return True

    def check(self, fleet: Fleet, now: float, looks: Sequence[tuple[float, float]]) -> None:
        """Raise everybody's target by the rate and give each worker the interval that reaches it."""
        if self.search is not None:
            wanted = self.search.next_rate(self.rate, self.first_rate, now, looks)
            self.rate = min(wanted, highest_rate(fleet, self.shortest))
        self.rates.append(self.rate)
        self.target += self.rate
        missing = self.target - fleet.commits
        self.intervals = np.array([commit_interval(int(each), fleet.commit_time, self.shortest) for each in missing])


def highest_rate(fleet: Fleet, shortest: float = SHORTEST) -> int:
    """Commits in a check period that even the slowest worker can make: one interval, one step over it, one commit."""
    return max(1, int(CHECK_PERIOD / (shortest + fleet.step_times.max() + fleet.commit_time)))


class Search:
    """Try one commit more in each check period as long as the reward grows; begin again with every epoch."""

    def __init__(self) -> None:
        self.active = True
        self.started = 0.0
        self.best: tuple[float, int] = (-math.inf, 1)  # reward and rate

    def next_rate(self, rate: int, first: int, now: float, looks: Sequence[tuple[float, float]]) -> int:
        """The rate of the coming period, given that of the last one and the losses seen so far."""
        if not looks:
            return first
        period = [(time, loss) for time, loss in looks if time > now - CHECK_PERIOD]
        if self.active:
            return self._judge(rate, decrease_speed(period))
        if now - self.started >= EPOCH or period[-1][1] >= RISE * period[0][1]:
            self.active, self.started, self.best = True, now, (-math.inf, first)
            return first
        return rate

    def _judge(self, rate: int, reward: float) -> int:
        if reward > self.best[0]:
            self.best = (reward, rate)
            return rate + 1
        self.active = False
        return self.best[1]


def decrease_speed(losses: Sequence[tuple[float, float]], target: float = TARGET_LOSS) -> float:
    """One over the time at which the curve 1/(a^2 t + b) + c, fitted to the losses, reaches the target.

    For each of some levels c below all losses and the target, 1/(loss - c) is a straight line in t; the best of them is
    taken.  A curve that does not fall has speed 0.

    Examples
    --------
    >>> times = np.linspace(1, 60, 12)
    >>> round(1 / decrease_speed([(t, 1 / (0.05 * t + 0.5)) for t in times]), 1)
    190.0
    """
    times, values = np.array(losses).T
    best = (math.inf, 0.0)
    for level in np.linspace(0, 0.9, 10) * min(target, values.min()):
        slope, offset = np.polyfit(times, 1 / (values - level), 1)
        error = float(np.sum((level + 1 / np.maximum(slope * times + offset, 1e-9) - values) ** 2))
        speed = slope / max(1 / (target - level) - offset, 1e-9)
        best = min(best, (error, max(float(speed), 0.0)))
    return best[1]
