"""Checks for the exercises on update codecs: the size of a sketch, a quantiser, sub-models put back.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, require

SEED_BITS, EXTREME_BITS = 32, 64  # a mask's seed; the least and the greatest value as 32-bit floats
RANDOM_INSTANCES = 20

Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # kept outputs, kept inputs, change


def check_sketch_bits(sketch_bits: Callable[[int, int, float, int], int]) -> Passed:
    """Check ``sketch_bits(rows, columns, fraction, bits)``: the exact size of a sub-sampled, quantised matrix in bits.

    Kept are ``round(fraction * entries)`` values, at least one; sent are the mask's seed (32 bits), the least and the
    greatest value (32 bits each), and `bits` bits for each value kept.

    Examples
    --------
    >>> def sketch_bits(rows, columns, fraction, bits):
    ...     return 96 + bits * max(1, round(fraction * rows * columns))
    >>> check_sketch_bits(sketch_bits)
    Right. A seed costs 32 bits however many positions it stands for; that is why random masks need no indices.
    """
    cases = [
        (64, 128, 0.0625, 2),
        (128, 128, 0.25, 1),
        (10, 1, 0.01, 8),
        (3, 5, 1.0, 32),
        (96, 96, 0.1, 2),
        (1, 1, 0.5, 1),
    ]
    full = [(*case, _sketch_bits(*case)) for case in cases]
    answers = [_number(ask(sketch_bits, *case)) for case in cases]
    compare(answers, full, _WRONG_SIZES, "bits")
    return Passed(
        "A seed costs 32 bits however many positions it stands for; that is why random masks need no indices."
    )


def check_quantise(quantise: Callable[[np.ndarray, int, np.ndarray], np.ndarray]) -> Passed:
    """Check ``quantise(values, bits, uniform)``: every value moved to one of 2^bits levels, up or down at random.

    The levels are evenly spaced from the least to the greatest value, both included.  A value goes up to the next level
    if its own number in `uniform` (in [0, 1)) lies below its distance from the lower level, in steps.

    Examples
    --------
    >>> def quantise(values, bits, uniform):
    ...     low, step = values.min(), np.ptp(values) / (2**bits - 1)
    ...     if step == 0:
    ...         return values
    ...     place = (values - low) / step
    ...     return low + step * (np.floor(place) + (uniform < place % 1))
    >>> check_quantise(quantise)
    Right. On average nothing is lost: each value goes up exactly as often as its mean needs.
    """
    cases = _vectors()
    rights = [_quantise(*case) for case in cases]
    answers = [_array(ask(quantise, case[0].copy(), case[1], case[2].copy()), case[0].shape) for case in cases]
    if not _all_equal(answers, rights):
        explain(
            [(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_ROUNDING.items()]
        )
        case, answer, right = next(trio for trio in zip(cases, answers, rights, strict=True) if not equal(*trio[1:]))
        raise AssertionError(
            f"For values {case[0].round(3).tolist()}, {case[1]} bits and uniform {case[2].round(3).tolist()} you "
            f"answer {answer.round(3).tolist()}, but {right.round(3).tolist()} is right."
        )
    return Passed("On average nothing is lost: each value goes up exactly as often as its mean needs.")


def check_put_back(put_back: Callable[[np.ndarray, Sequence[Part]], np.ndarray]) -> Passed:
    """Check ``put_back(weights, parts)``: the server's new matrix after a round of Federated Dropout.

    Each part is `(outputs, inputs, change)`: which rows and columns a client kept and by how much its smaller matrix
    changed.  Changes are added at their places and divided by the number of clients; `weights` itself stays as it was.

    Examples
    --------
    >>> def put_back(weights, parts):
    ...     total = np.zeros_like(weights)
    ...     for outputs, inputs, change in parts:
    ...         total[np.ix_(outputs, inputs)] += change
    ...     return weights + total / len(parts)
    >>> check_put_back(put_back)
    Right. A unit that few clients kept moves little in this round; dividing by its contributors would move it fully.
    """
    cases = _rounds()
    rights = [_put_back(*case) for case in cases]
    given = [weights.copy() for weights, _ in cases]
    answers = [
        _array(ask(put_back, mine, parts), weights.shape) for mine, (weights, parts) in zip(given, cases, strict=True)
    ]
    untouched = all(np.array_equal(mine, weights) for mine, (weights, _) in zip(given, cases, strict=True))
    if not _all_equal(answers, rights):
        explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_RETURNS.items()])
        case = next(i for i, pair in enumerate(zip(answers, rights, strict=True)) if not equal(*pair))
        raise AssertionError(
            f"For a matrix of shape {cases[case][0].shape} and {len(cases[case][1])} clients your entries differ from "
            f"the right ones by up to {np.abs(answers[case] - rights[case]).max():.3g}."
        )
    require(untouched, "The answer is right, but your function changed the weights it was given; work on a copy.")
    return Passed(
        "A unit that few clients kept moves little in this round; dividing by its contributors would move it fully."
    )


def _sketch_bits(rows: int, columns: int, fraction: float, bits: int) -> int:
    return SEED_BITS + EXTREME_BITS + bits * max(1, round(fraction * rows * columns))


_WRONG_SIZES = {
    "The receiver cannot decode that: it needs the mask's seed (32 bits) and the two extremes (32 bits each).": (
        lambda r, c, f, b: b * max(1, round(f * r * c))
    ),
    "The seed of the mask (32 bits) is missing.": lambda r, c, f, b: EXTREME_BITS + b * max(1, round(f * r * c)),
    "Without the two extremes (32 bits each) the codes mean nothing.": (
        lambda r, c, f, b: SEED_BITS + b * max(1, round(f * r * c))
    ),
    "At least one value is kept, even of a tiny matrix.": lambda r, c, f, b: (
        SEED_BITS + EXTREME_BITS + b * round(f * r * c)
    ),
    "Rounded, not rounded down: round(fraction * rows * columns).": (
        lambda r, c, f, b: SEED_BITS + EXTREME_BITS + b * max(1, int(f * r * c))
    ),
    "That is bytes; bits are asked for.": lambda r, c, f, b: _sketch_bits(r, c, f, b) / 8,
    "A mask from a seed needs no positions; you count a bit for every entry besides.": (
        lambda r, c, f, b: _sketch_bits(r, c, f, b) + r * c
    ),
    "You count all entries, not the kept ones.": lambda r, c, f, b: SEED_BITS + EXTREME_BITS + b * r * c,
}


def _quantise(values: np.ndarray, bits: int, uniform: np.ndarray, steps: int | None = None) -> np.ndarray:
    steps = 2**bits - 1 if steps is None else steps
    low, step = values.min(), np.ptp(values) / steps
    if step == 0:
        return values
    place = (values - low) / step
    floor = np.floor(place + 1e-12)
    return low + step * (floor + (uniform < place - floor))


_WRONG_ROUNDING = {
    "You make 2^bits intervals: they have 2^bits + 1 ends, which do not fit into so many bits.": (
        lambda v, b, u: _quantise(v, b, u, steps=2**b)
    ),
    "You round to the nearest level: the mean over many clients is then wrong, and uniform is not used.": (
        lambda v, b, u: _quantise(v, b, np.full_like(u, 0.5))
    ),
    "You always round down: every value would shrink towards the least.": lambda v, b, u: _quantise(
        v, b, np.ones_like(u)
    ),
    "The other way round: up if uniform lies BELOW the distance from the lower level.": (
        lambda v, b, u: _quantise(v, b, 1 - u)
    ),
    "You return the numbers of the levels; asked for are the values of the levels.": (
        lambda v, b, u: (_quantise(v, b, u) - v.min()) / (np.ptp(v) / (2**b - 1) or 1)
    ),
}


def _put_back(weights: np.ndarray, parts: Sequence[Part], divide: str = "clients") -> np.ndarray:
    total, held = np.zeros_like(weights), np.zeros_like(weights)
    for outputs, inputs, change in parts:
        total[np.ix_(outputs, inputs)] += change
        held[np.ix_(outputs, inputs)] += 1
    count = {"clients": len(parts), "contributors": np.maximum(held, 1), "nothing": 1}[divide]
    return weights + total / count


def _replaced(weights: np.ndarray, parts: Sequence[Part]) -> np.ndarray:
    result = weights.copy()
    for outputs, inputs, change in parts:
        result[np.ix_(outputs, inputs)] = weights[np.ix_(outputs, inputs)] + change
    return result


_WRONG_RETURNS = {
    "You divide each entry by the clients that hold it; here the sum is divided by all clients of the round.": (
        lambda w, p: _put_back(w, p, "contributors")
    ),
    "You add the changes up without dividing by the number of clients.": lambda w, p: _put_back(w, p, "nothing"),
    "The last client overwrites the others: add the changes of all, then divide.": _replaced,
    "You return the mean change alone; it has to be added to the server's weights.": lambda w, p: _put_back(w, p) - w,
}


def _vectors() -> list[tuple[np.ndarray, int, np.ndarray]]:
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=6), bits, rng.random(6)) for bits in (1, 2, 3) for _ in range(RANDOM_INSTANCES // 3)]
    return [
        *cases,
        (np.full(3, 2.0), 2, rng.random(3)),
        (np.array([1.0]), 1, rng.random(1)),
        (np.zeros(2), 1, rng.random(2)),
    ]


def _rounds() -> list[tuple[np.ndarray, list[Part]]]:
    rng, cases = np.random.default_rng(0), []
    for clients in (1, 2, 5):
        weights = rng.normal(size=(6, 5))
        parts = []
        for _ in range(clients):
            outputs, inputs = (np.sort(rng.choice(size, size // 2, replace=False)) for size in weights.shape)
            parts.append((outputs, inputs, rng.normal(size=(len(outputs), len(inputs)))))
        cases.append((weights, parts))
    whole = (np.arange(2), np.arange(3), np.ones((2, 3)))
    return [*cases, (np.zeros((2, 3)), [whole, whole])]


def _number(answer) -> float:
    require(isinstance(answer, (int, float, np.number)), f"Return one number, not {type(answer).__name__}.")
    return float(answer)


def _array(answer, shape: tuple[int, ...]) -> np.ndarray:
    try:
        values = np.asarray(answer, dtype=float)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"Return an array of shape {shape}, not {type(answer).__name__}.") from error
    require(values.shape == shape, f"Return an array of shape {shape}, not {values.shape}.")
    require(
        bool(np.isfinite(values).all()),
        "Your answer holds NaN or infinity; think of a vector whose values are all equal.",
    )
    return values


def _all_equal(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    return all(equal(mine, right) for mine, right in zip(first, second, strict=True))
