"""The embedded binarised network on one page: trained, written as a program, run both ways, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgedl_lib.inference.compression.one_bit.binary import clip_weights
from edgedl_lib.inference.compression.one_bit.embedded_binary import (
    KERNEL,
    POOL,
    EmbeddedProgram,
    embedded_network,
    export,
    integer_pixels,
)
from edgedl_lib.inference.compression.one_bit.embedded_execution import Execution, run_fused, run_layerwise
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import build, error, train

CYCLES_PER_WORD = 20  # load, exclusive-or, count by table, add; our assumption, on the side of caution
CLOCK_HZ = 32e6  # Intel Curie
WORD_BITS = 32
LEARNING_RATE = 0.01


@dataclass(frozen=True)
class EmbeddedStudy:
    """What the program answers, holds and needs.

    Attributes
    ----------
    program : EmbeddedProgram
    layerwise, fused : Execution
        Of the same images.
    errors : tuple of float
        Test error in percent, one per seed; the program is that of the first seed.
    """

    program: EmbeddedProgram
    layerwise: Execution
    fused: Execution
    errors: tuple[float, ...]

    @property
    def mismatches(self) -> int:
        """Images on which the two programs disagree."""
        return int((self.layerwise.predictions != self.fused.predictions).sum())

    @property
    def folding_mismatches(self) -> int:
        """Binary activations on which threshold and float batch norm disagree."""
        pairs = zip(self.layerwise.maps, self.fused.maps, strict=True)
        return int(sum((one != other).sum() for one, other in pairs))

    @property
    def memory_reduction(self) -> float:
        """Peak bytes of temporaries, layer by layer in floats over fused in bits."""
        return self.layerwise.peak_bytes / self.fused.peak_bytes

    @property
    def memory(self) -> int:
        """Bytes of model and temporaries together."""
        return self.program.nbytes + self.fused.peak_bytes

    def latency(self, size: int) -> float:
        """Modelled seconds per image on the microcontroller."""
        return CYCLES_PER_WORD * word_operations(self.program, size) / CLOCK_HZ


def embedded_study(
    data: Sequence[Dataset], seeds: Sequence[int], *, levels: int, epochs: int, images: int = 500, **shape
) -> EmbeddedStudy:
    """Train one network per seed and write the first as a program.

    Parameters
    ----------
    data : sequence of Dataset
        One per seed; square images with one channel, pixels in [0, 1].
    levels : int
        Largest whole pixel value.
    images : int
        On which both programs run; test images first, then training images.
    shape
        ``filters`` and others of :func:`embedded_network`.
    """
    networks, errors = [], []
    for each, seed in zip(data, seeds, strict=True):
        network = build(lambda side=each.input_shape[-1]: embedded_network(side, **shape), seed)
        options = {"after_step": clip_weights, "learning_rate": LEARNING_RATE}
        train(network, integer_pixels(each.train, levels), epochs=epochs, seed=seed, **options)
        networks.append(network)
        errors.append(error(network, integer_pixels(each.test, levels)))
    pixels = torch.cat([integer_pixels(part, levels).inputs for part in (data[0].test, data[0].train)])[:images]
    program = export(networks[0], levels)
    return EmbeddedStudy(program, run_layerwise(networks[0], pixels), run_fused(program, pixels), tuple(errors))


def word_operations(program: EmbeddedProgram, size: int) -> int:
    """Words that are combined for one image: every tap of every window; a first layer adds its pixels one by one."""
    total = 0
    for place, block in enumerate(program.blocks):
        words = KERNEL**2 * (1 if place == 0 else -(-block.channels // WORD_BITS))
        total += size * size * len(block.taps) * words
        size //= POOL
    return total + -(-8 * int(np.prod(program.dense.shape)) // WORD_BITS)
