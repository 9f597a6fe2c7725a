"""What the page measures of PruneFL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgedl_lib.training import partition
from edgedl_lib.training.communication.pruning import baselines
from edgedl_lib.training.communication.pruning.selection import best_ratio, exhaustive_ratio, ratio
from edgedl_lib.training.communication.pruning.training import Plan, Pruned, density, first_stage, prune_fl, train
from edgedl_lib.training.data import digits_pool, federated

METHODS: dict[str, Callable[[Plan, int], Pruned]] = {
    "conventional": train,
    "PruneFL": prune_fl,
    "random 20 %": lambda plan, seed: train(plan, seed, baselines.random_masks(plan, 0.2, seed)),
    "magnitude 20 %": lambda plan, seed: train(plan, seed, baselines.magnitude_masks(plan, 0.2, seed)),
    "SNIP-like 20 %": lambda plan, seed: train(plan, seed, baselines.snip_masks(plan, 0.2, seed)),
}


def plan(seed: int, **changes) -> Plan:
    """Digits at ten clients with two shards each."""
    pool, test = digits_pool(seed)
    parts = partition.shards(pool.targets.numpy(), 10, seed)
    return replace(Plan(federated(pool, test, parts, 10, "digits")), **changes)


def runs(seeds, methods=METHODS, **changes) -> dict[str, list[Pruned]]:
    """Every method on every seed."""
    return {name: [METHODS[name](plan(seed, **changes), seed) for seed in seeds] for name in methods}


def until(found: list[Pruned], target: float, of: str = "seconds") -> np.ndarray:
    """Running total when each run reaches the target accuracy (%)."""
    return np.array([each.until(target, getattr(each, of)) for each in found])


def greedy_share(seed: int, instances: int = 100, choose=best_ratio) -> float:
    """Share of random instances of up to twelve parameters on which no subset has a better ratio."""
    rng, best = np.random.default_rng(seed), 0
    for _ in range(instances):
        count = int(rng.integers(1, 11))
        importance, seconds = rng.exponential(size=count), rng.uniform(0.05, 1, count)
        base = (float(rng.exponential()), float(rng.uniform(0.1, 2)))
        kept = choose(importance, seconds, *base)
        reached = ratio(importance[kept], seconds[kept], *base)
        best += np.isclose(reached, exhaustive_ratio(importance, seconds, *base))
    return best / instances


def densities(seeds) -> np.ndarray:
    """Density after the first stage, one per seed."""
    return np.array([density(first_stage(plan(seed), seed)[0]) for seed in seeds])
