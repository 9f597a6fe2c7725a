"""Checks for the exercises on radio, energy and learning: a clock, a slot's power, who is heard.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require

RANDOM_INSTANCES = 30


def check_clock(clock: Callable[[float, float, float, float], float]) -> Passed:
    """Check ``clock(cycles, deadline, slowest, fastest)``: the clock (Hz) with which a device computes most cheaply.

    Energy grows with the square of the clock; the device should be done at the deadline (s) if it can, and its clock
    lies between ``slowest`` and ``fastest``.

    Examples
    --------
    >>> check_clock(lambda cycles, deadline, slowest, fastest: min(max(cycles / deadline, slowest), fastest))
    Right. Who waits anyway should compute slowly: just in time, within what the clock allows.
    """
    cases = [(1e9, 1.0, 0.3e9, 2e9), (1e9, 10.0, 0.3e9, 2e9), (1e10, 1.0, 0.3e9, 2e9), (6e8, 2.0, 0.3e9, 1e9)]
    answers = [number(ask(clock, *case)) for case in cases]
    compare(answers, [(*case, min(max(case[0] / case[1], case[2]), case[3])) for case in cases], _WRONG_CLOCKS, "Hz")
    return Passed("Who waits anyway should compute slowly: just in time, within what the clock allows.")


def check_power(power: Callable[[float, float, float, float], float]) -> Passed:
    """Check ``power(nats, seconds, bandwidth, noise_over_gain)``: watts that send ``nats`` within the time.

    The rate is ``bandwidth * ln(1 + power / noise_over_gain)`` nats a second.

    Examples
    --------
    >>> check_power(lambda nats, seconds, bandwidth, noise: noise * (np.exp(nats / (seconds * bandwidth)) - 1))
    Right. Half the time takes more than twice the power: slow is cheap, for radios as for clocks.
    """
    cases = [(25_000.0, 0.05, 1e6, 0.5), (25_000.0, 0.025, 1e6, 0.5), (1000.0, 1.0, 1e3, 2.0), (1e4, 0.1, 1e5, 1e-3)]
    answers = [number(ask(power, *case)) for case in cases]
    compare(answers, [(*case, _power(*case)) for case in cases], _WRONG_POWERS, "W")
    return Passed("Half the time takes more than twice the power: slow is cheap, for radios as for clocks.")


def check_received_mean(received_mean: Callable[..., np.ndarray]) -> Passed:
    """Check ``received_mean(current, models, samples, heard)``: the server's next model after lost packets.

    The mean of the models (n, d) that were heard, weighted by their samples; the current model if nobody was.

    Examples
    --------
    >>> def received_mean(current, models, samples, heard):
    ...     weights = samples * heard
    ...     return weights @ models / weights.sum() if weights.sum() else current
    >>> check_received_mean(received_mean)
    Right. Who is not heard leaves the mean, weight and all; an empty round changes nothing.
    """
    cases = _rounds()
    rights = [_received(*case) for case in cases]
    answers = [_vector(ask(received_mean, *(part.copy() for part in case)), len(case[0])) for case in cases]
    if _all_equal(answers, rights):
        return Passed("Who is not heard leaves the mean, weight and all; an empty round changes nothing.")
    explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_MEANS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(
        f"For samples {case[2].tolist()} of which {case[3].tolist()} were heard you answer "
        f"{np.round(answer, 4).tolist()}, but {np.round(right, 4).tolist()} is right."
    )


_WRONG_CLOCKS = {
    "At full clock the device waits for the others, at a high price.": lambda cycles, deadline, slowest, fastest: (
        fastest
    ),
    "The clock cannot fall below `slowest`.": lambda cycles, deadline, slowest, fastest: min(
        cycles / deadline, fastest
    ),
    "The clock cannot rise above `fastest`.": lambda cycles, deadline, slowest, fastest: max(
        cycles / deadline, slowest
    ),
    "Both limits hold: between `slowest` and `fastest`.": lambda cycles, deadline, slowest, fastest: cycles / deadline,
    "At its slowest clock it misses the deadline.": lambda cycles, deadline, slowest, fastest: slowest,
}


def _power(nats, seconds, bandwidth, noise, *, base=np.e, minus=1.0) -> float:
    return noise * (base ** (nats / (seconds * bandwidth)) - minus)


_WRONG_POWERS = {
    "The rate counts nats: the natural exponential, not a power of two.": lambda *case: _power(*case, base=2.0),
    "At no data no power: subtract one from the exponential.": lambda *case: _power(*case, minus=0.0),
    "Noise over gain stands in watts: multiply by it, do not divide.": lambda nats, seconds, bandwidth, noise: (
        (np.exp(nats / (seconds * bandwidth)) - 1) / noise
    ),
    "That is the energy; the power is energy over time.": lambda nats, seconds, bandwidth, noise: (
        seconds * _power(nats, seconds, bandwidth, noise)
    ),
    "Nats over seconds AND bandwidth: how many nats fit a hertz.": lambda nats, seconds, bandwidth, noise: (
        noise * np.expm1(min(nats / bandwidth, 50))
    ),
}


def _received(current, models, samples, heard) -> np.ndarray:
    weights = samples * heard
    return weights @ models / weights.sum() if weights.sum() else current


def _zero_if_nobody(current, models, samples, heard) -> np.ndarray:
    weights = samples * heard
    return weights @ models / max(weights.sum(), 1)


_WRONG_MEANS = {
    "Lost packets did not arrive: leave them out.": lambda current, models, samples, heard: (
        samples @ models / samples.sum()
    ),
    "Divide by the samples that were HEARD, or the model shrinks.": lambda current, models, samples, heard: (
        (samples * heard) @ models / samples.sum()
    ),
    "Weigh the models by their samples.": lambda current, models, samples, heard: (
        heard @ models / heard.sum() if heard.sum() else current
    ),
    "If nobody was heard the model stays as it was.": _zero_if_nobody,
    "The current model has no vote when somebody was heard.": lambda current, models, samples, heard: (
        (current * (samples * ~heard).sum() + (samples * heard) @ models) / samples.sum()
    ),
}


def _rounds() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Also nobody heard, all heard, and one alone."""
    generator = np.random.default_rng(220)
    cases = []
    for index in range(RANDOM_INSTANCES):
        clients, size = int(generator.integers(1, 6)), int(generator.integers(1, 4))
        heard = generator.random(clients) < (0.0, 1.0, 0.5)[min(index, 2)]
        samples = generator.integers(1, 7, clients) * 100
        cases.append((generator.normal(size=size), generator.normal(size=(clients, size)).round(3), samples, heard))
    return cases


def _all_equal(first: Sequence, second: Sequence) -> bool:
    return all(equal(*pair) for pair in zip(first, second, strict=True))


def _vector(answer: object, size: int) -> np.ndarray:
    require(np.shape(answer) == (size,), f"Return one model of {size} numbers, not shape {np.shape(answer)}.")
    return np.asarray(answer, dtype=float)
