"""CMSIS-NN's q7 arithmetic: power-of-two fixed point, partial im2col, pooling in place (Lai, Suda, Chandra 2018).

A tensor is stored as ``round(x * 2**fraction_bits)`` in 8 bits.  Products accumulate in 32 bits; the sum is shifted
right by ``n_x + n_w - n_y`` with rounding and saturated.  Maps are laid out height, width, channel (HWC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LOWEST, HIGHEST = -128, 127
MAGNITUDE_BITS = 7
#: Longest dot product whose 32-bit sum cannot overflow: 2**31 / (127 * 128).
LONGEST_DOT = 2**31 // (127 * 128)


@dataclass(frozen=True)
class Fixed:
    """8-bit values and their number of fraction bits: the real value is ``values / 2**fraction_bits``."""

    values: np.ndarray
    fraction_bits: int

    @property
    def real(self) -> np.ndarray:
        """The values as floating point."""
        return self.values / 2.0**self.fraction_bits


def fraction_bits(largest: float) -> int:
    """Fraction bits for values of magnitude up to ``largest``: ``7 - ceil(log2(largest))``.

    Examples
    --------
    >>> fraction_bits(0.9), fraction_bits(3.0)
    (7, 5)
    """
    if not (largest > 0 and math.isfinite(largest)):
        raise ValueError(
            f"the largest magnitude must be positive and finite, not {largest}: an all-zero tensor has none"
        )
    return MAGNITUDE_BITS - math.ceil(math.log2(largest))


def quantise(real: np.ndarray, bits: int | None = None) -> Fixed:
    """Round to 8-bit fixed point, with the fraction bits that fit the largest magnitude unless given.

    Examples
    --------
    >>> quantise(np.array([0.5, -1.0, 0.996])).values.tolist()
    [64, -128, 127]
    """
    bits = fraction_bits(float(np.abs(real).max())) if bits is None else bits
    return Fixed(saturate(np.round(real * 2.0**bits)), bits)


def saturate(values: np.ndarray) -> np.ndarray:
    """Clip to 8 bits."""
    return np.clip(values, LOWEST, HIGHEST).astype(np.int8)


def requantise(accumulated: np.ndarray, shift: int) -> np.ndarray:
    """Shift 32-bit sums right with rounding, and saturate to 8 bits.

    Examples
    --------
    >>> requantise(np.array([6, -6, 5000]), shift=2).tolist()
    [2, -1, 127]
    """
    if shift < 0:
        raise ValueError(
            f"the output shift is {shift}, so the output format has more fraction bits than the products have"
        )
    rounding = (1 << shift) >> 1
    return saturate((accumulated.astype(np.int64) + rounding) >> shift)


@dataclass(frozen=True)
class Convolution:
    """An 8-bit convolution layer.

    Attributes
    ----------
    weights : numpy.ndarray of int8, shape (F, K, K, C)
    bias : numpy.ndarray of int8, shape (F,)
    padding : int
    bias_shift, shift : int
        Left shift of the bias into the accumulator's format; right shift of the sum into the output's.
    """

    weights: np.ndarray
    bias: np.ndarray
    padding: int
    bias_shift: int
    shift: int

    def __post_init__(self) -> None:
        if self.weights[0].size > LONGEST_DOT:
            raise ValueError(f"{self.weights[0].size} products may overflow 32 bits: at most {LONGEST_DOT} a sum")

    def output_shape(self, image: np.ndarray) -> tuple[int, int, int]:
        """Height, width and maps of the output at stride 1."""
        kernel = self.weights.shape[1]
        return (*(side + 2 * self.padding - kernel + 1 for side in image.shape[:2]), len(self.weights))


def convolve_direct(image: np.ndarray, layer: Convolution) -> np.ndarray:
    """Integer convolution tap by tap.

    Parameters
    ----------
    image : numpy.ndarray of int8, shape (H, W, C)
    layer : Convolution

    Returns
    -------
    numpy.ndarray of int8, shape (H', W', F)
    """
    padded = _padded(image, layer.padding).astype(np.int32)
    height, width, filters = layer.output_shape(image)
    total = np.zeros((height, width, filters), np.int32) + (layer.bias.astype(np.int32) << layer.bias_shift)
    for row in range(layer.weights.shape[1]):
        for column in range(layer.weights.shape[2]):
            window = padded[row : row + height, column : column + width]  # (H', W', C)
            total += window @ layer.weights[:, row, column].astype(np.int32).T
    return requantise(total, layer.shift)


def convolve_im2col(image: np.ndarray, layer: Convolution, columns: int = 2) -> np.ndarray:
    """The same convolution through a buffer of a few im2col columns, as CMSIS-NN does; arguments as above."""
    padded = _padded(image, layer.padding).astype(np.int16)  # q7 is widened to q15 while it is copied
    height, width, filters = layer.output_shape(image)
    kernel = layer.weights.shape[1]
    weights = layer.weights.reshape(filters, -1).astype(np.int32)  # (F, K K C)
    bias = layer.bias.astype(np.int32) << layer.bias_shift
    buffer = np.empty((columns, weights.shape[1]), np.int16)
    output = np.empty((height * width, filters), np.int8)
    for first in range(0, height * width, columns):
        count = min(columns, height * width - first)
        for slot in range(count):
            row, column = divmod(first + slot, width)
            buffer[slot] = padded[row : row + kernel, column : column + kernel].reshape(-1)
        output[first : first + count] = requantise(buffer[:count].astype(np.int32) @ weights.T + bias, layer.shift)
    return output.reshape(height, width, filters)


def dense(x: np.ndarray, weights: np.ndarray, bias: np.ndarray, bias_shift: int, shift: int) -> np.ndarray:
    """8-bit fully connected layer: x (..., inputs), weights (outputs, inputs), bias (outputs,)."""
    total = x.astype(np.int32) @ weights.astype(np.int32).T + (bias.astype(np.int32) << bias_shift)
    return requantise(total, shift)


def relu(values: np.ndarray) -> np.ndarray:
    """Rectified linear unit."""
    return np.maximum(values, 0)


def max_pool(image: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Max pooling into a new array; windows at the border may be partial. Shape (H, W, C) to (H', W', C)."""
    height, width = (_pooled(side, kernel, stride) for side in image.shape[:2])
    output = np.empty((height, width, image.shape[2]), image.dtype)
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            output[row, column] = image[top : top + kernel, left : left + kernel].max(axis=(0, 1))
    return output


def max_pool_in_place(buffer: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Max pooling along x, then along y, each result written over what was read; returns the used part of ``buffer``.

    Going from low to high is what makes it safe: position ``i`` is written when everything from ``i * stride`` on is
    still to be read.
    """
    height, width = (_pooled(side, kernel, stride) for side in buffer.shape[:2])
    for column in range(width):
        left = column * stride
        buffer[:, column] = buffer[:, left : left + kernel].max(axis=1)
    for row in range(height):
        top = row * stride
        buffer[row, :width] = buffer[top : top + kernel, :width].max(axis=0)
    return buffer[:height, :width]


def _padded(image: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(image, ((padding, padding), (padding, padding), (0, 0)))


def _pooled(side: int, kernel: int, stride: int) -> int:
    windows = math.ceil(max(side - kernel, 0) / stride) + 1
    return min(windows, math.ceil(side / stride))  # a window that would start beyond the map is dropped
