"""The checks on update codecs: right answers pass, each wrong one gets the hint that fits."""

import re

import numpy as np
import pytest

from edgedl_lib.exercises import update_codecs as checks


def test_right_answers_pass():
    assert "seed" in repr(checks.check_sketch_bits(checks._sketch_bits))
    assert "average" in repr(checks.check_quantise(checks._quantise))
    assert "little" in repr(checks.check_put_back(checks._put_back))


@pytest.mark.parametrize("hint", checks._WRONG_SIZES)
def test_wrong_sizes(hint):
    with pytest.raises(AssertionError, match=re.escape(hint)):
        checks.check_sketch_bits(checks._WRONG_SIZES[hint])


@pytest.mark.parametrize("hint", checks._WRONG_ROUNDING)
def test_wrong_rounding(hint):
    with pytest.raises(AssertionError, match=re.escape(hint)):
        checks.check_quantise(checks._WRONG_ROUNDING[hint])


@pytest.mark.parametrize("hint", checks._WRONG_RETURNS)
def test_wrong_returns(hint):
    with pytest.raises(AssertionError, match=re.escape(hint)):
        checks.check_put_back(checks._WRONG_RETURNS[hint])


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (checks.check_sketch_bits, lambda *_: None, "one number"),
        (checks.check_sketch_bits, lambda *_: 7, "is right"),
        (checks.check_sketch_bits, lambda rows: rows, "raised TypeError"),
        (checks.check_quantise, lambda v, b, u: v[:1] if len(v) > 1 else v, "shape"),
        (checks.check_quantise, lambda v, b, u: v * np.nan, "NaN"),
        (checks.check_quantise, lambda v, b, u: v, "is right"),
        (checks.check_quantise, lambda v, b, u: "levels", "array of shape"),
        (checks.check_put_back, lambda w, p: w, "differ"),
        (checks.check_put_back, lambda w, p: w[0], "shape"),
    ],
)
def test_other_answers(check, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check(answer)


def test_weights_must_not_be_changed_in_place():
    def in_place(weights, parts):
        weights[:] = checks._put_back(weights, parts)
        return weights

    with pytest.raises(AssertionError, match="work on a copy"):
        checks.check_put_back(in_place)


def test_a_constant_vector_without_guard_gets_a_hint():
    def unguarded(values, bits, uniform):
        with np.errstate(all="ignore"):
            step = np.ptp(values) / (2**bits - 1)
            place = (values - values.min()) / step
            return values.min() + step * (np.floor(place) + (uniform < place % 1))

    with pytest.raises(AssertionError, match="all equal"):
        checks.check_quantise(unguarded)
