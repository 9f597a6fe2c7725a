"""The checks of the exercises on averaging on the air: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import over_the_air as checks
from edgedl_lib.training.communication.over_the_air.aggregation import Air, superpose
from edgedl_lib.training.communication.over_the_air.latency import Uplink, digital_symbols


def library_mean(messages, gains, threshold):
    return superpose(messages, np.sqrt(gains), Air(threshold=threshold), np.random.default_rng(0))


def library_symbols(parameters, bits, devices, sub_channels, snr):
    """Without rounding up: a million times the parameters, then divided."""
    return digital_symbols(Uplink(10**9 * parameters, sub_channels, snr, bits, gap=1.0), devices) / 10**9


def test_right_answers_pass():
    for answer in (
        checks.check_transmit(lambda m, h, t: m * np.conj(h) / abs(h) ** 2 if abs(h) ** 2 >= t else 0),
        checks.check_superposed_mean(library_mean),
        checks.check_digital_symbols(library_symbols),
    ):
        assert "Right." in repr(answer)


WRONG_SIGNALS = {
    "Below the threshold": lambda m, h, t: m / h,
    "POWER gain": lambda m, h, t: m / h if abs(h) >= t else 0,
    "turns the phase too": lambda m, h, t: m / abs(h) if abs(h) ** 2 >= t else 0,
    "doubles the fading": lambda m, h, t: m * np.conj(h) if abs(h) ** 2 >= t else 0,
    "weak channels": lambda m, h, t: m / h if abs(h) ** 2 < t else 0,
    "still sends": lambda m, h, t: m / h if abs(h) ** 2 > t else 0,
    "one .complex. number": lambda m, h, t: None,
    "you send": lambda m, h, t: 7.0,
}


@pytest.mark.parametrize("hint", WRONG_SIGNALS)
def test_wrong_signals_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_transmit(WRONG_SIGNALS[hint])


WRONG_MEANS = {
    "below the threshold are silent": lambda m, g, t: m.mean(0),
    "divide by all K": checks._mean_of_the_heard,
    "divide it by K": lambda m, g, t: (m * (g >= t)).sum(0),
    "no longer weighs": lambda m, g, t: (m * g * (g >= t)).mean(0),
    "entry by entry": lambda m, g, t: (m * (g.mean(1, keepdims=True) >= t)).mean(0),
    "one mean of": lambda m, g, t: 0.0,
    "you answer": lambda m, g, t: m[0] + 5,
}


@pytest.mark.parametrize("hint", WRONG_MEANS)
def test_wrong_means_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_superposed_mean(WRONG_MEANS[hint])


WRONG_SYMBOLS = {
    "more power on each": lambda p, b, k, m, s: p * b * k / m / np.log2(1 + s),
    "base 2": lambda p, b, k, m, s: p * b * k / m / np.log(1 + k * s),
    "share the band": lambda p, b, k, m, s: p * b / m / np.log2(1 + k * s),
    "`bits` bits": lambda p, b, k, m, s: p * k / m / np.log2(1 + k * s),
    "side by side": lambda p, b, k, m, s: p * b * k**2 / m / np.log2(1 + k * s),
    "is right": lambda p, b, k, m, s: 1.0,
}


@pytest.mark.parametrize("hint", WRONG_SYMBOLS)
def test_wrong_symbols_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_digital_symbols(WRONG_SYMBOLS[hint])
