"""Simulated time: what local steps and aggregations took on the authors' devices, and when the budget is used up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHORTEST = 1e-8  # s; a Gaussian may answer less than nothing
BUDGET = 15.0  # s, of the authors' configuration


@dataclass(frozen=True)
class Times:
    """Gaussian times in seconds, as measured by Wang et al. on three Raspberry Pi and two laptops (SGD, SVM, MNIST)."""

    local_mean: float = 0.013015156
    local_deviation: float = 0.006946299
    aggregation_mean: float = 0.131604348
    aggregation_deviation: float = 0.053873234

    def draw(self, period: int, rng: np.random.Generator) -> tuple[float, float]:
        """Mean time of a local step over one round, and the time of its aggregation."""
        steps = np.maximum(rng.normal(self.local_mean, self.local_deviation, period), SHORTEST)
        aggregation = max(float(rng.normal(self.aggregation_mean, self.aggregation_deviation)), SHORTEST)
        return float(steps.mean()), aggregation


class Clock:
    """A budget being spent, round by round.

    A round is paid with the time it took; the next must leave enough for itself and the last evaluation of the loss.
    Since times vary, the largest ones seen are held back; what nevertheless ends after the deadline does not count.
    """

    def __init__(self, times: Times, budget: float, rng: np.random.Generator, extra_steps: int = 0) -> None:
        """``extra_steps``: gradients per round beyond the period's own, which an estimate needs."""
        self.times, self.budget, self.rng, self.extra_steps = times, budget, rng, extra_steps
        self.spent = 0.0
        self.total = 0.0  # with the evaluation of the last loss
        self.local, self.aggregation = times.local_mean, times.aggregation_mean  # as last seen
        self._dearest = [self.local, self.aggregation]

    def affordable(self, period: int) -> int:
        """``period``, or as many local steps as still fit, or 0."""
        local, aggregation = self._dearest
        left = self.budget - self.spent - 2 * aggregation - local
        return int(np.clip(left / local - self.extra_steps, 0, period))

    def pay(self, period: int) -> bool:
        """Spend one round; False if it, with its evaluation, would end after the deadline."""
        self.local, self.aggregation = self.times.draw(period, self.rng)
        self._dearest = [max(self._dearest[0], self.local), max(self._dearest[1], self.aggregation)]
        end = self.spent + self.local * (period + self.extra_steps) + self.aggregation
        if end + self.local + self.aggregation > self.budget:
            return False
        self.spent, self.total = end, end + self.local + self.aggregation
        return True
