"""Error against size: pruning once or in rounds, with and without retraining, alone and together with sharing."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import magnitude_prune
from edgedl_lib.inference.compression.sparsity.retraining import prune_and_retrain
from edgedl_lib.inference.compression.storage.container import pack
from edgedl_lib.inference.compression.storage.deep_compression import INDEX_BITS, tensors_of
from edgedl_lib.inference.compression.storage.published import PublishedNetwork
from edgedl_lib.inference.compression.storage.sharing import fine_tune_code_books, share_weights
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import error

GAP_BITS = (5, 6, 7, 8)  # widths tried when pruning stands alone


def keep_for(network: PublishedNetwork, reduction: float) -> dict[str, float]:
    """Densities for another overall reduction in the published proportions: each layer's raised to one power.

    The power is found by bisection, so that weights before over weights after equal ``reduction``.
    """
    if reduction < 1:
        raise ValueError(f"a reduction of {reduction} would add weights; it must be at least 1")
    low, high = 0.0, 64.0
    for _ in range(60):
        power = (low + high) / 2
        left = sum(layer.weights * layer.kept**power for layer in network.layers)
        low, high = (power, high) if network.weights / left < reduction else (low, power)
    return {layer.name: layer.kept**high for layer in network.layers}


@dataclass(frozen=True)
class PruningCurve:
    """Errors of one network after pruning.

    Attributes
    ----------
    reductions : tuple of float
    errors : ndarray, shape (R,)
        Percent.
    models : tuple of nn.Module
        The pruned networks; empty if they were not retrained.
    """

    reductions: tuple[float, ...]
    errors: np.ndarray
    models: tuple[nn.Module, ...] = ()

    def error_at(self, reduction: float) -> float:
        """Error at one of the reductions, percent."""
        return float(self.errors[self.reductions.index(reduction)])


def prune_only(model: nn.Module, data: Dataset, network: PublishedNetwork, reductions: Sequence[float]) -> PruningCurve:
    """Prune at once and do not retrain."""
    errors = []
    for reduction in reductions:
        pruned = copy.deepcopy(model)
        magnitude_prune(pruned, keep_for(network, reduction))
        errors.append(error(pruned, data.test))
    return PruningCurve(tuple(reductions), np.array(errors))


def prune_in_rounds(
    model: nn.Module, data: Dataset, network: PublishedNetwork, reductions: Sequence[float], *, epochs: int, seed: int
) -> PruningCurve:
    """Prune to each reduction in turn, from the network that the one before left, ``epochs`` of retraining each."""
    models, current = [], model
    for step, reduction in enumerate(reductions):
        current = copy.deepcopy(current)
        prune_and_retrain(current, data, keep_for(network, reduction), epochs=epochs, seed=seed + step)
        models.append(current)
    return PruningCurve(tuple(reductions), np.array([error(model, data.test) for model in models]), tuple(models))


def prune_at_once(
    model: nn.Module, data: Dataset, network: PublishedNetwork, *, parts: int, epochs: int, seed: int
) -> np.ndarray:
    """Prune to the published densities in one step, then retrain ``parts`` times; errors after each, shape (parts,)."""
    pruned, errors = copy.deepcopy(model), []
    for part in range(parts):  # the survivors are the largest weights: pruning again changes nothing
        prune_and_retrain(pruned, data, network.keep, epochs=epochs, seed=seed + part)
        errors.append(error(pruned, data.test))
    return np.array(errors)


@dataclass(frozen=True)
class SizeCurve:
    """Error against the size of the file, in percent of the float32 file (codes of fixed length)."""

    percent: np.ndarray
    errors: np.ndarray

    def with_point(self, percent: float, error: float) -> SizeCurve:
        """The same curve with one more file before the others."""
        return SizeCurve(np.append(percent, self.percent), np.append(error, self.errors))

    def at_most(self, percent: float) -> float:
        """Smallest error among the files of at most this size; infinite if there is none."""
        return float(self.errors[self.percent <= percent].min(initial=math.inf))

    def smallest_within(self, limit: float) -> float:
        """Size of the smallest file whose error is at most ``limit``; 100 if there is none."""
        return float(self.percent[self.errors <= limit].min(initial=100))


def pruned_sizes(curve: PruningCurve) -> SizeCurve:
    """Pruning alone: float32 values, and gaps of the width that makes the file smallest."""
    sizes = []
    for model in curve.models:
        files = [pack(tensors_of(model, sparse=True), bits, huffman=False).size for bits in GAP_BITS]
        sizes.append(100 * min(files) / pack(tensors_of(model)).size)
    return SizeCurve(np.array(sizes), curve.errors)


def shared_sizes(
    models: Sequence[nn.Module], bits: Sequence[int], data: Dataset, *, epochs: int, seed: int
) -> SizeCurve:
    """Sharing, of unpruned or pruned networks: one point for each model and its bits."""
    percent, errors = [], []
    for model, width in zip(models, bits, strict=True):
        small = copy.deepcopy(model)
        shared = fine_tune_code_books(small, share_weights(small, width), data, epochs=epochs, seed=seed)
        file = pack(tensors_of(small, shared), INDEX_BITS, huffman=False)
        percent.append(100 * file.size / pack(tensors_of(model)).size)
        errors.append(error(small, data.test))
    return SizeCurve(np.array(percent), np.array(errors))
