"""The rival of early exit at the same price: one static network, narrower or pruned until it costs no more."""

import bisect
import copy
from dataclasses import replace

import torch
from torch import nn

from edgedl_lib.inference.early_exit.accounting import mac_costs
from edgedl_lib.inference.early_exit.branchynet import b_lenet, trunk
from edgedl_lib.inference.early_exit.joint_training import Recipe
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import build, train

WIDTH_STEPS = 100  # widths tried between 0 and 1


def width_for(size: int, mac_limit: float) -> float:
    """Largest width of LeNet whose trunk needs at most this many multiply-accumulates.

    Raises
    ------
    ValueError
        Even the narrowest network costs more.
    """
    fits = bisect.bisect_right(range(1, WIDTH_STEPS + 1), mac_limit, key=lambda step: _mac(size, step))
    if not fits:
        raise ValueError(f"no LeNet for {size}x{size} pixels costs at most {mac_limit:g} multiply-accumulates")
    return fits / WIDTH_STEPS


def _mac(size: int, step: int) -> float:
    return mac_costs(b_lenet(size, step / WIDTH_STEPS), (1, size, size)).baseline


def train_narrow(data: Dataset, mac_limit: float, recipe: Recipe, seed: int) -> nn.Sequential:
    """The narrower static network, trained as long as baseline and early-exit network: twice ``recipe.epochs``."""
    size = data.input_shape[-1]
    width = width_for(size, mac_limit)
    network = trunk(build(lambda: b_lenet(size, width), seed))
    _train(network, data, replace(recipe, epochs=2 * recipe.epochs), seed)
    return network


def train_pruned(halfway: nn.Sequential, data: Dataset, density: float, recipe: Recipe, seed: int) -> nn.Sequential:
    """Keep this share of every layer's weights, the largest ones, and retrain for the second half of the epochs.

    Raises
    ------
    ValueError
        A density outside (0, 1].
    """
    if not 0 < density <= 1:
        raise ValueError(f"density {density} must lie in (0, 1]: at 0 nothing of the network is left")
    network = copy.deepcopy(halfway)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    masks = [_largest(layer.weight, density) for layer in layers]

    def mask(_) -> None:
        for layer, kept in zip(layers, masks, strict=True):
            layer.weight.mul_(kept)

    with torch.no_grad():
        mask(network)
    _train(network, data, recipe, seed, after_step=mask)
    return network


def _largest(weight: torch.Tensor, density: float) -> torch.Tensor:
    kept = max(1, round(density * weight.numel()))
    return (weight.abs() >= weight.abs().flatten().topk(kept).values[-1]).float()


def _train(network: nn.Module, data: Dataset, recipe: Recipe, seed: int, **options) -> None:
    settings = {"epochs": recipe.epochs, "learning_rate": recipe.learning_rate, "batch_size": recipe.batch_size}
    train(network, data.train, seed=seed, **settings, **options)
