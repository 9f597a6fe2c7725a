"""The alternative to a server: the whole network squeezed into the memory that the fog part needs.

Two ways after the training, as the survey's comparison has it: fewer bits per weight, or fewer weights (with a short
retraining of those that are left).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.inspection.images import Tiles
from edgedl_lib.inference.early_exit.inspection.network import InspectionNetwork, exit_outputs, train_inspection

FLOAT_BITS = 32
BYTES_PER_KEPT_WEIGHT = 1.5  # an 8-bit value and a 4-bit distance to the next


def fog_bytes(network: InspectionNetwork) -> int:
    """Float32 bytes of what the fog node holds: its layers, its exit and the narrowing layer."""
    parts = (network.fog, network.fog_exit, network.narrow)
    return FLOAT_BITS // 8 * sum(each.numel() for part in parts for each in part.parameters())


def whole_weights(network: InspectionNetwork) -> list[nn.Parameter]:
    """Weights of all layers that server-only runs (not the fog's exit); biases and normalisations are left out."""
    parts = (network.fog, network.narrow, network.server, network.server_exit)
    return [weight for part in parts for weight in part.parameters() if weight.dim() > 1]


def bits_that_fit(network: InspectionNetwork) -> int:
    """Bits per weight with which the whole network fits into the fog part's memory."""
    count = sum(weight.numel() for weight in whole_weights(network))
    return int(8 * fog_bytes(network) // count)


@torch.no_grad()
def quantised(network: InspectionNetwork, bits: int | None = None) -> InspectionNetwork:
    """A copy whose weights take ``2 ** bits`` evenly spaced values per tensor; by default as many bits as fit.

    Raises
    ------
    ValueError
        If there would be no bit left, or more than 16.
    """
    bits = bits_that_fit(network) if bits is None else bits
    if not 1 <= bits <= 16:
        raise ValueError(f"{bits} bits per weight: choose 1 to 16")
    small = copy.deepcopy(network)
    for weight in whole_weights(small):
        lowest = weight.min()
        step = (weight.max() - lowest).clamp(min=1e-12) / (2**bits - 1)
        weight.copy_(((weight - lowest) / step).round() * step + lowest)
    return small


def pruned(network: InspectionNetwork, tiles: Tiles, seed: int, epochs: int = 1) -> InspectionNetwork:
    """A copy that keeps the largest weights, as many as fit, retrained for some epochs."""
    small = copy.deepcopy(network)
    weights = whole_weights(small)
    kept = min(int(fog_bytes(network) / BYTES_PER_KEPT_WEIGHT), sum(weight.numel() for weight in weights))
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights])
    least = magnitudes.topk(kept).values[-1]
    masks = [weight.detach().abs() >= least for weight in weights]
    _apply(weights, masks)
    if epochs:
        rate = 1e-3
        train_inspection(tiles, seed, epochs, small, learning_rate=rate, after_step=lambda _: _apply(weights, masks))
    return small.eval()


def whole_accuracy(network: InspectionNetwork, tiles: Tiles) -> float:
    """Accuracy of the last exit on raw pictures, in [0, 1]."""
    answers = exit_outputs(network, tiles.images).whole[:, :-1].argmax(dim=1)
    return float((answers == tiles.kinds).double().mean())


@torch.no_grad()
def _apply(weights: list[nn.Parameter], masks: list[Tensor]) -> None:
    for weight, mask in zip(weights, masks, strict=True):
        weight.mul_(mask)
