"""The checks of the early-exit exercises: right answers pass, typical wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import early_exit

WRONG_COSTS = {
    "branches cost something too": lambda q, s, b: q @ np.cumsum(s),
    "every branch that it passes": lambda q, s, b: q @ (np.cumsum(s) + b),
    "all segments up to n": lambda q, s, b: q @ (s + b),
    "every sample through the whole": lambda q, s, b: np.sum(s + b),
    "Return a number": lambda q, s, b: s,
    "you answer 0, but": lambda q, s, b: 0.0,
    "raised IndexError": lambda q, s, b: q[len(q)],
}


def test_the_right_cost_passes():
    assert "Right." in repr(early_exit.check_expected_cost(lambda q, s, b: q @ np.cumsum(s + b)))


@pytest.mark.parametrize("hint", WRONG_COSTS)
def test_wrong_costs_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_expected_cost(WRONG_COSTS[hint])


def choose(entropy, branch, end, loss, *, candidates=None, stop=False, reverse=False):
    candidates = np.append(np.unique(entropy), np.inf) if candidates is None else candidates
    best = 0.0
    for threshold in candidates:
        leaves = entropy > threshold if reverse else entropy < threshold
        if np.where(leaves, branch, end).mean() >= end.mean() - loss - 1e-12:
            best = threshold
        elif stop:
            break
    return float(best)


WRONG_THRESHOLDS = {
    "loses more accuracy than allowed": lambda e, b, f, loss: np.inf,
    "Threshold 0 lets nobody leave": lambda e, b, f, loss: 0.0,
    "stop at the first threshold that fails": lambda *a: choose(*a, stop=True),
    "fixed grid misses": lambda *a: choose(*a, candidates=np.linspace(0, 2.5, 26)),
    "Return a number": lambda *a: None,
    "at least 0 nats": lambda *a: -1.0,
    "is possible": lambda e, b, f, loss: choose(e, b, f, loss, candidates=[0.0, e.min(), np.sort(e)[len(e) // 8]]),
}


def test_the_right_threshold_passes():
    assert "Right." in repr(early_exit.check_threshold(choose))


@pytest.mark.parametrize("hint", WRONG_THRESHOLDS)
def test_wrong_thresholds_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_threshold(WRONG_THRESHOLDS[hint])


def calibration_error(confidence, right, bins, *, weighted=True, upper=False):
    scaled = confidence * bins
    place = np.clip(np.floor(scaled) if upper else np.ceil(scaled) - 1, 0, bins - 1)
    gaps = {b: abs(confidence[place == b].mean() - right[place == b].mean()) for b in set(place)}
    weights = {b: (place == b).sum() if weighted else 1 for b in gaps}
    return sum(gaps[b] * weights[b] for b in gaps) / sum(weights.values())


WRONG_CALIBRATION = {
    "Weigh each bin": lambda *c: calibration_error(*c, weighted=False),
    "the errors cancel": lambda c, r, b: abs(c.mean() - r.mean()),
    "RIGHT answers": lambda c, r, b: calibration_error(c, ~r, b),
    "lower bin": lambda *c: calibration_error(*c, upper=True),
    "average within bins": lambda c, r, b: np.abs(c - r).mean(),
    "Return a number": lambda *c: c[0],
}


def test_the_right_calibration_error_passes():
    assert "Right." in repr(early_exit.check_calibration_error(calibration_error))


@pytest.mark.parametrize("hint", WRONG_CALIBRATION)
def test_wrong_calibration_errors_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_calibration_error(WRONG_CALIBRATION[hint])
