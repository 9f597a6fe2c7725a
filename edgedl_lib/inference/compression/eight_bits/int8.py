"""Linear quantisation: weights and activations as integers on equally spaced grids.

``value = scale (code - zero_point)``.  Weights take a symmetric grid (zero point 0) for each filter or for the whole
tensor; activations take an affine one that spans the range seen in calibration.  The network here *simulates*: it
computes in floating point with values that lie on the grids.  ``integer_arithmetic`` does the same with integers alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.compression.factors.low_rank import layer_inputs, replace_layers
from edgedl_lib.nets import layers
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

SCALE_BYTES, BIAS_BYTES, ZERO_POINT_BYTES = 4, 4, 1
SMALLEST_SCALE = torch.finfo(torch.float32).tiny  # what is smaller would divide by zero; such values are zeros


@dataclass(frozen=True)
class Grid:
    """The values ``scale (code - zero_point)`` for the integer codes ``low`` to ``high``.

    Attributes
    ----------
    scale : Tensor
        Distance of neighbouring values; one number, or one per filter, shaped to broadcast.
    zero_point, low, high : int
    """

    scale: Tensor
    zero_point: int
    low: int
    high: int

    def codes(self, values: Tensor) -> Tensor:
        """Code of the nearest value, as a floating-point tensor of whole numbers."""
        return (torch.round(values / self.scale) + self.zero_point).clamp(self.low, self.high)

    def values(self, codes: Tensor) -> Tensor:
        """Value of each code."""
        return (codes - self.zero_point) * self.scale

    def round_trip(self, values: Tensor) -> Tensor:
        """The nearest values of the grid."""
        return self.values(self.codes(values))


def weight_grid(weight: Tensor, bits: int, per_channel: bool = True) -> Grid:
    """Symmetric grid of weights (F, ...): ``2**bits - 1`` codes around zero, the largest weight at the end.

    >>> weight_grid(torch.tensor([[0.5, -1.27], [0.1, 0.0]]), 8).scale.flatten()
    tensor([0.0100, 0.0008])
    """
    _check_bits(bits)
    high = 2 ** (bits - 1) - 1
    size = weight.detach().abs()
    largest = size.amax(dim=tuple(range(1, weight.ndim)), keepdim=True) if per_channel else size.max()
    return Grid(torch.where(largest > high * SMALLEST_SCALE, largest / high, torch.ones_like(largest)), 0, -high, high)


def activation_grid(low: float, high: float, bits: int) -> Grid:
    """Affine grid of ``2**bits`` codes that spans [low, high], widened to hold zero exactly.

    >>> grid = activation_grid(-1.0, 1.55, 8)
    >>> grid.zero_point, grid.round_trip(torch.zeros(1))
    (100, tensor([0.]))
    """
    _check_bits(bits)
    if not (-float("inf") < low <= high < float("inf")):
        raise ValueError(f"the range [{low}, {high}] cannot be quantised; calibrate on finite values")
    low, high, codes = min(low, 0.0), max(high, 0.0), 2**bits - 1
    scale = (high - low) / codes
    scale = scale if scale > SMALLEST_SCALE else 1.0
    return Grid(torch.tensor(scale), round(-low / scale), 0, codes)


def calibrated_range(values: Tensor, percentile: float | None = None) -> tuple[float, float]:
    """Range of the activations: minimum to maximum, or the central ``percentile`` percent of them.

    >>> calibrated_range(torch.tensor([0.0, 1.0, 2.0, 900.0]))
    (0.0, 900.0)
    """
    if torch.isnan(values).any():
        raise ValueError("the calibration values hold NaN; calibrate on clean inputs")
    if percentile is None:
        return float(values.min()), float(values.max())
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile {percentile} is not above 50 and at most 100; 99.9 is usual")
    ordered, share = values.flatten().sort().values, percentile / 100
    low, high = (ordered[round(q * (len(ordered) - 1))] for q in (1 - share, share))
    return float(low), float(high)


def straight_through(values: Tensor, grid: Grid) -> Tensor:
    """Values on the grid; backwards the gradient passes as if nothing were rounded, except where values are clipped."""
    inside = values.clamp(*_ends(grid)) if grid.scale.ndim == 0 else values
    return inside + (grid.round_trip(values) - inside).detach()


class QuantisedLayer(nn.Module):
    """A dense or convolutional layer whose input and weights lie on grids; the weights behind the grid stay trainable.

    Parameters
    ----------
    layer : nn.Linear or nn.Conv2d
    input_range : (float, float)
        Range of the layer's input, from calibration.
    bits : int
        Of the weights and of the input.
    per_channel : bool
        One weight scale for each filter, or one for all.
    """

    def __init__(self, layer: nn.Module, input_range: tuple[float, float], bits: int, per_channel: bool = True) -> None:
        super().__init__()
        if getattr(layer, "padding_mode", "zeros") != "zeros":
            raise ValueError(f"padding mode {layer.padding_mode!r} is not supported; use zeros")
        self.layer, self.bits, self.per_channel = layer, bits, per_channel
        self.input_grid = activation_grid(*input_range, bits)

    @property
    def weight_grid(self) -> Grid:
        """Grid of the present weights."""
        return weight_grid(self.layer.weight, self.bits, self.per_channel)

    @property
    def unit(self) -> Tensor:
        """Real value of one unit of the integer sums: input scale times weight scale, per filter or for all."""
        return self.weight_grid.scale.flatten() * self.input_grid.scale

    @property
    def bias_codes(self) -> Tensor | None:
        """Bias as 32-bit integers in units of the sums."""
        return None if self.layer.bias is None else torch.round(self.layer.bias / self.unit)

    def forward(self, inputs: Tensor) -> Tensor:
        grid, bias = self.weight_grid, self.layer.bias
        weight = straight_through(self.layer.weight, grid)
        if bias is not None:
            unit = grid.scale.flatten() * self.input_grid.scale
            bias = bias + (torch.round(bias / unit) * unit - bias).detach()
        inputs = straight_through(inputs, self.input_grid)
        if isinstance(self.layer, nn.Linear):
            return functional.linear(inputs, weight, bias)
        return self.layer._conv_forward(inputs, weight, bias)

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """The layer's shape and cost; as many parameters and operations as before, on ``weight_bits`` bits."""
        inner = self.layer
        if isinstance(inner, nn.Linear):
            plain = layers.dense(name, input_shape, inner.out_features, inner.bias is not None)
        else:
            window = (inner.kernel_size, inner.stride, inner.padding)
            plain = layers.conv(name, input_shape, inner.out_channels, *window, inner.groups, inner.bias is not None)
        plain.config["weight_bits"] = self.bits
        return plain

    def stored_bytes(self) -> int:
        """Bytes of a file: packed codes, 32-bit biases, scales, the input's scale and zero point."""
        weight, scales = self.layer.weight, self.weight_grid.scale.numel()
        biases = 0 if self.layer.bias is None else BIAS_BYTES * self.layer.bias.numel()
        return -(-weight.numel() * self.bits // 8) + biases + SCALE_BYTES * (scales + 1) + ZERO_POINT_BYTES


class Quantised(NamedTuple):
    """A simulated integer network and the bytes that its file would take."""

    module: nn.Module
    stored_bytes: int


def quantise_int8(
    model: nn.Module,
    calibration_inputs: Tensor,
    *,
    bits: int = 8,
    per_channel: bool = True,
    percentile: float | None = None,
) -> Quantised:
    """Quantise all dense and convolutional layers after training, ranges from ``calibration_inputs``.

    Parameters
    ----------
    calibration_inputs : Tensor, shape (samples, ...)
        Training or validation inputs; test inputs would leak their range.
    bits : int
        2 to 8, of weights and activations.
    percentile : float, optional
        Central share of the activations that the range keeps; all of them if not given.

    Returns
    -------
    Quantised
        A copy of the model; the original keeps its weights.
    """
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    if not names:
        raise ValueError("the model has no dense or convolutional layer to quantise")
    copy = replace_layers(model, {})
    ranges = {n: calibrated_range(layer_inputs(model, n, calibration_inputs), percentile) for n in names}
    quantised = {n: QuantisedLayer(copy.get_submodule(n), ranges[n], bits, per_channel) for n in names}
    module = replace_layers(model, quantised)
    return Quantised(module, stored_bytes(module))


def quantised_layers(module: nn.Module) -> Iterator[tuple[str, QuantisedLayer]]:
    """Name and layer of every quantised layer, in order."""
    return ((name, layer) for name, layer in module.named_modules() if isinstance(layer, QuantisedLayer))


def stored_bytes(module: nn.Module) -> int:
    """Bytes of a quantised network's file; parameters outside quantised layers count as float32."""
    inside = {id(p) for _, layer in quantised_layers(module) for p in layer.parameters()}
    rest = sum(4 * p.numel() for p in module.parameters() if id(p) not in inside)
    return rest + sum(layer.stored_bytes() for _, layer in quantised_layers(module))


def float_bytes(module: nn.Module) -> int:
    """Bytes of all parameters as float32."""
    return sum(4 * parameter.numel() for parameter in module.parameters())


def _ends(grid: Grid) -> tuple[float, float]:
    return tuple(float(grid.scale) * (code - grid.zero_point) for code in (grid.low, grid.high))


def _check_bits(bits: int) -> None:
    if bits not in range(2, 9):
        raise ValueError(f"{bits} bits are not supported; choose 2 to 8 (one bit is a binary network)")
