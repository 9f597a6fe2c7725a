"""What is asked of DeepDecision [172]: its frame rate, its lead, its borders, and what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.offloading.integral.deepdecision.connection import INTERVAL
from edgedl_lib.offloading.integral.deepdecision.decision import Goal, Plans, optimise
from edgedl_lib.offloading.integral.deepdecision.profile import (
    MEGABIT,
    Detector,
    Profile,
    SaturatingQuality,
    phone_profile,
)
from edgedl_lib.system.link import BITS_PER_BYTE

STEADY = np.arange(5.0, 10.01, 0.25) * MEGABIT  # bit/s, the range for which the survey's 15 frames/s is asked
SWEEP = np.geomspace(0.05, 10, 120) * MEGABIT
BUDGETS = np.linspace(4.0, 0.8, 33)  # W, tightened step by step
ALPHAS = (0.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, np.inf)
FACTOR_BANDWIDTH = 3.0 * MEGABIT

Optimiser = Callable[[Profile, Goal, np.ndarray], Plans]


def share_within(rates: np.ndarray, low: float = 12.0, high: float = 18.0) -> float:
    """Share (%) of frame rates in [low, high]."""
    return 100 * float(np.mean((rates >= low) & (rates <= high)))


def bytes_sent(plans: Plans) -> np.ndarray:
    """Bytes over the link per interval, shape (T,)."""
    return plans.bitrate * INTERVAL / BITS_PER_BYTE


def unconnected(profile: Profile, optimiser: Optimiser = optimise) -> tuple[float, float]:
    """Bytes sent and share (%) of local plans on a link of rate 0, over all weights of accuracy."""
    plans = [optimiser(profile, Goal(alpha=alpha), np.zeros(1)) for alpha in ALPHAS]
    local = [plan.feasible & ~plan.remote for plan in plans]
    return float(sum(bytes_sent(plan).sum() for plan in plans)), 100 * float(np.mean(local))


def energy_by_budget(profile: Profile, bandwidth: np.ndarray, optimiser: Optimiser = optimise) -> np.ndarray:
    """Joules of each interval under each power budget of `BUDGETS`, shape (budgets, T)."""
    return np.array([optimiser(profile, Goal(power=each), bandwidth).power for each in BUDGETS]) * INTERVAL


def increases(energy: np.ndarray) -> int:
    """How often a tighter budget costs an interval more energy."""
    return int(np.sum(np.diff(energy, axis=0) > 1e-12))


def against_alpha(profile: Profile, bandwidth: np.ndarray, optimiser: Optimiser = optimise) -> list[Plans]:
    """Plans for weights of accuracy from none to all."""
    return [optimiser(profile, Goal(alpha=alpha), bandwidth) for alpha in ALPHAS]


def reversals(plans: Sequence[Plans]) -> int:
    """How often a larger weight of accuracy lowers an interval's accuracy or raises its frame rate."""
    accuracy, rate = (np.array([getattr(each, name) for each in plans]) for name in ("accuracy", "frame_rate"))
    return int(np.sum(np.diff(accuracy, axis=0) < -1e-12) + np.sum(np.diff(rate, axis=0) > 1e-12))


def without_delay(profile: Profile, goal: Goal, bandwidth: np.ndarray) -> Plans:
    """Plans of one who judges an answer by the frame that was looked at, scored as the viewer sees them."""
    blind = optimise(replace(profile, delay_scale=np.inf), goal, bandwidth)
    accuracy = blind.accuracy * profile.fresh(blind.latency)
    return replace(
        blind, accuracy=accuracy, objective=np.where(blind.feasible, goal.score(blind.frame_rate, accuracy), 0)
    )


def mean_loss(best: Plans, other: Plans) -> float:
    """Mean objective lost by the other plans."""
    return float(np.mean(best.objective - other.objective))


@dataclass(frozen=True)
class Situation:
    """Profile, goal and link of one decision."""

    profile: Profile
    goal: Goal
    bandwidth: float


def situations() -> dict[str, Situation]:
    """An ordinary situation, and five in which one factor that the survey names is another."""
    profile, goal = phone_profile(), Goal()
    large, small = profile.detectors
    tiny = replace(small, latency=tuple(each / 16 for each in small.latency))  # a sixteenth of the computing
    return {
        "ordinary": Situation(profile, goal, FACTOR_BANDWIDTH),
        "accuracy": Situation(profile, replace(goal, alpha=10.0), FACTOR_BANDWIDTH),
        "latency": Situation(replace(profile, network_delay=0.5), goal, FACTOR_BANDWIDTH),
        "model size": Situation(replace(profile, detectors=(large, _accurate(tiny))), goal, FACTOR_BANDWIDTH),
        "battery level": Situation(profile, replace(goal, power=1.0), FACTOR_BANDWIDTH),
        "network conditions": Situation(profile, goal, 0.0),
    }


def _accurate(detector: Detector) -> Detector:
    return replace(detector, quality=SaturatingQuality(0.65))


def factors_that_matter(optimiser: Optimiser = optimise) -> int:
    """How many of the five factors change the decision when they alone change."""
    chosen = {
        name: _setting(optimiser(each.profile, each.goal, np.array([each.bandwidth])))
        for name, each in situations().items()
    }
    return sum(chosen[name] != chosen["ordinary"] for name in chosen)


def _setting(plans: Plans) -> tuple[float, ...]:
    return tuple(float(getattr(plans, name)[0]) for name in ("remote", "pixels", "bitrate", "frame_rate"))
