"""Truncated channel inversion, and what it costs: power, silent entries, receive SNR (Zhu, Wang and Huang 2018 [217]).

Every device multiplies what it sends by the inverse of its channel, so that all arrive with the same strength and the
channel's sum is the sum of the messages.  A channel below the threshold is left silent, or its inversion would eat all
the power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import exp1


@dataclass(frozen=True)
class Cell:
    """Devices around one receiver.

    Attributes
    ----------
    radius : float
        Metres.
    exponent : float
        Of the path loss.
    sub_channels : int
        Of OFDM; one parameter on each at a time.
    power : float
        Transmit power of a device over noise power in one sub-channel at one metre (dimensionless).
    """

    radius: float = 100.0
    exponent: float = 3.0
    sub_channels: int = 1_000
    power: float = 1e10

    def __post_init__(self) -> None:
        for name in ("radius", "exponent", "sub_channels", "power"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} {getattr(self, name)} must be positive")


def truncated_share(threshold: ArrayLike) -> np.ndarray:
    """Share of the entries that a Rayleigh channel leaves silent: ``1 - exp(-threshold)``."""
    return -np.expm1(-_positive(threshold, zero=True))


def inversion_power(threshold: ArrayLike) -> np.ndarray:
    """Mean of ``1 / |h|^2`` over the channels that are used, ``E1(threshold)``; infinite without a threshold."""
    return exp1(_positive(threshold, zero=True))


def receive_snr(cell: Cell, threshold: ArrayLike, interior: float = 1.0) -> np.ndarray:
    """SNR at which every entry arrives when the farthest scheduled device spends all its power.

    ``power / (M r^alpha E1(threshold))`` with r the radius of what is scheduled.

    Parameters
    ----------
    threshold : array_like
        Channels with ``|h|^2`` below it are silent.
    interior : float
        Share of the cell's radius within which devices are scheduled, in (0, 1].
    """
    if not 0 < interior <= 1:
        raise ValueError(f"interior {interior} must be a share of the radius in (0, 1]")
    farthest = (interior * cell.radius) ** cell.exponent
    return cell.power / (cell.sub_channels * farthest * inversion_power(threshold))


def data_left_out(interior: ArrayLike) -> np.ndarray:
    """Share of the devices outside the interior, for devices spread evenly over the disc."""
    return 1 - np.asarray(interior, float) ** 2


def rayleigh(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Complex channel gains of mean square one, CN(0, 1)."""
    real, imaginary = rng.normal(scale=np.sqrt(0.5), size=(2, *shape))
    return real + 1j * imaginary


def _positive(threshold: ArrayLike, *, zero: bool) -> np.ndarray:
    values = np.asarray(threshold, float)
    if not (np.isfinite(values).all() and (values >= 0).all() and (zero or (values > 0).all())):
        raise ValueError(f"threshold {threshold} must be finite and not negative: it is a power gain")
    return values
