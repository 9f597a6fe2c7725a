"""Prune and retrain: once, or in several rounds with the survivors' values kept (Han et al. 2015 [129])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import (
    FixedMasks,
    Keep,
    magnitude_prune,
    nonzero_weights,
    per_layer,
)
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import train

RETRAINING = {"learning_rate": 1e-3, "batch_size": 32, "weight_decay": 5e-4}  # the decay of Caffe's LeNet


def prune_and_retrain(
    model: nn.Module, data: Dataset, keep: Keep, *, rounds: int = 1, epochs: int, seed: int, **training
) -> FixedMasks:
    """Prune to ``keep`` in equal factors over ``rounds``, retraining the survivors after each; in place.

    Parameters
    ----------
    keep : float or mapping
        Fraction of the weights left at the end.
    rounds : int
        1 prunes everything at once.
    epochs : int
        Of retraining, per round; 0 prunes only.
    training
        Passed on to ``train``, for instance ``learning_rate``.

    Returns
    -------
    FixedMasks
        Those of the last round.
    """
    for fractions in pruning_steps(per_layer(model, keep, "keep"), rounds):
        masks = magnitude_prune(model, fractions)
        if epochs:
            train(model, data.train, epochs=epochs, seed=seed, after_step=masks, **RETRAINING | training)
    return masks


def pruning_steps(keep: Mapping[str, float], rounds: int) -> list[dict[str, float]]:
    """Fractions to keep after each round: every round removes the same share of what is left.

    >>> pruning_steps({"dense1": 0.25}, rounds=2)
    [{'dense1': 0.5}, {'dense1': 0.25}]
    """
    if rounds < 1:
        raise ValueError(f"pruning takes at least one round, not {rounds}")
    return [{name: fraction ** (step / rounds) for name, fraction in keep.items()} for step in range(1, rounds + 1)]


@dataclass
class SurvivorCount:
    """An ``after_step`` that applies masks and notes after every step how many weights are not zero."""

    masks: FixedMasks
    counts: list[int] = field(default_factory=list)

    def __call__(self, model: nn.Module) -> None:
        self.masks(model)
        self.counts.append(sum(nonzero_weights(model).values()))

    @property
    def largest_change(self) -> int:
        """How far a count ever was from the number of weights that the masks keep."""
        return max(abs(count - self.masks.kept) for count in self.counts)
