"""The decision of DeepDecision [172]: place, resolution, bitrate and frame rate, exactly and for all intervals at once.

For a given detector, resolution and bitrate the objective grows with the frame rate: more frames, and behind a link
smaller ones, which arrive sooner and are answered while they are still true.  So the best frame rate is the largest
that latency and battery allow, and three choices are enumerated instead of four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.offloading.integral.deepdecision.profile import BATTERY, Profile
from edgedl_lib.system.device import not_negative

ROUNDING = 1e-9  # relative slack of a constraint, so that a bound met exactly is met
BATTERY_LIFE = 3 * 3600.0  # s that one charge shall last


class NoFeasiblePlan(ValueError):
    """No setting of the video meets the goal on some interval."""


@dataclass(frozen=True)
class Goal:
    """What is wanted: the largest ``frame rate + alpha * accuracy`` within limits.

    Attributes
    ----------
    alpha : float
        Frames/s that full accuracy is worth; 0 asks for frame rate alone, infinity for accuracy alone.
    power : float
        Largest mean power (W) that the battery shall give.
    least_accuracy, least_frame_rate : float

    Examples
    --------
    >>> Goal(alpha=100).score(15.0, 0.5), Goal(alpha=np.inf).score(15.0, 0.5)
    (65.0, 0.5)
    """

    alpha: float = 100.0  # a hundredth of accuracy is worth one frame per second
    power: float = BATTERY / BATTERY_LIFE
    least_accuracy: float = 0.1
    least_frame_rate: float = 1.0

    def __post_init__(self) -> None:
        if not self.alpha >= 0:
            raise ValueError(f"alpha must be zero or positive, not {self.alpha}: it weighs accuracy against frame rate")

    def score(self, frame_rate: ArrayLike, accuracy: ArrayLike):
        """The objective."""
        return accuracy if np.isinf(self.alpha) else frame_rate + self.alpha * accuracy


@dataclass(frozen=True)
class Plans:
    """One plan per interval, arrays of shape (T,); without a feasible plan nothing is analysed and all is zero.

    Attributes
    ----------
    feasible, remote : ndarray of bool
    pixels : ndarray
    bitrate : ndarray
        bit/s over the link, 0 on the phone.
    frame_rate, accuracy, latency, power, objective : ndarray
        1/s, share, s, W, and the goal's score.
    """

    feasible: np.ndarray
    remote: np.ndarray
    pixels: np.ndarray
    bitrate: np.ndarray
    frame_rate: np.ndarray
    accuracy: np.ndarray
    latency: np.ndarray
    power: np.ndarray
    objective: np.ndarray

    def where(self, choose: ArrayLike, other: Plans) -> Plans:
        """These plans where `choose` (T,) is true, the `other` ones elsewhere."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return Plans(*(np.where(choose, mine, theirs) for mine, theirs in pairs))


@dataclass(frozen=True)
class Options:
    """Detector, resolution and bitrate, enumerated: arrays of shape (C,)."""

    remote: np.ndarray
    pixels: np.ndarray
    bitrate: np.ndarray
    seen: np.ndarray  # accuracy before any delay
    computing: np.ndarray  # s, network delay included
    fixed_power: np.ndarray  # W
    frame_energy: np.ndarray  # J


def enumerate_options(profile: Profile) -> Options:
    """All choices but the frame rate; on the phone nothing is encoded, so there is no bitrate to choose."""
    rows = []
    for detector in profile.detectors:
        bitrates = profile.bitrates if detector.remote else np.zeros(1)
        extra = profile.network_delay if detector.remote else 0.0
        for index, pixels in enumerate(profile.pixels):
            values = (
                detector.remote,
                pixels,
                bitrates,
                profile.seen(detector, index, bitrates),
                detector.latency[index] + extra,
                profile.fixed_power(detector, bitrates),
                profile.energy_per_frame(detector, index),
            )
            rows.append(np.broadcast_arrays(*values))
    return Options(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def fastest_rates(profile: Profile, goal: Goal, options: Options, bandwidth: np.ndarray) -> np.ndarray:
    """Largest frame rate of the grid that latency and battery allow, (T, C); 0 where none is.

    A frame must be answered before the next one: ``bitrate / (f * bandwidth) + computing <= 1 / f`` solved for f.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        occupied = np.where(options.remote, options.bitrate / bandwidth[:, None], 0.0)
    by_latency = (1 - occupied) / options.computing  # (T, C)
    by_battery = (goal.power - options.fixed_power) / options.frame_energy  # (C,)
    bound = np.minimum(by_latency, by_battery) * (1 + ROUNDING)
    grid = np.concatenate([[0.0], profile.frame_rates])
    return grid[np.maximum(np.searchsorted(grid, bound, side="right") - 1, 0)]


def optimise(profile: Profile, goal: Goal, bandwidth: ArrayLike) -> Plans:
    """The best plan of every interval.

    Parameters
    ----------
    profile : Profile
    goal : Goal
    bandwidth : array_like, shape (T,)
        bit/s.

    Returns
    -------
    Plans

    Examples
    --------
    >>> from edgedl_lib.offloading.integral.deepdecision.profile import phone_profile
    >>> plans = optimise(phone_profile(), Goal(), [0.0, 5e6])
    >>> plans.remote.tolist(), plans.frame_rate.tolist()
    ([False, True], [2.5, 14.5])
    """
    bandwidth = not_negative("bandwidth", np.atleast_1d(bandwidth))
    options = enumerate_options(profile)
    rate = fastest_rates(profile, goal, options, bandwidth)  # (T, C)
    carried = rate * bandwidth[:, None]  # 0 where the link or the battery allows nothing
    sending = np.divide(options.bitrate, carried, out=np.zeros_like(rate), where=carried > 0)
    latency = np.where(options.remote, sending, 0.0) + options.computing
    accuracy = options.seen * profile.fresh(latency)
    fine = (rate >= goal.least_frame_rate) & (rate > 0) & (accuracy >= goal.least_accuracy)
    score = np.where(fine, goal.score(rate, accuracy), -np.inf)
    best = score.argmax(axis=1)  # (T,)
    rows = np.arange(len(bandwidth))
    frame_rate = rate[rows, best]
    columns = (
        options.pixels[best],
        options.bitrate[best],
        frame_rate,
        accuracy[rows, best],
        latency[rows, best],
        options.fixed_power[best] + options.frame_energy[best] * frame_rate,
        score[rows, best],
    )
    feasible = fine[rows, best]
    return Plans(feasible, feasible & options.remote[best], *(np.where(feasible, column, 0) for column in columns))


def require_feasible(plans: Plans, bandwidth: ArrayLike) -> Plans:
    """The plans as they are, if every interval has one.

    Raises
    ------
    NoFeasiblePlan
        Names the first interval without a plan.
    """
    if not plans.feasible.all():
        first = int(np.argmin(plans.feasible))
        raise NoFeasiblePlan(
            f"no plan meets the goal on interval {first} with {np.atleast_1d(bandwidth)[first]:g} bit/s: "
            "allow more power, or ask for less accuracy or a lower frame rate"
        )
    return plans
