"""Embedded binarised networks: a program of integers and bits for a microcontroller (McDanel et al. 2017 [133]).

A binary network is small, the float32 maps between its layers are not.  If every output position runs through
convolution, pooling, batch norm and sign before the next one starts, only bits are ever stored between the blocks.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.one_bit.binary import Sign
from edgedl_lib.inference.compression.one_bit.coded_layers import CodedConv2d, CodedLinear
from edgedl_lib.inference.compression.one_bit.xnor import BinaryActivation
from edgedl_lib.nets.datasets import Split

KERNEL, POOL = 3, 2
ORDERS = {"C-P-B-A": ("conv", "pool", "norm", "sign"), "C-B-A-P": ("conv", "norm", "sign", "pool")}


def embedded_network(
    size: int, filters: tuple[int, ...] = (8, 16), classes: int = 10, order: str = "C-P-B-A"
) -> nn.Sequential:
    """Binary convolution blocks and a binary dense layer, for square images of integer pixels.

    Parameters
    ----------
    size : int
        Pixels per side; halved by every block.
    filters : tuple of int
        Of each block, multiples of 8 so that maps fill whole bytes.
    order : str
        "C-P-B-A" (convolution, pooling, batch norm, sign) or "C-B-A-P", which pools signs.  Blocks of the former in a
        row are XNOR-Net's B-A-C-P: the same circle, cut elsewhere.
    """
    if order not in ORDERS or any(count % 8 for count in filters) or size < POOL ** len(filters):
        raise ValueError(
            f"order {order!r} (of {list(ORDERS)}), filters {filters} (multiples of 8), size {size}: no network"
        )
    stages, channels = OrderedDict(), 1
    for place, count in enumerate(filters, start=1):
        conv = CodedConv2d(channels, count, KERNEL, Sign(), padding=KERNEL // 2, bias=False)
        parts = {"conv": conv, "pool": nn.MaxPool2d(POOL), "norm": nn.BatchNorm2d(count), "sign": BinaryActivation()}
        stages.update({f"{part}{place}": parts[part] for part in ORDERS[order]})
        channels, size = count, size // POOL
    stages["flatten"] = nn.Flatten()
    stages["dense"] = CodedLinear(channels * size * size, classes, Sign(), bias=False)
    stages["norm"] = nn.BatchNorm1d(classes)
    return nn.Sequential(stages)


def integer_pixels(split: Split, levels: int) -> Split:
    """Pixels in [0, 1] as whole numbers 0 ... ``levels``: sums of them are exact, and batch norm absorbs the scale."""
    return Split((split.inputs * levels).round(), split.targets)


@dataclass(frozen=True)
class Thresholds:
    """Batch norm and sign of integers, folded: the bit is ``direction * z >= limit``, one pair per channel.

    Attributes
    ----------
    direction : ndarray of int8
        +1, -1 where gamma is negative, 0 where the bit is constant.
    limit : ndarray of int16
    """

    direction: np.ndarray
    limit: np.ndarray

    def __call__(self, sums: np.ndarray, channel: int) -> np.ndarray:
        """Bits of the sums of one channel."""
        return self.direction[channel] * sums >= self.limit[channel]

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self.direction.nbytes + self.limit.nbytes


def fold(norm: nn.Module, largest: int) -> Thresholds:
    """Fold a batch norm in evaluation mode, followed by the sign with sign(0) = +1, for integers up to ``largest``.

    Every integer that can occur is sent through the batch norm itself, so that rounding and ties cannot disagree; the
    bit then changes at most once, because batch norm is monotone.

    Raises
    ------
    ValueError
        A batch norm in training mode, or one with values that are not finite.
    """
    if norm.training:
        raise ValueError("a batch norm in training mode has no fixed threshold; call eval() first")
    integers = np.arange(-largest, largest + 1)
    bits = _norm_bits(norm, integers)  # (integers, channels)
    rising, falling = bits[-1] > bits[0], bits[-1] < bits[0]
    first_true, last_true = bits.argmax(axis=0), len(bits) - 1 - bits[::-1].argmax(axis=0)
    direction = rising.astype(np.int8) - falling
    limit = np.where(rising, integers[first_true], np.where(falling, -integers[last_true], np.where(bits[0], -1, 1)))
    return Thresholds(direction.astype(np.int8), limit.astype(np.int16))


def _norm_bits(norm: nn.Module, integers: np.ndarray) -> np.ndarray:
    columns = torch.from_numpy(integers).float()[:, None].expand(-1, norm.num_features)
    with torch.no_grad():
        values = norm(columns[:, :, None, None] if isinstance(norm, nn.BatchNorm2d) else columns).flatten(1)
    if not torch.isfinite(values).all():
        raise ValueError("the batch norm gives values that are not finite; was it trained?")
    return values.numpy() >= 0


@dataclass(frozen=True)
class Block:
    """One fused block.

    Attributes
    ----------
    taps : ndarray of uint8, shape (filters, 3, 3, bytes of the channels)
        Packed signs, 1 for +1.
    channels : int
    thresholds : Thresholds
    """

    taps: np.ndarray
    channels: int
    thresholds: Thresholds


@dataclass(frozen=True)
class EmbeddedProgram:
    """What is written into the microcontroller's memory: packed weights, thresholds, and two floats per class."""

    blocks: tuple[Block, ...]
    dense: np.ndarray  # uint8, (classes, height, width, bytes of the channels)
    scale: np.ndarray  # float32, (classes,)
    shift: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of the model."""
        blocks = sum(_packed_bytes(block) + block.thresholds.nbytes for block in self.blocks)
        return blocks + self.dense.nbytes + self.scale.nbytes + self.shift.nbytes


def _packed_bytes(block: Block) -> int:
    """Bytes of the weights with every bit used; one channel alone would waste seven bits of eight in ``taps``."""
    return -(-block.taps.shape[0] * KERNEL * KERNEL * block.channels // 8)


def export(network: nn.Sequential, levels: int) -> EmbeddedProgram:
    """Turn a trained network in the order C-P-B-A into a program.

    Parameters
    ----------
    levels : int
        Largest pixel value.
    """
    parts, blocks, largest = dict(network.named_children()), [], KERNEL * KERNEL * levels
    while f"conv{len(blocks) + 1}" in parts:
        place = len(blocks) + 1
        conv, norm = parts[f"conv{place}"], parts[f"norm{place}"]
        blocks.append(Block(_packed(conv.coded_weight), conv.in_channels, fold(norm, largest)))
        largest = KERNEL * KERNEL * conv.out_channels
    norm, side = parts["norm"], _side(parts["dense"], conv.out_channels)
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    shift = (norm.bias - norm.running_mean * scale).detach()
    weights = parts["dense"].coded_weight.view(-1, conv.out_channels, side, side)
    return EmbeddedProgram(tuple(blocks), _packed(weights), scale.numpy(), shift.numpy())


def _side(dense: CodedLinear, channels: int) -> int:
    return int(round((dense.in_features / channels) ** 0.5))


def _packed(weights: Tensor) -> np.ndarray:
    """Signs (filters, channels, height, width) as bytes along the channels, which come last."""
    return np.packbits(weights.detach().permute(0, 2, 3, 1).numpy() > 0, axis=-1, bitorder="little")
