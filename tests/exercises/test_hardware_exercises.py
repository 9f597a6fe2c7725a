"""Exercises of the hardware chapter: a right answer passes, typical wrong ones get their own hint."""

import numpy as np
import pytest

from edgedl_lib.exercises.hardware_profiling import check_balanced_pruning, check_largest_batch, check_roofline
from edgedl_lib.offloading.platform.load_balance import prune, prune_balanced


def right_roofline(peak, bandwidth, intensity):
    return np.minimum(peak, bandwidth * np.asarray(intensity))


ROOFLINE_MISTAKES = {
    "maximum": (lambda p, b, i: np.maximum(p, b * np.asarray(i)), "larger of the two"),
    "no compute roof": (lambda p, b, i: b * np.asarray(i), "must not exceed the peak"),
    "no memory roof": (lambda p, b, i: p + 0 * np.asarray(i), "memory is too slow"),
    "multiply-adds": (lambda p, b, i: np.minimum(p, b * np.asarray(i) / 2), "multiply-add is two"),
    "peak counted twice": (lambda p, b, i: np.minimum(2 * p, b * np.asarray(i)), "already counts"),
    "float size": (lambda p, b, i: np.minimum(p, 4 * b * np.asarray(i)), "size of a float"),
    "scalars only": (lambda p, b, i: min(p, b * i), "numpy.minimum|raised"),
    "returns nothing": (lambda p, b, i: None, "a number is expected"),
    "crashes": (lambda p, b, i: p / (b * i - b), "raised ZeroDivisionError"),
}


def test_a_right_roofline_passes_and_says_what_it_means():
    assert "ridge" in repr(check_roofline(right_roofline))


@pytest.mark.parametrize("mistake", ROOFLINE_MISTAKES)
def test_wrong_rooflines_get_a_hint(mistake):
    function, hint = ROOFLINE_MISTAKES[mistake]
    with pytest.raises(AssertionError, match=hint):
        check_roofline(function)


def right_batch(deadline, item_seconds, weight_seconds):
    return 0 if weight_seconds > deadline else int(deadline // item_seconds)


BATCH_MISTAKES = {
    "times added": (lambda d, c, w: max(0, int((d - w) // c)), "overlap"),
    "ridge instead of deadline": (lambda d, c, w: int(w // c), "memory-bound"),
    "rounded up": (lambda d, c, w: 0 if w > d else int(np.ceil(d / c)), "round down"),
    "not whole": (lambda d, c, w: 0 if w > d else d / c, "round down"),
    "weights ignored": (lambda d, c, w: int(d // c), "answer 0"),
    "at least one": (lambda d, c, w: 0 if w > d else max(1, int(d // c)), "not 1"),
}


def test_a_right_batch_passes():
    assert repr(check_largest_batch(right_batch)).startswith("Right.")


@pytest.mark.parametrize("mistake", BATCH_MISTAKES)
def test_wrong_batches_get_a_hint(mistake):
    function, hint = BATCH_MISTAKES[mistake]
    with pytest.raises(AssertionError, match=hint):
        check_largest_batch(function)


def in_blocks(weights, density, elements):
    return np.concatenate([prune(block, density) for block in np.array_split(weights, elements)])


def by_sign(weights, density, elements):
    return prune_balanced(np.exp(weights), density, elements)


def per_row(weights, density, elements):
    return np.stack([prune(row[None], density)[0] for row in weights])


def smallest(weights, density, elements):
    return prune_balanced(1 / weights, density, elements)


def in_place(weights, density, elements):
    mask = prune_balanced(weights, density, elements)
    weights *= mask
    return mask


PRUNING_MISTAKES = {
    "one threshold": (lambda w, d, n: prune(w, d), "one threshold"),
    "blocks": (in_blocks, "blocks"),
    "sign": (by_sign, "magnitudes"),
    "per row": (per_row, "every row"),
    "smallest": (smallest, "largest magnitudes"),
    "density reversed": (lambda w, d, n: prune_balanced(w, max(1 - d, 0.1), n), "you keep"),
    "changes its input": (in_place, "work on a copy"),
    "transposed": (lambda w, d, n: prune_balanced(w, d, n).T, "shape"),
}


def test_right_pruning_passes_as_mask_and_as_weights():
    assert repr(check_balanced_pruning(prune_balanced)).startswith("Right.")
    check_balanced_pruning(lambda weights, density, elements: weights * prune_balanced(weights, density, elements))


@pytest.mark.parametrize("mistake", PRUNING_MISTAKES)
def test_wrong_pruning_gets_a_hint(mistake):
    function, hint = PRUNING_MISTAKES[mistake]
    with pytest.raises(AssertionError, match=hint):
        check_balanced_pruning(function)
