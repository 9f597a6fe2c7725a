"""Checks for the exercises on federated averaging: an average, the number of local steps, the rounds to a target.

Each check takes the learner's own function, tries it on many cases, degenerate ones among them, and answers with a
hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require, whole

RANDOM_CASES = 30
NEVER = float("inf")


def check_average(average: Callable[..., Sequence[float]]) -> Passed:
    """Check ``average(models, examples, chosen)``: the model after a round.

    `models` and `examples` name every client's weights (an array) and number of samples; `chosen` are the indices of
    those that took part in the round.

    Examples
    --------
    >>> def average(models, examples, chosen):
    ...     weights = np.array([examples[client] for client in chosen], dtype=float)
    ...     return weights @ np.array([models[client] for client in chosen]) / weights.sum()
    >>> check_average(average)
    Right. Who trained on more counts more, and the weights of those who took part sum to one.
    """
    cases = _rounds()
    answers = [_vector(ask(average, [m.copy() for m in models], list(n), list(s)), models) for models, n, s in cases]
    if _same(answers, [_average(*case) for case in cases]):
        return Passed("Who trained on more counts more, and the weights of those who took part sum to one.")
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_AVERAGES.items()])
    case, answer = next(pair for pair in zip(cases, answers, strict=True) if not equal(pair[1], _average(*pair[0])))
    raise AssertionError(
        f"For {len(case[0])} models, examples {case[1]} and chosen {case[2]} you answer "
        f"{np.round(answer, 4).tolist()}, but {np.round(_average(*case), 4).tolist()} is right."
    )


def check_local_steps(local_steps: Callable[..., int]) -> Passed:
    """Check ``local_steps(examples, epochs, batch)``: SGD steps of one client in one round; batch None is all.

    Examples
    --------
    >>> def local_steps(examples, epochs, batch):
    ...     return epochs * -(-examples // (batch or examples))
    >>> check_local_steps(local_steps)
    Right. The last batch of an epoch may be small, but it is a step.
    """
    cases = [(*case, _steps(*case)) for case in _workloads()]
    answers = [whole(ask(local_steps, *case[:-1])) for case in cases]
    compare(answers, cases, _WRONG_STEPS, "steps")
    return Passed("The last batch of an epoch may be small, but it is a step.")


def check_rounds_to(rounds_to: Callable[..., float]) -> Passed:
    """Check ``rounds_to(accuracy, target)``: rounds until a curve reaches the target, as the paper counts.

    `accuracy` is a list, before the first round and after each. The curve is made monotone by a running maximum, and
    the crossing interpolated linearly; ``float("inf")`` if it is never reached.

    Examples
    --------
    >>> def rounds_to(accuracy, target):
    ...     best = np.maximum.accumulate(accuracy)
    ...     if best[-1] < target:
    ...         return float("inf")
    ...     after = int(np.argmax(best >= target))
    ...     if after == 0:
    ...         return 0.0
    ...     return after - 1 + (target - best[after - 1]) / (best[after] - best[after - 1])
    >>> check_rounds_to(rounds_to)
    Right. A dip before the crossing costs rounds that were already counted, and no more.
    """
    cases = [(*case, _crossing(*case)) for case in _curves()]
    answers = [number(ask(rounds_to, list(case[0]), case[1])) for case in cases]
    compare(answers, cases, _WRONG_CROSSINGS, "rounds")
    return Passed("A dip before the crossing costs rounds that were already counted, and no more.")


def _average(models, examples, chosen) -> np.ndarray:
    return _weighted(models, chosen, [examples[client] for client in chosen])


def _weighted(models, chosen, weights, total=None) -> np.ndarray:
    return np.asarray(weights, dtype=float) @ np.array([models[client] for client in chosen]) / (total or sum(weights))


_WRONG_AVERAGES = {
    "A client with ten times the samples counts ten times as much: weight by `examples`.": (
        lambda models, examples, chosen: _weighted(models, chosen, [1] * len(chosen))
    ),
    "Divide by the samples of those who took part: the sum over ALL clients shrinks the model.": (
        lambda models, examples, chosen: _weighted(models, chosen, [examples[k] for k in chosen], sum(examples))
    ),
    "Only those in `chosen` trained in this round.": (
        lambda models, examples, chosen: _weighted(models, range(len(models)), examples)
    ),
    "`chosen` are indices: examples[client], not the first entries of `examples`.": (
        lambda models, examples, chosen: _weighted(models, chosen, examples[: len(chosen)])
    ),
    "A sum is no average: divide by the weights' sum.": (
        lambda models, examples, chosen: _weighted(models, chosen, [examples[k] for k in chosen], 1)
    ),
}


def _rounds() -> list[tuple[list[np.ndarray], list[int], list[int]]]:
    """Among them one client of one, all clients, and one chosen of many."""
    generator = np.random.default_rng(198)
    cases = [([np.array([2.0, -1.0])], [7], [0]), ([np.array([1.0]), np.array([3.0])], [1, 3], [1, 0])]
    for _ in range(RANDOM_CASES):
        clients = int(generator.integers(2, 7))
        chosen = generator.permutation(clients)[: int(generator.integers(1, clients + 1))].tolist()
        models = list(np.round(generator.normal(size=(clients, 3)), 2))
        cases.append((models, generator.integers(1, 50, clients).tolist(), chosen))
    return cases


def _vector(answer: object, models: Sequence[np.ndarray]) -> np.ndarray:
    require(np.shape(answer) == models[0].shape, f"Return one array of the models' shape {models[0].shape}.")
    return np.asarray(answer, dtype=float)


def _same(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    return all(equal(*pair) for pair in zip(first, second, strict=True))


def _steps(examples: int, epochs: int, batch: int | None) -> int:
    return epochs * -(-examples // (batch or examples))


_WRONG_STEPS = {
    "The last batch of an epoch is small, but it is not thrown away: round up.": lambda examples, epochs, batch: (
        epochs * (examples // (batch or examples))
    ),
    "Round in every epoch, not once for all: an epoch ends with a small batch.": lambda examples, epochs, batch: (
        -(-examples * epochs // (batch or examples))
    ),
    "Every one of the epochs goes through all samples again.": lambda examples, epochs, batch: _steps(
        examples, 1, batch
    ),
    "Without a batch size all samples are one batch, not batches of one.": lambda examples, epochs, batch: _steps(
        examples, epochs, batch or 1
    ),
}


def _workloads() -> list[tuple[int, int, int | None]]:
    generator = np.random.default_rng(10)
    cases: list[tuple[int, int, int | None]] = [(1, 1, 10), (30, 5, None), (30, 1, 20), (600, 20, 10), (7, 3, 7)]
    for _ in range(RANDOM_CASES):
        cases.append(tuple(int(generator.integers(1, high)) for high in (99, 20, 40)))
    return cases


def _crossing(accuracy: Sequence[float], target: float, *, running=True, interpolate=True, never=NEVER) -> float:
    curve = np.maximum.accumulate(accuracy) if running else np.asarray(accuracy, dtype=float)
    reached = np.flatnonzero(curve >= target)
    if reached.size == 0:
        return never
    after = int(reached[0])
    if after == 0 or not interpolate:
        return float(after)
    return after - 1 + (target - curve[after - 1]) / (curve[after] - curve[after - 1])


_WRONG_CROSSINGS = {
    "Interpolate between the round before the crossing and the one after it.": lambda accuracy, target: _crossing(
        accuracy, target, interpolate=False
    ),
    "Interpolate on the running maximum: before the crossing the curve may have dipped.": lambda accuracy, target: (
        _crossing(accuracy, target, running=False)
    ),
    "The first entry is BEFORE the first round: a target reached there takes no round.": lambda accuracy, target: (
        _crossing(accuracy, target) + 1
    ),
    "A target that is never reached takes for ever: return float('inf').": lambda accuracy, target: _crossing(
        accuracy, target, never=len(accuracy) - 1
    ),
}


def _curves() -> list[tuple[tuple[float, ...], float]]:
    """Among them one entry, a target met at the start, exactly, after a dip, and never."""
    generator = np.random.default_rng(95)
    cases = [((0.5,), 0.4), ((0.5, 0.6), 0.5), ((0.1, 0.3, 0.5), 0.5), ((0.1, 0.8, 0.2, 0.9), 0.85), ((0.1, 0.2), 0.9)]
    for _ in range(RANDOM_CASES):
        curve = np.round(np.sort(generator.random(8)) + generator.normal(0, 0.15, 8), 3)
        cases.append((tuple(curve.tolist()), float(np.round(generator.uniform(0.2, 1.0), 3))))
    return cases
