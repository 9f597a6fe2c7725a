"""Seconds of an iteration: flat learning through the macro station against small stations that meet now and then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.communication.hierarchical.cells import CLUSTERS, REUSE, Cells, downlink, uplink

PARAMETERS = 11_689_512  # ResNet-18
VALUE_BITS = 32


@dataclass(frozen=True)
class Sparsity:
    """Share of the entries that each of the four links leaves out."""

    user_to_small: float = 0.99
    small_to_user: float = 0.9
    small_to_macro: float = 0.9
    macro_to_small: float = 0.9


SPARSE = Sparsity()
DENSE = Sparsity(0.0, 0.0, 0.0, 0.0)


def message_bits(parameters: int, sparsity: float) -> float:
    """Bits of a message: values and the cheapest way to say where they belong (index, bitmap or Rice-coded gaps).

    Examples
    --------
    >>> message_bits(1000, 0.0)
    32000
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity {sparsity} lies outside [0, 1); 0 sends everything")
    if sparsity == 0:
        return VALUE_BITS * parameters
    kept = (1 - sparsity) * parameters
    widths = np.arange(24)
    unary = sparsity ** (2.0**widths)
    gaps = kept * (1 + widths + unary / (1 - unary)).min()
    return VALUE_BITS * kept + min(parameters, kept * np.ceil(np.log2(parameters)), gaps)


@dataclass(frozen=True)
class Rates:
    """Bit/s of the slowest user: of the macro cell, and of every cluster, shape (7,); and of the fronthaul."""

    macro_up: float
    macro_down: float
    small_up: np.ndarray
    small_down: np.ndarray
    fronthaul: float

    def with_fronthaul(self, factor: float) -> Rates:
        """The same with a fronthaul `factor` times as fast as the mean cluster's uplink."""
        values = {**vars(self), "fronthaul": factor * float(self.small_up.mean())}
        return Rates(**values)


def rates(cells: Cells, users: np.ndarray, reuse: str, fronthaul: float = 100.0) -> Rates:
    """Rates of one drop of users, shape (7, K, 2).

    With "a third each" neighbours use different sub-carriers.  With all of them everywhere, interference is that of all
    other clusters, averaged over the sub-carriers; to leave it out is too good to be true and is here to show it.
    """
    if reuse not in REUSE:
        raise ValueError(f"unknown reuse {reuse!r}; choose one of {', '.join(REUSE)}")
    everyone, stations = users.reshape(-1, 2), cells.stations
    macro = cells.gain(everyone, np.zeros(2))
    carriers = cells.sub_carriers // 3 if reuse == REUSE[0] else cells.sub_carriers
    gains = np.stack([cells.gain(users, station) for station in stations])  # (station, cluster, user)
    ups, downs = [], []
    for own in range(CLUSTERS):
        up, down = _interference(cells, gains, own) if reuse == REUSE[2] else (0.0, 0.0)
        ups.append(uplink(cells, cells.user_power * gains[own, own], carriers, up))
        downs.append(downlink(cells, cells.small_power * gains[own, own], carriers, down))
    small_up = np.array(ups)
    return Rates(
        uplink(cells, cells.user_power * macro, cells.sub_carriers),
        downlink(cells, cells.macro_power * macro, cells.sub_carriers),
        small_up,
        np.array(downs),
        fronthaul * float(small_up.mean()),
    )


def _interference(cells: Cells, gains: np.ndarray, own: int) -> tuple[float, np.ndarray]:
    """Watts on each sub-carrier that reach the station, and each of its users, from the other clusters."""
    others = np.arange(CLUSTERS) != own
    up = cells.user_power * gains[own, others].sum() / cells.sub_carriers
    down = cells.small_power * gains[others, own].sum(axis=0) / cells.sub_carriers
    return float(up), down


def flat_latency(found: Rates, sparsity: Sparsity, parameters: int = PARAMETERS) -> float:
    """Seconds of one iteration of flat learning: the slowest user decides in both directions."""
    up = message_bits(parameters, sparsity.user_to_small) / found.macro_up
    return float(up + message_bits(parameters, sparsity.small_to_user) / found.macro_down)


def hierarchical_latency(found: Rates, sparsity: Sparsity, period: int, parameters: int = PARAMETERS) -> float:
    """Seconds of one iteration when clusters meet every `period` iterations.

    A meeting costs the fronthaul in both directions and one more downlink, which brings the users what was agreed.
    """
    if period < 1:
        raise ValueError(f"period {period} must be at least 1")
    up = message_bits(parameters, sparsity.user_to_small) / found.small_up
    down = message_bits(parameters, sparsity.small_to_user) / found.small_down
    front = (
        message_bits(parameters, sparsity.small_to_macro) + message_bits(parameters, sparsity.macro_to_small)
    ) / found.fronthaul
    return float((period * (up + down).max() + front + down.max()) / period)


def speed_ups(
    cells: Cells, seeds, periods, reuse: str, sparsity: Sparsity = DENSE, fronthaul: float = 100.0
) -> np.ndarray:
    """Latency of flat over hierarchical learning, shape (drops, periods)."""
    found = [rates(cells, cells.users(seed), reuse, fronthaul) for seed in seeds]
    return np.array(
        [
            [flat_latency(each, sparsity) / hierarchical_latency(each, sparsity, period) for period in periods]
            for each in found
        ]
    )


def break_even(cells: Cells, seeds, reuse: str, period: int, sparsity: Sparsity = SPARSE) -> float:
    """How many times faster than access the fronthaul must be for the hierarchy to pay; inf if it never does."""
    drops = [rates(cells, cells.users(seed), reuse) for seed in seeds]
    for factor in np.geomspace(0.01, 1e4, 241):
        ratios = [
            flat_latency(each, sparsity) / hierarchical_latency(each.with_fronthaul(factor), sparsity, period)
            for each in drops
        ]
        if np.mean(ratios) >= 1:
            return float(factor)
    return float("inf")
