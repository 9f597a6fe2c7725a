"""Checks for the exercises of the chapter on small networks.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, number, whole

RANDOM_INSTANCES = 40


def check_distillation_loss(distillation_loss: Callable[..., float]) -> Passed:
    """Check ``distillation_loss(student, teacher, labels, temperature, share)``: Hinton's loss, a float.

    `student` and `teacher` are logits (n, classes), `labels` (n,) integers; `share` weighs the soft part.

    Examples
    --------
    >>> def log_softmax(z):
    ...     z = z - z.max(axis=1, keepdims=True)
    ...     return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    >>> def distillation_loss(student, teacher, labels, temperature, share):
    ...     target = np.exp(log_softmax(teacher / temperature))
    ...     soft = -(target * log_softmax(student / temperature)).sum(axis=1).mean()
    ...     hard = -log_softmax(student)[np.arange(len(labels)), labels].mean()
    ...     return share * temperature**2 * soft + (1 - share) * hard
    >>> check_distillation_loss(distillation_loss)
    Right. The factor T squared keeps the soft gradient as large as the hard one at every temperature.
    """
    cases = [(*case, _distillation(*case)) for case in _logit_cases()]
    answers = [number(ask(distillation_loss, *map(np.copy, case[:3]), *case[3:5])) for case in cases]
    wrong = {
        "The factor T**2 of the soft part is missing.": lambda *c: _distillation(*c, power=0),
        "The factor is T squared, not T.": lambda *c: _distillation(*c, power=1),
        "The student's logits in the soft part must be divided by the temperature too.": _cold_student,
        "The hard part uses temperature 1: at test time the student answers at T = 1.": _hot_labels,
        "The weights are swapped: share belongs to the soft part.": lambda *c: _distillation(*c[:4], 1 - c[4]),
        "Use all of the teacher's probabilities, not only its best class: those are pseudo-labels.": _pseudo_labels,
    }
    compare(answers, cases, wrong, "nats")
    return Passed("The factor T squared keeps the soft gradient as large as the hard one at every temperature.")


def check_packed_dot(packed_dot: Callable[..., int]) -> Passed:
    """Check ``packed_dot(a, b, n)``: dot product of two vectors of n signs packed into whole numbers.

    Bit i is 1 where the sign is +1; bits from n on may hold anything.

    Examples
    --------
    >>> def packed_dot(a, b, n):
    ...     return n - 2 * ((a ^ b) & ((1 << n) - 1)).bit_count()
    >>> check_packed_dot(packed_dot)
    Right. One exclusive-or and one count stand for n multiplications and n additions.
    """
    cases = [(*case, _dot(*case)) for case in _packed_pairs()]
    answers = [whole(ask(packed_dot, *case[:3])) for case in cases]
    wrong = {
        "Each differing sign takes one away and adds none: it counts twice.": lambda a, b, n: n - _differing(a, b, n),
        "Bits from n on may hold anything: mask them before counting.": lambda a, b, n: n - 2 * (a ^ b).bit_count(),
        "Exclusive-or marks the signs that DIFFER.": lambda a, b, n: 2 * _differing(a, b, n) - n,
        "And counts the places where both are +1; two times -1 is +1 as well.": lambda a, b, n: _both(a, b, n),
    }
    compare(answers, cases, wrong, "")
    return Passed("One exclusive-or and one count stand for n multiplications and n additions.")


def check_separable_mac(separable_mac: Callable[..., int]) -> Passed:
    """Check ``separable_mac(channels, filters, kernel, size, width)``: operations of a thinned separable convolution.

    Examples
    --------
    >>> def separable_mac(channels, filters, kernel, size, width):
    ...     channels, filters = int(width * channels), int(width * filters)
    ...     return size * size * channels * (kernel * kernel + filters)
    >>> check_separable_mac(separable_mac)
    Right. The width multiplier works almost quadratically: the point-wise part holds both channels and filters.
    """
    cases = [(*case, _separable(*case)) for case in _separable_layers()]
    answers = [whole(ask(separable_mac, *case[:5])) for case in cases]
    wrong = {
        "A multiply-accumulate is one here, not two.": lambda *case: 2 * _separable(*case),
        "The multiplier thins the filters too.": lambda c, f, k, s, w: _separable(int(w * c), f, k, s, 1),
        "The multiplier thins the input channels too.": lambda c, f, k, s, w: _separable(c, int(w * f), k, s, 1),
        "Channels are thinned, then multiplied; the multiplier is not a factor of the sum.": _factor_outside,
        "That is the standard convolution: depth-wise and point-wise costs are added.": _standard,
        "The depth-wise part is missing.": lambda c, f, k, s, w: s * s * int(w * c) * int(w * f),
        "The point-wise part is missing.": lambda c, f, k, s, w: s * s * int(w * c) * k * k,
    }
    compare(answers, cases, wrong, "operations")
    return Passed(
        "The width multiplier works almost quadratically: the point-wise part holds both channels and filters."
    )


def _differing(a: int, b: int, n: int) -> int:
    return ((a ^ b) & ((1 << n) - 1)).bit_count()


def _both(a: int, b: int, n: int) -> int:
    return (a & b & ((1 << n) - 1)).bit_count()


def _dot(a: int, b: int, n: int) -> int:
    return n - 2 * _differing(a, b, n)


def _packed_pairs() -> list[tuple[int, int, int]]:
    generator = np.random.default_rng(11)
    pairs = [(0, 0, 1), (1, 0, 1), (0b1010, 0b0101, 4), (0b11110000, 0b00001111, 4), (3, 3, 2)]
    for _ in range(RANDOM_INSTANCES):
        a, b = (int(value) for value in generator.integers(0, 2**62, 2))
        pairs.append((a, b, int(generator.integers(1, 62))))
    return pairs


def _separable(channels: int, filters: int, kernel: int, size: int, width: float) -> int:
    channels, filters = int(width * channels), int(width * filters)
    return size * size * channels * (kernel * kernel + filters)


def _standard(channels: int, filters: int, kernel: int, size: int, width: float) -> int:
    return size * size * int(width * channels) * kernel * kernel * int(width * filters)


def _factor_outside(channels: int, filters: int, kernel: int, size: int, width: float) -> int:
    return int(width * _separable(channels, filters, kernel, size, 1))


def _separable_layers() -> list[tuple[int, int, int, int, float]]:
    generator = np.random.default_rng(12)
    layers = [(512, 512, 3, 14, 1.0), (512, 512, 3, 14, 0.75), (32, 64, 3, 112, 0.5), (1, 1, 1, 1, 1.0)]
    for _ in range(RANDOM_INSTANCES):
        channels, filters = (int(value) for value in generator.integers(4, 300, 2))
        shape = (int(generator.choice([1, 3, 5])), int(generator.integers(1, 60)))
        layers.append((channels, filters, *shape, float(generator.choice([1.0, 0.75, 0.5, 0.25]))))
    return layers


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _distillation(student, teacher, labels, temperature, share, *, power=2, student_t=None, hard_t=1.0) -> float:
    target = np.exp(_log_softmax(teacher / temperature))
    soft = -(target * _log_softmax(student / (student_t or temperature))).sum(axis=1).mean()
    hard = -_log_softmax(student / hard_t)[np.arange(len(labels)), labels].mean()
    return float(share * temperature**power * soft + (1 - share) * hard)


def _cold_student(*case) -> float:
    return _distillation(*case, student_t=1.0)


def _hot_labels(*case) -> float:
    return _distillation(*case, hard_t=case[3])


def _pseudo_labels(student, teacher, labels, temperature, share) -> float:
    certain = np.where(np.arange(teacher.shape[1]) == teacher.argmax(axis=1)[:, None], 1e6, 0.0)
    return _distillation(student, certain, labels, temperature, share)


def _logit_cases() -> list[tuple]:
    generator = np.random.default_rng(6)
    cases = []
    for temperature, share in ((1.0, 0.0), (1.0, 1.0), (4.0, 1.0), (20.0, 0.5), (2.5, 0.7), (8.0, 0.2)):
        student, teacher = 3 * generator.standard_normal((2, 6, 10))
        cases.append((student, teacher, generator.integers(0, 10, 6), temperature, share))
    return cases
