"""What DeepDecision [172] is compared with: one place for ever, whatever is connected, or one setting of the video.

The first three baselines keep their habit about the *place* and tune the video with our exact optimiser, which makes
them as strong as they can be; the last one, an application without any control, keeps the video too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgedl_lib.offloading.integral.deepdecision.decision import Goal, Plans, optimise
from edgedl_lib.offloading.integral.deepdecision.profile import MEGABIT, Profile

FIXED_RESOLUTION, FIXED_BITRATE, FIXED_RATE = 2, 2.0 * MEGABIT, 15.0  # 352x352 pixels, bit/s, frames/s
OURS, FIXED = "DeepDecision", "fixed video"
BOUND_TO_A_PLACE = ("remote only", "local only", "strawman")


def run_policies(profile: Profile, goal: Goal, bandwidth: np.ndarray) -> dict[str, Plans]:
    """Plans of DeepDecision and of all baselines on the same intervals.

    The goal's limits hold for all alike: an interval in which a habit cannot meet them counts for nothing.

    Parameters
    ----------
    bandwidth : ndarray, shape (T,)
        bit/s.
    """
    remote = optimise(profile.only(remote=True), goal, bandwidth)
    local = optimise(profile.only(remote=False), goal, bandwidth)
    return {
        OURS: optimise(profile, goal, bandwidth),
        "remote only": remote,
        "local only": local,
        "strawman": remote.where(bandwidth > 0, local),
        FIXED: fixed_video(profile, goal, bandwidth),
    }


def fixed_video(profile: Profile, goal: Goal, bandwidth: np.ndarray) -> Plans:
    """The edge server and one setting; a frame that finds the link busy is dropped, so frame rate and bitrate fall."""
    detector = next(d for d in profile.detectors if d.remote)
    bits_per_frame = FIXED_BITRATE / FIXED_RATE
    with np.errstate(divide="ignore"):
        latency = bits_per_frame / bandwidth + detector.latency[FIXED_RESOLUTION] + profile.network_delay
    rate = np.minimum(FIXED_RATE, 1 / latency)
    accuracy = profile.accuracy(detector, FIXED_RESOLUTION, bits_per_frame * rate, latency)
    power = profile.power(detector, FIXED_RESOLUTION, bits_per_frame * rate, rate)
    meets = (rate > 0) & (rate >= goal.least_frame_rate) & (accuracy >= goal.least_accuracy) & (power <= goal.power)
    columns = (profile.pixels[FIXED_RESOLUTION], bits_per_frame * rate, rate, accuracy)
    columns += (latency, power, goal.score(rate, accuracy))
    return Plans(meets, meets, *(np.where(meets, column, 0) for column in columns))


def least_lead(plans: Mapping[str, Plans], quantity: str, rivals: Sequence[str] | None = None) -> float:
    """Mean of `quantity` over the intervals, DeepDecision's minus that of its best rival (all, unless named)."""
    means = {name: float(np.mean(getattr(each, quantity))) for name, each in plans.items()}
    ours = means.pop(OURS)
    return ours - max(means[name] for name in (rivals or means))
