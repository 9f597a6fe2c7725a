"""How a check answers: a sentence when all is right, the mistake's own hint when not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


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
