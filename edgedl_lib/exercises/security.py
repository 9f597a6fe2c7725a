"""Checks for the exercises on poisoned and private updates: a trimmed mean, Krum's choice, noise for a whole training.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require, whole

RANDOM_INSTANCES = 30


def check_trimmed_mean(trimmed_mean: Callable[[np.ndarray, int], np.ndarray]) -> Passed:
    """Check ``trimmed_mean(models, trim)``: models (k, d), ``trim`` values left out on each side of every coordinate.

    Examples
    --------
    >>> def trimmed_mean(models, trim):
    ...     ordered = np.sort(models, axis=0)
    ...     return ordered[trim : len(models) - trim].mean(axis=0)
    >>> check_trimmed_mean(trimmed_mean)
    Right. Every coordinate lies between honest values, as long as the liars are no more than are trimmed a side.
    """
    cases = _stacks()
    rights = [_trimmed(*case) for case in cases]
    answers = [_vector(ask(trimmed_mean, models.copy(), trim), models.shape[1]) for models, trim in cases]
    if _all_equal(answers, rights):
        return Passed(
            "Every coordinate lies between honest values, as long as the liars are no more than are trimmed a side."
        )
    explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_TRIMS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(
        f"For models {case[0].tolist()} and trim {case[1]} you answer {answer.round(4).tolist()}, "
        f"but {right.round(4).tolist()} is right."
    )


def check_krum_choice(krum_choice: Callable[[np.ndarray, int], int]) -> Passed:
    """Check ``krum_choice(models, malicious)``: row of the model closest to its k - malicious - 2 nearest neighbours.

    Closeness is the sum of squared distances; the model itself is not its own neighbour.

    Examples
    --------
    >>> def krum_choice(models, malicious):
    ...     distances = ((models[:, None] - models[None]) ** 2).sum(-1)
    ...     np.fill_diagonal(distances, np.inf)
    ...     nearest = np.sort(distances, axis=1)[:, : len(models) - malicious - 2]
    ...     return int(nearest.sum(axis=1).argmin())
    >>> check_krum_choice(krum_choice)
    Right. Whoever wants to be chosen has to stand among the honest, where it can do little harm.
    """
    cases = _crowds()
    rights = [_krum(*case) for case in cases]
    answers = [_row(ask(krum_choice, models.copy(), malicious), len(models)) for models, malicious in cases]
    if answers == rights:
        return Passed("Whoever wants to be chosen has to stand among the honest, where it can do little harm.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_CROWDS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(
        f"For models {case[0].round(3).tolist()} and {case[1]} malicious ones you choose row {answer}, "
        f"but {right} is right."
    )


def check_noise_scale(noise_scale: Callable[[float, float, int], float]) -> Passed:
    """Check ``noise_scale(bound, budget, rounds)``: scale of the Laplace noise on every number of an update.

    Updates have an L1 norm of at most ``bound``; a device may spend ``budget`` (epsilon) over all ``rounds`` together.

    Examples
    --------
    >>> check_noise_scale(lambda bound, budget, rounds: 2 * bound * rounds / budget)
    Right. Privacy adds up over rounds, so the noise of each round grows with their number.
    """
    cases = [(1.0, 1.0, 1), (2.0, 10.0, 1), (1.0, 10.0, 30), (0.5, 2.0, 100), (4.0, 0.1, 7)]
    answers = [number(ask(noise_scale, *case)) for case in cases]
    compare(answers, [(*case, 2 * case[0] * case[2] / case[1]) for case in cases], _WRONG_SCALES, "")
    return Passed("Privacy adds up over rounds, so the noise of each round grows with their number.")


_WRONG_SCALES = {
    "Two updates of norm `bound` can point in opposite directions: they differ by up to twice the bound.": (
        lambda bound, budget, rounds: bound * rounds / budget
    ),
    "The budget is for all rounds together: a single round gets a share of it.": (
        lambda bound, budget, rounds: 2 * bound / budget
    ),
    "Less budget means MORE noise: divide by it.": lambda bound, budget, rounds: 2 * bound * rounds * budget,
    "The budget of a pure epsilon adds up linearly over the rounds, not with their square root.": (
        lambda bound, budget, rounds: 2 * bound * rounds**0.5 / budget
    ),
    "That is the variance; the scale of Laplace noise is sensitivity over epsilon.": (
        lambda bound, budget, rounds: 2 * (2 * bound * rounds / budget) ** 2
    ),
}


def _trimmed(models: np.ndarray, trim: int) -> np.ndarray:
    return np.sort(models, axis=0)[trim : len(models) - trim].mean(0)


def _trims_one_side(models: np.ndarray, trim: int, *, top: bool) -> np.ndarray:
    ordered = np.sort(models, axis=0)
    return (ordered[: len(models) - trim] if top else ordered[trim:]).mean(0)


def _trims_whole_models(models: np.ndarray, trim: int) -> np.ndarray:
    order = np.argsort(np.linalg.norm(models, axis=1), kind="stable")
    return models[order[trim : len(models) - trim]].mean(0)


def _winsorised(models: np.ndarray, trim: int) -> np.ndarray:
    ordered = np.sort(models, axis=0)
    return np.clip(models, ordered[trim], ordered[len(models) - trim - 1]).mean(0)


_WRONG_TRIMS = {
    "Nothing is left out: `trim` values go at each end.": lambda models, trim: models.mean(0),
    "Liars may lie upwards or downwards: trim at BOTH ends.": lambda models, trim: _trims_one_side(
        models, trim, top=True
    ),
    "Liars may lie upwards or downwards: trim at both ends, not only below.": lambda models, trim: _trims_one_side(
        models, trim, top=False
    ),
    "Trim each coordinate by itself: a model may be an outlier in one number only.": _trims_whole_models,
    "`trim` is per side.": lambda models, trim: _trimmed(models, trim // 2),
    "Rows are models: sort along the first axis.": lambda models, trim: models[trim : len(models) - trim].mean(0),
    "Divide by the number of values that are left.": lambda models, trim: (
        _trimmed(models, trim) * (len(models) - 2 * trim) / len(models)
    ),
    "That is the median, which trims as much as it can; here `trim` says how much.": lambda models, trim: np.median(
        models, axis=0
    ),
    "Pulling outliers to the edge (winsorising) still lets them vote: leave them out.": _winsorised,
}


def _stacks() -> list[tuple[np.ndarray, int]]:
    """Also one model, nothing to trim, equal models, and a liar in a single coordinate."""
    generator = np.random.default_rng(201)
    cases = [(np.array([[1.0, 2.0]]), 0), (np.ones((3, 2)), 1), (np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 99.0]]), 1)]
    for _ in range(RANDOM_INSTANCES):
        clients, size = int(generator.integers(3, 12)), int(generator.integers(1, 6))
        cases.append((generator.normal(size=(clients, size)).round(3), int(generator.integers(0, (clients + 1) // 2))))
    return cases


def _krum(models: np.ndarray, malicious: int, *, neighbours: int = 2, power: int = 2, own: bool = False) -> int:
    distances = np.linalg.norm(models[:, None] - models[None], axis=-1) ** power
    if not own:
        np.fill_diagonal(distances, np.inf)
    return int(np.sort(distances, axis=1)[:, : len(models) - malicious - neighbours].sum(1).argmin())


_WRONG_CROWDS = {
    "Krum counts k - malicious - 2 neighbours; you count one more.": lambda models, malicious: _krum(
        models, malicious, neighbours=1
    ),
    "A model is not its own neighbour: leave the zero on the diagonal out.": lambda models, malicious: _krum(
        models, malicious, own=True
    ),
    "The distances count squared.": lambda models, malicious: _krum(models, malicious, power=1),
    "The mean has been moved by the liars already: compare the models with each other.": lambda models, malicious: int(
        np.linalg.norm(models - models.mean(0), axis=1).argmin()
    ),
    "Smallest sum, not largest: the chosen one stands in the crowd.": lambda models, malicious: int(
        _krum_sums(models, malicious).argmax()
    ),
}


def _krum_sums(models: np.ndarray, malicious: int) -> np.ndarray:
    distances = ((models[:, None] - models[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, : len(models) - malicious - 2].sum(1)


def _crowds() -> list[tuple[np.ndarray, int]]:
    """Honest models around one point, liars anywhere else, some of them together."""
    generator = np.random.default_rng(2017)
    cases = []
    for _ in range(RANDOM_INSTANCES):
        malicious, size = int(generator.integers(0, 4)), int(generator.integers(1, 5))
        honest = generator.normal(0, generator.uniform(0.5, 2), (malicious + 3 + int(generator.integers(0, 6)), size))
        liars = generator.normal(generator.choice([0, 3, 30]), generator.choice([0.1, 1]), (malicious, size))
        models = np.concatenate([honest, liars]).round(3)
        cases.append((models[generator.permutation(len(models))], malicious))
    return cases


def _all_equal(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    return all(equal(*pair) for pair in zip(first, second, strict=True))


def _vector(answer: object, size: int) -> np.ndarray:
    require(np.shape(answer) == (size,), f"Return one model of {size} numbers, not shape {np.shape(answer)}.")
    return np.asarray(answer, dtype=float)


def _row(answer: object, models: int) -> int:
    row = whole(answer)
    require(0 <= row < models, f"Return the row of one of {models} models, not {row}.")
    return row
