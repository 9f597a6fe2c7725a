"""Two programs for one embedded binarised network: layer after layer in float32, and fused in integers and bits.

Both count the bytes that they hold between operations, per image; what NumPy needs inside one operation is not counted,
nor is the image itself, which both need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.one_bit.embedded_binary import KERNEL, POOL, Block, EmbeddedProgram
from edgedl_lib.inference.compression.one_bit.xnor import BinaryActivation

IN_PLACE = (nn.BatchNorm2d, nn.BatchNorm1d, nn.Flatten, BinaryActivation)  # write over their input
FLOAT_BYTES = 4
COUNTER_BYTES = 2  # int16: a sum and the largest so far


@dataclass(frozen=True)
class Execution:
    """What a program answers and holds.

    Attributes
    ----------
    predictions : ndarray of int64, shape (n,)
    maps : tuple of ndarray of bool, each (n, height, width, channels)
        The binary activations after each block.
    peak_bytes : int
        Most bytes of temporaries at any time, per image.
    """

    predictions: np.ndarray
    maps: tuple[np.ndarray, ...]
    peak_bytes: int


@torch.no_grad()
def run_layerwise(network: nn.Sequential, images: Tensor) -> Execution:
    """The trained network itself, every layer to its end; a layer holds its float32 input and its output.

    Parameters
    ----------
    images : Tensor, shape (n, 1, size, size)
        Whole numbers, see :func:`embedded_binary.integer_pixels`.
    """
    network.eval()
    values, maps, peak = images, [], 0
    for name, stage in network.named_children():
        before, values = values, stage(values)
        in_place = isinstance(stage, IN_PLACE) or before is images  # the image is not counted
        held = values.numel() + (0 if in_place else before.numel())
        peak = max(peak, FLOAT_BYTES * held // len(images))
        if name.startswith("sign"):
            maps.append((values > 0).permute(0, 2, 3, 1).numpy())
    return Execution(values.argmax(dim=1).numpy(), tuple(maps), peak)


def run_fused(program: EmbeddedProgram, images: Tensor) -> Execution:
    """Every output position to its bit before the next: what the microcontroller does, for many images at once."""
    values, maps, peak = images[:, 0].numpy().astype(np.int32)[..., None], [], 0
    for block in program.blocks:
        packed = _run_block(block, values, first=not maps)
        held = packed[0].nbytes + (values[0].nbytes if maps else 0)
        peak = max(peak, held + 2 * COUNTER_BYTES)
        values = packed
        maps.append(np.unpackbits(packed, axis=-1, bitorder="little").astype(bool))
    return Execution(_classify(program, values), tuple(maps), peak)


def _run_block(block: Block, values: np.ndarray, first: bool) -> np.ndarray:
    """Packed output map, shape (n, height / 2, width / 2, filters / 8)."""
    side, filters = values.shape[1] // POOL, len(block.taps)
    packed = np.zeros((len(values), side, side, filters // 8), np.uint8)
    dot = _pixel_sum if first else _bit_sum
    for row, column in np.ndindex(side, side):
        for channel in range(filters):
            largest = None
            for window, taps in _windows(values, block.taps[channel], row, column):
                total = dot(window, taps, block.channels)
                largest = total if largest is None else np.maximum(largest, total)
            bit = block.thresholds(largest, channel).astype(np.uint8)
            packed[:, row, column, channel // 8] |= bit << (channel % 8)
    return packed


def _windows(values: np.ndarray, taps: np.ndarray, row: int, column: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The convolution windows of one pooling window, with the taps that lie on the map: padding contributes nothing."""
    size, reach = values.shape[1], KERNEL // 2
    for y, x in np.ndindex(POOL, POOL):
        y, x = POOL * row + y - reach, POOL * column + x - reach  # upper left corner
        top, left, bottom, right = max(y, 0), max(x, 0), min(y + KERNEL, size), min(x + KERNEL, size)
        yield values[:, top:bottom, left:right], taps[top - y : bottom - y, left - x : right - x]


def _pixel_sum(window: np.ndarray, taps: np.ndarray, channels: int) -> np.ndarray:
    """Sum of whole pixels with the sign of their tap."""
    return np.tensordot(window, 2 * taps.astype(np.int32) - 1, axes=3)


def _bit_sum(window: np.ndarray, taps: np.ndarray, channels: int) -> np.ndarray:
    """Dot product of signs: those on the map, less twice the differing ones."""
    different = np.bitwise_count(window ^ taps).sum(axis=(1, 2, 3), dtype=np.int32)
    return channels * taps.shape[0] * taps.shape[1] - 2 * different


def _classify(program: EmbeddedProgram, packed: np.ndarray) -> np.ndarray:
    length = 8 * packed[0].size
    scores = []
    for weights, scale, shift in zip(program.dense, program.scale, program.shift, strict=True):
        total = length - 2 * np.bitwise_count(packed ^ weights).sum(axis=(1, 2, 3), dtype=np.int32)
        scores.append(scale * total.astype(np.float32) + shift)
    return np.argmax(scores, axis=0)
