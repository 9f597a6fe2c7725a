"""Checks of the exercises on periodic averaging: a balanced group, a coarse message, a period under a budget.

Every check takes the learner's own function, answers with a sentence when it is right and raises AssertionError else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require, whole

RANDOM_INSTANCES = 30


def check_imbalance(imbalance: Callable[[Sequence[int]], float]) -> Passed:
    """Check ``imbalance(counts)``: divergence of a label histogram from the uniform one, in nats.

    Examples
    --------
    >>> def imbalance(counts):
    ...     shares = [count / sum(counts) for count in counts if count > 0]
    ...     return sum(share * np.log(len(counts) * share) for share in shares)
    >>> check_imbalance(imbalance)
    Right. Zero for a balanced group, log K for a group with one class; an absent class adds nothing.
    """
    cases = [(counts, _imbalance(counts)) for counts in _histograms()]
    answers = [number(ask(imbalance, list(counts))) for counts, _ in cases]
    compare(answers, cases, _WRONG_IMBALANCES, "nats")
    return Passed("Zero for a balanced group, log K for a group with one class; an absent class adds nothing.")


def check_quantise(quantise: Callable[..., Sequence[float]]) -> Passed:
    """Check ``quantise(vector, levels, coins)``: what FedPAQ's receiver decodes.

    Coordinate j becomes norm * sign * l / levels; of the two levels around it the upper where coins[j] lies below the
    fraction.  The zero vector stays zero.

    Examples
    --------
    >>> def quantise(vector, levels, coins):
    ...     norm = np.sqrt(np.sum(vector**2))
    ...     if norm == 0:
    ...         return vector
    ...     exact = np.abs(vector) / norm * levels
    ...     lower = np.floor(exact)
    ...     return norm * np.sign(vector) * (lower + (coins < exact - lower)) / levels
    >>> check_quantise(quantise)
    Right. The norm travels once, a coordinate is a sign and a level; on average nothing is lost.
    """
    cases = _messages()
    answers = []
    for vector, levels, coins in cases:
        answer = np.asarray(ask(quantise, vector.copy(), levels, coins.copy()), dtype=float)
        require(answer.shape == vector.shape, f"Return one number for each of the {len(vector)} coordinates.")
        answers.append(answer)
    rights = [_quantise(*case) for case in cases]
    if _same(answers, rights):
        return Passed("The norm travels once, a coordinate is a sign and a level; on average nothing is lost.")
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_MESSAGES.items()])
    index = next(index for index, pair in enumerate(zip(answers, rights, strict=True)) if not equal(*pair))
    vector, levels, coins = cases[index]
    raise AssertionError(
        f"For {vector.round(3).tolist()}, {levels} levels and coins {coins.round(3).tolist()} you answer "
        f"{answers[index].round(3).tolist()}, but {rights[index].round(3).tolist()} is right."
    )


def check_choose_period(choose_period: Callable[..., int]) -> Passed:
    """Check ``choose_period(drift, slope, step, phi, local, aggregation, budget)``: the period with the lowest bound.

    ``drift[x]`` is h(x) for x = 0 to the largest period allowed.  One aggregation and one local step are held back for
    the last loss.  On a tie the shortest period.

    Examples
    --------
    >>> def choose_period(drift, slope, step, phi, local, aggregation, budget):
    ...     tau = np.arange(1, len(drift))
    ...     steps = (budget - aggregation - local) * tau / (local * tau + aggregation)
    ...     unfinished = 1 / (2 * step * phi * steps)
    ...     apart = slope * np.asarray(drift)[1:]
    ...     return 1 + int(np.argmin(unfinished + np.sqrt(unfinished**2 + apart / (step * phi * tau)) + apart))
    >>> check_choose_period(choose_period)
    Right. Dear aggregations ask for long walks, fast drift for short ones, and a large budget for short ones too.
    """
    cases = _budgets()
    answers = [_period(ask(choose_period, case[0].copy(), *case[1:]), len(case[0]) - 1) for case in cases]
    rights = [_choose(*case) for case in cases]
    if answers == rights:
        return Passed(
            "Dear aggregations ask for long walks, fast drift for short ones, and a large budget for short ones too."
        )
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_PERIODS.items()])
    index = next(index for index, pair in enumerate(zip(answers, rights, strict=True)) if pair[0] != pair[1])
    named = ", ".join(f"{value:g}" for value in cases[index][1:])
    raise AssertionError(
        f"For drift up to {cases[index][0][-1]:.3g} at {len(cases[index][0]) - 1} steps and ({named}) you choose "
        f"{answers[index]}, but {rights[index]} is right."
    )


def _imbalance(counts: Sequence[int]) -> float:
    shares = np.array([count for count in counts if count > 0]) / sum(counts)
    return float((shares * np.log(len(counts) * shares)).sum())


def _present(counts: Sequence[int]) -> np.ndarray:
    return np.array([count for count in counts if count > 0]) / sum(counts)


_WRONG_IMBALANCES = {
    "Absent classes count in K: a group that lacks eight of ten classes is not balanced.": lambda counts: float(
        (_present(counts) * np.log(len(_present(counts)) * _present(counts))).sum()
    ),
    "That is the entropy; the divergence is log K minus it.": lambda counts: np.log(len(counts)) - _imbalance(counts),
    "In nats, please: the natural logarithm.": lambda counts: _imbalance(counts) / np.log(2),
    "Divide the counts by their sum first.": lambda counts: float(
        sum(count * np.log(len(counts) * count) for count in counts if count > 0)
    ),
    "The logarithm compares a share with 1/K: log(K p), not log(p).": lambda counts: (
        _imbalance(counts) - np.log(len(counts))
    ),
}


def _histograms() -> list[tuple[int, ...]]:
    generator = np.random.default_rng(212)
    cases = [(5,), (3, 3), (4, 0), (1, 0, 0, 0, 0, 0, 0, 0, 0, 1)]
    for _ in range(RANDOM_INSTANCES):
        counts = generator.integers(0, 6, int(generator.integers(2, 11)))
        counts[0] += 1
        cases.append(tuple(counts.tolist()))
    return cases


def _quantise(vector: np.ndarray, levels: int, coins: np.ndarray, *, scale=np.linalg.norm, signed=True) -> np.ndarray:
    size = scale(vector)
    if size == 0:
        return np.zeros_like(vector)
    exact = np.abs(vector) / size * levels
    lower = np.floor(exact)
    return size * (np.sign(vector) if signed else 1) * (lower + (coins < exact - lower)) / levels


def _nearest(vector: np.ndarray, levels: int, coins: np.ndarray) -> np.ndarray:
    return _quantise(vector, levels, np.full_like(coins, 0.5))


_WRONG_MESSAGES = {
    "The scale is the norm of the whole vector, not its largest entry.": lambda *case: _quantise(
        *case, scale=lambda vector: np.abs(vector).max()
    ),
    "The norm is the root of the sum of squares, not the sum of absolute values.": lambda *case: _quantise(
        *case, scale=lambda vector: np.abs(vector).sum()
    ),
    "Do not lose the signs.": lambda *case: _quantise(*case, signed=False),
    "Rounding to the nearest level is biased: let the coin decide.": _nearest,
    "Up where the coin lies BELOW the fraction: a fraction of 0.9 goes up nine times in ten.": (
        lambda vector, levels, coins: _quantise(vector, levels, 1 - coins)
    ),
    "The receiver multiplies by the norm again.": lambda vector, levels, coins: (
        _quantise(vector, levels, coins) / (np.linalg.norm(vector) or 1)
    ),
    "Divide the level by the number of levels.": lambda vector, levels, coins: (
        _quantise(vector, levels, coins) * levels
    ),
}


def _messages() -> list[tuple[np.ndarray, int, np.ndarray]]:
    generator = np.random.default_rng(204)
    cases = [(np.zeros(3), 1, np.array([0.1, 0.5, 0.9])), (np.array([-2.0]), 3, np.array([0.3]))]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 9))
        cases.append((generator.standard_normal(count), int(generator.integers(1, 8)), generator.random(count)))
    return cases


def _same(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    return all(equal(*pair) for pair in zip(first, second, strict=True))


def _choose(drift, slope, step, phi, local, aggregation, budget, *, reserve=True, mixed=True, last=True, late=False):
    tau = np.arange(1, len(drift))
    left = budget - (aggregation + local if reserve else 0)
    unfinished = (local * tau + aggregation) / (left * tau) / (2 * step * phi)
    apart = slope * np.asarray(drift)[: -1 if late else None][0 if late else 1 :]
    inner = apart / (step * phi * tau) if mixed else 0
    bound = unfinished + np.sqrt(unfinished**2 + inner) + (apart if last else 0)
    return int(tau[np.argmin(bound)])


def _steps_forgotten(drift, slope, step, phi, local, aggregation, budget) -> int:
    """As if the period did not change the number of steps."""
    return _choose(drift, slope, step, phi, local, 0.0, budget)


_WRONG_PERIODS = {
    "An aggregation costs part of the budget: the number of steps T depends on the period.": _steps_forgotten,
    "Hold back one aggregation and one local step for the last loss.": lambda *case: _choose(*case, reserve=False),
    "drift[0] belongs to no step; the drift of a period tau is drift[tau].": lambda *case: _choose(*case, late=True),
    "Add the last term, rho h(tau), too.": lambda *case: _choose(*case, last=False),
    "Under the root the drift is divided by eta, phi and tau, and it must not be left out.": lambda *case: _choose(
        *case, mixed=False
    ),
    "Without any drift the longest period always wins: use it.": lambda *case: _choose(
        np.zeros(len(case[0])), *case[1:]
    ),
}


def _budgets() -> list[tuple]:
    generator = np.random.default_rng(208)
    cases = [(np.zeros(11), 1.0, 0.01, 0.025, 1.0, 10.0, 1000.0), (np.zeros(2), 1.0, 0.01, 0.025, 1.0, 1.0, 5.0)]
    for _ in range(RANDOM_INSTANCES):
        step, beta, delta = 10 ** generator.uniform((-2.5, -1, -3), (-1, 1, 0))
        x = np.arange(int(generator.integers(5, 61)))
        drift = delta / beta * ((1 + step * beta) ** x - 1) - step * delta * x
        local, aggregation = 1.0, float(generator.choice([0.5, 5.0, 20.0, 80.0]))
        budget = (local + aggregation) * float(generator.choice([1.5, 3.0, 30.0, 100.0]))
        slope, phi = 10 ** generator.uniform((-1, -2.5), (1, 0))
        cases.append((np.maximum(drift, 0), float(slope), float(step), float(phi), local, aggregation, budget))
    return cases


def _period(answer: object, largest: int) -> int:
    period = whole(answer)
    require(1 <= period <= largest, f"A period lies between 1 and {largest}, not {period}.")
    return period
