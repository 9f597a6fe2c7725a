"""XNOR-Net and binary-weight networks: signs with a scale (Rastegari et al. 2016 [132]).

A filter is replaced by its signs times one real number; the best number has a closed form.  If the inputs are signs
too, a dot product becomes exclusive-or and a count of bits (see ``packed_bits``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.compression.one_bit.binary import dense, sign
from edgedl_lib.inference.compression.one_bit.coded_layers import CodedConv2d, WeightCode, pass_through
from edgedl_lib.nets import layers
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

WORD_BITS = 64


def optimal_scale(filters: Tensor) -> Tensor:
    """The number a that minimises the norm of W - a sign(W), one per filter: the mean of |W|, shape (..., 1).

    >>> optimal_scale(torch.tensor([[1.0, -3.0]]))
    tensor([[2.]])
    """
    return filters.abs().mean(dim=-1, keepdim=True)


@dataclass(frozen=True)
class ScaledSign:
    """Binary-weight network (BWN): every filter is its signs times the mean of its absolute weights.

    The gradient is the paper's: 1/n through the scale, and the scale times 1 where \\|w\\| <= 1 through the sign.
    """

    bits: int = 1
    scales_per_filter: int = 1

    def __call__(self, weights: Tensor, training: bool) -> Tensor:
        fixed = weights.detach()
        scale = optimal_scale(fixed)
        path = weights / weights.shape[-1] + scale * weights.clamp(-1, 1)
        return pass_through(path, scale * sign(fixed))


def approximation_error(filters: Tensor, code: WeightCode) -> float:
    """Norm of what a code changes, over the norm of the filters (one per row)."""
    with torch.no_grad():
        return float(torch.linalg.vector_norm(filters - code(filters, False)) / torch.linalg.vector_norm(filters))


def binary_activation(values: Tensor) -> Tensor:
    """Signs of the values; the gradient passes where \\|value\\| <= 1 and is 0 beyond."""
    return pass_through(values.clamp(-1, 1), sign(values.detach()))


class BinaryActivation(nn.Module):
    """Signs of the inputs as a module; one bit per value is all that a following layer reads."""

    def forward(self, inputs: Tensor) -> Tensor:
        return binary_activation(inputs)

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """One comparison per element."""
        return layers.activation(name, input_shape, "hardtanh")


class BinaryInput(BinaryActivation):
    """Signs of a vector times the mean of its absolute values: K of the paper, for a dense layer."""

    def forward(self, inputs: Tensor) -> Tensor:
        return binary_activation(inputs) * optimal_scale(inputs)


class XnorConv2d(CodedConv2d):
    """Convolution of signs with scaled signs, every output times K, the mean of \\|input\\| under the filter."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, **options) -> None:
        super().__init__(in_channels, out_channels, kernel_size, ScaledSign(), bias=False, **options)

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(binary_activation(inputs)) * self.input_scale(inputs)

    def input_scale(self, inputs: Tensor) -> Tensor:
        """K, shape (n, 1, height, width) of the output: the channel mean of \\|input\\|, averaged over each window."""
        mean = inputs.abs().mean(dim=1, keepdim=True)
        return functional.avg_pool2d(mean, self.kernel_size, self.stride, self.padding)


class FilterScale(nn.Module):
    """One learned factor per filter: the rival of the closed form in the paper's ablation."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.weight

    @staticmethod
    def stacked(scales: Sequence[FilterScale]) -> FilterScale:
        """The scales of several networks side by side."""
        return FilterScale(torch.stack([scale.weight.data for scale in scales]))

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """Its factors fold into the batch norm or the filters before it; as a layer it is half a batch norm."""
        norm = layers.norm(name, input_shape)
        return Layer(
            name, "norm", norm.input_shapes, norm.output_shape, self.weight.numel(), norm.flop // 2, norm.config
        )


def xnor_network(
    widths: tuple[int, ...],
    code: WeightCode | None = None,
    *,
    norm_before_sign: bool = True,
    input_scale: bool = True,
    learned_scale: bool = False,
) -> nn.Sequential:
    """Dense network with binary weights and, between its layers, binary activations; the image itself stays real.

    Parameters
    ----------
    widths : tuple of int
        Inputs, hidden units, classes.
    code : WeightCode, optional
        Of the weights; scaled signs unless given.
    norm_before_sign, input_scale, learned_scale : bool
        The switches of the ablations: batch norm before each sign, K, a learned factor after each layer.
    """
    code = ScaledSign() if code is None else code
    stages: list[nn.Module] = []
    for place, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False), start=2):
        stages.append(dense(inputs, outputs, code))
        stages += [FilterScale(torch.ones(outputs))] if learned_scale else []
        stages += [nn.BatchNorm1d(outputs)] if norm_before_sign or place == len(widths) else []
        stages.append(BinaryInput() if input_scale else BinaryActivation())
    return nn.Sequential(*stages[:-1])


def theoretical_speedup(channels: int, kernel_area: int, word_bits: int = WORD_BITS) -> float:
    """Speed-up of a binary convolution that handles one word of bits per operation, and scales each output once.

    >>> round(theoretical_speedup(256, 9), 2), round(theoretical_speedup(3, 1), 2)
    (62.27, 2.87)

    Raises
    ------
    ValueError
        Sizes below one.
    """
    if min(channels, kernel_area, word_bits) < 1:
        raise ValueError(f"channels {channels}, kernel area {kernel_area} and word {word_bits} must be at least 1")
    multiplications = channels * kernel_area
    return word_bits * multiplications / (multiplications + word_bits)
