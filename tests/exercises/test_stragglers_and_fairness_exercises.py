"""The checks of the exercises on stragglers and fairness: right answers pass, wrong ones meet the hint that fits."""

import math

import numpy as np
import pytest

from edgedl_lib.exercises import stragglers_and_fairness as checks
from edgedl_lib.training.resources.adsp.rule import commit_interval
from edgedl_lib.training.resources.elfish.merging import merge
from edgedl_lib.training.resources.qffl.strategy import next_model


def merge_neurons(old, trained, masks, weights):
    answer = old.copy()
    for neuron in range(len(old)):
        who = masks[:, neuron]
        if who.any():
            answer[neuron] = np.average(trained[who, neuron], weights=weights[who])
    return answer


WRONG_MERGES = {
    "dilute it": lambda o, t, m, w: np.average(t, axis=0, weights=w),
    "weights of ALL devices": lambda o, t, m, w: (m * t).T @ w / w.sum(),
    "yours becomes zero": lambda o, t, m, w: np.where(m.any(0), merge_neurons(o, t, m, w), 0),
    "count all who trained a neuron alike": lambda o, t, m, w: merge_neurons(o, t, m, np.ones_like(w)),
    "not finite": lambda o, t, m, w: np.full(len(o), np.nan),
    "Return an array of": lambda o, t, m, w: 0.0,
    "is right": lambda o, t, m, w: o,
    "raised ZeroDivisionError": lambda o, t, m, w: 1 // 0,
}


def test_right_merges_pass():
    assert "Right." in repr(checks.check_merge_neurons(merge_neurons))


def test_the_library_merges_alike():
    def by_the_library(old, trained, masks, weights):
        count, none = len(old), np.zeros
        layers = (old[:, None], none(count), none((2, count)), none(2))
        models = (trained[..., None], none(trained.shape), none((len(trained), 2, count)), none((len(trained), 2)))
        return merge(layers, models, masks, weights)[0][:, 0]

    assert "Right." in repr(checks.check_merge_neurons(by_the_library))


@pytest.mark.parametrize("hint", WRONG_MERGES)
def test_wrong_merges_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_merge_neurons(WRONG_MERGES[hint])


def commit_after(goal, done, period, commit_time):
    return max(10.0, period / (goal - done) - commit_time) if goal > done else math.inf


def unless_reached(rule):
    return lambda g, d, p, o: math.inf if g <= d else rule(g, d, p, o)


WRONG_INTERVALS = {
    "MISSING commits": unless_reached(lambda g, d, p, o: max(10.0, p / g - o)),
    "subtract commit_time": unless_reached(lambda g, d, p, o: max(10.0, p / (g - d))),
    "Never less than 10 s": unless_reached(lambda g, d, p, o: p / (g - d) - o),
    "infinity, not the floor": lambda g, d, p, o: 10.0 if g <= d else commit_after(g, d, p, o),
    "number of seconds": lambda g, d, p, o: None,
    "gets math.inf": lambda g, d, p, o: math.nan,
    "is right": lambda g, d, p, o: 59.0,
    "raised ZeroDivisionError": lambda g, d, p, o: p / (g - d),
}


def test_right_intervals_pass():
    assert "Right." in repr(checks.check_commit_after(commit_after))


def test_the_library_commits_alike():
    for goal, done, period, commit_time in checks._workers():
        if period == 60.0:
            assert commit_interval(goal - done, commit_time) == commit_after(goal, done, period, commit_time)


@pytest.mark.parametrize("hint", WRONG_INTERVALS)
def test_wrong_intervals_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_commit_after(WRONG_INTERVALS[hint])


def fair_step(gradients, losses, q, lipschitz, *, power=2, share=1.0):
    bound = share * q * losses ** (q - 1) * np.linalg.norm(gradients, axis=1) ** power + lipschitz * losses**q
    return np.sum((losses**q)[:, None] * gradients, axis=0) / bound.sum()


WRONG_STEPS = {
    "is SQUARED": lambda *c: fair_step(*c, power=1),
    "two parts": lambda *c: fair_step(*c, share=0.0),
    "step of q = 0": lambda g, f, q, c: g.mean(0) / c,
    "SUM of the pulls": lambda g, *c: fair_step(g, *c) / len(g),
    "sign is turned": lambda *c: -fair_step(*c),
    "Return an array of": lambda g, f, q, c: 1.0,
    "is right": lambda g, f, q, c: g[0],
}


def test_right_steps_pass():
    assert "Right." in repr(checks.check_fair_step(fair_step))


def test_the_library_steps_alike():
    def by_the_library(gradients, losses, q, lipschitz):
        start = np.zeros(gradients.shape[1])
        return -next_model(start, -gradients / lipschitz, losses, q, lipschitz)

    assert "Right." in repr(checks.check_fair_step(by_the_library))


@pytest.mark.parametrize("hint", WRONG_STEPS)
def test_wrong_steps_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_fair_step(WRONG_STEPS[hint])
