"""FedPAQ's experiments in simulated time: quantisation, period, participation, and against FedAvg and QSGD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs import LowPrecision
from edgedl_lib.training.communication.fedpaq.averaging import (
    BATCH,
    FEATURES,
    averaged_rounds,
    quantised,
    zeros_and_eights,
)
from edgedl_lib.training.communication.fedpaq.cost import CostModel
from edgedl_lib.training.history import crossing

STEPS = (0.1, 0.2, 0.5, 1.0, 2.0)  # among which every setting has its own best
TARGET = 0.12  # training loss (nats)
ITERATIONS = 100
PERIODS = (1, 2, 5, 10, 20, 50)
LEVELS = (1, 5, 10, None)
PARTICIPANTS = (5, 10, 25, 50)


@dataclass(frozen=True, eq=False)
class Timed:
    """One setting with its best step.

    Attributes
    ----------
    step : float
    ends : ndarray, shape (seeds, rounds + 1)
        Simulated time.
    losses : ndarray, shape (seeds, rounds + 1)
    """

    step: float
    ends: np.ndarray
    losses: np.ndarray

    def time_to(self, target: float = TARGET) -> np.ndarray:
        """Per seed, when the running minimum of the loss reaches the target; infinite if never."""
        return np.array([time_to(*each, target) for each in zip(self.ends, self.losses, strict=True)])

    def loss_at(self, time: np.ndarray) -> np.ndarray:
        """Per seed, loss at a time, interpolated."""
        return np.array([np.interp(when, *each) for when, *each in zip(time, self.ends, self.losses, strict=True)])


def time_to(ends: np.ndarray, losses: np.ndarray, target: float) -> float:
    """When the loss first reaches the target, interpolated between rounds."""
    rounds = crossing(-losses, -target)
    return float(np.interp(rounds, np.arange(len(ends)), ends)) if np.isfinite(rounds) else np.inf


def timed(
    seeds: Sequence[int],
    *,
    period: int,
    nodes: int,
    levels: int | None,
    cost: CostModel = CostModel(),  # noqa: B008  (frozen)
    iterations: int = ITERATIONS,
) -> Timed:
    """Run a setting with every step size; keep the one with the shortest mean time to the target."""
    losses = np.array(
        [
            averaged_rounds(
                zeros_and_eights(seed),
                STEPS,
                period=period,
                nodes=nodes,
                levels=levels,
                iterations=iterations,
                seed=seed,
            )[0]
            for seed in seeds
        ]
    )  # (seeds, rounds + 1, step sizes)
    ends = np.array(
        [
            cost.ends(
                iterations // period,
                coordinates=FEATURES,
                period=period,
                nodes=nodes,
                levels=levels,
                batch=BATCH,
                seed=seed,
            )
            for seed in seeds
        ]
    )
    options = [Timed(step, ends, losses[:, :, index]) for index, step in enumerate(STEPS)]
    return min(options, key=lambda each: (each.time_to().mean(), each.losses[:, -1].mean()))


def by_levels(seeds: Sequence[int], **settings) -> dict[int | None, Timed]:
    """Period 5, 25 nodes, each quantiser."""
    return {levels: timed(seeds, period=5, nodes=25, levels=levels, **settings) for levels in LEVELS}


def by_period(seeds: Sequence[int], **settings) -> dict[int, Timed]:
    """One level, 25 nodes, each period."""
    return {period: timed(seeds, period=period, nodes=25, levels=1, **settings) for period in PERIODS}


def by_participants(seeds: Sequence[int], **settings) -> dict[int, Timed]:
    """One level, period 5, each number of nodes."""
    return {nodes: timed(seeds, period=5, nodes=nodes, levels=1, **settings) for nodes in PARTICIPANTS}


def by_method(seeds: Sequence[int], **settings) -> dict[str, Timed]:
    """All 50 nodes: FedPAQ (s = 1, period 2), FedAvg (period 2), QSGD (s = 1, period 1)."""
    methods = {"FedPAQ": (2, 1), "QSGD": (1, 1), "FedAvg": (2, None)}
    return {
        name: timed(seeds, period=period, nodes=50, levels=levels, **settings)
        for name, (period, levels) in methods.items()
    }


def an_update(seed: int) -> np.ndarray:
    """What five local steps change, shape (65,)."""
    problem = zeros_and_eights(seed)
    settings = {"period": 5, "nodes": 1, "levels": None, "iterations": 5, "seed": seed}
    return averaged_rounds(problem, (0.5,), **settings)[1][0]


def variance_ratio(levels: int, seed: int, draws: int = 2000, rule: Callable = quantised) -> float:
    """Measured variance of the quantiser over its bound, on one update."""
    update = an_update(seed)
    decoded = rule(np.broadcast_to(update, (draws, len(update))), levels, _coins(seed, draws, len(update)))
    measured = ((decoded - update) ** 2).sum(axis=1).mean() / (update @ update)
    return float(measured / LowPrecision(levels).variance_bound(len(update)))


def bias_ratio(seed: int, draws: int = 10_000, rule: Callable = quantised) -> float:
    """Distance of the mean of many messages from the update, over what independent errors would leave."""
    update = an_update(seed)
    decoded = rule(np.broadcast_to(update, (draws, len(update))), 1, _coins(seed, draws, len(update)))
    expected = np.sqrt(((decoded - update) ** 2).sum(axis=1).mean() / draws)
    return float(np.linalg.norm(decoded.mean(axis=0) - update) / expected)


def _coins(seed: int, draws: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, 204]).random((draws, count))
