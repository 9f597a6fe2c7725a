"""Checks for the exercises on stragglers and fairness: merging by neuron, when to commit, a fair step.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, require

RANDOM_INSTANCES = 30
SHORTEST = 10.0  # s between two commits
ENDLESS = 1e9  # stands for infinity when answers are compared


def check_merge_neurons(merge_neurons: Callable[..., Sequence[float]]) -> Passed:
    """Check ``merge_neurons(old, trained, masks, weights)``: one number per neuron, averaged over those who trained it.

    `old` has shape (n,), `trained` and `masks` (K, n), `weights` (K,).  What nobody trained keeps its old value.

    Examples
    --------
    >>> def merge_neurons(old, trained, masks, weights):
    ...     share = masks * np.asarray(weights)[:, None]
    ...     total = share.sum(0)
    ...     return np.where(total > 0, (share * trained).sum(0) / np.where(total > 0, total, 1), old)
    >>> check_merge_neurons(merge_neurons)
    Right. Who did not train a neuron has no say about it, and what nobody trained waits for the next cycle.
    """
    cases = _partial_models()
    rights = [_merged(*case) for case in cases]
    answers = [_vector(ask(merge_neurons, *(part.copy() for part in case)), len(case[0])) for case in cases]
    if _same(answers, rights):
        return Passed(
            "Who did not train a neuron has no say about it, and what nobody trained waits for the next cycle."
        )
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_MERGES.items()])
    case, answer, right = next(
        each for each in zip(cases, answers, rights, strict=True) if not _same([each[1]], [each[2]])
    )
    raise AssertionError(
        f"For old {case[0].tolist()}, trained {case[1].tolist()}, masks {case[2].astype(int).tolist()} and weights "
        f"{case[3].tolist()} you answer {answer.round(4).tolist()}, but {right.round(4).tolist()} is right."
    )


def check_commit_after(commit_after: Callable[..., float]) -> Passed:
    """Check ``commit_after(goal, done, period, commit_time)``: seconds that an ADSP worker trains before it commits.

    At least 10 s; infinity (``math.inf``) for a worker that has reached the goal.

    Examples
    --------
    >>> def commit_after(goal, done, period, commit_time):
    ...     if goal <= done:
    ...         return math.inf
    ...     return max(10.0, period / (goal - done) - commit_time)
    >>> check_commit_after(commit_after)
    Right. Whoever lacks more commits makes them more often, whatever its speed, and nobody waits for anybody.
    """
    cases = [(*case, _bounded(_interval(*case))) for case in _workers()]
    answers = [_seconds(ask(commit_after, *case[:-1])) for case in cases]
    compare(answers, cases, _WRONG_INTERVALS, "s")
    return Passed("Whoever lacks more commits makes them more often, whatever its speed, and nobody waits for anybody.")


def check_fair_step(fair_step: Callable[..., Sequence[float]]) -> Passed:
    """Check ``fair_step(gradients, losses, q, lipschitz)``: by what q-FedSGD lowers the weights.

    `gradients` has shape (K, d), `losses` (K,); returns the vector that is subtracted, shape (d,).

    Examples
    --------
    >>> def fair_step(gradients, losses, q, lipschitz):
    ...     pull = (losses**q)[:, None] * gradients
    ...     bound = q * losses ** (q - 1) * (gradients**2).sum(1) + lipschitz * losses**q
    ...     return pull.sum(0) / bound.sum()
    >>> check_fair_step(fair_step)
    Right. A high loss pulls harder, and the bound on the curvature keeps the step from growing with it.
    """
    cases = _gradients()
    rights = [_fair(*case) for case in cases]
    answers = [_vector(ask(fair_step, case[0].copy(), case[1].copy(), *case[2:]), case[0].shape[1]) for case in cases]
    if _same(answers, rights):
        return Passed("A high loss pulls harder, and the bound on the curvature keeps the step from growing with it.")
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_STEPS.items()])
    case, answer, right = next(
        each for each in zip(cases, answers, rights, strict=True) if not _same([each[1]], [each[2]])
    )
    raise AssertionError(
        f"For gradients {case[0].round(3).tolist()}, losses {case[1].round(3).tolist()}, q {case[2]:g} and L "
        f"{case[3]:g} you answer {answer.round(4).tolist()}, but {right.round(4).tolist()} is right."
    )


def _merged(old, trained, masks, weights, *, counted=None, fill=None):
    share = (masks if counted is None else counted) * weights[:, None]
    total = share.sum(0)
    mean = (share * trained).sum(0) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, old if fill is None else fill)


_WRONG_MERGES: dict[str, Callable] = {
    "You average over all devices, also over those who did not train a neuron; their copies dilute it. Divide by the "
    "weights of those whose mask is true.": lambda o, t, m, w: _merged(o, t, m, w, counted=np.ones_like(m)),
    "You divide by the weights of ALL devices; divide by those of the devices that trained the neuron.": (
        lambda o, t, m, w: (m * w[:, None] * t).sum(0) / w.sum()
    ),
    "A neuron that nobody trained keeps its old value; yours becomes zero.": lambda o, t, m, w: _merged(
        o, t, m, w, fill=np.zeros_like(o)
    ),
    "Weigh the devices: you count all who trained a neuron alike.": lambda o, t, m, w: _merged(
        o, t, m, np.ones_like(w)
    ),
}


def _partial_models() -> list[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(218)
    cases = [
        (np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([[True, False]]), np.array([2.0])),
        (
            np.zeros(2),
            np.array([[1.0, 0.0], [4.0, 6.0]]),
            np.array([[True, False], [True, True]]),
            np.array([2.0, 1.0]),
        ),
    ]
    for _ in range(RANDOM_INSTANCES):
        devices, neurons = rng.integers(1, 5), rng.integers(2, 6)
        old = rng.integers(-4, 5, neurons).astype(float)
        masks = rng.random((devices, neurons)) < 0.5
        trained = np.where(masks, old + rng.integers(1, 4, (devices, neurons)), old)
        cases.append((old, trained, masks, rng.integers(1, 9, devices).astype(float)))
    return cases


def _interval(goal: float, done: float, period: float, commit_time: float) -> float:
    return math.inf if goal <= done else max(SHORTEST, period / (goal - done) - commit_time)


def _bounded(value: float) -> float:
    return min(value, ENDLESS)


def _guarded(rule: Callable[..., float]) -> Callable[..., float]:
    """A wrong rule as the answers of a function that does not fail where the goal is reached."""
    return lambda goal, done, period, time: _bounded(
        math.inf if goal <= done else float(rule(goal, done, period, time))
    )


_WRONG_INTERVALS: dict[str, Callable] = {
    "The period is shared by the MISSING commits, goal - done, not by all of them.": _guarded(
        lambda g, d, p, o: max(SHORTEST, p / g - o)
    ),
    "A commit takes time as well: subtract commit_time, or the worker will be late.": _guarded(
        lambda g, d, p, o: max(SHORTEST, p / (g - d))
    ),
    "Never less than 10 s of training between two commits.": _guarded(lambda g, d, p, o: p / (g - d) - o),
    "A worker that lacks no commit trains on without one: infinity, not the floor of 10 s.": lambda g, d, p, o: (
        SHORTEST if g <= d else _interval(g, d, p, o)
    ),
}


def _workers() -> list[tuple[float, float, float, float]]:
    rng = np.random.default_rng(211)
    cases = [(1, 0, 60.0, 1.0), (5, 1, 60.0, 5.0), (9, 1, 60.0, 5.0), (3, 3, 60.0, 1.0), (2, 4, 60.0, 1.0)]
    for _ in range(RANDOM_INSTANCES):
        done = int(rng.integers(0, 9))
        cases.append((done + int(rng.integers(-1, 7)), done, float(rng.integers(30, 121)), float(rng.integers(1, 9))))
    return [case for case in cases if case[0] > 0]


def _fair(gradients, losses, q, lipschitz, *, power=2.0, both=True):
    norms = np.linalg.norm(gradients, axis=1) ** power
    bound = (q * losses ** (q - 1) * norms if both else 0) + lipschitz * losses**q
    return (losses**q) @ gradients / np.sum(bound)


_WRONG_STEPS: dict[str, Callable] = {
    "The norm of the gradient is SQUARED in the bound.": lambda g, f, q, c: _fair(g, f, q, c, power=1.0),
    "The bound has two parts: the step also shrinks with q F^(q-1) times the squared norm.": lambda g, f, q, c: _fair(
        g, f, q, c, both=False
    ),
    "This is the step of q = 0: devices with a high loss should pull harder.": lambda g, f, q, c: g.mean(0) / c,
    "Divide the SUM of the pulls by the SUM of the bounds; you take a mean of one of them.": lambda g, f, q, c: (
        _fair(g, f, q, c) / len(f)
    ),
    "This is what the weights become, or its sign is turned: return what is subtracted.": lambda g, f, q, c: (
        -_fair(g, f, q, c)
    ),
}


def _gradients() -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    rng = np.random.default_rng(221)
    cases = [(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 0.5]), q, 10.0) for q in (0.0, 1.0, 5.0)]
    for _ in range(RANDOM_INSTANCES):
        devices, size = rng.integers(1, 6), rng.integers(1, 4)
        losses = rng.uniform(0.1, 2.5, devices)
        q = float(rng.choice([0.0, 0.5, 1.0, 2.0, 5.0]))
        cases.append((rng.normal(size=(devices, size)), losses, q, float(rng.uniform(1, 10))))
    return cases


def _vector(answer: object, length: int) -> np.ndarray:
    try:
        values = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    require(values.shape == (length,), f"Return an array of {length} numbers, not {answer!r}.")
    require(bool(np.isfinite(values).all()), "An entry of your answer is not finite; where do you divide by zero?")
    return values


def _seconds(answer: object) -> float:
    require(isinstance(answer, int | float | np.floating), f"Return a number of seconds, not {answer!r}.")
    require(not math.isnan(answer), "Your answer is not a number; a worker that lacks no commit gets math.inf.")
    return _bounded(float(answer))


def _same(answers: Sequence[np.ndarray], rights: Sequence[np.ndarray]) -> bool:
    return all(equal(*pair) for pair in zip(answers, rights, strict=True))
