"""The two convex halves of MASM's problem, each solved through its multipliers for many starts at once.

Neither the paper's formulas nor its "tide ebb" solver were readable: alternating these two steps is our reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms, Cloudlet

STABILITY_MARGIN = 1e-3  # relative distance that a used machine keeps from the limit of its line
ROOT_STEPS = 60  # at most
ROOT_TOLERANCE = 1e-11  # of functions whose values are of order one
NARROW = 1e-13  # relative width of a bracket that cannot be narrowed any more
NEWTON_STEPS = 40
LARGEST_MULTIPLIER = 1e6  # cost per unit of quality beyond which a bound is not worth chasing


def increasing_root(function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where increasing functions with values of order one reach 0, one per row, by the Illinois rule.

    Parameters
    ----------
    function : callable
        (S,) to (S,).
    low, high : ndarray, shape (S,)
        With values <= 0 and >= 0.

    Examples
    --------
    >>> increasing_root(lambda x: x**2 - np.array([4.0, 9.0]), np.zeros(2), np.full(2, 10.0)).round(6).tolist()
    [2.0, 3.0]
    """
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    below, above = function(low), function(high)
    root, value = np.where(np.abs(below) < np.abs(above), low, high), np.minimum(np.abs(below), np.abs(above))
    for step in range(ROOT_STEPS):
        if np.all((value <= ROOT_TOLERANCE) | (high - low <= NARROW * np.abs(high))):
            break
        share = np.clip(above / np.where(above > below, above - below, 1.0), 0.0, 1.0)
        halve = (step % 4 == 3) | (share == 0) | (share == 1)
        middle = np.where(halve, (low + high) / 2, high - share * (high - low))
        found = function(middle)
        right = found >= 0
        below = np.where(right, below / 2, found)  # the end that stays loses half its weight
        above = np.where(right, found, above / 2)
        low, high = np.where(right, low, middle), np.where(right, middle, high)
        root, value = np.where(np.abs(found) < value, middle, root), np.minimum(np.abs(found), value)
    return root


def capacity_step(cloudlet: Cloudlet, algorithms: Algorithms, weights: np.ndarray) -> np.ndarray:
    """Best capacities (cycles/s) for given weights, (S, n).

    With x the capacity above a machine's limit l, the cost is convex in x and its derivative vanishes where
    ``x^2 (a (x + l) + mu) = b`` with ``a = 2 (1 - theta) kappa w c`` and ``b = theta w c``; the multiplier mu is the
    price of capacity, 0 while there is enough.  Rows that no capacity can serve come back as NaN.
    """
    limits = cloudlet.limits(algorithms, weights)
    worth = weights * algorithms.cycles
    a = 2 * (1 - cloudlet.delay_weight) * cloudlet.switched_capacitance * worth
    b = cloudlet.delay_weight * worth

    def capacities(price: np.ndarray) -> np.ndarray:
        return limits + np.maximum(_spare(a, b, limits, price[:, None]), STABILITY_MARGIN * limits)

    def left(logarithm: np.ndarray) -> np.ndarray:
        return 1 - capacities(np.exp(logarithm)).sum(axis=1) / cloudlet.capacity

    servable = (1 + STABILITY_MARGIN) * limits.sum(axis=1) <= cloudlet.capacity
    scarce = left(np.full(len(weights), -np.inf)) < 0
    low, high = np.full(len(weights), np.log(1e-30)), np.full(len(weights), np.log(1e3))
    price = np.where(scarce, np.exp(increasing_root(left, low, high)) if scarce.any() else 0.0, 0.0)
    return np.where(servable[:, None], capacities(price), np.nan)


def _spare(a: np.ndarray, b: np.ndarray, limits: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Positive root of ``x^2 (a (x + limits) + price) = b`` by Newton's method from above, where it cannot fail."""
    used = b > 0
    slope = np.where(used, a * limits + price, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.minimum(np.sqrt(b / slope), np.where(a > 0, np.cbrt(b / a), np.inf))
    x = np.where(used, x, 1.0)
    for _ in range(NEWTON_STEPS):
        change = (x**2 * (a * x + slope) - b) / (x * (3 * a * x + 2 * slope))
        x = np.where(used, x - change, x)
        if np.all(np.abs(np.where(used, change, 0.0)) <= 1e-13 * x):
            break
    return np.where(used, x, 0.0)


def weight_step(cloudlet: Cloudlet, algorithms: Algorithms, capacities: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Best weights for given capacities and required mean quality (S,), shape (S, n).

    The derivative of the cost is ``a + theta s / (s - w lambda)^2`` with ``s = f / c``; it equals ``nu + eta q`` at the
    optimum, nu for the sum of the weights and eta for the quality, which gives w in closed form.
    """
    priced = _PricedWeights(cloudlet, algorithms, capacities)
    free = priced.weights(np.zeros(len(quality)))
    poor = free @ algorithms.quality < quality
    if not poor.any():
        return free
    low, high = np.full(len(quality), np.log(1e-9)), np.full(len(quality), np.log(LARGEST_MULTIPLIER))
    eta = increasing_root(lambda e: priced.weights(np.exp(e)) @ algorithms.quality - quality, low, high)
    return np.where(poor[:, None], priced.weights(np.exp(eta)), free)


class _PricedWeights:
    """Weights (S, n) as functions of the multipliers, for given capacities."""

    def __init__(self, cloudlet: Cloudlet, algorithms: Algorithms, capacities: np.ndarray) -> None:
        theta, sending = cloudlet.delay_weight, cloudlet.sending(algorithms)
        energy = cloudlet.switched_capacitance * capacities**2 * algorithms.cycles + cloudlet.radio_power * sending
        self.theta, self.rate, self.quality = theta, cloudlet.arrival_rate, algorithms.quality
        self.speed = capacities / algorithms.cycles  # tasks/s
        self.usable = capacities > 0
        self.fixed = theta * sending + (1 - theta) * energy  # what a share costs, whatever its size
        self.largest = np.minimum(self.speed / self.rate / (1 + STABILITY_MARGIN), 1.0)
        self.entry = self.fixed + theta / np.where(self.usable, self.speed, 1.0)  # derivative at w = 0

    def at(self, nu: np.ndarray, bonus: np.ndarray) -> np.ndarray:
        """Weights for the multiplier of their sum, and what their quality earns them."""
        worth = np.maximum(nu[:, None] + bonus - self.fixed, 1e-300)
        weights = (self.speed - np.sqrt(self.theta * self.speed / worth)) / self.rate
        return np.where(self.usable, np.clip(weights, 0.0, self.largest), 0.0)

    def weights(self, eta: np.ndarray) -> np.ndarray:
        """Weights of sum one for the multiplier of quality."""
        bonus = eta[:, None] * self.quality
        low = np.min(np.where(self.usable, self.entry - bonus, np.inf), axis=1)
        high = np.max(np.where(self.usable, self.entry + self._steepest(), 0.0), axis=1) + eta
        found = self.at(increasing_root(lambda nu: self.at(nu, bonus).sum(axis=1) - 1, low, high), bonus)
        return found / found.sum(axis=1, keepdims=True)

    def _steepest(self) -> np.ndarray:
        """Derivative of the delay at the largest stable weight."""
        spare = np.where(self.usable, self.speed, 1.0) * STABILITY_MARGIN / (1 + STABILITY_MARGIN)
        return self.theta * self.speed / spare**2
