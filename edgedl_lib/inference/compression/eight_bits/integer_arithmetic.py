"""A quantised network with integers alone, as a processor without floating point runs it.

Products of 8-bit codes are summed in 32 bits; rectifier and max pooling work on the sums; one multiplication by a
31-bit fraction and a shift bring the sums onto the next layer's grid.  The simulated network must give the same codes.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.eight_bits.int8 import QuantisedLayer

FRACTION_BITS = 31  # of the multiplier that rescales 32-bit sums


@dataclass(frozen=True)
class IntegerRun:
    """What a quantised network computed.

    Attributes
    ----------
    codes : dict of str to ndarray
        Integer input codes of every weighted layer.
    logits : ndarray, shape (n, classes)
        The last sums, scaled to real numbers for comparison.
    """

    codes: dict[str, np.ndarray]
    logits: np.ndarray


def run_integer(network: nn.Sequential, inputs: Tensor) -> IntegerRun:
    """Run a chain of quantised layers, ReLU, max pooling and flattening on integers.

    Raises
    ------
    ValueError
        For any other layer, and for a sum beyond 32 bits.
    """
    codes, values, sums, unit = {}, inputs.double().numpy(), None, None
    for name, module in network.named_children():
        if isinstance(module, QuantisedLayer):
            given = _first_codes(module, values) if sums is None else _rescaled(sums, unit, module)
            codes[name] = given
            sums = _weighted_sums(module, given)
            unit = np.broadcast_to(_units(module), (1, *sums.shape[1:]))
        else:
            values, sums, unit = (_plain(name, module, value) for value in (values, sums, unit))
    return IntegerRun(codes, sums * unit)


def simulated_codes(network: nn.Sequential, inputs: Tensor) -> dict[str, np.ndarray]:
    """Input codes of every weighted layer as the simulation sees them, in float64 so that rounding cannot differ."""
    network = deepcopy(network).double()
    codes: dict[str, np.ndarray] = {}
    values = inputs.double()
    with torch.no_grad():
        for name, module in network.named_children():
            if isinstance(module, QuantisedLayer):
                codes[name] = module.input_grid.codes(values).numpy().astype(np.int64)
            values = module(values)
    return codes


def code_mismatches(network: nn.Sequential, inputs: Tensor) -> int:
    """Codes in which integer arithmetic and the simulation differ, over all layers and inputs."""
    integer, simulated = run_integer(network, inputs).codes, simulated_codes(network, inputs)
    return sum(int((integer[name] != simulated[name]).sum()) for name in simulated)


def _first_codes(layer: QuantisedLayer, values: np.ndarray) -> np.ndarray:
    return layer.input_grid.codes(torch.from_numpy(values)).numpy().astype(np.int64)


def _rescaled(sums: np.ndarray, unit: np.ndarray, layer: QuantisedLayer) -> np.ndarray:
    """Codes on the next layer's grid: ``(sum * multiplier) >> shift``, rounded, plus the zero point."""
    grid = layer.input_grid
    ratio = unit / float(grid.scale)
    shift = FRACTION_BITS - np.ceil(np.log2(ratio)).astype(np.int64)
    multiplier = np.round(ratio * 2.0**shift).astype(np.int64)
    codes = (sums * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(codes + grid.zero_point, grid.low, grid.high)


def _weighted_sums(layer: QuantisedLayer, codes: np.ndarray) -> np.ndarray:
    double = _double_layer(layer)
    weight = double.weight_grid.codes(double.layer.weight.detach()).numpy().astype(np.int64)
    centred = codes - layer.input_grid.zero_point
    if isinstance(layer.layer, nn.Linear):
        sums = centred @ weight.T
    else:
        sums = _convolve(centred, weight, layer.layer)
    if double.layer.bias is not None:
        bias = double.bias_codes.detach().numpy().astype(np.int64)
        sums = sums + bias.reshape(1, -1, *[1] * (sums.ndim - 2))
    if np.abs(sums).max(initial=0) >= 2**31:
        raise ValueError("a sum leaves 32 bits; use fewer bits or a smaller layer")
    return sums


def _convolve(maps: np.ndarray, weight: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    if layer.groups != 1 or layer.dilation != (1, 1):
        raise ValueError("integer convolutions run without groups and dilation only")
    (py, px), (sy, sx), (height, width) = layer.padding, layer.stride, layer.kernel_size
    padded = np.pad(maps, ((0, 0), (0, 0), (py, py), (px, px)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (2, 3))[:, :, ::sy, ::sx]
    n, _, rows, columns = windows.shape[:4]
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * columns, -1)
    return (flat @ weight.reshape(len(weight), -1).T).reshape(n, rows, columns, -1).transpose(0, 3, 1, 2)


def _units(layer: QuantisedLayer) -> np.ndarray:
    """Real value of one unit of the sums, per output, shaped to broadcast."""
    unit = _double_layer(layer).unit.detach().numpy()
    trailing = 0 if isinstance(layer.layer, nn.Linear) else 2
    return unit.reshape(1, -1, *[1] * trailing)


def _double_layer(layer: QuantisedLayer) -> QuantisedLayer:
    return deepcopy(layer).double()


def _plain(name: str, module: nn.Module, values: np.ndarray | None) -> np.ndarray | None:
    """Layers that only compare or move numbers."""
    if values is None:
        return None
    if isinstance(module, nn.ReLU):  # scales are positive and pass unchanged
        return np.maximum(values, 0)
    if isinstance(module, nn.Flatten):
        return values.reshape(len(values), -1)
    if isinstance(module, nn.MaxPool2d) and module.padding == 0 and module.kernel_size == module.stride:
        size = module.kernel_size
        n, channels, height, width = values.shape
        cut = values[:, :, : height // size * size, : width // size * size]
        return cut.reshape(n, channels, height // size, size, width // size, size).max(axis=(3, 5))
    raise ValueError(f"{name}: {type(module).__name__} does not run on integers; use ReLU, max pooling or Flatten")
