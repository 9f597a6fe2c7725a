"""How many devices to choose so that enough of them report (Bonawitz et al. 2019 [199])."""

from __future__ import annotations

from math import ceil

import numpy as np


def selected(target: int, factor: float) -> int:
    """Devices to choose for `target` reports: ``ceil(factor * target)``.

    Examples
    --------
    >>> selected(100, 1.1), selected(10, 1.25)
    (110, 13)
    """
    if target < 1 or factor < 1:
        raise ValueError(f"{factor} times {target} devices cannot give {target} reports; choose a factor of 1 or more")
    return ceil(round(factor * target, 9))  # 1.1 * 100 is a little more than 110 in binary


def chance_to_report(target: int, chosen: int, drop_out: float) -> float:
    """Chance that at least `target` of `chosen` devices report if each drops out with chance `drop_out`.

    Examples
    --------
    >>> round(chance_to_report(100, 110, 0.1), 3)
    0.454
    """
    if not 0 <= drop_out <= 1:
        raise ValueError(f"a drop-out of {drop_out} is no chance; give a share from 0 to 1")
    from scipy.stats import binom

    return float(binom.sf(target - 1, chosen, 1 - drop_out))


def simulated_chance(target: int, chosen: int, drop_out: float, seed: int, rounds: int = 20_000) -> float:
    """The same by trying: every device of every round is drawn."""
    generator = np.random.default_rng([seed, target, chosen])
    reports = np.empty(rounds, dtype=np.int64)
    for part in np.array_split(np.arange(rounds), max(1, rounds * chosen // 500_000)):
        reports[part] = np.sum(generator.random((len(part), chosen), dtype=np.float32) >= drop_out, axis=1)
    return float(np.mean(reports >= target))


def least_factor(target: int, drop_out: float, certainty: float = 0.99) -> float:
    """Smallest over-selection with which a round gets its reports with the given certainty.

    Examples
    --------
    >>> least_factor(100, 0.0)
    1.0

    Raises
    ------
    ValueError
        If every device drops out.
    """
    if drop_out >= 1:
        raise ValueError("if every device drops out, no over-selection fills a round; expect fewer drop-outs")
    chosen = target
    while chance_to_report(target, chosen, drop_out) < certainty:
        chosen += 1
    return chosen / target
