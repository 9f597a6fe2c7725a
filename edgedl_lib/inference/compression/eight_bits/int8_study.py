"""What the choices of a quantiser are worth: one scale per filter, and ranges that ignore a wild value."""

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.eight_bits.int8 import QuantisedLayer, quantise_int8
from edgedl_lib.inference.compression.factors.low_rank import replace_layers
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import error, predict

HOT_PIXEL = 100.0  # a stuck sensor element, in units of white


def weight_rounding_error(model: nn.Module, inputs: Tensor, bits: int, per_channel: bool) -> float:
    """Relative error of the logits when the weights alone are rounded."""
    layers = {n: layer for n, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    rounded = replace_layers(model, {})
    for name in layers:
        layer = rounded.get_submodule(name)
        grid = QuantisedLayer(layer, (0.0, 1.0), bits, per_channel).weight_grid
        layer.weight.data = grid.round_trip(layer.weight.data)
    truth, approximation = predict(model, inputs), predict(rounded, inputs)
    return float((approximation - truth).norm() / truth.norm())


def per_channel_gain(model: nn.Module, inputs: Tensor, bits: int = 4) -> float:
    """Logit error with one weight scale per tensor over that with one per filter."""
    shared, own = (weight_rounding_error(model, inputs, bits, per_channel) for per_channel in (False, True))
    return shared / own


def with_hot_pixel(inputs: Tensor, value: float = HOT_PIXEL, seed: int = 0) -> Tensor:
    """The same images, one pixel of one of them stuck at ``value``."""
    spoiled = inputs.clone()
    place = np.random.default_rng(seed).integers(inputs[0].numel())
    spoiled[0].view(-1)[int(place)] = value
    return spoiled


def outlier_errors(
    model: nn.Module, calibration: Tensor, test: Split, percentile: float = 99.5, seed: int = 0
) -> dict[str, float]:
    """Test error (percent) at 8 bits when one calibration image has a hot pixel, by the rule for the range.

    One image of 256 is 0.4 percent, so its answers in deeper layers are beyond the 99.5th percentile as well.
    """
    spoiled = with_hot_pixel(calibration, seed=seed)
    rules = {"minimum and maximum": None, f"percentile {percentile:g}": percentile}
    return {name: error(quantise_int8(model, spoiled, percentile=rule).module, test) for name, rule in rules.items()}


def rounding_curve(model: nn.Module, calibration: Tensor, test: Split, bits: tuple[int, ...]) -> np.ndarray:
    """Test error (percent) after rounding a trained network to each number of bits."""
    with torch.no_grad():
        return np.array([error(quantise_int8(model, calibration, bits=b).module, test) for b in bits])
