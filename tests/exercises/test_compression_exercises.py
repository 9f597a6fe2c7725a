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


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def loss(student, teacher, labels, temperature, share, *, power=2, student_t=None, hard_t=1):
    target = np.exp(log_softmax(teacher / temperature))
    soft = -(target * log_softmax(student / (student_t or temperature))).sum(axis=1).mean()
    hard = -log_softmax(student / hard_t)[np.arange(len(labels)), labels].mean()
    return share * temperature**power * soft + (1 - share) * hard


def pseudo_labels(student, teacher, labels, temperature, share):
    best = np.eye(teacher.shape[1])[teacher.argmax(axis=1)]
    soft = -(best * log_softmax(student / temperature)).sum(axis=1).mean()
    hard = -log_softmax(student)[np.arange(len(labels)), labels].mean()
    return share * temperature**2 * soft + (1 - share) * hard


WRONG_LOSSES = {
    r"T\*\*2 of the soft part is missing": lambda *c: loss(*c, power=0),
    "T squared, not T": lambda *c: loss(*c, power=1),
    "must be divided by the temperature too": lambda *c: loss(*c, student_t=1.0),
    "hard part uses temperature 1": lambda *c: loss(*c, hard_t=c[3]),
    "weights are swapped": lambda *c: loss(*c[:4], 1 - c[4]),
    "pseudo-labels": pseudo_labels,
    "Return a number": lambda *c: c[0],
}


def test_the_right_loss_passes():
    assert "Right." in repr(compression.check_distillation_loss(loss))


@pytest.mark.parametrize("hint", WRONG_LOSSES)
def test_wrong_losses_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        compression.check_distillation_loss(WRONG_LOSSES[hint])


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
