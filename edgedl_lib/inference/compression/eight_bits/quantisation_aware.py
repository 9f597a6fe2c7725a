"""Quantisation-aware training: the forward pass rounds, the backward pass looks through the rounding.

The weights behind the grid stay floating-point numbers that gradients can move by less than a step; the network learns
with the rounding that it will run with (straight-through estimator, Bengio et al. 2013).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from edgedl_lib.inference.compression.eight_bits.int8 import quantise_int8
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import error, train


def quantisation_aware(
    model: nn.Module,
    split: Split,
    calibration_inputs: Tensor,
    *,
    bits: int,
    epochs: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> nn.Module:
    """Quantise a trained model and train it on with its rounding; ranges of activations stay as calibrated."""
    module = quantise_int8(model, calibration_inputs, bits=bits).module
    train(module, split, epochs=epochs, seed=seed, learning_rate=learning_rate, batch_size=batch_size)
    return module


@dataclass(frozen=True)
class BitWidth:
    """Error (percent) of one network: as trained, rounded to ``bits`` bits, and trained with the rounding."""

    bits: int
    baseline: float
    after_training: float
    aware: float

    @property
    def rounding_loss(self) -> float:
        """Points lost by rounding a trained network."""
        return self.after_training - self.baseline

    @property
    def aware_loss(self) -> float:
        """Points lost with quantisation-aware training."""
        return self.aware - self.baseline

    @property
    def recovered(self) -> float:
        """Share of the rounding loss that training with the rounding wins back."""
        return 1 - self.aware_loss / self.rounding_loss if self.rounding_loss > 0 else float("nan")


def compare_bits(model: nn.Module, split: Split, test: Split, *, bits: int, **training) -> BitWidth:
    """Post-training against quantisation-aware, weights and activations at ``bits`` bits.

    ``training`` holds epochs and seed, and what else :func:`quantisation_aware` takes.
    """
    calibration = split.inputs[:256]
    rounded = quantise_int8(model, calibration, bits=bits).module
    aware = quantisation_aware(model, split, calibration, bits=bits, **training)
    return BitWidth(bits, error(model, test), error(rounded, test), error(aware, test))
