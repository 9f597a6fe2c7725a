"""Checks for the exercises of the chapter on compression.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, require, whole

RANDOM_INSTANCES = 40


def check_stored_entries(stored_entries: Callable[..., int]) -> Passed:
    """Check ``stored_entries(positions, bits)``: entries of a sparse vector with relative indices, fillers included.

    `positions` is an increasing array of the places of the non-zeros, counted from 0; a gap is the distance from the
    entry before (the first one from place -1) and is stored in `bits` bits as gap - 1, so that it reaches 2**bits.

    Examples
    --------
    >>> def stored_entries(positions, bits):
    ...     gaps = np.diff(positions, prepend=-1)
    ...     return int(np.sum(np.ceil(gaps / 2**bits)))
    >>> check_stored_entries(stored_entries)
    Right. A gap that does not fit costs filler zeros; at low density they are a tenth of the file.
    """
    cases = [(places, bits, _entries(places, bits)) for places, bits in _sparse_vectors()]
    answers = [whole(ask(stored_entries, places.copy(), bits)) for places, bits, _ in cases]
    wrong = {
        "Fillers are missing: a gap beyond 2**bits needs zeros in between, which are stored too.": lambda p, b: len(p),
        "The first entry has a gap too, from place -1.": lambda p, b: (
            1 + _entries(p[1:] - p[0] - 1, b) if len(p) else 0
        ),
        "A gap of exactly 2**bits still fits, since gap - 1 is stored.": lambda p, b: _entries(p, b, reach=2**b - 1),
        "A long gap may need several fillers, not one.": lambda p, b: _at_most_one_filler(p, b),
    }
    compare(answers, cases, wrong, "entries")
    return Passed("A gap that does not fit costs filler zeros; at low density they are a tenth of the file.")


def check_useful_rank(largest_useful_rank: Callable[..., int]) -> Passed:
    """Check ``largest_useful_rank(outputs, inputs)``: largest rank at which two factors multiply less than the layer.

    Examples
    --------
    >>> check_useful_rank(lambda outputs, inputs: (outputs * inputs - 1) // (outputs + inputs))
    Right. A square layer must lose more than half of its rank before two factors pay.
    """
    cases = [(*shape, _useful_rank(*shape)) for shape in _layer_shapes()]
    answers = [whole(ask(largest_useful_rank, *case[:2])) for case in cases]
    wrong = {
        "At equality nothing is saved: the factors must need FEWER multiplications.": lambda m, n: m * n // (m + n),
        "The full rank always costs more in two factors than in one.": min,
        "Both factors cost something: outputs x r and r x inputs.": lambda m, n: (m * n - 1) // m,
        "Rounding up steps over the break-even point.": lambda m, n: -(-m * n // (m + n)),
    }
    compare(answers, cases, wrong, "")
    return Passed("A square layer must lose more than half of its rank before two factors pay.")


def _useful_rank(outputs: int, inputs: int) -> int:
    return (outputs * inputs - 1) // (outputs + inputs)


def _layer_shapes() -> list[tuple[int, int]]:
    generator = np.random.default_rng(16)
    known = [(1, 1), (1, 50), (2, 2), (4, 4), (100, 100), (300, 784), (3, 6)]
    return known + [(int(m), int(n)) for m, n in generator.integers(1, 900, (RANDOM_INSTANCES, 2))]


def check_pareto(pareto: Callable[..., Sequence[int]]) -> Passed:
    """Check ``pareto(costs)``: indices of the models that no other one beats, for an array (n, 2) to be minimised.

    A model is beaten by one that is at least as good in both columns and better in one.  Equal models stay together.

    Examples
    --------
    >>> def pareto(costs):
    ...     beaten = [
    ...         np.any((costs <= row).all(axis=1) & (costs < row).any(axis=1)) for row in costs
    ...     ]
    ...     return np.flatnonzero(~np.array(beaten))
    >>> check_pareto(pareto)
    Right. What is left is a menu: each model on it is the best for some budget.
    """
    tables = _cost_tables()
    answers = [_indices(ask(pareto, table.copy()), len(table)) for table in tables]
    rights = [_front(table) for table in tables]
    same = [answer == right for answer, right in zip(answers, rights, strict=True)]
    if all(same):
        return Passed("What is left is a menu: each model on it is the best for some budget.")
    pairs = list(zip(answers, tables, strict=True))
    explain(
        [
            (all(a == _front(-t) for a, t in pairs), "Both columns are costs: smaller is better."),
            (
                all(a == _strict_front(t) for a, t in pairs),
                "A model that ties in one column and loses the other is beaten.",
            ),
            (all(a == _without_twins(t) for a, t in pairs), "Two equal models do not beat each other: keep both."),
            (
                all(a == {int(t.sum(axis=1).argmin())} for a, t in pairs),
                "The sum of the costs chooses one model for one price of each.",
            ),
        ]
    )
    index = same.index(False)
    extra, missing = answers[index] - rights[index], rights[index] - answers[index]
    told = f"row {min(extra)} is beaten by another" if extra else f"row {min(missing)} is beaten by none"
    raise AssertionError(f"For the costs {tables[index].tolist()} your answer is wrong: {told}.")


def _entries(places: np.ndarray, bits: int, reach: int | None = None) -> int:
    gaps = np.diff(places, prepend=-1)
    return int(np.sum(-(-gaps // (2**bits if reach is None else reach))))


def _at_most_one_filler(places: np.ndarray, bits: int) -> int:
    gaps = np.diff(places, prepend=-1)
    return int(len(gaps) + np.sum(gaps > 2**bits))


def _sparse_vectors() -> list[tuple[np.ndarray, int]]:
    generator = np.random.default_rng(5)
    known = [([], 3), ([0], 3), ([7], 3), ([8], 3), ([3, 11, 40], 3), ([100], 2), ([0, 1, 2], 1)]
    cases = [(np.array(places, dtype=int), bits) for places, bits in known]
    for _ in range(RANDOM_INSTANCES):
        mask = generator.random(400) < generator.uniform(0.01, 0.5)
        cases.append((np.flatnonzero(mask), int(generator.integers(1, 6))))
    return cases


def _cost_tables() -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    known = [[[1, 1]], [[1, 2], [2, 1]], [[1, 2], [1, 2]], [[1, 1], [1, 2], [2, 1]], [[3, 3], [1, 1], [2, 2]]]
    return [np.array(table, dtype=float) for table in known] + [
        generator.integers(0, 8, (int(generator.integers(3, 15)), 2)).astype(float) for _ in range(RANDOM_INSTANCES)
    ]


def _front(table: np.ndarray) -> set[int]:
    no_worse = (table[:, None] <= table[None]).all(axis=2)  # [i, j]: i is at least as good as j
    better = (table[:, None] < table[None]).any(axis=2)
    return set(np.flatnonzero(~(no_worse & better).any(axis=0)).tolist())


def _strict_front(table: np.ndarray) -> set[int]:
    better_in_both = (table[:, None] < table[None]).all(axis=2)
    return set(np.flatnonzero(~better_in_both.any(axis=0)).tolist())


def _without_twins(table: np.ndarray) -> set[int]:
    return {index for index in _front(table) if not (table[:index] == table[index]).all(axis=1).any()}


def _indices(answer: object, count: int) -> set[int]:
    array = np.asarray(answer if not isinstance(answer, set) else sorted(answer))
    require(
        array.size == 0 or np.issubdtype(array.dtype, np.integer),
        "Return row numbers, not a mask or the rows themselves.",
    )
    require(array.size == 0 or 0 <= array.min() <= array.max() < count, f"Row numbers lie between 0 and {count - 1}.")
    return set(array.ravel().tolist())
