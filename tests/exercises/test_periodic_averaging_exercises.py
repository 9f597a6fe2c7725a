"""The checks of the exercises on periodic averaging: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import periodic_averaging as checks
from edgedl_lib.training.communication.adaptive.control import Control, Costs, Estimates, best_period, divergence
from edgedl_lib.training.communication.astraea.scheduling import divergence_from_uniform
from edgedl_lib.training.communication.fedpaq.averaging import quantised


def test_the_library_passes():
    assert "Right." in repr(checks.check_imbalance(lambda counts: float(divergence_from_uniform(np.array(counts)))))
    assert "Right." in repr(checks.check_quantise(quantised))
    assert "Right." in repr(checks.check_choose_period(choose))


def choose(drift, slope, step, phi, local, aggregation, budget, *, reserve=True, shift=0, root=True, last=True):
    tau = np.arange(1, len(drift))
    left = budget - (local + aggregation if reserve else 0)
    unfinished = 1 / (2 * step * phi * left * tau / (local * tau + aggregation))
    apart = slope * np.roll(drift, shift)[1:]
    bound = unfinished + np.sqrt(unfinished**2 + root * apart / (step * phi * tau)) + last * apart
    return 1 + int(np.argmin(bound))


def shares(counts):
    return np.array(counts) / np.sum(counts)


def safe(values):
    return np.log(np.where(values > 0, values, 1))


WRONG_IMBALANCES = {
    "Absent classes count": lambda c: float(np.sum(shares(c) * safe(shares(c) * np.count_nonzero(c)))),
    "That is the entropy": lambda c: float(-np.sum(shares(c) * safe(shares(c)))),
    "In nats": lambda c: float(np.sum(shares(c) * safe(shares(c) * len(c)))) / np.log(2),
    "Divide the counts": lambda c: float(np.sum(np.array(c) * safe(np.array(c) * len(c)))),
    "not log\\(p\\)": lambda c: float(np.sum(shares(c) * safe(shares(c)))),
    "but": lambda c: 0.5,
    "raised ZeroDivisionError": lambda c: 1 / (c[0] - c[0]),
    "Return a number": lambda c: "much",
}

WRONG_MESSAGES = {
    "not its largest entry": lambda v, s, c: quantised(v, s, c) * 0 + by(v, s, c, np.abs(v).max()),
    "not the sum of absolute": lambda v, s, c: by(v, s, c, np.abs(v).sum()),
    "Do not lose the signs": lambda v, s, c: np.abs(quantised(v, s, c)),
    "nearest level is biased": lambda v, s, c: quantised(v, s, np.full(len(v), 0.5)),
    "BELOW the fraction": lambda v, s, c: quantised(v, s, 1 - c),
    "multiplies by the norm": lambda v, s, c: quantised(v, s, c) / max(np.linalg.norm(v), 1e-300),
    "number of levels": lambda v, s, c: quantised(v, s, c) * s,
    "one number for each": lambda v, s, c: [1.0] * (len(v) + 1),
    "is right": lambda v, s, c: v,
}

WRONG_PERIODS = {
    "depends on the period": lambda h, r, e, p, c, b, R: choose(h, r, e, p, c, 0.0, R),
    "Hold back": lambda *case: choose(*case, reserve=False),
    "drift\\[tau\\]": lambda h, *case: choose(h, *case, shift=1) if len(h) else 1,
    "Add the last term": lambda *case: choose(*case, last=False),
    "Under the root": lambda *case: choose(*case, root=False),
    "Without any drift": lambda h, *case: choose(np.zeros(len(h)), *case),
    "between 1 and": lambda *case: 0,
    "Return a whole number": lambda *case: 1.5,
}


def by(vector, levels, coins, scale):
    if not scale:
        return vector
    exact = np.abs(vector) / scale * levels
    return np.sign(vector) * (np.floor(exact) + (coins < exact % 1)) * scale / levels


@pytest.mark.parametrize("hint", WRONG_IMBALANCES)
def test_wrong_imbalances_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_imbalance(WRONG_IMBALANCES[hint])


@pytest.mark.parametrize("hint", WRONG_MESSAGES)
def test_wrong_messages_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_quantise(WRONG_MESSAGES[hint])


@pytest.mark.parametrize("hint", WRONG_PERIODS)
def test_wrong_periods_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_choose_period(WRONG_PERIODS[hint])


def test_the_period_is_the_controllers():
    drift = divergence(np.arange(101), 0.01, 10.0, 1.0)
    expected = best_period(Estimates(2.0, 10.0, 1.0), Costs(1.0, 20.0, 1000.0), Control(), 100)
    assert choose(drift, 2.0, 0.01, 0.025, 1.0, 20.0, 1000.0) == expected
