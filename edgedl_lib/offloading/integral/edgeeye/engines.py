"""Two ways to run the same network behind the same call: as a framework's first tutorial does it, and optimised.

EdgeEye [108] converted its models once for TensorRT.  Here the optimised engine folds batch normalisation into the
convolutions, keeps channels last in memory, records no gradients, reuses its input buffer, and takes all frames that
wait as one batch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgedl_lib.offloading.integral.edgeeye.network import DETECTOR_SIDE, DEVIATION, MEAN, normalise


class Engine(Protocol):
    """Scores of pictures."""

    largest_batch: int

    def infer(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Scores (n, classes) of n pictures (side, side) of bytes."""


class FrameworkEngine:
    """The framework's own path: one frame, one call, all defaults; evaluation mode is set, or it would be wrong."""

    largest_batch = 1

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()

    def infer(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Scores (n, classes), frame by frame."""
        return np.concatenate([self.network(normalise([picture])).detach().numpy() for picture in pictures])


class OptimisedEngine:
    """Folded, channels last, without gradients, in batches, from a buffer that is allocated once."""

    def __init__(self, network: nn.Module, largest_batch: int = 8, side: int = DETECTOR_SIDE) -> None:
        if largest_batch < 1:
            raise ValueError(f"a batch holds at least one frame, not {largest_batch}")
        self.largest_batch = largest_batch
        self.network = fold(network).to(memory_format=torch.channels_last)
        self._pixels = torch.empty((largest_batch, 1, side, side), dtype=torch.uint8)
        self._inputs = torch.empty((largest_batch, 1, side, side))

    @torch.inference_mode()
    def infer(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Scores (n, classes); more pictures than a batch holds are taken in several."""
        parts = range(0, len(pictures), self.largest_batch)
        return np.concatenate([self._batch(pictures[start : start + self.largest_batch]) for start in parts])

    def _batch(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        count = len(pictures)
        np.stack(pictures, out=self._pixels[:count, 0].numpy())
        inputs = self._inputs[:count]
        inputs.copy_(self._pixels[:count]).div_(255).sub_(MEAN).div_(DEVIATION)
        return self.network(inputs).numpy()


def fold(network: nn.Module) -> nn.Sequential:
    """A copy of a sequence of layers in which each batch normalisation is part of the convolution before it."""
    folded: list[nn.Module] = []
    for layer in copy.deepcopy(network).eval():
        if isinstance(layer, nn.BatchNorm2d) and folded and isinstance(folded[-1], nn.Conv2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer)
        else:
            folded.append(layer)
    return nn.Sequential(*folded).requires_grad_(False)


def largest_difference(first: Engine, second: Engine, pictures: Sequence[np.ndarray]) -> float:
    """Largest absolute difference of a score."""
    return float(np.max(np.abs(first.infer(pictures) - second.infer(pictures))))


def same_answers(first: Engine, second: Engine, pictures: Sequence[np.ndarray]) -> float:
    """Share (%) of pictures with the same answer."""
    answers = [engine.infer(pictures).argmax(axis=1) for engine in (first, second)]
    return 100 * float(np.mean(answers[0] == answers[1]))
