"""Checks for the exercises on sparse updates: what a node sends, who gets a sub-carrier, which weights stay.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, equal, explain, require, whole

RANDOM_INSTANCES = 30


def check_send(send: Callable[..., tuple]) -> Passed:
    """Check ``send(residual, gradient, count)``: the sent array (zeros elsewhere) and the new residual.

    Examples
    --------
    >>> def send(residual, gradient, count):
    ...     pile = residual + gradient
    ...     largest = np.argsort(-np.abs(pile))[:count]
    ...     sent = np.zeros_like(pile)
    ...     sent[largest] = pile[largest]
    ...     return sent, pile - sent
    >>> check_send(send)
    Right. What is not sent now is sent later: sent and residual are all that was ever added.
    """
    cases = _piles()
    answers = [
        _pair(ask(send, residual.copy(), gradient.copy(), count), residual) for residual, gradient, count in cases
    ]
    if _same(answers, [_sent(*case) for case in cases]):
        return Passed("What is not sent now is sent later: sent and residual are all that was ever added.")
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_SENDS.items()])
    index = next(i for i, case in enumerate(cases) if not _same([answers[i]], [_sent(*case)]))
    raise AssertionError(
        f"For residual {cases[index][0].tolist()}, gradient {cases[index][1].tolist()} and count {cases[index][2]} you "
        f"send {answers[index][0].tolist()} and keep {answers[index][1].tolist()}."
    )


def check_period_latency(period_latency: Callable[..., float]) -> Passed:
    """Check ``period_latency(up, down, fronthaul, period)``: seconds of an iteration, over one period on average.

    `up` and `down` hold the seconds of every cluster, `fronthaul` is the sum of both directions.

    Examples
    --------
    >>> def period_latency(up, down, fronthaul, period):
    ...     inside = max(a + b for a, b in zip(up, down))
    ...     return (period * inside + fronthaul + max(down)) / period
    >>> check_period_latency(period_latency)
    Right. The slowest cluster decides, and what was agreed has to reach the users too.
    """
    cases = _clusters()
    answers = [float(ask(period_latency, list(up), list(down), front, period)) for up, down, front, period in cases]
    rights = [_latency(*case) for case in cases]
    if np.allclose(answers, rights):
        return Passed("The slowest cluster decides, and what was agreed has to reach the users too.")
    explain([(np.allclose(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_TIMES.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(f"For up, down, fronthaul, period = {case} you answer {answer:g}; {right:g} is right.")


def check_keep(keep: Callable[..., Sequence[int]]) -> Passed:
    """Check ``keep(importance, seconds, constant)``: which weights have the best importance over time together.

    Examples
    --------
    >>> def keep(importance, seconds, constant):
    ...     order = sorted(range(len(importance)), key=lambda j: -importance[j] / seconds[j])
    ...     kept, gain, time = [], 0.0, constant
    ...     for j in order:
    ...         if importance[j] / seconds[j] > gain / time:
    ...             kept.append(j)
    ...             gain, time = gain + importance[j], time + seconds[j]
    ...     return kept
    >>> check_keep(keep)
    Right. Whoever is better than the average so far raises it.
    """
    cases = _weights()
    answers = [sorted(_members(ask(keep, list(g), list(t), c), len(g))) for g, t, c in cases]
    values = [_value(answer, *case) for answer, case in zip(answers, cases, strict=True)]
    best = [_value(_kept(*case), *case) for case in cases]
    if np.allclose(values, best):
        return Passed("Whoever is better than the average so far raises it.")
    explain([(answers == [sorted(rule(*case)) for case in cases], hint) for hint, rule in _WRONG_KEEPS.items()])
    index = int(np.argmax(np.array(best) - np.array(values) > 1e-9))
    raise AssertionError(
        f"For {cases[index]} your choice {answers[index]} reaches {values[index]:.4g}; {best[index]:.4g} is possible."
    )


def _sent(residual, gradient, count, *, pile=None, score=np.abs):
    total = residual + gradient if pile is None else pile
    sent = np.zeros_like(total)
    largest = np.argsort(-score(total), kind="stable")[:count]
    sent[largest] = total[largest]
    return sent, total - sent


def _forgetful(residual, gradient, count):
    return _sent(residual, gradient, count, pile=gradient)


def _never_cleared(residual, gradient, count):
    return _sent(residual, gradient, count)[0], residual + gradient


def _signed(residual, gradient, count):
    return _sent(residual, gradient, count, score=lambda values: values)


def _gradient_alone(residual, gradient, count):
    sent, rest = _sent(residual, gradient, count, pile=gradient)
    return sent, residual + rest


_WRONG_SENDS = {
    "What waited before is forgotten: add the residual to the gradient first.": _forgetful,
    "What was sent stays in your residual: it would be sent again.": _never_cleared,
    "Large means far from zero: a large negative entry must go too.": _signed,
    "Choose by what has piled up, not by the gradient alone: small entries would wait for ever.": _gradient_alone,
}


def _piles():
    rng = np.random.default_rng(191)
    cases = [(np.zeros(1), np.array([-2.0]), 1), (np.array([5.0, 0.0, 0.0]), np.array([0.5, 1.0, -3.0]), 1)]
    for _ in range(RANDOM_INSTANCES):
        entries = int(rng.integers(2, 9))
        cases.append((*rng.normal(size=(2, entries)), int(rng.integers(1, entries + 1))))
    return cases


def _pair(answer, residual):
    require(isinstance(answer, tuple) and len(answer) == 2, "Return two arrays: what is sent, and the new residual.")
    require(all(np.shape(each) == residual.shape for each in answer), "Both arrays have the gradient's shape.")
    return tuple(np.asarray(each, dtype=float) for each in answer)


def _same(first, second) -> bool:
    return all(np.allclose(a, b) for pair in zip(first, second, strict=True) for a, b in zip(*pair, strict=True))


def _latency(up, down, fronthaul, period, *, inside=None, again=max):
    slowest = max(a + b for a, b in zip(up, down, strict=True)) if inside is None else inside
    return (period * slowest + fronthaul + again(down)) / period


def _nothing(down) -> float:
    return 0.0


_WRONG_TIMES = {
    "After a meeting its result has to reach the users: one more downlink a period.": lambda *case: _latency(
        *case, again=_nothing
    ),
    "All wait for the slowest cluster: take the maximum, not the mean.": lambda up, down, front, period: _latency(
        up, down, front, period, inside=float(np.mean(np.add(up, down)))
    ),
    "The slowest uplink and the slowest downlink may be in different clusters: add first, then take the maximum.": (
        lambda up, down, front, period: _latency(up, down, front, period, inside=max(up) + max(down))
    ),
    "Divide by the period: the result is the time of ONE iteration.": lambda *case: case[3] * _latency(*case),
}


def _clusters():
    rng = np.random.default_rng(202)
    cases = [((1.0,), (2.0,), 0.0, 1), ((1.0, 3.0), (4.0, 1.0), 2.0, 2)]
    for _ in range(RANDOM_INSTANCES):
        up, down = rng.uniform(0.1, 3, (2, int(rng.integers(2, 8)))).round(2).tolist()
        cases.append((tuple(up), tuple(down), float(rng.uniform(0, 5)), int(rng.integers(2, 9))))
    return cases


def _kept(importance, seconds, constant, *, key=None, limit=True):
    worth = [g / t for g, t in zip(importance, seconds, strict=True)]
    kept, gain, time = [], 0.0, constant
    for each in sorted(range(len(worth)), key=lambda j: -(worth if key is None else key)[j]):
        if limit and worth[each] <= gain / time:
            break
        kept.append(each)
        gain, time = gain + importance[each], time + seconds[each]
    return kept


def _value(kept, importance, seconds, constant) -> float:
    return sum(importance[j] for j in kept) / (constant + sum(seconds[j] for j in kept))


def _above_constant(importance, seconds, constant):
    mean = sum(importance) / (constant + sum(seconds))
    return [j for j in range(len(importance)) if importance[j] / seconds[j] > mean]


_WRONG_KEEPS = {
    "Keeping everything is the largest sum, not the best ratio.": lambda *case: _kept(*case, limit=False),
    "Sort by importance per second, not by importance: a weight may be slow.": lambda g, t, c: _kept(g, t, c, key=g),
    "Compare with the ratio of what is kept SO FAR, not with that of all weights.": _above_constant,
}


def _weights():
    rng = np.random.default_rng(207)
    cases = [((1.0,), (1.0,), 1.0), ((4.0, 1.0, 9.0), (1.0, 1.0, 1.0), 2.0)]
    for _ in range(RANDOM_INSTANCES):
        count = int(rng.integers(2, 10))
        cases.append(
            (tuple(rng.exponential(size=count)), tuple(rng.uniform(0.05, 1, count)), float(rng.uniform(0.1, 2)))
        )
    return cases


def _members(answer, count: int) -> list[int]:
    require(np.ndim(answer) == 1, f"Return a list of weights' numbers, not {answer!r}.")
    kept = [whole(each) for each in answer]
    require(len(set(kept)) == len(kept), "A weight is kept once.")
    require(all(0 <= each < count for each in kept), f"Weights are numbered from 0 to {count - 1}.")
    return kept
