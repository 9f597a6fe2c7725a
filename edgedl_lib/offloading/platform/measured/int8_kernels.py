"""One 8-bit convolution, naive and with partial im2col, timed on this machine (CMSIS-NN, Lai et al. 2018).

CMSIS-NN's gain is one of kernels, not of types: both sides compute the same integers. The naive kernel walks to its
window anew for every output value; partial im2col copies two windows into a small buffer and applies all filters to it.
On a Cortex-M7 that saves loads and feeds the 16-bit SIMD unit; here, where NumPy is the processor, it saves walks and
calls. The cause is the same, reuse; the size of the gain is this machine's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.platform.fixed_point import Convolution, convolve_im2col, requantise
from edgedl_lib.offloading.platform.measured.timing import Timing, measure_in_turn, ratio_in_turn


@dataclass(frozen=True)
class KernelTimes:
    """One convolution by both kernels: times (s) in the same rounds, and how many output values differ."""

    naive: Timing
    im2col: Timing
    differing_values: int

    @property
    def speedup(self) -> float:
        """Naive time over im2col time."""
        return ratio_in_turn(self.naive, self.im2col)


def convolve_one_by_one(image: np.ndarray, layer: Convolution) -> np.ndarray:
    """Integer convolution, one output value at a time.

    Parameters
    ----------
    image : ndarray of int8, shape (H, W, C)
    layer : Convolution

    Returns
    -------
    ndarray of int8, shape (H', W', F)
    """
    margin, kernel = layer.padding, layer.weights.shape[1]
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0))).astype(np.int32)
    weights = layer.weights.astype(np.int32)
    bias = layer.bias.astype(np.int32) << layer.bias_shift
    total = np.empty(layer.output_shape(image), np.int32)
    for row, column, filter_ in np.ndindex(total.shape):
        window = padded[row : row + kernel, column : column + kernel]
        total[row, column, filter_] = np.vdot(window, weights[filter_]) + bias[filter_]
    return requantise(total, layer.shift)


def random_convolution(
    side: int = 16, channels: int = 32, filters: int = 32, kernel: int = 5, seed: int = 0
) -> tuple[np.ndarray, Convolution]:
    """An image and a layer of 8-bit integers; by default the second convolution of CMSIS-NN's CIFAR-10 network."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-128, 128, (side, side, channels), dtype=np.int8)
    weights = rng.integers(-128, 128, (filters, kernel, kernel, channels), dtype=np.int8)
    bias = rng.integers(-128, 128, filters, dtype=np.int8)
    return image, Convolution(weights, bias, padding=kernel // 2, bias_shift=0, shift=11)


def measure_kernels(*, windows: int = 7, seed: int = 0) -> KernelTimes:
    """Time both kernels on the same layer, in turn."""
    image, layer = random_convolution(seed=seed)
    calls = {
        "naive": lambda: convolve_one_by_one(image, layer),
        "im2col": lambda: convolve_im2col(image, layer, columns=2),
    }
    timings = measure_in_turn(calls, windows=windows)
    differing = int(np.sum(calls["naive"]() != calls["im2col"]()))
    return KernelTimes(timings["naive"], timings["im2col"], differing)
