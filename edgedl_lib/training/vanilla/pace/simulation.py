"""Check-ins of any number of devices, counted by interval.

No device is followed: what moves from interval to interval is *how many* check in, wait for eligibility, or are due.
That is exact, since devices are alike and independent of each other, and 1.5 million cost hardly more than a thousand.
Several seeds run side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.vanilla.pace.eligibility import Eligibility
from edgedl_lib.training.vanilla.pace.rules import Clock, Rule

WARM_UP = 0.1  # share of the simulated time that no figure counts
MANY = 2  # devices for each interval of a window from which on whole columns are drawn at once


@dataclass(frozen=True)
class Traffic:
    """What the server saw.

    Attributes
    ----------
    check_ins : numpy.ndarray, shape (seeds, intervals)
    eligible : numpy.ndarray, shape (intervals,)
        Expected number of eligible devices.
    need : int
        Devices that a round needs.
    clock : Clock
    away : numpy.ndarray, shape (seeds,)
        Devices that wait at the end or return after it: all of them, nobody is lost.
    """

    check_ins: np.ndarray
    eligible: np.ndarray
    need: int
    clock: Clock
    away: np.ndarray

    @property
    def arrivals(self) -> np.ndarray:
        """Check-ins in every round after the warm-up, shape (seeds, rounds)."""
        rounds = self.check_ins.reshape(len(self.check_ins), -1, self.clock.per_round).sum(axis=2)
        return rounds[:, self._warm(rounds.shape[1]) :]

    @property
    def possible(self) -> np.ndarray:
        """Rounds that begin with as many eligible devices as they need, shape (rounds,)."""
        starts = self.eligible[:: self.clock.per_round]
        return starts[self._warm(len(starts)) :] >= self.need

    @property
    def fill_rate(self) -> np.ndarray:
        """Share of the possible rounds for which enough devices came, shape (seeds,); 0 if none was possible."""
        filled = (self.arrivals >= self.need)[:, self.possible]
        return filled.mean(axis=1) if filled.size else np.zeros(len(filled))

    @property
    def abandoned(self) -> np.ndarray:
        """Rounds, possible or not, that began with too few devices, shape (seeds,)."""
        return (self.arrivals < self.need).sum(axis=1)

    @property
    def rejected_per_accepted(self) -> np.ndarray:
        """Devices turned away for each that was given a seat, shape (seeds,)."""
        accepted = np.minimum(self.arrivals, self.need).sum(axis=1)
        return (self.arrivals.sum(axis=1) - accepted) / np.maximum(1, accepted)

    @property
    def peak_over_mean(self) -> np.ndarray:
        """Largest number of check-ins in one interval over the mean, shape (seeds,)."""
        counted = self.check_ins[:, self._warm(self.check_ins.shape[1]) :]
        return counted.max(axis=1) / np.maximum(counted.mean(axis=1), 1e-12)

    def _warm(self, count: int) -> int:
        return int(np.ceil(WARM_UP * count))


def simulate(
    rule: Rule,
    devices: int,
    seeds: Sequence[int] = (0,),
    *,
    need: int = 100,
    clock: Clock | None = None,
    eligibility: Eligibility | None = None,
) -> Traffic:
    """Let `devices` come and go by a rule.

    Parameters
    ----------
    rule : Rule
    devices : int
        Size of the population, eligible or not.
    seeds : sequence of int
        One independent run for each.
    need : int
        Devices that a round needs.
    """
    if devices < 1 or need < 1:
        raise ValueError(f"{devices} devices and rounds of {need}: give at least one of each")
    clock, eligibility = clock or Clock(), eligibility or Eligibility()
    run = Population(rule, devices, seeds, clock, eligibility)
    for start in range(0, run.end, run.stride):
        run.step(start)
    eligible = devices * eligibility.share(clock.times)
    return Traffic(run.check_ins, eligible, need, clock, run.waiting + run.beyond)


class Population:
    """How many are due in each interval, eligible then or not, how many wait, and how many return after the end."""

    def __init__(self, rule: Rule, devices: int, seeds: Sequence[int], clock: Clock, eligibility: Eligibility) -> None:
        self.generator = np.random.default_rng([devices, *seeds])
        self.windows, self.tick = rule.windows(clock, eligibility, devices), rule.tick(clock)
        times = clock.times
        self.end, self.share = len(times), eligibility.share(times)
        self.fading = np.exp(-times / eligibility.turnover)
        self.again = eligibility.again(times - self.tick * clock.interval, times)
        self.stride = clock.per_round if self._nobody_returns_within_a_round(clock.per_round) else 1
        shape = (len(seeds), self.end)
        self.check_ins, self.due, self.due_but_not_eligible = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        self.waiting, self.beyond = (np.zeros(len(seeds), dtype=np.int64) for _ in range(2))
        for row in range(len(seeds)):
            starts = np.zeros(devices, dtype=int) if rule.together else self._stationary(devices)
            self._expect(np.full(devices, row), starts, self.share[np.minimum(starts, self.end - 1)])

    def step(self, start: int) -> None:
        """Whoever is due and eligible checks in, as do those who waited to be; each is told when to return."""
        block = slice(start, start + self.stride)
        self.check_ins[:, block] = self.due[:, block]
        for now in range(start, start + self.stride):
            if now % self.tick == 0:
                back = self.generator.binomial(self.waiting, self.again[now])
                self.waiting -= back
                self.check_ins[:, now] += back
            self.waiting += self.due_but_not_eligible[:, now]
        self._send_away(start, self.check_ins[:, block])

    def _send_away(self, start: int, coming: np.ndarray) -> None:
        """Windows for all who came in a few intervals, shape (runs, intervals)."""
        times = np.arange(start, start + self.stride)
        width = self.windows.last[times] - self.windows.first[times] + 1
        crowded = coming.sum(axis=0) >= MANY * width
        for now in times[crowded]:
            when = now + np.arange(self.windows.first[now], self.windows.last[now] + 1)
            counts = self.generator.multinomial(coming[:, now - start], np.full(len(when), 1 / len(when)))
            self._expect_many(when, counts, now)
        rows, now = np.divmod(np.repeat(np.arange(coming.size), (coming * ~crowded).ravel()), self.stride)
        now += start
        first = self.windows.first[now]
        when = now + self.generator.integers(first, self.windows.last[now] + 1)
        self._expect(rows, when, self._still(now, when))

    def _expect(self, rows: np.ndarray, when: np.ndarray, chance: np.ndarray) -> None:
        """Note single devices, each with its run and its time."""
        inside = when < self.end
        self.beyond += np.bincount(rows[~inside], minlength=len(self.beyond))
        eligible = self.generator.random(len(rows)) < chance
        for place, chosen in ((self.due, inside & eligible), (self.due_but_not_eligible, inside & ~eligible)):
            np.add.at(place, (rows[chosen], when[chosen]), 1)

    def _expect_many(self, when: np.ndarray, counts: np.ndarray, now: int) -> None:
        """Note whole columns of devices, counts of shape (runs, times)."""
        inside = when < self.end
        self.beyond += counts[:, ~inside].sum(axis=1)
        when, counts = when[inside], counts[:, inside]
        eligible = self.generator.binomial(counts, self._still(now, when))
        self.due[:, when] += eligible
        self.due_but_not_eligible[:, when] += counts - eligible

    def _still(self, now: int | np.ndarray, when: np.ndarray) -> np.ndarray:
        """:meth:`Eligibility.still` in intervals; after the end nobody asks."""
        when = np.minimum(when, self.end - 1)
        share = self.share[when]
        return np.clip(share + (1 - self.share[now]) * self.fading[when - now], 0, 1) * (share > 0)

    def _nobody_returns_within_a_round(self, per_round: int) -> bool:
        """Whether all who come in one round return in a later one; then a round can be computed at once."""
        now = np.arange(self.end)
        return bool(np.all((now + self.windows.first) // per_round > now // per_round))

    def _stationary(self, devices: int) -> np.ndarray:
        """Returns of devices that have been coming for ever: long windows are more likely to be met in their middle."""
        first, last = self.windows.first.astype(float), self.windows.last.astype(float)
        met = self.generator.choice(len(first), devices, p=(first + last) / np.sum(first + last))
        low, high = first[met] ** 2, last[met] ** 2
        window = np.sqrt(low + (high - low) * self.generator.random(devices))
        return (window * self.generator.random(devices)).astype(int)
