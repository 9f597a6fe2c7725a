"""Structured pruning: whole filters and units go, and a smaller dense network of the same kind is built.

Works on a chain (``nn.Sequential``) of convolutions, dense layers, batch norms, pooling, activations that map zero to
zero, dropout and flatten.  Removing a filter also removes its map from the inputs of the next weighted layer; behind a
flatten that is a block of columns, one for each pixel.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.sparsity.pruning import Keep, kept_count, largest, per_layer, weighted_layers

Kept = Mapping[str, Tensor]  # layer name to increasing indices of the filters that stay

ELEMENTWISE = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Tanh, nn.Hardtanh, nn.Identity, nn.Dropout, nn.Dropout2d)
POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d)


def prune_filters(model: nn.Sequential, keep: Keep) -> nn.Sequential:
    """A smaller network without the filters (and units) of least L1 norm.

    Parameters
    ----------
    keep : float or mapping
        Fraction of the filters that stay, in (0, 1]; a single one is for all layers but the last.

    Raises
    ------
    ValueError
        The model is no plain chain, the fraction is not in (0, 1], or the last layer, whose units are the classes, is
        named.
    """
    return extract(model, strongest_filters(model, keep))


def strongest_filters(model: nn.Sequential, keep: Keep) -> dict[str, Tensor]:
    """Indices of the filters of largest L1 norm, by layer."""
    layers = _chain(model)
    last = list(layers)[-1]
    fractions = per_layer(model, keep, "keep")
    if not isinstance(keep, Mapping):
        fractions.pop(last)
    if last in fractions:
        raise ValueError(f"{last} is the last layer: its units are the classes and cannot be pruned")
    norms = {name: layers[name].weight.detach().flatten(1).abs().sum(1) for name in fractions}
    return {
        name: largest(norms[name], kept_count(len(norms[name]), fraction)).nonzero().flatten()
        for name, fraction in fractions.items()
    }


@torch.no_grad()
def zero_filters(model: nn.Sequential, kept: Kept) -> nn.Sequential:
    """A copy of the same size in which the other filters, their biases and their batch norms are zero."""
    zeroed = copy.deepcopy(model)
    layers = _chain(zeroed)
    for name, indices in kept.items():
        for module in (layers[name], *_norms_after(zeroed, name)):
            gone = torch.ones(len(module.weight), dtype=torch.bool)
            gone[indices] = False
            module.weight[gone] = 0
            if module.bias is not None:
                module.bias[gone] = 0
    return zeroed


@torch.no_grad()
def extract(model: nn.Sequential, kept: Kept) -> nn.Sequential:
    """A smaller copy that has only the kept filters.

    Its outputs are those of the network with the other filters zeroed, up to rounding.
    """
    small, layers = copy.deepcopy(model), _chain(model)
    arriving: Tensor | None = None  # indices of the maps that still arrive, None for all
    maps = 0
    for name, module in small.named_children():
        if name in layers:
            columns = None if arriving is None else _columns(module, arriving, maps)
            rows = kept.get(name)
            small.set_submodule(name, _cut(module, rows, columns))
            arriving, maps = rows, len(module.weight)
        elif isinstance(module, BATCH_NORM) and arriving is not None:
            small.set_submodule(name, _cut_norm(module, arriving))
    return small


def remove_dead_units(model: nn.Sequential) -> nn.Sequential:
    """A smaller copy without the filters and units that cannot matter, with the same outputs up to rounding.

    A unit is dead if no weight leads out of it, or if none leads in; then its output is a constant, which is added to
    the biases of the next layer.  (A constant map before a padded convolution is not removed unless it is zero.)
    """
    while True:
        model, kept = _fold_constants(model), {}
        for (name, layer), (_, following) in pairwise(_chain(model).items()):
            leaving = _incoming_blocks(following, len(layer.weight)).abs().sum((0, 2)) > 0
            leaving[0] |= not leaving.any()  # a layer keeps at least one unit
            if not leaving.all():
                kept[name] = leaving.nonzero().flatten()
        if not kept:
            return model
        model = extract(model, kept)


@torch.no_grad()
def _fold_constants(model: nn.Sequential) -> nn.Sequential:
    """A copy in which units without inputs have no outputs either: their constants are in the next biases."""
    folded = copy.deepcopy(model)
    for (name, layer), (after, following) in pairwise(_chain(folded).items()):
        silent = layer.weight.flatten(1).abs().sum(1) == 0
        bias = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias
        constants = _constants(folded, name, after, bias)
        if constants is None or not silent.any():
            continue
        padded = isinstance(following, nn.Conv2d) and any(following.padding)
        silent &= (constants == 0) | (not padded)
        blocks = _incoming_blocks(following, len(layer.weight))  # (outputs, units, inputs per unit); a view
        if following.bias is not None:
            following.bias += (blocks.sum(2) * constants * silent).sum(1)
        elif (constants * silent).any():
            continue
        blocks[:, silent] = 0
    return folded


def _constants(model: nn.Sequential, name: str, after: str, bias: Tensor) -> Tensor | None:
    """What units without inputs pass on to layer ``after``; None if something between would not keep it constant."""
    value = bias
    for module in _between(model, name, after):
        if isinstance(module, POOLING) and not any(_pair(getattr(module, "padding", 0))):
            continue
        if isinstance(module, (*ELEMENTWISE, nn.Flatten)):
            value = module(value) if isinstance(module, ELEMENTWISE) and not _is_dropout(module) else value
            continue
        return None
    return value


def _incoming_blocks(layer: nn.Module, maps: int) -> Tensor:
    """The weights of a layer by the map that they read: (outputs, maps, weights per map), a view."""
    return layer.weight.detach().view(len(layer.weight), maps, -1)


def _chain(model: nn.Sequential) -> dict[str, nn.Module]:
    """The weighted layers of a plain chain.

    Raises
    ------
    ValueError
        Anything else: which inputs a filter feeds is then not known.
    """
    layers = weighted_layers(model)
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"filters can be removed from an nn.Sequential chain, not from a {type(model).__name__}")
    known = (nn.Conv2d, nn.Linear, nn.Flatten, *ELEMENTWISE, *POOLING, *BATCH_NORM)
    for name, module in model.named_children():
        if not isinstance(module, known) or getattr(module, "groups", 1) != 1:
            raise ValueError(f"{name} ({type(module).__name__}) is no part of a plain chain of ungrouped layers")
    return layers


def _between(model: nn.Sequential, first: str, second: str) -> list[nn.Module]:
    names = [name for name, _ in model.named_children()]
    return [model.get_submodule(name) for name in names[names.index(first) + 1 : names.index(second)]]


def _norms_after(model: nn.Sequential, name: str) -> list[nn.Module]:
    """Batch norms between a layer and the next one with weights."""
    names = list(_chain(model))
    position = names.index(name) + 1
    return [module for module in _between(model, name, names[position]) if isinstance(module, BATCH_NORM)]


def _columns(module: nn.Module, arriving: Tensor, maps: int) -> Tensor:
    """Which inputs of a layer the arriving maps fill: a block for each map, of one pixel in a convolution."""
    inputs = module.weight.shape[1]
    if inputs % maps:
        raise ValueError(f"{inputs} inputs cannot come from {maps} maps; the chain is not plain")
    pixels = inputs // maps
    return (arriving[:, None] * pixels + torch.arange(pixels)).flatten()


def _cut(module: nn.Conv2d | nn.Linear, rows: Tensor | None, columns: Tensor | None) -> nn.Module:
    weight = module.weight if rows is None else module.weight[rows]
    weight = weight if columns is None else weight[:, columns]
    small = copy.copy(module)
    small._parameters = dict(module._parameters)
    small.weight = nn.Parameter(weight.clone())
    if module.bias is not None:
        small.bias = nn.Parameter((module.bias if rows is None else module.bias[rows]).clone())
    for name, size in zip(_SIZES[type(module)], weight.shape[:2], strict=True):
        setattr(small, name, size)
    return small


_SIZES = {nn.Conv2d: ("out_channels", "in_channels"), nn.Linear: ("out_features", "in_features")}


def _cut_norm(module: nn.Module, rows: Tensor) -> nn.Module:
    small = type(module)(len(rows), module.eps, module.momentum, module.affine, module.track_running_stats)
    state = {name: value[rows] if value.ndim else value for name, value in module.state_dict().items()}
    small.load_state_dict(state)
    return small.train(module.training)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_dropout(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout | nn.Dropout2d)
