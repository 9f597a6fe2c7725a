"""The checks of the exercises on video queries: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import video_queries as checks

WRONG_DEMANDS = {
    "Cores and bits": lambda demand, capacity: max(demand),
    "Not the sum": lambda demand, capacity: float(np.sum(np.divide(demand, capacity))),
    "not the one of least capacity": lambda demand, capacity: demand[int(np.argmin(capacity))] / min(capacity),
    "not the smallest": lambda demand, capacity: float(np.min(np.divide(demand, capacity))),
    "Return a number": lambda demand, capacity: demand,
    "is right": lambda demand, capacity: 0.5,
}


def test_right_demands_pass():
    right = lambda demand, capacity: np.max(np.divide(demand, capacity))  # noqa: E731
    assert "Right." in repr(checks.check_dominant_demand(right))


@pytest.mark.parametrize("hint", WRONG_DEMANDS)
def test_wrong_demands_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_dominant_demand(WRONG_DEMANDS[hint])


def best(moves):
    ranked = sorted(
        (index for index, (gain, _) in enumerate(moves) if gain > 0),
        key=lambda k: (moves[k][1] > 0, -moves[k][0] if moves[k][1] <= 0 else -moves[k][0] / moves[k][1]),
    )
    return ranked[0] if ranked else None


def gaining(moves, key):
    useful = [index for index, (gain, _) in enumerate(moves) if gain > 0]
    return max(useful, key=lambda index: key(*moves[index]), default=None)


WRONG_MOVES = {
    "a bad bargain": lambda moves: gaining(moves, lambda gain, cost: gain),
    "next to nothing": lambda moves: gaining(moves, lambda gain, cost: -cost),
    "before every bargain": lambda moves: gaining(moves, lambda gain, cost: gain / cost if cost else np.inf),
    "never made": lambda moves: max(
        range(len(moves)), key=lambda k: moves[k][0] / moves[k][1] if moves[k][1] else np.inf, default=None
    ),
    "you choose": lambda moves: 0 if moves else None,
    "whole number": lambda moves: 0.5,
}


def test_right_moves_pass():
    assert "Right." in repr(checks.check_next_move(best))


@pytest.mark.parametrize("hint", WRONG_MOVES)
def test_wrong_moves_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_next_move(WRONG_MOVES[hint])


def blind(planned, sent, capacity):
    return np.mean(planned) * (1 if sum(sent) <= capacity else capacity / sum(sent))


WRONG_BLIND = {
    "at most one": lambda p, s, c: np.mean(p) * (c / sum(s) if sum(s) else 1),
    "add what they send": lambda p, s, c: np.mean(
        [q * (1 if each <= c else c / each) for q, each in zip(p, s, strict=True)]
    ),
    "not what comes out": lambda p, s, c: np.mean(p),
    "number of queries": lambda p, s, c: blind(p, s, c) * len(p),
    "is right": lambda p, s, c: 0.0,
}


def test_right_accuracies_pass():
    assert "Right." in repr(checks.check_accuracy_of_blind_plan(blind))


@pytest.mark.parametrize("hint", WRONG_BLIND)
def test_wrong_accuracies_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_accuracy_of_blind_plan(WRONG_BLIND[hint])
