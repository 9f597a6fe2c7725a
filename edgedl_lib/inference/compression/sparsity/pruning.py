"""Magnitude pruning with fixed masks (Han et al. 2015 [129]): the smallest weights of each layer go and stay away.

A *keep* argument is a fraction of the weights in (0, 1], for all layers or by layer name.  Biases are never pruned.
Masks are applied again after every optimiser step: momentum would otherwise bring the zeros back to life.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Keep = float | Mapping[str, float]


@dataclass(frozen=True)
class FixedMasks:
    """Which weights live, by layer name; give it to ``train`` as ``after_step``.

    Attributes
    ----------
    masks : mapping
        Layer name to a boolean tensor of the weight's shape.
    """

    masks: Mapping[str, Tensor]

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Set the dead weights of the model to zero, in place."""
        for name, mask in self.masks.items():
            model.get_submodule(name).weight.mul_(mask)

    @property
    def kept(self) -> int:
        """Weights that live."""
        return sum(int(mask.sum()) for mask in self.masks.values())

    @property
    def density(self) -> float:
        """Share of the masked layers' weights that lives."""
        return self.kept / sum(mask.numel() for mask in self.masks.values())


def weighted_layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The convolutions and dense layers of a model, by name, in order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def per_layer(model: nn.Module, values: object, what: str) -> dict:
    """One value for each layer: a single value is given to all weighted layers, a mapping is checked for its names.

    Raises
    ------
    ValueError
        A name that is no convolution or dense layer of the model.
    """
    layers = weighted_layers(model)
    if not isinstance(values, Mapping):
        return dict.fromkeys(layers, values)
    unknown = set(values) - set(layers)
    if unknown:
        raise ValueError(f"{what} names {', '.join(sorted(unknown))}; the layers with weights are {', '.join(layers)}")
    return {name: values[name] for name in layers if name in values}


def kept_count(size: int, keep: float) -> int:
    """How many of ``size`` weights a fraction keeps, at least one.

    Raises
    ------
    ValueError
        A fraction outside (0, 1]: a layer without weights computes nothing.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], not {keep}: sparsity 1 would leave a layer without weights")
    return max(1, round(keep * size))


def largest(weight: Tensor, count: int) -> Tensor:
    """Boolean mask of the ``count`` weights of largest magnitude; of equal ones, the first.

    >>> largest(torch.tensor([3.0, -5.0, 1.0, 3.0]), 2).tolist()
    [True, True, False, False]
    """
    if not torch.isfinite(weight).all():
        raise ValueError(f"a weight tensor of shape {tuple(weight.shape)} holds NaN or infinity; train again")
    magnitude = weight.detach().abs().flatten()
    threshold = magnitude.kthvalue(len(magnitude) - count + 1).values
    mask = magnitude > threshold
    equal = (magnitude == threshold).nonzero().flatten()
    mask[equal[: count - int(mask.sum())]] = True
    return mask.view(weight.shape)


def magnitude_masks(model: nn.Module, keep: Keep) -> FixedMasks:
    """Masks that keep the largest weights of each layer; the model is not changed.

    A pruned weight is zero and hence the smallest: pruning again never brings one back.
    """
    fractions, layers = per_layer(model, keep, "keep"), weighted_layers(model)
    masks = {}
    for name, fraction in fractions.items():
        weight = layers[name].weight
        masks[name] = largest(weight, kept_count(weight.numel(), fraction))
    return FixedMasks(masks)


def magnitude_prune(model: nn.Module, keep: Keep) -> FixedMasks:
    """Set all but the largest weights of each layer to zero, in place, and return the masks."""
    masks = magnitude_masks(model, keep)
    masks(model)
    return masks


def threshold_masks(model: nn.Module, quality: Keep) -> FixedMasks:
    """Masks by the paper's threshold, ``quality`` times the standard deviation of the layer's weights."""
    layers = weighted_layers(model)
    masks = {}
    for name, factor in per_layer(model, quality, "quality").items():
        if not factor >= 0:
            raise ValueError(f"quality must not be negative, got {factor} for {name}")
        weight = layers[name].weight.detach()
        masks[name] = weight.abs() >= factor * weight.std()
    return FixedMasks(masks)


def global_masks(model: nn.Module, keep: float) -> FixedMasks:
    """Masks by one threshold for the whole network: the trap, it empties layers whose weights are small."""
    layers = weighted_layers(model)
    together = torch.cat([layer.weight.detach().flatten() for layer in layers.values()])
    flat = largest(together, kept_count(together.numel(), keep))
    parts = flat.split([layer.weight.numel() for layer in layers.values()])
    return FixedMasks(
        {name: part.view(layer.weight.shape) for (name, layer), part in zip(layers.items(), parts, strict=True)}
    )


def nonzero_weights(model: nn.Module) -> dict[str, int]:
    """Weights that are not zero, by layer, without biases."""
    return {name: int(torch.count_nonzero(layer.weight)) for name, layer in weighted_layers(model).items()}


def dropout_after_pruning(rate: float, connections: int, kept: int) -> float:
    """Dropout rate for retraining, ``rate * sqrt(kept / connections)``: a thinner layer needs less (Han et al. 2015).

    >>> round(dropout_after_pruning(0.5, connections=100, kept=25), 3)
    0.25
    """
    if not 0 <= rate < 1 or not 0 < kept <= connections:
        raise ValueError(f"need a rate in [0, 1) and 0 < kept <= connections, got {rate}, {kept} of {connections}")
    return rate * math.sqrt(kept / connections)
