"""BinaryConnect: training a network whose weights are -1 or +1 (Courbariaux et al. 2015 [131]).

Small gradient steps must add up somewhere, so each weight keeps a real copy; forward and backward pass see its sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.one_bit.coded_layers import CodedLinear, WeightCode, pass_through


def sign(values: Tensor) -> Tensor:
    """-1 or +1, and +1 for 0: a bit has no third value.

    >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    return torch.copysign(torch.ones((), dtype=values.dtype), values + 0.0)  # -0.0 + 0.0 is 0.0; three times as fast


@dataclass(frozen=True)
class Sign:
    """Deterministic BinaryConnect: every weight is its sign, in training and in use."""

    bits: int = 1
    scales_per_filter: int = 0

    def __call__(self, weights: Tensor, training: bool) -> Tensor:
        return pass_through(weights, sign(weights))


@dataclass(frozen=True)
class StochasticSign:
    """Stochastic BinaryConnect: a coin per weight and step, +1 with probability (w + 1) / 2; real weights in use."""

    bits: int = 32
    scales_per_filter: int = 0

    def __call__(self, weights: Tensor, training: bool) -> Tensor:
        if not training:
            return weights
        heads = torch.rand_like(weights) < (weights.detach() + 1) / 2
        return pass_through(weights, torch.where(heads, 1.0, -1.0))


def clip_weights(model: nn.Module) -> None:
    """Bring the real copies of all coded layers back into [-1, 1]: beyond, a weight could hardly return.

    Meant for ``after_step`` of :func:`edgedl_lib.nets.training.train`.
    """
    for layer in coded_layers(model):
        layer.weight.data.clamp_(-1, 1)


def forget_real_weights(model: nn.Module) -> None:
    """Replace the real copies by their signs: the tempting method that cannot learn."""
    for layer in coded_layers(model):
        layer.weight.data = sign(layer.weight.data)


def coded_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a network whose weights are coded."""
    return [layer for layer in model.modules() if hasattr(layer, "code")]


def dense_network(widths: tuple[int, ...], code: WeightCode | None, norm_learns: bool = True) -> nn.Sequential:
    """Dense network with batch norm after every layer, the last too, as the authors' programs have it.

    Parameters
    ----------
    widths : tuple of int
        Inputs, hidden units, classes.
    code : WeightCode or None
        Of all weights; None leaves them real.
    norm_learns : bool
        Whether batch norm has a scale and a shift of its own; without, nothing but the weights can learn.

    Raises
    ------
    ValueError
        Fewer than two widths.
    """
    if len(widths) < 2:
        raise ValueError(f"widths {widths} name no layer; give inputs, hidden units and classes")
    stages: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        stages += [dense(inputs, outputs, code), nn.BatchNorm1d(outputs, affine=norm_learns), nn.ReLU()]
    return nn.Sequential(*stages[:-1])


def dense(inputs: int, outputs: int, code: WeightCode | None) -> nn.Linear:
    """Layer without bias (batch norm follows), its weights uniform within Glorot's bound."""
    layer = nn.Linear(inputs, outputs, bias=False) if code is None else CodedLinear(inputs, outputs, code, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def multiplications_removed(widths: tuple[int, ...]) -> float:
    """Share of the multiply-accumulates of a training step that binary weights turn into additions.

    Three products make a step: forward, the gradient of the inputs (not needed by the first layer) and the gradient of
    the weights; the first two have a binary factor, the third does not.

    >>> round(multiplications_removed((100, 100, 100)), 3)  # the first of two equal layers has no second product
    0.6
    """
    sizes = [inputs * outputs for inputs, outputs in zip(widths, widths[1:], strict=False)]
    binary = sum(sizes) + sum(sizes[1:])
    return binary / (binary + sum(sizes))
