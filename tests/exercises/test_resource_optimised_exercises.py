"""The checks of the exercises on radio, energy and learning: right answers pass, wrong ones meet their hint."""

import numpy as np
import pytest

from edgedl_lib.exercises import resource_optimised as checks
from edgedl_lib.training.wireless import power_for_nats


def received(current, models, samples, heard):
    if not heard.any():
        return current
    return np.average(models[heard], axis=0, weights=samples[heard])


def test_right_answers_pass():
    for answer in (
        checks.check_clock(lambda c, t, low, high: float(np.clip(c / t, low, high))),
        checks.check_power(lambda *case: float(power_for_nats(*case))),
        checks.check_received_mean(received),
    ):
        assert "Right." in repr(answer)


WRONG_CLOCKS = {
    "full clock": lambda c, t, low, high: high,
    "below `slowest`": lambda c, t, low, high: min(c / t, high),
    "above `fastest`": lambda c, t, low, high: max(c / t, low),
    "Both limits": lambda c, t, low, high: c / t,
    "misses the deadline": lambda c, t, low, high: low,
    "is right": lambda c, t, low, high: 1.0,
    "Return a number": lambda c, t, low, high: None,
}


@pytest.mark.parametrize("hint", WRONG_CLOCKS)
def test_wrong_clocks_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_clock(WRONG_CLOCKS[hint])


WRONG_POWERS = {
    "natural exponential": lambda s, t, b, n: n * (2 ** (s / t / b) - 1),
    "subtract one": lambda s, t, b, n: n * np.exp(s / t / b),
    "do not divide": lambda s, t, b, n: (np.exp(s / t / b) - 1) / n,
    "energy over time": lambda s, t, b, n: t * n * (np.exp(s / t / b) - 1),
    "fit a hertz": lambda s, t, b, n: n * (np.exp(s / b) - 1),
    "is right": lambda s, t, b, n: 1.0,
}


@pytest.mark.parametrize("hint", WRONG_POWERS)
def test_wrong_powers_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_power(WRONG_POWERS[hint])


WRONG_MEANS = {
    "leave them out": lambda w, m, k, h: k @ m / k.sum(),
    "model shrinks": lambda w, m, k, h: (k * h) @ m / k.sum(),
    "by their samples": lambda w, m, k, h: m[h].mean(0) if h.any() else w,
    "stays as it was": lambda w, m, k, h: (k * h) @ m / max((k * h).sum(), 1),
    "no vote": lambda w, m, k, h: (w * (k * ~h).sum() + (k * h) @ m) / k.sum(),
    "one model of": lambda w, m, k, h: 0.0,
    "you answer": lambda w, m, k, h: w + 1,
}


@pytest.mark.parametrize("hint", WRONG_MEANS)
def test_wrong_means_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_received_mean(WRONG_MEANS[hint])
