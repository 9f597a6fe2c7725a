"""Checks for the exercises of the chapter on vertical collaboration.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require

RANDOM_INSTANCES = 40


def check_break_even(break_even_rate: Callable[..., float]) -> Passed:
    """Check ``break_even_rate(raw, code, extra)``: the rate (bit/s) above which sending codes no longer pays.

    `raw` and `code` are bytes, `extra` the seconds of computing that codes cost beyond raw data.

    Examples
    --------
    >>> def break_even_rate(raw, code, extra):
    ...     if code >= raw:
    ...         return 0.0
    ...     return float("inf") if extra <= 0 else 8 * (raw - code) / extra
    >>> check_break_even(break_even_rate)
    Right. Fewer bytes pay only where bytes are what one waits for.
    """
    cases = _savings()
    answers = [number(ask(break_even_rate, *case)) for case in cases]
    rights = [_break_even(*case) for case in cases]
    wrong = {
        "Bytes over seconds are no bit/s: a factor of eight is missing.": lambda r, c, e: _break_even(r, c, e, bits=1),
        "What counts is the DIFFERENCE of the bytes: the code has to be sent too.": lambda r, c, e: (
            _break_even(r, c, e) if c >= r or e <= 0 else 8 * r / e
        ),
        "If codes cost no extra computing they pay at every rate: return infinity.": lambda r, c, e: (
            0.0 if c >= r else 8 * (r - c) / e if e > 0 else 0.0
        ),
        "Your rate is upside down: more extra computing must make it SMALLER.": lambda r, c, e: (
            _break_even(r, c, e) if c >= r or e <= 0 else e / (8 * (r - c))
        ),
    }
    useless = [answer for answer, case in zip(answers, cases, strict=True) if case[1] >= case[0]]
    require(not any(useless), "Codes that save no bytes and cost computing pay at no rate: return 0.")
    _judge(answers, rights, cases, wrong, "bit/s")
    return Passed("Fewer bytes pay only where bytes are what one waits for.")


def check_frame_bytes(frame_bytes: Callable[..., int]) -> Passed:
    """Check ``frame_bytes(fine, coarse, regions)``: bytes of a frame with regions of interest.

    `fine` and `coarse` are the bytes of each block at both qualities, `regions` a mask.  One bit per block, in whole
    bytes, tells the decoder which is which; it is not needed if all blocks are of one kind.

    Examples
    --------
    >>> def frame_bytes(fine, coarse, regions):
    ...     side = 0 if regions.all() or not regions.any() else -(-regions.size // 8)
    ...     return int(np.where(regions, fine, coarse).sum()) + side
    >>> check_frame_bytes(frame_bytes)
    Right. Side information is small, but it is there, and it vanishes where there is nothing to tell.
    """
    cases = [(*case, float(_frame(*case))) for case in _frames()]
    answers = [number(ask(frame_bytes, *map(np.copy, case[:3]))) for case in cases]
    wrong = {
        "The decoder must know which block is which: one bit per block is missing.": lambda f, c, r: _frame(f, c, r, 0),
        "One BIT per block, not one byte: eight of them share a byte.": lambda f, c, r: _frame(f, c, r, 8),
        "Inside the regions blocks are FINE; you have it the other way round.": lambda f, c, r: _frame(c, f, r),
        "If all blocks are of one kind, nothing needs to be told.": lambda f, c, r: (
            np.where(r, f, c).sum() + -(-r.size // 8)
        ),
        "Bits come in whole bytes: round up.": lambda f, c, r: np.where(r, f, c).sum() + _told(r) * (r.size // 8),
        "Bits come in whole bytes: round up to the next.": lambda f, c, r: (
            np.where(r, f, c).sum() + _told(r) * r.size / 8
        ),
    }
    compare(answers, cases, wrong, "bytes")
    return Passed("Side information is small, but it is there, and it vanishes where there is nothing to tell.")


def check_threshold(threshold: Callable[..., float]) -> Passed:
    """Check ``threshold(confidences, share)``: the largest threshold that sends at most that share to the cloud.

    A frame goes on if its confidence lies *below* the threshold; infinity if all may go.

    Examples
    --------
    >>> def threshold(confidences, share):
    ...     sent = int(share * len(confidences) + 1e-9)
    ...     return np.inf if sent == len(confidences) else np.sort(confidences)[sent]
    >>> check_threshold(threshold)
    Right. Ties stay at the edge: a threshold cannot split frames of equal confidence.
    """
    cases = _confidences()
    answers = [number(ask(threshold, case[0].copy(), case[1])) for case in cases]
    rights = [_threshold(*case) for case in cases]
    wrong = {
        "Frames of LOW confidence go on; you send the sure ones.": lambda c, s: -_threshold(-c, s),
        "The frame AT your threshold stays: take the next larger confidence.": lambda c, s: np.sort(c)[
            max(0, int(s * len(c) + 1e-9) - 1)
        ],
        "A quantile between two frames is not the largest threshold; take a confidence that occurs.": np.quantile,
        "If all may go, the threshold is infinite.": lambda c, s: min(_threshold(c, s), c.max()),
        "The share is of the frames, not of the confidence.": lambda c, s: s,
    }
    sent = [float(np.mean(case[0] < answer)) for case, answer in zip(cases, answers, strict=True)]
    if not _same(answers, rights):
        explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in wrong.items()])
        for case, share in zip(cases, sent, strict=True):
            require(share <= case[1] + 1e-9, f"Of {len(case[0])} frames you send {share:.0%}, {case[1]:.0%} may go.")
    _judge(answers, rights, [(list(np.round(c, 3)), s) for c, s in cases], {}, "")
    return Passed("Ties stay at the edge: a threshold cannot split frames of equal confidence.")


def _judge(answers: list[float], rights: list[float], cases: list[tuple], wrong: dict, unit: str) -> None:
    """As `compare`, for answers that may be infinite."""
    if _same(answers, rights):
        return
    explain([(_same(answers, [rule(*case) for case in cases]), hint) for hint, rule in wrong.items()])
    index = next(i for i, pair in enumerate(zip(answers, rights, strict=True)) if not _same(*([each] for each in pair)))
    given = ", ".join(f"{part}" for part in cases[index])
    raise AssertionError(f"For ({given}) you answer {answers[index]:g} {unit}, but {rights[index]:g} is right.")


def _same(first: list[float], second: list[float]) -> bool:
    infinite = [(math.isinf(a), math.isinf(b)) for a, b in zip(first, second, strict=True)]
    finite = [k for k, pair in enumerate(infinite) if not any(pair)]
    agree = all(a == b for a, b in zip(first, second, strict=True) if math.isinf(a) or math.isinf(b))
    return agree and equal([first[k] for k in finite], [second[k] for k in finite])


def _break_even(raw: float, code: float, extra: float, bits: int = 8) -> float:
    if code >= raw:
        return 0.0
    return math.inf if extra <= 0 else bits * (raw - code) / extra


def _savings() -> list[tuple[float, float, float]]:
    generator = np.random.default_rng(20)
    cases = [(1000.0, 200.0, 0.0), (1000.0, 1000.0, 0.1), (1000.0, 1500.0, 0.1), (1000.0, 200.0, -0.1)]
    for _ in range(RANDOM_INSTANCES):
        raw, share, extra = generator.integers(1_000, 10**6), generator.uniform(0.01, 0.9), generator.exponential(0.2)
        cases.append((float(raw), float(round(share * raw)), float(np.round(extra, 4) + 1e-3)))
    return cases


def _told(regions: np.ndarray) -> bool:
    return bool(regions.any() and not regions.all())


def _frame(fine: np.ndarray, coarse: np.ndarray, regions: np.ndarray, bits: int = 1) -> int:
    side = -(-bits * regions.size // 8) if _told(regions) else 0
    return int(np.where(regions, fine, coarse).sum()) + side


def _frames() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(21)
    cases = []
    for k in range(RANDOM_INSTANCES):
        blocks = int(generator.integers(2, 60))
        coarse = generator.integers(1, 10, blocks)
        regions = generator.random(blocks) < (0.0, 1.1, 0.3, 0.6)[min(k, 2 + k % 2)]
        cases.append((coarse + generator.integers(1, 50, blocks), coarse, regions))
    return cases


def _threshold(confidences: np.ndarray, share: float) -> float:
    sent = int(share * len(confidences) + 1e-9)
    return math.inf if sent == len(confidences) else float(np.sort(confidences)[sent])


def _confidences() -> list[tuple[np.ndarray, float]]:
    generator = np.random.default_rng(22)
    cases = [(np.array([0.5]), 0.0), (np.array([0.5, 0.5, 0.9]), 0.5), (np.array([0.2, 0.7]), 1.0)]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 20))
        share = float(generator.integers(0, count + 1) / count)
        cases.append((np.round(generator.random(count), 2), share))
    return cases
