"""The checks of the exercises on federated learning at scale: right answers pass, wrong ones meet their hint."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from edgedl_lib.exercises import federated_scale as checks
from edgedl_lib.training.vanilla.pace.over_selection import least_factor
from edgedl_lib.training.vanilla.pace.rounds import RoundRules, first_come, hold_round


def window(devices, eligible, need, period):
    mean = devices * eligible / need * period
    return period, period + 2 * max(0, mean - period)


WRONG_WINDOWS = {
    "multiply the population by their share": lambda d, e, n, p: window(d, 1, n, p),
    "twice as long": lambda d, e, n, p: (p, p + max(0, d * e / n * p - p)),
    "exactly one round from now": lambda d, e, n, p: (p, p + 2 * (d * e / n * p - p)),
    "begins there, not now": lambda d, e, n, p: (0, 2 * d * e / n * p),
    "multiply the rounds by the period": lambda d, e, n, p: window(d, e, n, 1),
    "ends at twice the mean": lambda d, e, n, p: (p, max(p, 2 * d * e / n * p)),
    "divide by `need`": lambda d, e, n, p: window(d, e, 1, p),
    "Return two numbers": lambda d, e, n, p: p,
    "Return a number": lambda d, e, n, p: ("a", "b"),
    "is right": lambda d, e, n, p: (p, p),
    "raised ZeroDivisionError": lambda d, e, n, p: (p, p / e),
}


def test_right_windows_pass():
    assert "Right." in repr(checks.check_return_window(window))
    assert "Right." in repr(checks.check_return_window(lambda *case: np.array(window(*case))))


@pytest.mark.parametrize("hint", WRONG_WINDOWS)
def test_wrong_windows_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_return_window(WRONG_WINDOWS[hint])


def seats(target, drop_out, certainty, *, more=0):
    chosen = target
    while binom.sf(target - 1 + more, chosen, 1 - drop_out) < certainty:
        chosen += 1
    return chosen


WRONG_SEATS = {
    "right on average only": lambda t, d, c: math.ceil(round(t / (1 - d), 9)),
    "rounded down": lambda t, d, c: math.floor(t / (1 - d)),
    "the added ones drop out too": lambda t, d, c: math.ceil(round(t * (1 + d), 9)),
    "AT LEAST the target": lambda t, d, c: seats(t, d, c, more=1),
    "some do": lambda t, d, c: t,
    "one more than necessary": lambda t, d, c: seats(t, d, c) + 1,
    "Return a whole number": lambda t, d, c: t / (1 - d),
    "is right": lambda t, d, c: 2 * t,
    "raised OverflowError": lambda t, d, c: seats(t, d, c) if d else int(math.inf),
}


@pytest.mark.parametrize("right", [seats, lambda t, d, c: round(t * least_factor(t, d, c))])
def test_right_seats_pass(right):
    assert "Right." in repr(checks.check_seats(right))


@pytest.mark.parametrize("hint", WRONG_SEATS)
def test_wrong_seats_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_seats(WRONG_SEATS[hint])


def close(reports, target, fewest, limit, *, order=sorted, least=None, strict=False):
    in_time = order([time for time in reports if time < limit or (time == limit and not strict)])
    if len(in_time) >= target:
        return in_time[target - 1], target
    return limit, len(in_time) if len(in_time) >= (fewest if least is None else least(target)) else 0


def by_the_library(reports, target, fewest, limit):
    times = np.array(reports, dtype=float)
    rules = RoundRules(max(target, 1), max(target, len(times), 1), fewest, 0.0, limit)
    if len(times) < fewest:
        return limit, 0
    outcome = hold_round(np.zeros(len(times)), times, rules, np.random.default_rng(0), first_come)
    return outcome.seconds, len(outcome.counted)


def at_the_limit(reports, target, fewest, limit):
    in_time = [time for time in reports if time <= limit]
    return limit, min(len(in_time), target) if len(in_time) >= fewest else 0


def with_all_in_time(reports, target, fewest, limit):
    in_time = [time for time in reports if time <= limit]
    return limit, len(in_time) if len(in_time) >= fewest else 0


WRONG_ENDS = {
    "exactly the limit counts": lambda *case: close(*case, strict=True),
    "do not wait for the limit": at_the_limit,
    "later ones do not count": with_all_in_time,
    "sort them first": lambda *case: close(*case, order=list),
    "is abandoned, and none counts": lambda *case: close(*case, least=lambda target: 0),
    "the target is not needed": lambda *case: close(*case, least=lambda target: target),
    "Return two numbers": lambda reports, *rest: reports,
    "is right": lambda reports, target, fewest, limit: (limit, 0),
    "raised ValueError": lambda reports, target, fewest, limit: (max(reports), target),
}


@pytest.mark.parametrize("right", [close, by_the_library])
def test_right_ends_pass(right):
    assert "Right." in repr(checks.check_close_round(right))


@pytest.mark.parametrize("hint", WRONG_ENDS)
def test_wrong_ends_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_close_round(WRONG_ENDS[hint])
