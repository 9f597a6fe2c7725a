"""Checks for the exercises of the chapter on early exit.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, number, require

RANDOM_INSTANCES = 40
TOLERANCE = 1e-9


def check_expected_cost(expected_cost: Callable[..., float]) -> Passed:
    """Check ``expected_cost(shares, segments, branches)``: mean cost of a sample of a network with exits.

    All three are arrays (exits,): shares of the samples that leave, cost of the trunk up to each exit from the one
    before, cost of each exit's own layers.

    Examples
    --------
    >>> def expected_cost(shares, segments, branches):
    ...     return float(shares @ np.cumsum(segments + branches))
    >>> check_expected_cost(expected_cost)
    Right. A sample that passes a branch without leaving has paid for it.
    """
    cases = _networks()
    answers = [number(ask(expected_cost, *map(np.copy, case))) for case in cases]
    wrong = {
        "The branches cost something too: the published timing leaves them out.": lambda q, s, b: q @ np.cumsum(s),
        "A sample pays for every branch that it passes, not only for the one where it leaves.": _own_branch_only,
        "A sample that leaves at exit n has run all segments up to n, not only the last one.": lambda q, s, b: (
            q @ (s + b)
        ),
        "You count every sample through the whole network.": lambda q, s, b: np.sum(s + b),
    }
    rights = [float(q @ np.cumsum(s + b)) for q, s, b in cases]
    if np.allclose(answers, rights, rtol=TOLERANCE):
        return Passed("A sample that passes a branch without leaving has paid for it.")
    explain([(np.allclose(answers, [rule(*c) for c in cases], rtol=TOLERANCE), hint) for hint, rule in wrong.items()])
    index = int(np.argmax(~np.isclose(answers, rights, rtol=TOLERANCE)))
    shares, segments, branches = (part.tolist() for part in cases[index])
    raise AssertionError(
        f"For shares {shares}, segments {segments}, branches {branches} you answer {answers[index]:g}, "
        f"but {rights[index]:g} is right."
    )


@dataclass(frozen=True)
class _Validation:
    entropy: np.ndarray
    right_at_branch: np.ndarray
    right_at_end: np.ndarray
    allowed_loss: float

    def accuracy(self, threshold: float) -> float:
        leaves = self.entropy < threshold
        return float(np.where(leaves, self.right_at_branch, self.right_at_end).mean())

    def share(self, threshold: float) -> float:
        return float((self.entropy < threshold).mean())

    @property
    def floor(self) -> float:
        return float(self.right_at_end.mean()) - self.allowed_loss


def check_threshold(choose_threshold: Callable[..., float]) -> Passed:
    """Check ``choose_threshold(entropy, right_at_branch, right_at_end, allowed_loss)`` for one branch.

    Arrays (n,) over validation samples: entropy at the branch (nats), and whether branch and end are right.  The answer
    is a threshold with the largest possible share of exits among those whose accuracy is at least that of the end minus
    `allowed_loss`.  A sample leaves when its entropy is strictly below the threshold.

    Examples
    --------
    >>> def choose_threshold(entropy, right_at_branch, right_at_end, allowed_loss):
    ...     candidates = np.append(np.unique(entropy), np.inf)
    ...     accuracy = [np.where(entropy < t, right_at_branch, right_at_end).mean() for t in candidates]
    ...     good = np.array(accuracy) >= right_at_end.mean() - allowed_loss - 1e-12
    ...     return float(candidates[good].max())
    >>> check_threshold(choose_threshold)
    Right. Between two neighbouring entropies nothing changes, so n + 1 candidates are all there are.
    """
    splits = _validation_splits()
    answers = [_threshold_of(choose_threshold, split) for split in splits]
    for split, answer in zip(splits, answers, strict=True):
        require(_allowed(split, answer), "On some validation split your threshold loses more accuracy than allowed.")
    shares = [split.share(answer) for split, answer in zip(splits, answers, strict=True)]
    best = [max(split.share(t) for t in _candidates(split) if _allowed(split, t)) for split in splits]
    if _equal(shares, best):
        return Passed("Between two neighbouring entropies nothing changes, so n + 1 candidates are all there are.")
    wrong = {
        "Threshold 0 lets nobody leave: nothing is saved.": lambda split: 0.0,
        "You stop at the first threshold that fails; accuracy is not monotone, a larger one may pass.": _first_failure,
        "A fixed grid misses thresholds between its points; try every distinct entropy, and infinity.": _grid_share,
    }
    explain([(_equal(shares, [rule(split) for split in splits]), hint) for hint, rule in wrong.items()])
    index = next(i for i, (a, b) in enumerate(zip(shares, best, strict=True)) if abs(a - b) > TOLERANCE)
    raise AssertionError(
        f"With {len(splits[index].entropy)} samples and {splits[index].allowed_loss:g} allowed, your threshold "
        f"{answers[index]:g} lets {shares[index]:.3f} leave; {best[index]:.3f} is possible."
    )


def check_calibration_error(expected_calibration_error: Callable[..., float]) -> Passed:
    """Check ``expected_calibration_error(confidence, right, bins)``: mean distance of confidence from accuracy.

    `confidence` (n,) in [0, 1], `right` (n,) booleans; a confidence on an inner edge belongs to the lower bin, 0 to the
    first one.

    Examples
    --------
    >>> def expected_calibration_error(confidence, right, bins):
    ...     place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    ...     gaps = [abs(confidence[place == b].sum() - right[place == b].sum()) for b in range(bins)]
    ...     return sum(gaps) / len(confidence)
    >>> check_calibration_error(expected_calibration_error)
    Right. A bin counts by its samples: an empty one says nothing, a full one nearly everything.
    """
    cases = [(*case, _calibration_error(*case)) for case in _predictions()]
    answers = [number(ask(expected_calibration_error, *map(np.copy, case[:2]), case[2])) for case in cases]
    wrong = {
        "Weigh each bin by its samples, not all bins alike.": lambda c, r, b: _calibration_error(
            c, r, b, weighted=False
        ),
        "Compare means within each bin; over all samples the errors cancel.": lambda c, r, b: abs(c.mean() - r.mean()),
        "Compare with the share of RIGHT answers.": lambda c, r, b: _calibration_error(c, ~r, b),
        "A confidence on an inner edge belongs to the lower bin.": lambda c, r, b: _calibration_error(
            c, r, b, upper=True
        ),
        "Single samples have no calibration: average within bins first.": lambda c, r, b: np.abs(c - r).mean(),
    }
    compare(answers, cases, wrong, "")
    return Passed("A bin counts by its samples: an empty one says nothing, a full one nearly everything.")


def _calibration_error(confidence, right, bins, *, weighted=True, upper=False) -> float:
    scaled = confidence * bins
    place = np.floor(scaled).astype(int) if upper else np.ceil(scaled).astype(int) - 1
    place = np.clip(place, 0, bins - 1)
    full = [index for index in range(bins) if (place == index).any()]
    gaps = [abs(confidence[place == index].mean() - right[place == index].mean()) for index in full]
    return float(np.average(gaps, weights=[(place == index).sum() for index in full] if weighted else None))


def _predictions() -> list[tuple[np.ndarray, np.ndarray, int]]:
    generator = np.random.default_rng(13)
    known = [([0.5], [True], 2), ([0.5, 0.5], [True, False], 4), ([0.0, 1.0], [False, True], 8)]
    cases = [(np.array(confidence), np.array(right), bins) for confidence, right, bins in known]
    for _ in range(RANDOM_INSTANCES):
        confidence = np.round(16 * generator.beta(4, 1, 80)) / 16  # edges without rounding errors
        cases.append((confidence, generator.random(80) < 0.7 * confidence, int(generator.choice([4, 8]))))
    return cases


def _networks() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(8)
    cases = [([1.0], [5.0], [0.0]), ([1.0, 0.0], [4.0, 6.0], [1.0, 0.0]), ([0.0, 1.0], [4.0, 6.0], [1.0, 0.0])]
    cases = [tuple(map(np.array, case)) for case in cases]
    for _ in range(RANDOM_INSTANCES):
        exits = int(generator.integers(2, 6))
        costs = generator.integers(1, 50, (2, exits)).astype(float)
        cases.append((generator.dirichlet(np.ones(exits)), *costs))
    return cases


def _own_branch_only(shares: np.ndarray, segments: np.ndarray, branches: np.ndarray) -> float:
    return shares @ (np.cumsum(segments) + branches)


def _validation_splits() -> list[_Validation]:
    generator = np.random.default_rng(9)
    splits = [
        _Validation(np.array([0.5]), np.array([False]), np.array([True]), 0.0),
        _Validation(np.array([0.5, 0.5]), np.array([True, True]), np.array([True, False]), 0.0),
        _Validation(np.zeros(4), np.array([True] * 4), np.array([True] * 4), 0.0),
    ]
    for _ in range(RANDOM_INSTANCES):
        entropy = np.round(generator.exponential(0.5, 60), 2)
        right_at_branch = generator.random(60) < np.exp(-0.6 * entropy)
        splits.append(
            _Validation(entropy, right_at_branch, generator.random(60) < 0.85, generator.choice([0, 0.02, 0.1]))
        )
    return splits


def _candidates(split: _Validation) -> np.ndarray:
    return np.append(np.unique(split.entropy), np.inf)


def _allowed(split: _Validation, threshold: float) -> bool:
    return split.accuracy(threshold) >= split.floor - TOLERANCE


def _threshold_of(choose: Callable, split: _Validation) -> float:
    arrays = (split.entropy.copy(), split.right_at_branch.copy(), split.right_at_end.copy())
    answer = ask(choose, *arrays, float(split.allowed_loss))
    require(
        np.ndim(answer) == 0 and np.issubdtype(np.asarray(answer).dtype, np.number), f"Return a number, not {answer!r}."
    )
    require(answer >= 0, f"A threshold of entropy is at least 0 nats, you return {answer}.")
    return float(answer)


def _first_failure(split: _Validation) -> float:
    share = 0.0
    for threshold in _candidates(split):
        if not _allowed(split, threshold):
            break
        share = split.share(threshold)
    return share


def _grid_share(split: _Validation) -> float:
    return max((split.share(t) for t in np.linspace(0, 2.5, 26) if _allowed(split, t)), default=0.0)


def _equal(first: Sequence[float], second: Sequence[float]) -> bool:
    return bool(np.allclose(first, second, atol=TOLERANCE))
