"""A whole model factored in one call: the layers by name and rank, or all of them by energy."""

from collections.abc import Mapping

from torch import nn

from edgedl_lib.inference.compression.factors.low_rank import factored_linear, rank_for_energy, replace_layers
from edgedl_lib.inference.compression.factors.separable import separable_conv
from edgedl_lib.inference.compression.factors.tucker import tucker_conv, tucker_ranks_for_energy

Rank = int | tuple[int, int]


def factorise(model: nn.Module, *, energy: float | None = None, ranks: Mapping[str, Rank] | None = None) -> nn.Module:
    """A copy of the model with factored layers; an ordinary module of ordinary layers, in evaluation mode.

    Parameters
    ----------
    energy : float
        Every dense layer by SVD and every convolution by Tucker-2, at the ranks that keep this share of the squared
        weights; a layer that would not shrink stays as it is.
    ranks : mapping
        Instead of ``energy``: rank by layer name.  A dense layer takes one number (SVD), a convolution one number
        (separable) or two (Tucker-2).

    Raises
    ------
    ValueError
        Both or neither of the two, a layer that does not exist or cannot be factored, or a rank that it does not have.
    """
    if (energy is None) == (ranks is None):
        raise ValueError("give either energy or ranks: factorise(model, energy=0.9) or ranks={'dense1': 12}")
    modules = dict(model.named_modules())
    if ranks is None:
        return replace_layers(model, dict(_by_energy(modules, energy)))
    unknown = sorted(set(ranks) - set(modules))
    if unknown:
        raise ValueError(f"the model has no layer {unknown[0]!r}; its layers are {', '.join(filter(None, modules))}")
    return replace_layers(model, {name: factored(modules[name], rank) for name, rank in ranks.items()})


def factored(layer: nn.Module, rank: Rank) -> nn.Sequential:
    """The factors of one dense or convolutional layer."""
    if isinstance(layer, nn.Linear) and isinstance(rank, int):
        return factored_linear(layer, rank)
    if isinstance(layer, nn.Conv2d):
        return separable_conv(layer, rank) if isinstance(rank, int) else tucker_conv(layer, tuple(rank))
    raise ValueError(
        f"cannot factor {type(layer).__name__} at rank {rank}; a rank needs a dense layer or a convolution"
    )


def weight_count(module: nn.Module) -> int:
    """Parameters of a module, biases included."""
    return sum(parameter.numel() for parameter in module.parameters())


def _by_energy(modules: Mapping[str, nn.Module], energy: float):
    for name, layer in modules.items():
        if not isinstance(layer, nn.Linear | nn.Conv2d) or getattr(layer, "groups", 1) != 1:
            continue
        dense = isinstance(layer, nn.Linear)
        rank = rank_for_energy(layer.weight.detach(), energy) if dense else tucker_ranks_for_energy(layer, energy)
        smaller = factored(layer, rank)
        if weight_count(smaller) < weight_count(layer):
            yield name, smaller
