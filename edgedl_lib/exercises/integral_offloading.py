"""Checks for the exercises of the chapter on integral offloading.

Each check takes the learner's own function, tries it on many cases, degenerate ones among them, and answers with a
hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, number, require

RANDOM_INSTANCES = 60
PLACES = ("end", "edge", None)


def check_where_to_run(where_to_run: Callable[..., str | None]) -> Passed:
    """Check ``where_to_run(local_seconds, local_power, size_bytes, rate, server_seconds, radio_power, deadline)``.

    Of the places that answer within the deadline, the one that costs the phone less energy: "end", "edge", or None.
    The phone spends `local_power` while it computes, `radio_power` while it sends, and nothing while it waits.

    Examples
    --------
    >>> def where_to_run(local_seconds, local_power, size_bytes, rate, server_seconds, radio_power, deadline):
    ...     sending = 8 * size_bytes / rate
    ...     places = {
    ...         "end": (local_seconds, local_seconds * local_power),
    ...         "edge": (sending + server_seconds, sending * radio_power),
    ...     }
    ...     in_time = [place for place, (seconds, joules) in places.items() if seconds <= deadline]
    ...     return min(in_time, key=lambda place: places[place][1], default=None)
    >>> check_where_to_run(where_to_run)
    Right. The deadline decides who may answer, the battery who does.
    """
    cases = _situations()
    rights = [_place(*case) for case in cases]
    answers = [_known(ask(where_to_run, *case)) for case in cases]
    if answers == rights:
        return Passed("The deadline decides who may answer, the battery who does.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_PLACES.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(f"For {tuple(float(part) for part in case)} you choose {answer!r}, but {right!r} is right.")


def check_capacity_needed(capacity_needed: Callable[[float, float, float], float]) -> Passed:
    """Check ``capacity_needed(arrival_rate, cycles, delay)``: cycles/s of an M/M/1 machine with that mean delay.

    `arrival_rate` is in tasks/s, `cycles` the mean work per task, `delay` the mean seconds from arrival to answer.

    Examples
    --------
    >>> check_capacity_needed(lambda arrival_rate, cycles, delay: cycles * (arrival_rate + 1 / delay))
    Right. One part of the capacity keeps up with the load, the other buys the delay.
    """
    cases = [(*case, _capacity(*case)) for case in _loads()]
    answers = [number(ask(capacity_needed, *case[:3])) for case in cases]
    wrong = {
        "That only keeps the line from growing without end: at this capacity the delay is infinite.": (
            lambda rate, cycles, delay: cycles * rate
        ),
        "That would do for a machine that is always free: tasks also wait for each other.": (
            lambda rate, cycles, delay: cycles / delay
        ),
        "The delay is waiting AND service; you let the waiting alone take that long.": _waiting_only,
        "That is the rate in tasks/s; each task needs `cycles` of them.": lambda rate, cycles, delay: rate + 1 / delay,
        "Delay is 1 / (service rate - arrival rate): the arrival rate is added, not subtracted, to get the service "
        "rate.": lambda rate, cycles, delay: cycles * (1 / delay - rate),
    }
    compare(answers, cases, wrong, "cycles/s")
    return Passed("One part of the capacity keeps up with the load, the other buys the delay.")


def check_drop_oldest(drop_oldest: Callable[[Sequence[int | None], int], list[int]]) -> Passed:
    """Check ``drop_oldest(events, length)``: the frames that a detector gets from a line that drops the oldest.

    An event is the number of a frame that arrives, or None when the detector asks for the next one; if none waits, it
    gets nothing.

    Examples
    --------
    >>> def drop_oldest(events, length):
    ...     line, taken = [], []
    ...     for event in events:
    ...         if event is not None:
    ...             line = [*line, event][-length:]
    ...         elif line:
    ...             taken.append(line.pop(0))
    ...     return taken
    >>> check_drop_oldest(drop_oldest)
    Right. The line stays short, so what the detector sees is never old.
    """
    cases = _streams()
    rights = [_taken(*case) for case in cases]
    answers = [_numbers(ask(drop_oldest, list(events), length)) for events, length in cases]
    if answers == rights:
        return Passed("The line stays short, so what the detector sees is never old.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_LINES.items()])
    require(all(None not in answer for answer in answers), "If no frame waits, the detector gets nothing: add no None.")
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(f"For {case[0]} and a line of {case[1]} you answer {answer}, but {right} is right.")


def _costs(local_seconds, local_power, size_bytes, rate, server_seconds, radio_power, *, bits=8, waiting=0.0):
    """Seconds and the phone's joules at the end and at the edge."""
    sending = bits * size_bytes / rate
    edge = (sending + server_seconds, sending * radio_power + waiting * server_seconds * local_power)
    return (local_seconds, local_seconds * local_power), edge


def _place(*case, key=lambda cost: cost[1], **changes) -> str | None:
    *situation, deadline = case
    costs = dict(zip(PLACES, _costs(*situation, **changes), strict=False))
    return min((place for place in costs if costs[place][0] <= deadline), key=lambda p: key(costs[p]), default=None)


