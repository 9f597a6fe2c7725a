"""Checks for the exercises on averaging on the air: an inverted channel, a superposed mean, a digital alternative.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require

RANDOM_INSTANCES = 30


def check_transmit(transmit: Callable[[float, complex, float], complex]) -> Passed:
    """Check ``transmit(message, channel, threshold)``: what a device sends so that its message arrives unchanged.

    Silent, that is zero, where the channel's power gain lies below the threshold.

    Examples
    --------
    >>> def transmit(message, channel, threshold):
    ...     return message / channel if abs(channel) ** 2 >= threshold else 0
    >>> check_transmit(transmit)
    Right. What the channel does is undone before it happens; where it does too much, silence is cheaper.
    """
    cases = _channels()
    rights = [_sent(*case) for case in cases]
    answers = [_complex(ask(transmit, *case)) for case in cases]
    if _all_equal(answers, rights):
        return Passed("What the channel does is undone before it happens; where it does too much, silence is cheaper.")
    explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_SIGNALS.items()])
    case, answer, right = next(
        each for each in zip(cases, answers, rights, strict=True) if not np.isclose(each[1], each[2])
    )
    raise AssertionError(f"For message, channel and threshold {case} you send {answer:.4g}, but {right:.4g} is right.")


def check_superposed_mean(superposed_mean: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> Passed:
    """Check ``superposed_mean(messages, gains, threshold)``: the receiver's mean of K messages, noise-free.

    `messages` (K, d); `gains` (K, d) are the power gains of the channels; entries below the threshold are silent, and
    the sum is divided by K.

    Examples
    --------
    >>> def superposed_mean(messages, gains, threshold):
    ...     return (messages * (gains >= threshold)).sum(axis=0) / len(messages)
    >>> check_superposed_mean(superposed_mean)
    Right. Silent devices count in the divisor: the mean shrinks by the share that is not heard.
    """
    cases = _crowds()
    rights = [_mean(*case) for case in cases]
    answers = [_vector(ask(superposed_mean, *(np.copy(part) for part in case[:2]), case[2]), case) for case in cases]
    if _all_equal(answers, rights):
        return Passed("Silent devices count in the divisor: the mean shrinks by the share that is not heard.")
    explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_MEANS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(
        f"For messages {case[0].tolist()}, gains {case[1].tolist()} and threshold {case[2]:g} you answer "
        f"{np.round(answer, 4).tolist()}, but {np.round(right, 4).tolist()} is right."
    )


def check_digital_symbols(digital_symbols: Callable[[int, int, int, int, float], float]) -> Passed:
    """Check ``digital_symbols(parameters, bits, devices, sub_channels, snr)``: OFDM symbols of a digital aggregation.

    Each device has an equal share of the sub-channels, and all its power there: `devices` times `snr` on each.

    Examples
    --------
    >>> def digital_symbols(parameters, bits, devices, sub_channels, snr):
    ...     bits_per_symbol = sub_channels / devices * np.log2(1 + devices * snr)
    ...     return parameters * bits / bits_per_symbol
    >>> check_digital_symbols(digital_symbols)
    Right. The share of the band falls as 1/K, the rate on it grows as log K: almost, but not quite, linear.
    """
    cases = [(1000, 16, 1, 100, 10.0), (582_026, 16, 200, 1000, 10.0), (5000, 8, 10, 50, 0.5), (100, 32, 3, 7, 100.0)]
    answers = [number(ask(digital_symbols, *case)) for case in cases]
    compare(answers, [(*case, _symbols(*case)) for case in cases], _WRONG_SYMBOLS, "symbols")
    return Passed("The share of the band falls as 1/K, the rate on it grows as log K: almost, but not quite, linear.")


def _symbols(parameters, bits, devices, sub_channels, snr, *, gain=True, natural=False, share=True) -> float:
    log = np.log if natural else np.log2
    rate = log(1 + (devices if gain else 1) * snr) * sub_channels / (devices if share else 1)
    return parameters * bits / rate


_WRONG_SYMBOLS = {
    "A device that uses fewer sub-channels has more power on each: K times the SNR.": lambda *case: _symbols(
        *case, gain=False
    ),
    "The rate in bits takes the logarithm to base 2.": lambda *case: _symbols(*case, natural=True),
    "The devices share the band: each has a K-th of the sub-channels.": lambda *case: _symbols(*case, share=False),
    "Every parameter takes `bits` bits.": lambda *case: _symbols(*case) / case[1],
    "All devices send at the same time, side by side: do not add their times up.": lambda *case: (
        case[2] * _symbols(*case)
    ),
}


def _sent(message: float, channel: complex, threshold: float) -> complex:
    return message / channel if abs(channel) ** 2 >= threshold else 0


_WRONG_SIGNALS = {
    "Below the threshold the device is silent.": lambda message, channel, threshold: message / channel,
    "The threshold is one of the POWER gain, the square of the amplitude.": lambda message, channel, threshold: (
        message / channel if abs(channel) >= threshold else 0
    ),
    "The channel turns the phase too: divide by the complex number.": lambda message, channel, threshold: (
        message / abs(channel) if abs(channel) ** 2 >= threshold else 0
    ),
    "The conjugate turns the phase back but doubles the fading: divide by the squared amplitude as well.": (
        lambda message, channel, threshold: message * np.conj(channel) if abs(channel) ** 2 >= threshold else 0
    ),
    "Silence is for weak channels, not for strong ones.": lambda message, channel, threshold: (
        message / channel if abs(channel) ** 2 < threshold else 0
    ),
    "At the threshold itself the device still sends.": lambda message, channel, threshold: (
        message / channel if abs(channel) ** 2 > threshold else 0
    ),
}


def _channels() -> list[tuple[float, complex, float]]:
    generator = np.random.default_rng(217)
    cases = [(1.0, 1 + 0j, 0.0), (1.0, 0.5 + 0j, 0.3), (2.0, 0.5 + 0j, 0.25), (-1.0, 2j, 0.5), (0.0, 1j, 0.1)]
    for _ in range(RANDOM_INSTANCES):
        real, imaginary = generator.normal(size=2)
        cases.append((float(generator.normal()), complex(real, imaginary), float(generator.uniform(0.1, 2))))
    return cases


def _mean(messages: np.ndarray, gains: np.ndarray, threshold: float) -> np.ndarray:
    return (messages * (gains >= threshold)).sum(0) / len(messages)


def _mean_of_the_heard(messages: np.ndarray, gains: np.ndarray, threshold: float) -> np.ndarray:
    heard = gains >= threshold
    return (messages * heard).sum(0) / np.maximum(heard.sum(0), 1)


_WRONG_MEANS = {
    "Entries below the threshold are silent.": lambda messages, gains, threshold: messages.mean(0),
    "The receiver does not know who was silent: divide by all K.": _mean_of_the_heard,
    "That is the sum; divide it by K.": lambda messages, gains, threshold: (
        len(messages) * _mean(messages, gains, threshold)
    ),
    "The devices have inverted their channels: the gain no longer weighs the message.": (
        lambda messages, gains, threshold: (messages * gains * (gains >= threshold)).sum(0) / len(messages)
    ),
    "Silence is decided entry by entry, not device by device.": lambda messages, gains, threshold: (
        (messages * (gains.mean(1, keepdims=True) >= threshold)).sum(0) / len(messages)
    ),
}


def _crowds() -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Also one device, nobody heard, and a threshold of zero."""
    generator = np.random.default_rng(216)
    cases = [(np.array([[2.0, 3.0]]), np.array([[1.0, 0.1]]), 0.5), (np.ones((2, 1)), np.zeros((2, 1)), 0.5)]
    cases.append((np.array([[1.0], [3.0]]), np.array([[0.2], [5.0]]), 0.0))
    for _ in range(RANDOM_INSTANCES):
        shape = tuple(generator.integers(1, 6, 2))
        gains = generator.exponential(size=shape).round(3)
        cases.append((generator.normal(size=shape).round(3), gains, float(generator.uniform(0.1, 1.5).__round__(2))))
    return cases


def _all_equal(first: Sequence, second: Sequence) -> bool:
    return all(np.allclose(*pair) for pair in zip(first, second, strict=True))


def _complex(answer: object) -> complex:
    require(
        np.ndim(answer) == 0 and np.issubdtype(np.asarray(answer).dtype, np.number),
        f"Return one (complex) number, not {answer!r}.",
    )
    return complex(answer)


def _vector(answer: object, case: tuple) -> np.ndarray:
    size = case[0].shape[1]
    require(np.shape(answer) == (size,), f"Return one mean of {size} entries, not shape {np.shape(answer)}.")
    return np.asarray(answer, dtype=float)
