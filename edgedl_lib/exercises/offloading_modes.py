"""Checks for the exercises of the chapter on the four modes: a line, a shared medium, pictures that climb.

Each check takes the learner's own function, tries it on many cases, degenerate ones among them, and answers with a
hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require

RANDOM_INSTANCES = 40

Stream = tuple[float, float]  # bytes of a transfer, transfers per second


def check_waits(waits: Callable[[list[float], list[float]], Sequence[float]]) -> Passed:
    """Check ``waits(arrivals, services)``: seconds in line of each job at one server, first come first served.

    Examples
    --------
    >>> def waits(arrivals, services):
    ...     free, waited = 0.0, []
    ...     for arrival, service in zip(arrivals, services):
    ...         start = max(arrival, free)
    ...         waited.append(start - arrival)
    ...         free = start + service
    ...     return waited
    >>> check_waits(waits)
    Right. A job inherits the line of the one before it, less the time that passed: Lindley's recursion of 1952.
    """
    cases = _lines()
    answers = [_seconds(ask(waits, list(arrivals), list(services)), len(arrivals)) for arrivals, services in cases]
    rights = [_waits(*case) for case in cases]
    if _same(answers, rights):
        return Passed(
            "A job inherits the line of the one before it, less the time that passed: Lindley's recursion of 1952."
        )
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_WAITS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(f"For arrivals {case[0]} and services {case[1]} you answer {answer}, but {right} is right.")


def check_least_rate(least_rate: Callable[[list[Stream], float], float]) -> Passed:
    """Check ``least_rate(streams, load)``: bit/s that a shared medium needs so that it is in use `load` of the time.

    Each stream is a pair of bytes and transfers per second.

    Examples
    --------
    >>> check_least_rate(lambda streams, load: 8 * sum(size * rate for size, rate in streams) / load)
    Right. A medium that is in use all the time has no time left for chance: the line grows without end.
    """
    cases = [(*case, _least_rate(*case)) for case in _media()]
    answers = [number(ask(least_rate, list(streams), load)) for streams, load, _ in cases]
    compare(answers, cases, _WRONG_RATES, "bit/s")
    return Passed("A medium that is in use all the time has no time left for chance: the line grows without end.")


def check_climbing_latency(climbing_latency: Callable[..., float]) -> Passed:
    """Check ``climbing_latency(shares, seconds, transfers)``: mean latency of vertical collaboration.

    `shares` of the pictures are answered at end, edge and cloud; `seconds` is what each level computes on a picture
    that reaches it; `transfers` are the seconds from end to edge and from edge to cloud.  Answers come back in no time.

    Examples
    --------
    >>> def climbing_latency(shares, seconds, transfers):
    ...     reach = [1.0, shares[1] + shares[2], shares[2]]
    ...     steps = [seconds[0], transfers[0] + seconds[1], transfers[1] + seconds[2]]
    ...     return sum(r * s for r, s in zip(reach, steps))
    >>> check_climbing_latency(climbing_latency)
    Right. Every level is paid for by all who reach it, not by those alone whom it answers.
    """
    cases = [(*case, _climbing(*case)) for case in _hierarchies()]
    answers = [number(ask(climbing_latency, *map(list, case[:-1]))) for case in cases]
    compare(answers, cases, _WRONG_CLIMBS, "s")
    return Passed("Every level is paid for by all who reach it, not by those alone whom it answers.")


def _waits(arrivals: Sequence[float], services: Sequence[float], *, rest: bool = True) -> list[float]:
    free, waited = 0.0, []
    for arrival, service in zip(arrivals, services, strict=True):
        start = max(arrival, free) if rest else free
        waited.append(start - arrival)
        free = start + service
    return waited


_WRONG_WAITS: dict[str, Callable[..., list[float]]] = {
    "The server rests when nobody is there: a job starts at its arrival, or later, when the server is free.": (
        lambda arrivals, services: _waits(arrivals, services, rest=False)
    ),
    "That is the time until a job is done; its wait ends when its service begins.": lambda arrivals, services: [
        wait + service for wait, service in zip(_waits(arrivals, services), services, strict=True)
    ],
    "Count from each job's arrival, not from time 0.": lambda arrivals, services: [
        wait + arrival for wait, arrival in zip(_waits(arrivals, services), arrivals, strict=True)
    ],
    "The line is longer than the one job before: its own wait counts too.": lambda arrivals, services: [
        0.0,
        *(max(0.0, arrivals[job - 1] + services[job - 1] - arrivals[job]) for job in range(1, len(arrivals))),
    ],
}


def _least_rate(streams: Sequence[Stream], load: float) -> float:
    return 8 * sum(size * rate for size, rate in streams) / load


_WRONG_RATES = {
    "Sizes are bytes and a rate is in bits: a factor of eight is missing.": lambda streams, load: (
        _least_rate(streams, load) / 8
    ),
    "The load is the share of the time in use: to be in use less, the medium must be faster.": lambda streams, load: (
        _least_rate(streams, load) * load**2
    ),
    "All streams share the medium, not the largest alone.": lambda streams, load: max(
        (_least_rate([stream], load) for stream in streams), default=0.0
    ),
    "Each stream brings its bytes as often per second as it transfers.": lambda streams, load: (
        8 * sum(size for size, _ in streams) / load
    ),
    "At load 1 the line has no end: leave room, as `load` says.": lambda streams, load: _least_rate(streams, 1.0),
}


def _climbing(shares: Sequence[float], seconds: Sequence[float], transfers: Sequence[float]) -> float:
    reach = [1.0, shares[1] + shares[2], shares[2]]
    steps = [seconds[0], transfers[0] + seconds[1], transfers[1] + seconds[2]]
    return float(np.dot(reach, steps))


_WRONG_CLIMBS = {
    "A picture that climbs was at the levels below: it pays for them too.": lambda shares, seconds, transfers: float(
        np.dot(shares, [seconds[0], transfers[0] + seconds[1], transfers[1] + seconds[2]])
    ),
    "Transfers are missing.": lambda shares, seconds, transfers: _climbing(shares, seconds, (0.0, 0.0)),
    "Not every picture climbs: weigh each level by those who reach it.": lambda shares, seconds, transfers: _climbing(
        (0, 0, 1), seconds, transfers
    ),
    "The edge is passed by those whom the cloud answers as well.": lambda shares, seconds, transfers: (
        seconds[0] + shares[1] * (transfers[0] + seconds[1]) + shares[2] * (transfers[1] + seconds[2])
    ),
}


def _lines() -> list[tuple[list[float], list[float]]]:
    generator = np.random.default_rng(1952)
    cases = [([0.0], [1.0]), ([0.0, 1.0, 2.0], [2.0, 2.0, 2.0]), ([1.0, 5.0], [1.0, 1.0]), ([], [])]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 12))
        arrivals = np.cumsum(generator.exponential(1.0, count)).round(2)
        cases.append((arrivals.tolist(), generator.exponential(0.9, count).round(2).tolist()))
    return cases


def _media() -> list[tuple[list[Stream], float]]:
    generator = np.random.default_rng(16)
    cases: list[tuple[list[Stream], float]] = [([(1000.0, 2.0)], 0.5), ([], 0.5), ([(60_000.0, 15.0)], 1.0)]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(1, 5))
        streams = [tuple(each) for each in generator.uniform((100, 0.5), (1e5, 30), (count, 2)).round(1).tolist()]
        cases.append((streams, float(np.round(generator.uniform(0.3, 0.95), 2))))
    return cases


def _hierarchies() -> list[tuple[tuple[float, ...], ...]]:
    generator = np.random.default_rng(161)
    cases = [((1.0, 0.0, 0.0), (0.1, 0.2, 0.3), (1.0, 2.0)), ((0.0, 0.0, 1.0), (0.1, 0.2, 0.3), (1.0, 2.0))]
    for _ in range(RANDOM_INSTANCES):
        shares = generator.dirichlet((2, 1, 1)).round(3)
        shares[0] = 1 - shares[1:].sum()
        cases.append((tuple(shares), *(tuple(generator.uniform(0.01, 1, size).round(2)) for size in (3, 2))))
    return cases


def _seconds(answer: object, jobs: int) -> list[float]:
    require(np.ndim(answer) == 1 and len(answer) == jobs, f"Return one wait for each of the {jobs} jobs.")
    return [number(each) for each in answer]


def _same(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> bool:
    return all(equal(one, other) for one, other in zip(first, second, strict=True))
