"""The checks of the small-network exercises: right answers pass, typical wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import small_networks


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
    assert "Right." in repr(small_networks.check_distillation_loss(loss))


@pytest.mark.parametrize("hint", WRONG_LOSSES)
def test_wrong_losses_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        small_networks.check_distillation_loss(WRONG_LOSSES[hint])


def dot(a, b, n, *, masked=True, factor=2, sign=1):
    different = (a ^ b) & ((1 << n) - 1) if masked else a ^ b
    return sign * (n - factor * different.bit_count())


WRONG_DOTS = {
    "counts twice": lambda *c: dot(*c, factor=1),
    "mask them": lambda *c: dot(*c, masked=False),
    "signs that DIFFER": lambda *c: dot(*c, sign=-1),
    "two times -1": lambda a, b, n: (a & b & ((1 << n) - 1)).bit_count(),
    "Return a whole number": lambda *c: float(dot(*c)),
    "is right": lambda *c: 0,
}


def test_the_right_dot_passes():
    assert "Right." in repr(small_networks.check_packed_dot(dot))


@pytest.mark.parametrize("hint", WRONG_DOTS)
def test_wrong_dots_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        small_networks.check_packed_dot(WRONG_DOTS[hint])


def separable(c, f, k, s, w):
    return s * s * int(w * c) * (k * k + int(w * f))


WRONG_COUNTS = {
    "one here, not two": lambda *c: 2 * separable(*c),
    "thins the filters too": lambda c, f, k, s, w: separable(int(w * c), f, k, s, 1),
    "thins the input channels too": lambda c, f, k, s, w: separable(c, int(w * f), k, s, 1),
    "not a factor of the sum": lambda c, f, k, s, w: int(w * separable(c, f, k, s, 1)),
    "standard convolution": lambda c, f, k, s, w: s * s * k * k * int(w * c) * int(w * f),
    "depth-wise part is missing": lambda c, f, k, s, w: s * s * int(w * c) * int(w * f),
    "point-wise part is missing": lambda c, f, k, s, w: s * s * int(w * c) * k * k,
    "raised TypeError": lambda *c: None + 1,
}


def test_the_right_count_passes():
    assert "Right." in repr(small_networks.check_separable_mac(separable))


@pytest.mark.parametrize("hint", WRONG_COUNTS)
def test_wrong_counts_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        small_networks.check_separable_mac(WRONG_COUNTS[hint])
