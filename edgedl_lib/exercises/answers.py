"""How a check answers: a sentence when all is right, the mistake's own hint when not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-6  # relative and absolute, of numbers that should be equal


@dataclass(frozen=True)
class Passed:
    """A right answer; shows one sentence about what it means."""

    message: str

    def __repr__(self) -> str:
        return f"Right. {self.message}"


def ask(function: Callable, *arguments: Any) -> Any:
    """Call the learner's function; an exception in it becomes a hint that names the arguments.

    Raises
    ------
    AssertionError
        If the function raises anything.
    """
    try:
        return function(*arguments)
    except Exception as error:
        shown = ", ".join(_shown(argument) for argument in arguments)
        raise AssertionError(f"Your function raised {type(error).__name__}: {error} for ({shown}).") from error


def _shown(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"array{argument.shape}"
    return f"{argument:g}" if isinstance(argument, float) else repr(argument)


def require(condition: bool, hint: str) -> None:
    """Raise AssertionError with the hint unless the condition holds."""
    if not condition:
        raise AssertionError(hint)


def explain(mistakes: Sequence[tuple[bool, str]]) -> None:
    """Raise AssertionError with the hint of the first mistake that was made, if any was."""
    for made, hint in mistakes:
        require(not made, hint)


def compare(answers: list[float], cases: list[tuple], wrong: dict[str, Callable], unit: str) -> None:
    """Raise the hint that explains all answers, or else show the first wrong one.

    Parameters
    ----------
    answers : list of float
    cases : list of tuple
        What the learner's function was given, and the right answer last.
    wrong : mapping
        Hint to a function that gives what this mistake would answer.
    """
    rights = [case[-1] for case in cases]
    if equal(answers, rights):
        return
    explain([(equal(answers, [rule(*case[:-1]) for case in cases]), hint) for hint, rule in wrong.items()])
    index = next(i for i, pair in enumerate(zip(answers, rights, strict=True)) if not equal([pair[0]], [pair[1]]))
    given = ", ".join(f"array{part.shape}" if getattr(part, "size", 1) > 8 else f"{part}" for part in cases[index][:-1])
    raise AssertionError(f"For ({given}) you answer {answers[index]:g} {unit}, but {rights[index]:g} is right.")


def equal(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether two lists of numbers agree."""
    return bool(np.allclose(first, second, rtol=TOLERANCE, atol=TOLERANCE))


def whole(answer: object) -> int:
    """The answer as an int, or a hint."""
    require(
        isinstance(answer, int | np.integer) and not isinstance(answer, bool), f"Return a whole number, not {answer!r}."
    )
    return int(answer)


def number(answer: object) -> float:
    """The answer as a float, or a hint."""
    require(
        np.ndim(answer) == 0 and np.issubdtype(np.asarray(answer).dtype, np.number), f"Return a number, not {answer!r}."
    )
    return float(answer)
