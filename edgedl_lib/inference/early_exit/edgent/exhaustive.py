"""Algorithm 1 once more, in plain loops: slow, obvious, and the measure of the vectorised optimiser."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgedl_lib.inference.early_exit.edgent.optimiser import NONE, ExitCosts, optimise, plans_changed
from edgedl_lib.inference.partition.chain import ChainCosts


def exhaustive_choice(exits: Sequence[ExitCosts], rate: float, deadline: float) -> tuple[int, int, float]:
    """Exit, layers on the server and latency (s); (-1, -1, inf) if nothing fits.

    Most accurate exit first, then the fastest; every pair is tried.
    """
    best = (NONE, NONE, math.inf)
    for index, costs in enumerate(exits):
        for split in range(costs.layers + 1):
            seconds = pair_latency(costs.chain, split, rate)
            if seconds <= deadline and _better(costs, seconds, best, exits):
                best = (index, split, seconds)
    return best


def pair_latency(chain: ChainCosts, split: int, rate: float) -> float:
    """A(i, s) straight from the equation, s."""
    seconds = 0.0
    for layer in range(len(chain.names)):
        seconds += chain.server_latency[layer] if layer < split else chain.device_latency[layer]
    if split == 0:
        return seconds
    sent = chain.transfer_bytes[0] + (chain.transfer_bytes[split] if split < len(chain.names) else 0)
    return seconds + 8 * sent / rate


def random_exits(rng: np.random.Generator) -> list[ExitCosts]:
    """Two to five exits of random depth, speed and accuracy; accuracies need not grow with depth and may tie."""
    return [_random_exit(rng) for _ in range(rng.integers(2, 6))]


def agreement(seed: int, instances: int = 500) -> float:
    """Share of random instances, in percent, in which the optimiser's accuracy and latency are the exhaustive ones."""
    rng, equal = np.random.default_rng(seed), 0
    for _ in range(instances):
        exits, rate, deadline = random_exits(rng), 10 ** rng.uniform(4, 7), 10 ** rng.uniform(-2, 0.3)
        exit_index, _, seconds = exhaustive_choice(exits, rate, deadline)
        found = optimise(exits, rate, deadline)
        accuracy = 0.0 if exit_index == NONE else exits[exit_index].accuracy
        equal += found.accuracy[0, 0] == accuracy and math.isclose(found.latency[0, 0], seconds, rel_tol=1e-9)
    return 100 * equal / instances


def direction_matters(seed: int, instances: int = 500) -> float:
    """Share of random instances without a deadline, in percent, that plan otherwise when the device comes first."""
    rng = np.random.default_rng(seed)
    changed = [plans_changed(random_exits(rng), 1.0, [10 ** rng.uniform(4, 7)], [np.inf]) for _ in range(instances)]
    return float(np.mean(changed))


def _better(costs: ExitCosts, seconds: float, best: tuple[int, int, float], exits: Sequence[ExitCosts]) -> bool:
    incumbent = -1.0 if best[0] == NONE else exits[best[0]].accuracy
    return costs.accuracy > incumbent or (costs.accuracy == incumbent and seconds < best[2])


def _random_exit(rng: np.random.Generator) -> ExitCosts:
    layers = int(rng.integers(1, 13))
    device = rng.exponential(0.05, layers)
    sizes = np.append(rng.integers(100, 20_000, layers), 0).astype(float)
    names = tuple(f"layer{number}" for number in range(layers))
    chain = ChainCosts(names, device, device * rng.uniform(0.02, 1.5, layers), sizes)
    return ExitCosts(chain, round(float(rng.uniform(0.5, 1.0)), 1))
