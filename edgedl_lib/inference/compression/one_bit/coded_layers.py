"""Layers that keep a real copy of their weights and compute with a coded one: signs, scaled signs, three values.

A *code* is a function of the real weights, one row per filter; the layer applies it in every forward pass, and the
gradient of the coded weights moves the real ones (the straight-through estimator).  What must be stored after training
is the coded weights alone; :func:`stored_bits` counts them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets import layers
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

FLOAT_BITS = 32


class WeightCode(Protocol):
    """What a coded layer needs to know of its code."""

    bits: int  # stored per weight
    scales_per_filter: int  # float32 values stored per filter

    def __call__(self, weights: Tensor, training: bool) -> Tensor:
        """Coded weights of the same shape; the last axis runs through one filter."""


class _PassThrough(torch.autograd.Function):
    @staticmethod
    def forward(context, path: Tensor, coded: Tensor) -> Tensor:
        return coded.view_as(coded)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def pass_through(path: Tensor, coded: Tensor) -> Tensor:
    """The value of ``coded``, exactly, with the gradient of ``path``.

    >>> weight = torch.tensor([0.3, -2.0], requires_grad=True)
    >>> pass_through(weight, torch.sign(weight)).sum().backward()
    >>> weight.grad
    tensor([1., 1.])
    """
    return _PassThrough.apply(path, coded)


class CodedLinear(nn.Linear):
    """Dense layer whose forward pass uses coded weights."""

    def __init__(self, in_features: int, out_features: int, code: WeightCode, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.code = code

    @property
    def coded_weight(self) -> Tensor:
        """The weights that the layer multiplies with, shape (out, in)."""
        return self.code(self.weight, self.training)

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.coded_weight, self.bias)

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """The dense layer that it stands for, with the bits that it stores in ``config``."""
        return _with_bits(layers.dense(name, input_shape, self.out_features, self.bias is not None), self)


class CodedConv2d(nn.Conv2d):
    """Convolution whose forward pass uses coded weights; zero padding contributes nothing, whatever the code."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, code: WeightCode, **options) -> None:
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.code = code

    @property
    def coded_weight(self) -> Tensor:
        """The weights that the layer multiplies with, shape (out, in / groups, height, width)."""
        return self.code(self.weight.flatten(1), self.training).view_as(self.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return self._conv_forward(inputs, self.coded_weight, self.bias)

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """The convolution that it stands for, with the bits that it stores in ``config``."""
        window = (self.kernel_size, self.stride, self.padding)
        layer = layers.conv(name, input_shape, self.out_channels, *window, self.groups, self.bias is not None)
        return _with_bits(layer, self)


def _with_bits(layer: Layer, module: nn.Module) -> Layer:
    layer.config.update(weight_bits=module.code.bits, stored_bits=layer_bits(module))
    return layer


def layer_bits(module: nn.Module) -> int:
    """Bits that one layer stores: codes, scales and biases; 32 for each value of an ordinary layer."""
    if hasattr(module, "stored_bits"):
        return module.stored_bits
    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    code = getattr(module, "code", None)
    if code is None:
        return FLOAT_BITS * own
    weights = module.weight.numel()
    return code.bits * weights + FLOAT_BITS * (code.scales_per_filter * len(module.weight) + own - weights)


def stored_bytes(module: nn.Module) -> int:
    """Bytes that a network stores, each layer filled up to whole bytes.

    Batch norm counts its scale and shift; its running statistics fold into them.

    >>> stored_bytes(nn.Linear(10, 5))
    220
    """
    return sum(-(-layer_bits(part) // 8) for part in module.modules())


def with_codes(network: nn.Sequential, code: WeightCode, keep_real: Iterable[str] = ()) -> nn.Sequential:
    """Copy of a network in which coded layers stand for its dense and convolution layers.

    Parameters
    ----------
    network : nn.Sequential
        Its weights become the real copies; it is not changed.
    code : WeightCode
    keep_real : names
        Children that stay as they are, for instance the first and the last layer.

    Raises
    ------
    ValueError
        A name in ``keep_real`` that the network does not have.
    """
    keep_real, result = set(keep_real), copy.deepcopy(network)
    unknown = keep_real - dict(network.named_children()).keys()
    if unknown:
        raise ValueError(
            f"the network has no layers {sorted(unknown)}; it has {[n for n, _ in network.named_children()]}"
        )
    for name, layer in network.named_children():
        if name not in keep_real and isinstance(layer, nn.Linear | nn.Conv2d):
            setattr(result, name, _coded(layer, code))
    return result


def _coded(layer: nn.Linear | nn.Conv2d, code: WeightCode) -> nn.Module:
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        coded = CodedLinear(layer.in_features, layer.out_features, code, bias)
    else:
        options = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
        coded = CodedConv2d(layer.in_channels, layer.out_channels, layer.kernel_size, code, bias=bias, **options)
    coded.load_state_dict(layer.state_dict())
    return coded.train(layer.training)