def _without_server(*case) -> str | None:
    """The server's time is not waited for."""
    *situation, deadline = case
    situation[4] = 0.0
    return _place(*situation, deadline)


def _late(*case) -> str | None:
    return _place(*case[:-1], np.inf)


def _cheapest_if_in_time(*case) -> str | None:
    """Least energy first, the deadline afterwards."""
    place = _late(*case)
    seconds = _costs(*case[:-1])[PLACES.index(place)][0]
    return place if seconds <= case[-1] else None


_WRONG_PLACES = {
    "Mind the factor of eight: the rate is in bit/s, the size in bytes.": lambda *case: _place(*case, bits=1),
    "You take the faster place; both are in time, so take the one that spares the battery.": (
        lambda *case: _place(*case, key=lambda cost: cost[0])
    ),
    "While it waits for the server the phone spends nothing.": lambda *case: _place(*case, waiting=1.0),
    "An answer from the edge takes the sending AND the server's time.": _without_server,
    "You choose places that answer too late.": _late,
    "If the cheaper place is too late, the other one may still be in time.": _cheapest_if_in_time,
}


def _situations() -> list[tuple[float, ...]]:
    generator = np.random.default_rng(61)
    cases = [(1.0, 2.0, 1e5, 1e6, 0.1, 1.0, deadline) for deadline in (0.5, 0.85, 0.95, 1.0, 10.0)]
    for _ in range(RANDOM_INSTANCES):
        local, server = generator.uniform(0.1, 1.0), generator.uniform(0.01, 0.3)
        powers, size = generator.uniform(0.5, 3.0, 2), generator.uniform(1e4, 2e5)
        rate, deadline = 10 ** generator.uniform(5.5, 7), generator.uniform(0.2, 1.2)
        case = (local, powers[0], size, rate, server, powers[1], deadline)
        cases.append(tuple(float(np.round(part, 4)) for part in case))
    return cases


def _known(answer: object) -> str | None:
    require(answer is None or answer in PLACES[:2], f'Return "end", "edge" or None, not {answer!r}.')
    return answer


def _capacity(arrival_rate: float, cycles: float, delay: float) -> float:
    return cycles * (arrival_rate + 1 / delay)


def _waiting_only(arrival_rate: float, cycles: float, delay: float) -> float:
    """The service rate at which the wait alone, load / (service rate - arrival rate), is the delay."""
    return cycles * (arrival_rate + np.sqrt(arrival_rate**2 + 4 * arrival_rate / delay)) / 2


def _loads() -> list[tuple[float, float, float]]:
    generator = np.random.default_rng(62)
    cases = [(0.0, 1e6, 0.1), (20.0, 4e7, 0.1)]
    for _ in range(RANDOM_INSTANCES):
        values = (generator.uniform(1, 50), 10 ** generator.uniform(5, 8), 10 ** generator.uniform(-3, 0))
        cases.append(tuple(float(value) for value in values))
    return cases


def _taken(events, length, *, place=0, full="oldest") -> list[int]:
    line, taken = deque(), []
    for event in events:
        if event is None:
            if line:
                taken.append(line.popleft() if place == 0 else line.pop())
            continue
        if len(line) >= length and full == "newest":
            continue
        line.append(event)
        while len(line) > length and full == "oldest":
            line.popleft()
    return taken


def _forgets_the_rest(events, length) -> list[int]:
    """A full line is emptied."""
    line, taken = [], []
    for event in events:
        if event is None:
            if line:
                taken.append(line.pop(0))
            continue
        line = [event] if len(line) >= length else [*line, event]
    return taken


_WRONG_LINES = {
    "You drop the frame that arrives; drop the one that has waited longest.": (
        lambda events, length: _taken(events, length, full="newest")
    ),
    "Your line has no bound: more than `length` frames wait.": lambda events, length: _taken(events, 10**9),
    "The detector takes the frame that has waited longest, not the newest.": (
        lambda events, length: _taken(events, length, place=-1)
    ),
    "One frame too many waits in your line.": lambda events, length: _taken(events, length + 1),
    "One frame too few waits in your line.": lambda events, length: _taken(events, length - 1),
    "Only the oldest frame goes; the others still wait.": _forgets_the_rest,
}


def _streams() -> list[tuple[list[int | None], int]]:
    generator = np.random.default_rng(63)
    cases: list[tuple[list[int | None], int]] = [([], 1), ([None, None], 2), ([1, 2, 3, None, None], 2)]
    for _ in range(RANDOM_INSTANCES):
        arrives = generator.random(int(generator.integers(1, 25))) < 0.65
        numbers = np.cumsum(arrives)
        events = [int(number) if new else None for number, new in zip(numbers, arrives, strict=True)]
        cases.append((events, int(generator.integers(1, 5))))
    return cases


def _numbers(answer: object) -> list:
    require(isinstance(answer, list | tuple | np.ndarray), f"Return a list of frame numbers, not {answer!r}.")
    return [None if each is None else int(each) for each in answer]
