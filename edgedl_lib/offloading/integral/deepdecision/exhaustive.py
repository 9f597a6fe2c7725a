"""Every combination of place, resolution, bitrate and frame rate, tested one by one against the definition."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.offloading.integral.deepdecision.decision import ROUNDING, Goal, optimise
from edgedl_lib.offloading.integral.deepdecision.profile import Profile


def best_scores(profile: Profile, goal: Goal, bandwidth: ArrayLike) -> np.ndarray:
    """Best objective of each interval over the whole grid, shape (T,); minus infinity where nothing is feasible."""
    return np.array([_best_score(profile, goal, each) for each in np.atleast_1d(bandwidth)])


def _best_score(profile: Profile, goal: Goal, bandwidth: float) -> float:
    bitrate, rate = np.meshgrid(profile.bitrates, profile.frame_rates, indexing="ij")
    best = -np.inf
    for detector in profile.detectors:
        if detector.remote and bandwidth == 0:
            continue
        for resolution in range(len(profile.pixels)):
            latency = profile.latency(detector, resolution, bitrate, rate, bandwidth)
            accuracy = profile.accuracy(detector, resolution, bitrate, latency)
            power = profile.power(detector, resolution, bitrate, rate)
            fits = (latency <= (1 + ROUNDING) / rate) & (power <= goal.power * (1 + ROUNDING))
            fits &= (accuracy >= goal.least_accuracy) & (rate >= goal.least_frame_rate)
            if detector.remote:
                fits &= bitrate <= bandwidth * (1 + ROUNDING)
            best = max(best, np.max(goal.score(rate, accuracy), where=fits, initial=-np.inf))
    return best


def agreement(profile: Profile, goal: Goal, bandwidth: ArrayLike) -> float:
    """Share (%) of intervals on which the optimiser's objective is the whole grid's best."""
    plans = optimise(profile, goal, bandwidth)
    found = np.where(plans.feasible, plans.objective, -np.inf)
    best = best_scores(profile, goal, bandwidth)
    return 100 * float(np.mean((found == best) | np.isclose(found, best, rtol=1e-9, atol=1e-9)))
