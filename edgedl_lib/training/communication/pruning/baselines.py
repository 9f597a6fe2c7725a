"""Masks chosen once, before training: at random, by magnitude, and by one gradient (SNIP)."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.communication.dgc import network
from edgedl_lib.training.communication.pruning.training import Masks, Plan


def random_masks(plan: Plan, density: float, seed: int) -> Masks:
    """Every weight of every layer has the same chance."""
    rng = np.random.default_rng([seed, 7])
    return [_largest(rng.random(mask.shape), density) for mask in plan.full()]


def magnitude_masks(plan: Plan, density: float, seed: int) -> Masks:
    """The largest initial weights of each layer: all layers are drawn on different scales."""
    weights = network.initial_weights(plan.widths, seed)
    return [_largest(np.abs(weights[index].numpy()), density) for index in plan.prunable]


def snip_masks(plan: Plan, density: float, seed: int) -> Masks:
    """The largest of weight times gradient, over all clients' data, across layers (Lee et al. 2019).

    Every layer keeps at least one weight.
    """
    weights = network.initial_weights(plan.widths, seed)
    pooled = plan.data.pooled()
    found = network.gradients(weights, pooled.inputs[None], pooled.targets[None])
    scores = [np.abs((weights[index] * found[index][0]).numpy()) for index in plan.prunable]
    flat = np.concatenate([each.ravel() for each in scores])
    threshold = np.sort(flat)[-max(1, round(density * len(flat)))]
    return [(each >= threshold) | (each == each.max()) for each in scores]


def _largest(scores: np.ndarray, density: float) -> np.ndarray:
    if not 0 < density <= 1:
        raise ValueError(f"density {density} lies outside (0, 1]")
    kept = max(1, round(density * scores.size))
    mask = np.zeros(scores.size, dtype=bool)
    mask[np.argsort(-scores.ravel(), kind="stable")[:kept]] = True
    return mask.reshape(scores.shape)
