"""Checks for the exercises of the chapter on hardware profiling.

Each check takes the learner's own function, tries it on several cases, degenerate ones among them, and answers with a
hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, explain, require

PRUNING_CASES = ((32, 25, 0.2, 8), (16, 10, 0.1, 16), (8, 8, 1.0, 2), (12, 5, 0.4, 1))  # rows, columns, density, N


def check_roofline(attainable: Callable[[float, float, Any], Any]) -> Passed:
    """Check ``attainable(peak, bandwidth, intensity)``: the height of a roofline (FLOP/s).

    `peak` is in FLOP/s, `bandwidth` in byte/s, `intensity` in FLOP/byte, one number or an array.

    Examples
    --------
    >>> check_roofline(lambda peak, bandwidth, intensity: np.minimum(peak, bandwidth * np.asarray(intensity)))
    Right. Below the ridge the memory sets the pace, above it the arithmetic.
    """
    peak, bandwidth = 365.2e9, 14.9e9  # Jetson TK1
    ridge = peak / bandwidth
    _explain_roofline(attainable, peak, bandwidth)
    at_ridge = _number(attainable, peak, bandwidth, ridge)
    require(_close(at_ridge, peak), "At the ridge both limits are equal to the peak.")
    require(_number(attainable, peak, bandwidth, 0.0) == 0, "A kernel of intensity 0 computes nothing: its rate is 0.")
    intensities = np.array([0.5, ridge, 2000.0])
    answer = np.asarray(ask(attainable, peak, bandwidth, intensities), dtype=float)
    right = answer.shape == (3,) and np.allclose(answer, np.minimum(peak, bandwidth * intensities))
    require(right, "One number works, an array of intensities does not: use numpy.minimum instead of min.")
    return Passed("Below the ridge the memory sets the pace, above it the arithmetic.")


def _explain_roofline(attainable: Callable, peak: float, bandwidth: float) -> None:
    low = _number(attainable, peak, bandwidth, 1.0)
    high = _number(attainable, peak, bandwidth, 10 * peak / bandwidth)
    mistakes = [
        (_close(low, peak) and _close(high, 10 * peak), "That is the larger of the two limits; both must hold."),
        (
            _close(low, bandwidth / 2),
            "Half of what I expect: intensity is in FLOP per byte, and a multiply-add is two.",
        ),
        (_close(high, 2 * peak), "Twice the peak: the peak already counts a multiply-add as two FLOP."),
        (_close(high, 10 * peak), "Far right of the ridge the rate must not exceed the peak."),
        (_close(low, peak), "At 1 FLOP/byte this board cannot reach its peak: its memory is too slow."),
        (_close(low, 4 * bandwidth), "Intensity is already per byte: do not multiply by the size of a float."),
        (not _close(low, bandwidth), f"At 1 FLOP/byte I expect {bandwidth:.3g} FLOP/s, you answer {low:.3g}."),
        (not _close(high, peak), f"Far right of the ridge I expect {peak:.3g} FLOP/s, you answer {high:.3g}."),
    ]
    explain(mistakes)


def check_largest_batch(largest_batch: Callable[[float, float, float], int]) -> Passed:
    """Check ``largest_batch(deadline, item_seconds, weight_seconds)``: how many items may share one pass.

    A pass over `b` items takes ``max(b * item_seconds, weight_seconds)``: the arithmetic and the reading of the weights
    overlap, and the slower of the two is what one waits for. The answer is a whole number, 0 if no batch is in time.

    Examples
    --------
    >>> def largest_batch(deadline, item_seconds, weight_seconds):
    ...     return 0 if weight_seconds > deadline else int(deadline // item_seconds)
    >>> check_largest_batch(largest_batch)
    Right. While the weights are being read, a larger batch costs nothing; then the deadline rations it.
    """
    cases = [(8.0, 0.5, 2.0), (8.0, 3.0, 2.0), (8.0, 0.5, 8.0), (8.0, 0.5, 9.0), (0.25, 0.5, 0.125), (8.0, 8.0, 1.0)]
    answers = [_number(largest_batch, *case) for case in cases]
    _explain_batches(answers)
    for (deadline, item, weights), answer in zip(cases, answers, strict=True):
        right = 0 if weights > deadline else int(deadline // item)
        called = f"largest_batch({deadline}, {item}, {weights})"
        require(answer == right, f"{called} should be {right}, you answer {answer:g}.")
    return Passed("While the weights are being read, a larger batch costs nothing; then the deadline rations it.")


def _explain_batches(answers: Sequence[float]) -> None:
    mistakes = [
        (answers[0] == 12, "You add the two times: they overlap, so take the larger."),
        (answers[0] == 4, "That is where the pass stops being memory-bound, not where it meets the deadline."),
        (answers[1] > 2 and answers[1] <= 3, "A third item would be late: round down to whole items."),
        (answers[3] > 0, "If reading the weights alone is late, no batch is in time: answer 0."),
        (answers[4] > 0, "If a single item is late, no batch is in time: answer 0, not 1."),
    ]
    explain(mistakes)


def check_balanced_pruning(prune: Callable[[np.ndarray, float, int], np.ndarray]) -> Passed:
    """Check ``prune(weights, density, elements)``: the mask that ESE's load-balance-aware pruning keeps.

    Row ``i`` belongs to processing element ``i % elements``. Each element keeps the same number of weights, the largest
    of its own in magnitude; `density` is the share kept. The cases divide evenly.

    Examples
    --------
    >>> from edgedl_lib.offloading.platform.load_balance import prune_balanced
    >>> check_balanced_pruning(prune_balanced)
    Right. Every element keeps equally many weights, so none waits for the fullest.
    """
    rng = np.random.default_rng(7)
    for rows, columns, density, elements in PRUNING_CASES:
        size_of_row = rng.uniform(0.2, 3.0, (rows, 1))  # rows differ in scale, or one threshold would be balanced too
        _check_mask(prune, size_of_row * rng.standard_normal((rows, columns)), density, elements)
    return Passed("Every element keeps equally many weights, so none waits for the fullest.")


def _check_mask(prune: Callable, weights: np.ndarray, density: float, elements: int) -> None:
    before = weights.copy()
    mask = np.asarray(ask(prune, weights, density, elements))
    require(np.array_equal(weights, before), "Your function changes the weights it was given: work on a copy.")
    require(mask.shape == weights.shape, f"The mask has shape {mask.shape}, the weights have {weights.shape}.")
    kept, right = mask != 0, _balanced_mask(weights, density, elements)
    if np.array_equal(kept, right):
        return
    count = f"At density {density} you keep {kept.sum()} of {weights.size} weights, not {right.sum()}."
    require(kept.sum() == right.sum(), count)
    _explain_mask(kept, weights, density, elements)


def _explain_mask(kept: np.ndarray, weights: np.ndarray, density: float, elements: int) -> None:
    loads = [int(kept[element::elements].sum()) for element in range(elements)]
    blocks = [_largest(block, density) for block in np.array_split(np.abs(weights), elements)]
    mistakes = [
        (
            np.array_equal(kept, _largest(np.abs(weights), density)),
            "That is one threshold for the whole matrix: the elements are left with different loads.",
        ),
        (
            np.array_equal(kept, np.concatenate(blocks)),
            "You deal the rows in blocks; row i belongs to element i % elements: take weights[element::elements].",
        ),
        (
            max(loads) > min(loads),
            f"The elements keep {min(loads)} to {max(loads)} weights: each should keep the same number.",
        ),
        (
            np.ptp(kept.sum(axis=1)) == 0,
            "You keep the same number in every row: that is stricter than ESE, whose elements own many rows.",
        ),
        (
            np.array_equal(kept, _balanced_mask(weights, density, elements, signed=True)),
            "Large negative weights matter as much as large positive ones: compare magnitudes.",
        ),
        (True, "The loads are equal, but other weights than each element's largest magnitudes are kept."),
    ]
    explain(mistakes)


def _balanced_mask(weights: np.ndarray, density: float, elements: int, signed: bool = False) -> np.ndarray:
    values = weights if signed else np.abs(weights)
    mask = np.zeros(weights.shape, dtype=bool)
    for element in range(elements):
        mask[element::elements] = _largest(values[element::elements], density)
    return mask


def _largest(values: np.ndarray, density: float) -> np.ndarray:
    mask = np.zeros(values.size, dtype=bool)
    mask[np.argsort(values, axis=None)[values.size - round(density * values.size) :]] = True
    return mask.reshape(values.shape)


def _number(function: Callable, *arguments: float) -> float:
    answer = ask(function, *arguments)
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise AssertionError(f"Your function answers {answer!r} for {arguments}; a number is expected.") from None


def _close(left: float, right: float) -> bool:
    return bool(np.isclose(left, right, rtol=1e-9, atol=0.0))
