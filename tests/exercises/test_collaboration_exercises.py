"""The checks of the exercises on vertical collaboration: right answers pass, wrong ones meet their hint."""

import math

import numpy as np
import pytest

from edgedl_lib.exercises import collaboration


def rate(raw, code, extra, *, bits=8, sent=1, free=math.inf, useless=0.0):
    if code >= raw:
        return useless
    return free if extra <= 0 else bits * (raw - sent * code) / extra


WRONG_RATES = {
    "factor of eight": lambda *a: rate(*a, bits=1),
    "DIFFERENCE of the bytes": lambda *a: rate(*a, sent=0),
    "return infinity": lambda *a: rate(*a, free=0.0),
    "upside down": lambda *a: 1 / rate(*a) if 0 < rate(*a) < math.inf else rate(*a),
    "pay at no rate": lambda *a: rate(*a, useless=1.0),
    "is right": lambda *a: 1.01 * rate(*a),
    "Return a number": lambda *a: "fast",
    "raised ZeroDivisionError": lambda raw, code, extra: 8 * (raw - code) / extra,
}


def size(fine, coarse, regions, *, bits=1.0, up=math.ceil, told=None):
    told = regions.any() and not regions.all() if told is None else told
    return int(np.where(regions, fine, coarse).sum()) + told * up(bits * regions.size / 8)


WRONG_SIZES = {
    "one bit per block is missing": lambda *a: size(*a, bits=0),
    "not one byte": lambda *a: size(*a, bits=8),
    "other way round": lambda fine, coarse, regions: size(coarse, fine, regions),
    "nothing needs to be told": lambda *a: size(*a, told=True),
    "round up": lambda *a: size(*a, up=math.floor),
    "round up to the next": lambda *a: size(*a, up=float),
    "is right": lambda *a: size(*a) + 1,
}


def tau(confidences, share, *, order=1, back=0, free=np.inf):
    sent = int(share * len(confidences) + 1e-9)
    return free if sent == len(confidences) else np.sort(confidences)[::order][max(0, sent - back)]


WRONG_THRESHOLDS = {
    "LOW confidence": lambda c, s: -tau(-c, s),
    "next larger": lambda c, s: np.sort(c)[max(0, int(s * len(c) + 1e-9) - 1)],
    "quantile": np.quantile,
    "infinite": lambda c, s: tau(c, s, free=c.max()),
    "not of the confidence": lambda c, s: s,
    "may go": lambda c, s: np.inf,
    "is right": lambda c, s: -np.inf,
}


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (collaboration.check_break_even, rate),
        (collaboration.check_frame_bytes, size),
        (collaboration.check_threshold, tau),
    ],
)
def test_right_answers_pass(check, answer):
    assert "Right." in repr(check(answer))


@pytest.mark.parametrize("hint", WRONG_RATES)
def test_wrong_rates_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        collaboration.check_break_even(WRONG_RATES[hint])


@pytest.mark.parametrize("hint", WRONG_SIZES)
def test_wrong_sizes_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        collaboration.check_frame_bytes(WRONG_SIZES[hint])


@pytest.mark.parametrize("hint", WRONG_THRESHOLDS)
def test_wrong_thresholds_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        collaboration.check_threshold(WRONG_THRESHOLDS[hint])
