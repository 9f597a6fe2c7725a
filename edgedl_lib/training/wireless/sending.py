"""Shannon rates, the power that a rate takes, and packets that are lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def nat_rate(bandwidth: ArrayLike, power: ArrayLike, noise_over_gain: ArrayLike) -> np.ndarray:
    """Rate in nat/s: ``B ln(1 + p h / N0)``.

    Parameters
    ----------
    bandwidth : array_like
        Hertz.
    power : array_like
        Watts.
    noise_over_gain : array_like
        N0 / h in watts: the transmit power at which signal and noise are equally strong.
    """
    _positive(bandwidth=bandwidth, noise_over_gain=noise_over_gain)
    return np.asarray(bandwidth) * np.log1p(np.asarray(power) / noise_over_gain)


def bit_rate(bandwidth: ArrayLike, power: ArrayLike, gain: ArrayLike, interference: ArrayLike) -> np.ndarray:
    """Rate in bit/s: ``B log2(1 + p h / (I + B N0))``; ``interference`` is all of the denominator, in watts."""
    return nat_rate(bandwidth, power, np.asarray(interference) / gain) / np.log(2)


def power_for_nats(nats: ArrayLike, seconds: ArrayLike, bandwidth: ArrayLike, noise_over_gain: ArrayLike) -> np.ndarray:
    """Watts that send ``nats`` in ``seconds``: the inverse of :func:`nat_rate`, eq. for p_n of [219]."""
    _positive(seconds=seconds, bandwidth=bandwidth)
    return np.asarray(noise_over_gain) * np.expm1(np.asarray(nats) / (np.asarray(seconds) * bandwidth))


def packet_error(power: ArrayLike, gain: ArrayLike, interference: ArrayLike, waterfall: float) -> np.ndarray:
    """Share of packets lost: ``1 - exp(-m (I + B N0) / (p h))`` of Chen et al. [220].

    Parameters
    ----------
    waterfall : float
        The threshold m, a ratio (not dB).
    """
    _positive(power=power, gain=gain, waterfall=waterfall)
    return -np.expm1(-waterfall * np.asarray(interference) / (np.asarray(power) * gain))


def _positive(**values: ArrayLike) -> None:
    for name, value in values.items():
        if not (np.asarray(value) > 0).all():
            raise ValueError(f"{name} must be positive, got {np.min(value)}")
