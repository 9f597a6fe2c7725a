"""The checks of the compression exercises: right answers pass, typical wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import compression


def entries(positions, bits, *, first=-1, reach=0):
    gaps = np.diff(positions, prepend=first)
    return int(np.sum(np.ceil(gaps / (2**bits + reach))))


WRONG_ENTRIES = {
    "Fillers are missing": lambda p, b: len(p),
    "several fillers, not one": lambda p, b: len(p) + int(np.sum(np.diff(p, prepend=-1) > 2**b)),
    "exactly 2\\*\\*bits still fits": lambda p, b: entries(p, b, reach=-1),
    "from place -1": lambda p, b: (1 + int(np.sum(np.ceil(np.diff(p) / 2**b)))) if len(p) else 0,
    "Return a whole number": lambda p, b: 1.5,
    "raised ZeroDivisionError": lambda p, b: 1 // 0,
    r"For \(\[0\], 3\) you answer 7": lambda p, b: 7 * len(p),
}


def test_the_right_count_passes():
    assert "Right." in repr(compression.check_stored_entries(entries))


@pytest.mark.parametrize("hint", WRONG_ENTRIES)
def test_wrong_counts_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        compression.check_stored_entries(WRONG_ENTRIES[hint])


def front(costs, sign=1):
    costs = sign * costs
    beaten = [np.any((costs <= row).all(axis=1) & (costs < row).any(axis=1)) for row in costs]
    return np.flatnonzero(~np.array(beaten))


def without_twins(costs):
    return [i for i in front(costs) if not any(np.array_equal(costs[i], costs[j]) for j in range(i))]


WRONG_FRONTS = {
    "smaller is better": lambda costs: front(costs, -1),
    "ties in one column": lambda costs: [i for i, row in enumerate(costs) if not (costs < row).all(axis=1).any()],
    "keep both": without_twins,
    "chooses one model": lambda costs: [int(costs.sum(axis=1).argmin())],
    "is beaten by another": lambda costs: list(range(len(costs))),
    "is beaten by none": lambda costs: [],
    "not a mask": lambda costs: np.ones(len(costs), bool),
    "Row numbers lie between": lambda costs: [len(costs)],
}


def test_the_right_front_passes():
    assert "Right." in repr(compression.check_pareto(front))


@pytest.mark.parametrize("hint", WRONG_FRONTS)
def test_wrong_fronts_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        compression.check_pareto(WRONG_FRONTS[hint])


WRONG_RANKS = {
    "At equality nothing is saved": lambda m, n: m * n // (m + n),
    "full rank always costs more": min,
    "Both factors cost something": lambda m, n: (m * n - 1) // m,
    "Rounding up": lambda m, n: int(np.ceil(m * n / (m + n))),
    "Return a whole number": lambda m, n: m * n / (m + n),
}


def test_the_right_rank_passes():
    assert "Right." in repr(compression.check_useful_rank(lambda m, n: (m * n - 1) // (m + n)))


@pytest.mark.parametrize("hint", WRONG_RANKS)
def test_wrong_ranks_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        compression.check_useful_rank(WRONG_RANKS[hint])
