"""What a DDNN sends: bits for maps, four bytes for a score, and the closed form that counts them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.distributed.network import Design

SCORE_BYTES = 4  # float32
BITS_PER_PACKED_BYTE = 8  # of a bit field in memory; rates in bit/s belong to system.Link


def device_bytes(classes: int, filters: int, map_bits: int, local_share: float) -> float:
    """Mean bytes that one device sends per sample: always its scores, its binary maps only when nobody left locally.

    The paper's closed form (Teerapittayanon et al. 2017 [161]): 4 |C| + (1 - l) f o / 8.

    Parameters
    ----------
    map_bits : int
        Bits of one filter's map, o.
    local_share : float
        Share of the samples that leave at the local exit, l, in [0, 1].

    >>> device_bytes(classes=3, filters=4, map_bits=256, local_share=0.0)
    140.0
    >>> round(device_bytes(classes=3, filters=4, map_bits=256, local_share=0.6082), 2)
    62.15
    """
    if not 0 <= local_share <= 1:
        raise ValueError(f"local_share {local_share} is a fraction and lies within 0 and 1")
    if min(classes, filters, map_bits) < 1:
        raise ValueError(f"expected positive sizes, got {classes} classes, {filters} filters, {map_bits} bits")
    return SCORE_BYTES * classes + (1 - local_share) * filters * map_bits / BITS_PER_PACKED_BYTE


def pack(maps: Tensor) -> bytes:
    """A map of minus and plus ones as a bit field.

    >>> pack(torch.tensor([1.0, -1, -1, 1, 1, -1, -1, -1])).hex()
    '98'
    """
    if not bool((maps.abs() == 1).all()):
        raise ValueError("only maps of -1 and 1 fit into bits; send float maps as float32, or take their sign first")
    return np.packbits(maps.numpy().ravel() > 0).tobytes()


def unpack(message: bytes, shape: Sequence[int]) -> Tensor:
    """The map of this shape that :func:`pack` made a bit field of."""
    count = int(np.prod(shape))
    if len(message) != -(-count // BITS_PER_PACKED_BYTE):
        raise ValueError(
            f"{len(message)} bytes do not hold a map of shape {tuple(shape)}; the message was cut or padded"
        )
    bits = np.unpackbits(np.frombuffer(message, np.uint8), count=count)
    return torch.from_numpy(2.0 * bits - 1).float().reshape(tuple(shape))


def counted_bytes(scores: Tensor, maps: Tensor, leaves: Tensor) -> float:
    """Mean bytes of the messages that the devices really send, per device and sample.

    Parameters
    ----------
    scores : Tensor, shape (samples, cameras, classes), float32
    maps : Tensor, shape (samples, cameras * filters, h, w), minus and plus ones
    leaves : Tensor, shape (samples,), bool
        Whether the sample leaves at the local exit.
    """
    cameras = scores.shape[1]
    total = 0
    for of_sample, map_of_sample, gone in zip(scores, maps, leaves, strict=True):
        total += sum(len(vector.numpy().tobytes()) for vector in of_sample)
        if not gone:
            total += sum(len(pack(of_camera)) for of_camera in map_of_sample.chunk(cameras))
    return total / (len(scores) * cameras)


def device_memory(design: Design) -> int:
    """Bytes of one device's parameters: signs as bits, batch normalisation as one scale and one shift in float32.

    Our own count; the paper's fits a straight line, see :mod:`published`.
    """
    weights = design.filters * 9 + design.filters * design.map_bits * design.classes
    normalised = design.filters + design.classes
    return -(-weights // BITS_PER_PACKED_BYTE) + 2 * SCORE_BYTES * normalised


def smallest_test_set(percents: Sequence[float], most: int = 2_000) -> int:
    """Fewest samples of which every printed percentage (two decimals) can be a share.

    >>> smallest_test_set([33.33, 50.0])
    6
    """
    for count in range(1, most + 1):
        if all(abs(round(round(p / 100 * count) / count * 100, 2) - p) < 1e-9 for p in percents):
            return count
    raise ValueError(f"no test set of up to {most} samples gives all of {list(percents)}")
