"""Time of one aggregation, on the air and with a share of the band for each device [217]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Uplink:
    """One OFDM uplink.

    Attributes
    ----------
    parameters : int
        Entries of an update.
    sub_channels : int
    snr : float
        Of one device that spreads its power over *all* sub-channels (ratio, not dB).
    bits : int
        A digital update spends on one entry.
    gap : float
        Coding gap: the SNR that a practical code needs more than the ideal one (ratio).
    """

    parameters: int = 582_026
    sub_channels: int = 1_000
    snr: float = 10.0
    bits: int = 16
    gap: float = 1.5


def analog_symbols(uplink: Uplink) -> int:
    """OFDM symbols of an aggregation on the air: the same for any number of devices."""
    return -(-uplink.parameters // uplink.sub_channels)


def digital_symbols(uplink: Uplink, devices: ArrayLike) -> np.ndarray:
    """OFDM symbols until every one of K devices has sent its update on its K-th part of the band.

    A device that uses fewer sub-channels has more power on each: K times the SNR.

    Raises
    ------
    ValueError
        No device, or more devices than sub-channels.
    """
    count = np.asarray(devices, float)
    if not ((count >= 1).all() and (count <= uplink.sub_channels).all()):
        raise ValueError(f"{devices} devices cannot share {uplink.sub_channels} sub-channels; give 1 to that many")
    bits_per_symbol = uplink.sub_channels / count * np.log2(1 + count * uplink.snr / uplink.gap)
    return np.ceil(uplink.parameters * uplink.bits / bits_per_symbol)


def latency_ratio(uplink: Uplink, devices: ArrayLike) -> np.ndarray:
    """How many times as long the digital aggregation takes."""
    return digital_symbols(uplink, devices) / analog_symbols(uplink)


def scaling_exponent(devices: ArrayLike, ratio: ArrayLike) -> float:
    """Slope of the ratio over the number of devices in logarithms (least squares)."""
    return float(np.polyfit(np.log(devices), np.log(ratio), 1)[0])


def law_spread(devices: ArrayLike, ratio: ArrayLike) -> float:
    """Largest over smallest ratio to the law ``K / log2 K``; 1 where it holds exactly."""
    count = np.asarray(devices, float)
    relative = np.asarray(ratio) * np.log2(count) / count
    return float(relative.max() / relative.min())
