"""What the page measures of hierarchical learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgedl_lib.training.communication.hierarchical.cells import REUSE, Cells
from edgedl_lib.training.communication.hierarchical.latency import (
    SPARSE,
    Sparsity,
    flat_latency,
    hierarchical_latency,
    rates,
    speed_ups,
)
from edgedl_lib.training.communication.hierarchical.learning import Hierarchy, Learnt, learn
from edgedl_lib.training.data import digits_pool

EXPONENTS = (2.2, 2.5, 2.8, 3.1, 3.4)
PERIODS = (2, 4, 6)


def trained(seeds, **changes) -> dict[str, list[Learnt]]:
    """Flat, and in clusters that meet every 2, 4 and 6 iterations, all sparse."""
    found: dict[str, list[Learnt]] = {"flat": []} | {f"H = {period}": [] for period in PERIODS}
    for seed in seeds:
        plan = replace(Hierarchy(*digits_pool(seed)), **changes)
        found["flat"].append(learn(plan.flat(), seed))
        for period in PERIODS:
            found[f"H = {period}"].append(learn(replace(plan, period=period), seed))
    return found


def identity_gap(seed: int, period: int = 1) -> float:
    """Largest difference of a weight between dense clusters that always meet and dense flat learning."""
    plan = replace(Hierarchy(*digits_pool(seed)), iterations=50, period=period).dense()
    pairs = zip(learn(plan, seed).weights, learn(plan.flat(), seed).weights, strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def over_exponents(drops, period: int = 4, reuse: str = REUSE[0]) -> np.ndarray:
    """Mean speed-up with dense links at each path-loss exponent."""
    return np.array([speed_ups(Cells(exponent=each), drops, (period,), reuse).mean() for each in EXPONENTS])


def gain_in_time(found: dict[str, list[Learnt]], drops, reuse: str, period: int = 4, target: float = 90.0) -> float:
    """Modelled seconds to a target accuracy, flat over hierarchical, both sparse; means over seeds and drops."""
    cells = Cells()
    places = [rates(cells, cells.users(seed), reuse) for seed in drops]
    flat = np.mean([each.iterations_to(target) for each in found["flat"]])
    near = np.mean([each.iterations_to(target) for each in found[f"H = {period}"]])
    ratio = np.mean([flat_latency(each, SPARSE) / hierarchical_latency(each, SPARSE, period) for each in places])
    return float(flat / near * ratio)


def shortened(drops, sparse: Sparsity = SPARSE) -> float:
    """Latency of flat learning, dense over sparse."""
    cells = Cells()
    places = [rates(cells, cells.users(seed), REUSE[0]) for seed in drops]
    dense = Sparsity(0.0, 0.0, 0.0, 0.0)
    return float(np.mean([flat_latency(each, dense) / flat_latency(each, sparse) for each in places]))
