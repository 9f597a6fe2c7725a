"""What a field of a scenario may hold, and the error that says where a scenario is wrong and what to do.

A field of a description carries its `Rule` in its metadata: Python objects and TOML files pass the same checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

MISSING_VALUE = object()


class ScenarioError(ValueError):
    """A scenario that cannot be run.

    Attributes
    ----------
    file : str or None
        The scenario file, if it came from one.
    where, key : str
        The element, such as ``stations 'edge'``, and its field.
    value : object
        What stands there.
    remedy : str
        What to write instead.
    """

    def __init__(self, where: str, key: str, value: Any, remedy: str, file: str | None = None) -> None:
        self.where, self.key, self.value, self.remedy, self.file = where, key, value, remedy, file
        place = f"{file}: {where}" if file else where
        fault = f"{key} is missing" if value is MISSING_VALUE else f"{key} = {value!r}"
        super().__init__(f"{place}, {fault}: {remedy}")

    def within(self, file: str) -> ScenarioError:
        """The same error, naming its file."""
        return ScenarioError(self.where, self.key, self.value, self.remedy, file)


@dataclass(frozen=True)
class Rule:
    """Which values a field takes (`accepts`), what to say otherwise, and how to store them."""

    accepts: Callable[[Any], bool]
    remedy: str
    convert: Callable[[Any], Any] = lambda value: value


def ruled(rule: Rule, default: Any = MISSING) -> Any:
    """A dataclass field that obeys `rule`; None is allowed where it is the default."""
    return field(metadata={"rule": rule}, **({} if default is MISSING else {"default": default}))


def number(*, above: float | None = None, infinite: bool = False) -> Rule:
    """A number of at least 0, or greater than `above`."""

    def accepts(value: Any) -> bool:
        in_range = _is_number(value) and (value >= 0 if above is None else value > above)
        return in_range and (infinite or math.isfinite(value))

    bound = "zero or a positive" if above is None else "a positive" if above == 0 else f"a greater than {above}"
    return Rule(accepts, f"give {bound} number", float)


def fraction() -> Rule:
    """A number in [0, 1]."""
    return Rule(lambda value: _is_number(value) and 0 <= value <= 1, "give a number between 0 and 1", float)


def whole(least: int) -> Rule:
    """A whole number of at least `least`."""

    def accepts(value: Any) -> bool:
        return _is_number(value) and value == value // 1 and value >= least

    return Rule(accepts, f"give a whole number of at least {least}", int)


def text() -> Rule:
    """A word or a sentence."""
    return Rule(lambda value: isinstance(value, str) and bool(value), 'give a text in quotation marks, as in "edge"')


def flag() -> Rule:
    """True or false."""
    return Rule(lambda value: isinstance(value, bool), "write true or false, without quotation marks")


def choice(*options: str) -> Rule:
    """One of some words."""
    return Rule(lambda value: value in options, f"use one of {', '.join(map(repr, options))}")


def names(least: int = 0) -> Rule:
    """A list of names, at least `least` and none of them twice."""

    def accepts(value: Any) -> bool:
        good = isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)
        return good and len(value) >= least and len(set(value)) == len(value)

    return Rule(accepts, f"give a list of at least {least} different names", tuple)


def times() -> Rule:
    """Times in seconds, not decreasing."""

    def accepts(value: Any) -> bool:
        good = isinstance(value, (list, tuple)) and all(_is_number(time) and 0 <= time < math.inf for time in value)
        return good and list(value) == sorted(value)

    return Rule(
        accepts, "give times in seconds, finite, not negative and sorted", lambda value: tuple(map(float, value))
    )


def seconds_by_station() -> Rule:
    """A number of seconds, or a table of them, one per station."""
    single = number()

    def accepts(value: Any) -> bool:
        if isinstance(value, Mapping):
            return bool(value) and all(map(single.accepts, value.values()))
        return single.accepts(value)

    def convert(value: Any) -> Any:
        return {name: float(each) for name, each in value.items()} if isinstance(value, Mapping) else float(value)

    return Rule(accepts, "give seconds, or a table such as {phone = 0.8, edge = 0.1}, all zero or positive", convert)


def check(element: Any, where: str) -> None:
    """Hold every field of a frozen dataclass against its rule, and store what the rule converts it to.

    Raises
    ------
    ScenarioError
        At the first field that breaks its rule.
    """
    for each in fields(element):
        rule, value = each.metadata.get("rule"), getattr(element, each.name)
        if rule is None or (value is None and each.default is None):
            continue
        if not rule.accepts(value):
            raise ScenarioError(where, each.name, value, rule.remedy)
        object.__setattr__(element, each.name, rule.convert(value))


def build(kind: type, table: Any, where: str) -> Any:
    """An element from its table in a file.

    Raises
    ------
    ScenarioError
        If the table lacks a field, has one that is unknown, or holds a value that breaks a rule.
    """
    if not isinstance(table, Mapping):
        raise ScenarioError(where, "this entry", table, f"write it as a table of {kind.__name__.lower()} fields")
    known = {each.name: each for each in fields(kind) if each.init}
    for key, value in table.items():
        if key not in known:
            raise ScenarioError(where, key, value, f"no such field; known are {', '.join(known)}")
    for key, each in known.items():
        if key not in table and each.default is MISSING and each.default_factory is MISSING:
            raise ScenarioError(where, key, MISSING_VALUE, "add it; it has no default")
    return kind(**table)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
