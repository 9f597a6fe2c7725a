"""Checks of the exercises on federated learning at scale: windows to return in, seats to give out, rounds to close."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require, whole
from edgedl_lib.training.vanilla.pace.over_selection import chance_to_report

RANDOM_INSTANCES = 30


def check_return_window(function: Callable) -> Passed:
    """Check a window for devices to return in, over populations from one device to a million and a half.

    Raises
    ------
    AssertionError
        With the hint of the mistake that explains all answers.
    """
    cases = _populations()
    answers = [_pair(ask(function, *case)) for case in cases]
    rights = [_window(*case) for case in cases]
    if equal(answers, rights):
        return Passed("The mean grows with the population, and so the check-ins do not.")
    explain([(equal(answers, [wrong(*case) for case in cases]), hint) for hint, wrong in _WRONG_WINDOWS.items()])
    _show_first_difference(cases, answers, rights)


def _populations() -> list[tuple[int, float, int, float]]:
    generator = np.random.default_rng(199)
    cases = [(1, 1.0, 100, 60.0), (200, 0.5, 100, 60.0), (400, 0.5, 100, 60.0), (1_500_000, 0.25, 160, 60.0)]
    cases += [(1000, 0.0, 100, 60.0), (150, 1.0, 100, 30.0)]
    for _ in range(RANDOM_INSTANCES):
        devices, need = int(10 ** generator.uniform(1, 6)), int(generator.integers(10, 300))
        cases.append(
            (devices, round(float(generator.uniform(0.1, 1)), 2), need, float(generator.choice([30, 60, 120])))
        )
    return cases


def _window(devices, eligible, need, period, *, twice=True, floor=True) -> tuple[float, float]:
    mean = devices * eligible / need * period
    spread = mean - period if not floor else max(0.0, mean - period)
    return period, period + (2 if twice else 1) * spread


_WRONG_WINDOWS = {
    "Only eligible devices come: multiply the population by their share.": (
        lambda devices, eligible, need, period: _window(devices, 1.0, need, period)
    ),
    "The MEAN is right if the window is twice as long as the mean lies behind its beginning.": (
        lambda *case: _window(*case, twice=False)
    ),
    "A small population would return before the next round: its window is exactly one round from now.": (
        lambda *case: _window(*case, floor=False)
    ),
    "Nobody returns before the next round: the window begins there, not now.": (
        lambda devices, eligible, need, period: (0.0, 2 * devices * eligible / need * period)
    ),
    "A window is in seconds: multiply the rounds by the period.": (
        lambda devices, eligible, need, period: (1.0, 1 + 2 * max(0.0, devices * eligible / need - 1))
    ),
    "A window around the mean starts at one round and is symmetric; yours ends at twice the mean.": (
        lambda devices, eligible, need, period: (period, max(period, 2 * devices * eligible / need * period))
    ),
    "A round takes `need` devices at once, not one: divide by `need`.": (
        lambda devices, eligible, need, period: _window(devices, eligible, 1, period)
    ),
}


def check_seats(function: Callable) -> Passed:
    """Check how many devices are chosen, by the exact binomial distribution."""
    cases = [(100, 0.1, 0.99), (1, 0.0, 0.999), (1, 0.5, 0.75), (100, 0.0, 0.99), (10, 0.5, 0.9)]
    generator = np.random.default_rng(200)
    for _ in range(RANDOM_INSTANCES):
        target, rate = int(generator.integers(1, 120)), round(float(generator.uniform(0.01, 0.6)), 2)
        cases.append((target, rate, float(generator.choice([0.9, 0.95, 0.99]))))
    answers = [float(whole(ask(function, *case))) for case in cases]
    compare(answers, [(*case, _least(*case)) for case in cases], _WRONG_SEATS, "seats")
    return Passed("A hundred reports at ten per cent drop-outs take 120 seats, not 112.")


def _least(target: int, drop_out: float, certainty: float, *, needed: int = 0, report: bool = True) -> float:
    chosen = target
    rate = drop_out if report else 1 - drop_out
    while chance_to_report(target + needed, chosen, rate) < certainty:
        chosen += 1
        if chosen > 100 * target + 1000:
            return math.inf
    return float(chosen)


_WRONG_SEATS = {
    "This is right on average only: half of the rounds would still be short.": (
        lambda target, rate, certainty: float(math.ceil(round(target / (1 - rate), 9)))
    ),
    "On average, rounded down, is not even right on average.": (
        lambda target, rate, certainty: float(math.floor(target / (1 - rate)))
    ),
    "Adding the drop-outs' share to the target forgets that the added ones drop out too.": (
        lambda target, rate, certainty: float(math.ceil(round(target * (1 + rate), 9)))
    ),
    "AT LEAST the target: `sf(target)` is the chance of more than that.": (
        lambda target, rate, certainty: _least(target, rate, certainty, needed=1)
    ),
    "Nobody has dropped out yet: some do.": lambda target, rate, certainty: float(target),
    "That is one more than necessary.": lambda *case: _least(*case) + 1,
    "`drop_out` is the chance NOT to report.": lambda *case: _least(*case, report=False),
}


def check_close_round(function: Callable) -> Passed:
    """Check when a round ends and how many reports count; nobody reporting is among the cases."""
    cases = _rounds()
    answers = [_pair(ask(function, *case)) for case in cases]
    rights = [_closed(*case) for case in cases]
    if equal(answers, rights):
        return Passed("No answer of a device can keep the others waiting.")
    explain([(equal(answers, [wrong(*case) for case in cases]), hint) for hint, wrong in _WRONG_ENDS.items()])
    _show_first_difference(cases, answers, rights)


def _rounds() -> list[tuple[list[float], int, int, float]]:
    """Times in quarters of a second, so that reports at the limit occur."""
    generator = np.random.default_rng(201)
    cases = [([], 2, 1, 5.0), ([math.inf, math.inf], 2, 1, 5.0), ([5.0, 1.0], 2, 2, 5.0), ([3.0, 1.0, 2.0], 2, 1, 5.0)]
    cases += [([1.0, 6.0], 2, 2, 5.0), ([1.0, 6.0], 2, 1, 5.0), ([7.0, 6.0, 9.0], 2, 1, 5.0)]
    for _ in range(RANDOM_INSTANCES):
        times = generator.integers(1, 48, int(generator.integers(2, 9))) / 4
        times = np.where(generator.random(len(times)) < 0.2, np.inf, times)
        target = int(generator.integers(1, len(times) + 1))
        cases.append((times.tolist(), target, int(generator.integers(1, target + 1)), 8.0))
    return cases


def _closed(reports, target, fewest, limit, *, strict=False, early=True, cap=True, arrange=sorted, stop=None):
    in_time = arrange([time for time in reports if (time < limit if strict else time <= limit)])
    if early and len(in_time) >= target:
        return in_time[target - 1], float(target)
    counted = min(len(in_time), target) if cap else len(in_time)
    needed = fewest if stop is None else stop(target)
    return limit, float(counted) if len(in_time) >= needed else 0.0


def _waits_for_all(reports, target, fewest, limit) -> tuple[float, float]:
    end, counted = _closed(reports, target, fewest, limit)
    there = [time for time in reports if time <= limit]
    return (max(there), float(len(there))) if counted and len(there) == len(reports) else (limit, float(len(there)))


def _never_abandons(reports, target, fewest, limit) -> tuple[float, float]:
    return _closed(reports, target, fewest, limit, stop=lambda _: 0)


_WRONG_ENDS = {
    "A report at exactly the limit counts.": lambda *case: _closed(*case, strict=True),
    "The target-th report ends the round: do not wait for the limit.": lambda *case: _closed(*case, early=False),
    "The target-th report ends the round: later ones do not count, and are not waited for.": (
        lambda *case: _closed(*case, early=False, cap=False)
    ),
    "One straggler must not stall the round: it ends with the target-th report.": _waits_for_all,
    "Reports come in no order: sort them first.": lambda *case: _closed(*case, arrange=list),
    "With fewer than `fewest` reports the round is abandoned, and none counts.": _never_abandons,
    "At the limit `fewest` reports are enough; the target is not needed.": (
        lambda *case: _closed(*case, stop=lambda target: target)
    ),
}


def _pair(answer: object) -> tuple[float, float]:
    require(np.shape(answer) == (2,), f"Return two numbers, not {answer!r}.")
    first, second = answer
    return number(first), number(second)


def _show_first_difference(cases: Sequence[tuple], answers: Sequence[tuple], rights: Sequence[tuple]) -> None:
    index = next(i for i, pair in enumerate(zip(answers, rights, strict=True)) if not equal(*pair))
    given = ", ".join(str(part) for part in cases[index])
    shown = [", ".join(f"{part:g}" for part in pair) for pair in (answers[index], rights[index])]
    raise AssertionError(f"For ({given}) you answer ({shown[0]}), but ({shown[1]}) is right.")
