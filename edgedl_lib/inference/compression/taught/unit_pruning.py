"""Removing whole hidden units: what is left is a smaller dense network, and no sparse kernel is needed.

A removed unit takes its row of incoming and its column of outgoing weights along, so the size falls with the *product*
of the shares that neighbouring layers keep.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.taught.stacked_mlp import StackedMLP


def dense_parameters(widths: Sequence[int]) -> int:
    """Weights and biases of a dense network.

    >>> dense_parameters((64, 100, 10)), dense_parameters((64, 50, 10))
    (7510, 3760)
    """
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def equal_share(widths: Sequence[int], parameters: int) -> list[int]:
    """Units to keep in each hidden layer, the same share in all, so that the size comes nearest to ``parameters``."""
    hidden, candidates = widths[1:-1], []
    for percent in range(1, 1001):
        kept = [max(1, round(units * percent / 1000)) for units in hidden]
        candidates.append((abs(dense_parameters((widths[0], *kept, widths[-1])) - parameters), kept))
    return min(candidates)[1]


def random_units(widths: Sequence[int], kept: Sequence[int], seed: int) -> list[Tensor]:
    """Boolean masks, one a hidden layer, of units drawn without a look at them."""
    generator = torch.Generator().manual_seed(seed)
    return [
        _mask(torch.randperm(units, generator=generator)[:count], units)
        for units, count in zip(widths[1:-1], kept, strict=True)
    ]


def largest_units(network: nn.Sequential, kept: Sequence[int]) -> list[Tensor]:
    """Boolean masks of the units whose incoming weights have the largest norms, layer by layer."""
    hidden = _dense_layers(network)[:-1]
    norms = [layer.weight.detach().norm(dim=1) for layer in hidden]
    return [_mask(norm.topk(count).indices, len(norm)) for norm, count in zip(norms, kept, strict=True)]


def _mask(indices: Tensor, units: int) -> Tensor:
    mask = torch.zeros(units, dtype=torch.bool)
    mask[indices] = True
    return mask


@torch.no_grad()
def fold_scales(stack: StackedMLP, scales: Sequence[Tensor]) -> None:
    """Multiply the units' outputs by ``scales``, (R, units) a hidden layer, inside the next layer's weights."""
    for weight, scale in zip(list(stack.weights)[1:], scales, strict=True):
        weight.mul_(scale.unsqueeze(2))


@torch.no_grad()
def shrink(network: nn.Sequential, masks: Sequence[Tensor], scales: Sequence[Tensor] | None = None) -> nn.Sequential:
    """Re-instantiate a dense network with the masked units only; its answers are those of the masked network.

    Parameters
    ----------
    network : Sequential
        Linear layers with activations between them; the first may be preceded by a flattening.
    masks : sequence of boolean Tensor, shape (units,)
        One a hidden layer: true where a unit stays.
    scales : sequence of Tensor, shape (units,), optional
        Factors of the units' outputs, folded into the weights that follow.

    Raises
    ------
    ValueError
        A mask of another length, or a layer that would lose all its units.
    """
    small = copy.deepcopy(network)
    layers = _dense_layers(small)
    _check_masks(layers, masks)
    rows = [*masks, torch.ones(layers[-1].out_features, dtype=torch.bool)]
    columns = [torch.ones(layers[0].in_features, dtype=torch.bool), *masks]
    factors = [None, *(scales or [None] * len(masks))]
    for layer, row, column, factor in zip(layers, rows, columns, factors, strict=True):
        weight = layer.weight if factor is None else layer.weight * factor
        layer.weight = nn.Parameter(weight[row][:, column].clone())
        layer.bias = nn.Parameter(layer.bias[row].clone())
        layer.out_features, layer.in_features = layer.weight.shape
    return small.eval()


def _dense_layers(network: nn.Module) -> list[nn.Linear]:
    layers = [module for module in network if isinstance(module, nn.Linear)]
    if not layers or any(isinstance(module, nn.Conv2d) for module in network):
        raise ValueError("expected a sequence of dense layers; give the dense part of the network")
    return layers


def _check_masks(layers: Sequence[nn.Linear], masks: Sequence[Tensor]) -> None:
    if len(masks) != len(layers) - 1:
        raise ValueError(f"{len(masks)} masks for {len(layers) - 1} hidden layers; give one for each")
    for number, (layer, mask) in enumerate(zip(layers, masks, strict=False), start=1):
        if mask.shape != (layer.out_features,) or mask.dtype != torch.bool:
            raise ValueError(
                f"the mask of hidden layer {number} has shape {tuple(mask.shape)} and type {mask.dtype}; "
                f"expected {layer.out_features} booleans"
            )
        if not mask.any():
            raise ValueError(f"hidden layer {number} would lose all its units; keep at least one")
