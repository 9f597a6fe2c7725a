"""A trained convolutional network through the whole pipeline: how many bits convolutions and dense layers need."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import weighted_layers
from edgedl_lib.inference.compression.sparsity.retraining import prune_and_retrain
from edgedl_lib.inference.compression.storage.deep_compression import CompressedModel, code
from edgedl_lib.inference.compression.storage.published import PublishedNetwork, published_network
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import error

ROUNDS, ROUND_EPOCHS, SHARE_EPOCHS = 3, 1, 1
ALEXNET_LAYERS = {"conv1": "conv1", "conv2": "conv2", "dense1": "fc6", "dense2": "fc8"}


def alexnet_densities() -> dict[str, float]:
    """AlexNet's published densities for a network of two convolutions and two dense layers."""
    keep = published_network("alexnet").keep
    return {layer: keep[name] for layer, name in ALEXNET_LAYERS.items()}


def first(data: Dataset, count: int) -> Dataset:
    """The same data with the first ``count`` training samples."""
    return replace(data, train=data.train.subset(count))


def bits_losses(
    models: Sequence[nn.Module],
    data: Sequence[Dataset],
    keep: Mapping[str, float],
    bits: Sequence[tuple[int, int]],
    seeds: Sequence[int],
) -> dict[tuple[int, int], list[float]]:
    """Points of error that sharing adds to a pruned model, for bits of (convolutions, dense layers); one per model.

    As in the paper's table, which begins with the pruned network and 32 bits, each model is pruned and retrained once
    and sharing starts from there for every pair of bits.
    """
    losses: dict[tuple[int, int], list[float]] = {pair: [] for pair in bits}
    for model, part, seed in zip(models, data, seeds, strict=True):
        pruned = copy.deepcopy(model)
        prune_and_retrain(pruned, part, keep, rounds=ROUNDS, epochs=ROUND_EPOCHS, seed=seed)
        before = error(pruned, part.test)
        for pair, found in losses.items():
            coded = code(pruned, layer_bits(pruned, *pair), part, seed, share_epochs=SHARE_EPOCHS)
            found.append(error(coded.module, part.test) - before)
    return losses


def layer_bits(model: nn.Module, convolution: int, dense: int) -> dict[str, int]:
    """Bits of a code by the kind of layer."""
    return {
        name: convolution if isinstance(layer, nn.Conv2d) else dense for name, layer in weighted_layers(model).items()
    }


@dataclass(frozen=True)
class CompressedCase:
    """A trained network compressed with published densities and bits; losses in points of error."""

    compressed: CompressedModel
    pruned_loss: float
    compressed_loss: float


def compress_trained(model: nn.Module, data: Dataset, network: PublishedNetwork, seed: int) -> CompressedCase:
    """Prune in rounds, share and code a trained network as published; one epoch each."""
    pruned = copy.deepcopy(model)
    prune_and_retrain(pruned, data, network.keep, rounds=ROUNDS, epochs=1, seed=seed)
    compressed = code(pruned, network.bits, data, seed, share_epochs=1)
    errors = (error(tested, data.test) for tested in (model, pruned, compressed.module))
    before, after_pruning, after_all = errors
    return CompressedCase(compressed, after_pruning - before, after_all - before)
