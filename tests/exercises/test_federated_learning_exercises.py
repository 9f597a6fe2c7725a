"""The checks on federated averaging: each wrong answer gets the hint that explains it."""

import numpy as np
import pytest

from edgedl_lib.exercises import federated_learning as checks


def average(models, examples, chosen):
    weights = np.array([examples[client] for client in chosen], dtype=float)
    return weights @ np.array([models[client] for client in chosen]) / weights.sum()


def local_steps(examples, epochs, batch):
    return epochs * -(-examples // (batch or examples))


def rounds_to(accuracy, target):
    best = np.maximum.accumulate(accuracy)
    if best[-1] < target:
        return float("inf")
    after = int(np.argmax(best >= target))
    if after == 0:
        return 0.0
    return after - 1 + (target - best[after - 1]) / (best[after] - best[after - 1])


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.check_average, average),
        (checks.check_local_steps, local_steps),
        (checks.check_rounds_to, rounds_to),
    ],
)
def test_right_answers_pass(check, answer):
    assert repr(check(answer)).startswith("Right.")


def first_or_nothing(accuracy, target):
    for number, value in enumerate(accuracy):
        if value >= target:
            return number
    return float("inf")


WRONG = [
    (checks.check_average, lambda m, n, s: np.mean([m[k] for k in s], axis=0), "ten times"),
    (checks.check_average, lambda m, n, s: sum(n[k] / sum(n) * m[k] for k in s), "shrinks"),
    (checks.check_average, lambda m, n, s: average(m, n, range(len(m))), "Only those"),
    (checks.check_average, lambda m, n, s: sum(n[k] * m[k] for k in s), "no average"),
    (checks.check_average, lambda m, n, s: average(m, n, s) + 1e-3, "is right"),
    (checks.check_average, lambda m, n, s: 0.0, "one array"),
    (checks.check_average, lambda m, n, s: m[9], "raised IndexError"),
    (checks.check_local_steps, lambda n, e, b: e * (n // (b or n)), "round up"),
    (checks.check_local_steps, lambda n, e, b: -(-n * e // (b or n)), "Round in every epoch"),
    (checks.check_local_steps, lambda n, e, b: -(-n // (b or n)), "all samples again"),
    (checks.check_local_steps, lambda n, e, b: e * -(-n // (b or 1)), "batches of one"),
    (checks.check_local_steps, lambda n, e, b: 1.5, "whole number"),
    (checks.check_local_steps, lambda n, e, b: 1, "is right"),
    (checks.check_rounds_to, first_or_nothing, "Interpolate between"),
    (checks.check_rounds_to, lambda a, t: checks._crossing(a, t, running=False), "dipped"),
    (checks.check_rounds_to, lambda a, t: rounds_to(a, t) + 1, "BEFORE"),
    (checks.check_rounds_to, lambda a, t: min(rounds_to(a, t), len(a) - 1), "for ever"),
    (checks.check_rounds_to, lambda a, t: None, "number"),
]


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG)
def test_wrong_answers_get_the_hint_that_fits(check, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check(answer)
