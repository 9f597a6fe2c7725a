"""The two theorems of FedPAQ as slopes: distance to the optimum, and gradient, over the number of iterations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgedl_lib.training.communication.fedpaq.averaging import quantised

DIMENSION, NODES, PERIOD, REPEATS = 20, 25, 5, 5
CURVATURES = np.linspace(1.0, 3.0, DIMENSION)  # strong convexity 1, smoothness 3
FIRST_ROUND = 10  # from which the theorem's step is small enough: 4 / (51 mu) < 1 / L
NOISE, SMALL_NOISE = 1.0, 0.05  # deviation of each coordinate of a gradient, convex and non-convex


def theorem_step(number: int) -> float:
    """Step of round k: 4 / (mu (k tau + 1)), Reisizadeh et al. 2020, theorem 1."""
    return 4 / (CURVATURES[0] * (number * PERIOD + 1))


def strongly_convex_slope(seed: int, step_of: Callable[[int], float] = theorem_step, rounds: int = 500) -> float:
    """Slope of log |x - x*|^2 over log T on a quadratic with noisy gradients; the theorem promises -1."""
    rng = np.random.default_rng(seed)
    models = np.ones((REPEATS, DIMENSION))
    distances = np.empty(rounds)
    for index in range(rounds):
        step = step_of(FIRST_ROUND + index)
        models = _round(models, step, lambda own: CURVATURES * own, NOISE, rng)
        distances[index] = (models**2).sum(axis=1).mean()
    iterations = PERIOD * (FIRST_ROUND + 1 + np.arange(rounds))
    marks = np.unique(np.geomspace(rounds // 20, rounds - 1, 30).astype(int))
    return float(np.polyfit(np.log(iterations[marks]), np.log(distances[marks]), 1)[0])


def non_convex_slope(
    seed: int, step_of: Callable[[int], float] | None = None, horizons: tuple[int, ...] = (100, 400, 1600)
) -> float:
    """Slope of the log of the mean squared gradient over log T, with the step 1 / (L sqrt(T)) of theorem 2.

    The objective is a mean of z^2 / (1 + z^2) over 200 linear measurements of x.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((200, DIMENSION)) / np.sqrt(DIMENSION)
    smoothness = 2 * float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[-1])
    targets = rows @ rng.standard_normal(DIMENSION)

    def gradient(own: np.ndarray) -> np.ndarray:
        residual = own @ rows.T - targets
        return (2 * residual / (1 + residual**2) ** 2) @ rows / len(rows)

    means = []
    for horizon in horizons:
        step = 1 / (smoothness * np.sqrt(horizon)) if step_of is None else step_of(horizon) / smoothness
        models, squares = np.zeros((REPEATS, DIMENSION)), []
        for _ in range(horizon // PERIOD):
            squares.append((gradient(models) ** 2).sum(axis=1).mean())
            models = _round(models, step, gradient, SMALL_NOISE, rng)
        means.append(np.mean(squares))
    return float(np.polyfit(np.log(horizons), np.log(means), 1)[0])


def _round(models: np.ndarray, step: float, gradient: Callable, noise: float, rng) -> np.ndarray:
    """One round of FedPAQ with one level on all repeats, shape (repeats, dimension)."""
    own = np.repeat(models[:, None], NODES, axis=1)
    for _ in range(PERIOD):
        own = own - step * (gradient(own) + noise * rng.standard_normal(own.shape))
    changes = own - models[:, None]
    return models + quantised(changes, 1, rng.random(changes.shape)).mean(axis=1)
