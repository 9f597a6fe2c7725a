"""How much each layer minds being pruned: one layer at a time, the others whole, no retraining (Han et al. 2015)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import magnitude_masks, weighted_layers
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import error


@dataclass(frozen=True)
class SensitivityScan:
    """Error after pruning one layer alone.

    Attributes
    ----------
    layers : tuple of str
    keep : ndarray, shape (K,)
        Fractions kept.
    error : ndarray, shape (L, K)
        Percent.
    unpruned : float
        Error of the whole network, percent.
    """

    layers: tuple[str, ...]
    keep: np.ndarray
    error: np.ndarray
    unpruned: float

    def added(self, layer: str) -> float:
        """Mean error that pruning this layer adds, over the fractions scanned, in points."""
        return float(self.error[self.layers.index(layer)].mean()) - self.unpruned

    def smallest_keep(self, points: float) -> dict[str, float]:
        """For each layer the smallest fraction that, alone, adds at most ``points`` of error; 1 if none does."""
        fits = self.error <= self.unpruned + points
        return {
            layer: float(self.keep[row].min()) if row.any() else 1.0
            for layer, row in zip(self.layers, fits, strict=True)
        }


def sensitivity_scan(model: nn.Module, split: Split, keep: Sequence[float]) -> SensitivityScan:
    """Prune each layer alone to each fraction and measure the error; the model is not changed.

    Parameters
    ----------
    split : Split
        The validation split if the result chooses densities.
    keep : sequence of float
        Fractions in (0, 1].
    """
    layers = tuple(weighted_layers(model))
    errors = np.array([[_error_with(model, split, layer, fraction) for fraction in keep] for layer in layers])
    return SensitivityScan(layers, np.array(keep, dtype=float), errors, error(model, split))


def _error_with(model: nn.Module, split: Split, layer: str, fraction: float) -> float:
    pruned = copy.deepcopy(model)
    magnitude_masks(pruned, {layer: fraction})(pruned)
    return error(pruned, split)
