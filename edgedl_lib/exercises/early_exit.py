"""Checks for the exercises of the chapter on early exit.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, explain, require

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
    answers = [_number(ask(expected_cost, *map(np.copy, case))) for case in cases]
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
    best = [max(split.share(t) for t in _candidates(split) if _allowed(split, t)) for split in splits]
    pairs = list(zip(splits, answers, strict=True))
    shares = [split.share(answer) for split, answer in pairs]
    explain(
        [
            (
                any(not _allowed(split, answer) for split, answer in pairs),
                "On some validation split your threshold loses more accuracy than allowed.",
            ),
            (all(answer == 0 for answer in answers), "Threshold 0 lets nobody leave: nothing is saved."),
            (
                _equal(shares, [_first_failure(split) for split in splits]) and not _equal(shares, best),
                "You stop at the first threshold that fails; accuracy is not monotone, a larger one may pass again.",
            ),
            (
                _equal(shares, [_grid_share(split) for split in splits]) and not _equal(shares, best),
                "A fixed grid misses thresholds between its points; try every distinct entropy, and infinity.",
            ),
        ]
    )
    if _equal(shares, best):
        return Passed("Between two neighbouring entropies nothing changes, so n + 1 candidates are all there are.")
    index = next(i for i, (a, b) in enumerate(zip(shares, best, strict=True)) if abs(a - b) > TOLERANCE)
    raise AssertionError(
        f"With {len(splits[index].entropy)} samples and {splits[index].allowed_loss:g} allowed, your threshold "
        f"{answers[index]:g} lets {shares[index]:.3f} leave; {best[index]:.3f} is possible."
    )


def check_co_inference(best_partition: Callable[..., int]) -> Passed:
    """Check ``best_partition(server, device, sizes, rate)``: Edgent's fastest partition point p of one branch.

    The **server** runs the first p - 1 layers and the device the rest, p = 1, ..., N + 1; `server` and `device` are
    seconds (N,), `sizes` bytes (N + 1,): the input, then each layer's output; `rate` is bit/s both ways.

    Examples
    --------
    >>> def best_partition(server, device, sizes, rate):
    ...     latencies = []
    ...     for p in range(1, len(server) + 2):
    ...         sent = 0 if p == 1 else sizes[0] + sizes[p - 1]
    ...         latencies.append(sum(server[: p - 1]) + sum(device[p - 1 :]) + 8 * sent / rate)
    ...     return 1 + int(np.argmin(latencies))
    >>> check_co_inference(best_partition)
    Right. The input goes up and the intermediate tensor comes down, unless the device does it all.
    """
    cases = _branches()
    answers = [_point(ask(best_partition, *map(np.copy, case[:3]), case[3]), len(case[0])) for case in cases]
    wrong = {
        "The server runs the FIRST layers and the device the rest; you have it the other way round.": _latency_reversed,
        "The input goes up for every p but 1; charged always or never, it decides nothing.": _no_input,
        "The intermediate tensor must come down to the device.": lambda *c: _latency(*c, down=0),
        "Bytes over a rate in bit/s: a factor of eight is missing.": lambda *c: _latency(*c, bits=1),
    }
    if all(_is_best(_latency(*case), p) for case, p in zip(cases, answers, strict=True)):
        return Passed("The input goes up and the intermediate tensor comes down, unless the device does it all.")
    explain(
        [
            (all(_is_best(rule(*case), p) for case, p in zip(cases, answers, strict=True)), hint)
            for hint, rule in wrong.items()
        ]
    )
    explain(
        [(all(p <= len(c[0]) for c, p in zip(cases, answers, strict=True)), "Try p = N + 1 too: all on the server.")]
    )
    case, p = next((c, p) for c, p in zip(cases, answers, strict=True) if not _is_best(_latency(*c), p))
    latencies = _latency(*case)
    raise AssertionError(
        f"With {len(case[0])} layers at {case[3]:g} bit/s you choose p = {p} ({latencies[p - 1]:.4g} s); "
        f"p = {1 + int(latencies.argmin())} needs {latencies.min():.4g} s."
    )


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


def _branches() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    generator = np.random.default_rng(10)
    cases = [(np.array([0.1]), np.array([1.0]), np.array([1e3, 10.0]), rate) for rate in (1e3, 1e9)]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(1, 9))
        device = generator.exponential(0.05, count)
        sizes = generator.integers(500, 20_000, count + 1).astype(float)
        ratios = 10 ** generator.uniform(-0.7, 1.5, count)  # some layers are faster on the device
        cases.append((device / ratios, device, sizes, float(10 ** generator.uniform(5, 7.5))))
    return cases


def _latency(server, device, sizes, rate, *, up=1, down=1, bits=8) -> np.ndarray:
    """Seconds for p = 1, ..., N + 1."""
    computing = np.append(0, np.cumsum(server)) + np.append(np.cumsum(device[::-1])[::-1], 0)
    sent = up * sizes[0] + down * sizes
    sent[0] = 0
    return computing + bits * sent / rate


def _no_input(*case) -> np.ndarray:
    """What a constant charge for the input compares."""
    return _latency(*case, up=0)


def _latency_reversed(server, device, sizes, rate) -> np.ndarray:
    """The device first: only the tensor at the cut is sent, the input if the server does it all (now p = 1)."""
    computing = np.append(0, np.cumsum(device)) + np.append(np.cumsum(server[::-1])[::-1], 0)
    sent = sizes.copy()
    sent[-1] = 0
    return computing + 8 * sent / rate


def _is_best(latencies: np.ndarray, p: int) -> bool:
    return bool(latencies[p - 1] <= latencies.min() * (1 + 1e-9))


def _point(answer: object, layers: int) -> int:
    whole = isinstance(answer, int | np.integer) and not isinstance(answer, bool)
    require(whole, f"Return a whole number, not {answer!r}.")
    require(1 <= answer <= layers + 1, f"With {layers} layers p lies between 1 and {layers + 1}, you return {answer}.")
    return int(answer)


def _number(answer: object) -> float:
    require(
        np.ndim(answer) == 0 and np.issubdtype(np.asarray(answer).dtype, np.number), f"Return a number, not {answer!r}."
    )
    return float(answer)


def _equal(first: Sequence[float], second: Sequence[float]) -> bool:
    return bool(np.allclose(first, second, atol=TOLERANCE))
