"""Cameras that compress, an edge that detects and sends its boxes back: one arm of the comparison.

Frame by frame: the camera chooses its regions from its own picture and from the boxes that came back for the last one,
fits the stream into the budget, and the edge detects in what it can decode.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.offloading.vertical.regions import codec
from edgedl_lib.offloading.vertical.regions.average_precision import Detections, average_precision
from edgedl_lib.offloading.vertical.regions.detector import detect
from edgedl_lib.offloading.vertical.regions.rate import fit
from edgedl_lib.offloading.vertical.regions.saliency import regions_of_interest, shuffled
from edgedl_lib.offloading.vertical.regions.scenes import SIDE, Videos, truth_in_order

TRUSTED = 0.4  # confidence from which a box is sent back to the camera
BLOCKS = (SIDE // codec.BLOCK) ** 2

Chooser = Callable[[np.ndarray, list[np.ndarray]], np.ndarray]
"""Frames (n, 96, 96) and previous boxes to regions, (n, blocks) of bool."""


@dataclass(frozen=True)
class Arm:
    """What came of one way to compress; frames in the order of time, then of videos.

    Attributes
    ----------
    sizes : ndarray, shape (frames,)
        Bytes on the wire.
    full_sizes : ndarray, shape (frames,)
        Bytes at uniformly high quality.
    frames : ndarray, shape (frames, 96, 96)
        What the edge decoded.
    regions : ndarray of bool, shape (frames, blocks)
    found : tuple of Detections
        By the edge.
    precision : float
        Average precision of the edge, in [0, 1].
    """

    sizes: np.ndarray
    full_sizes: np.ndarray
    frames: np.ndarray
    regions: np.ndarray
    found: tuple[Detections, ...]
    precision: float

    @property
    def removed(self) -> float:
        """Share of the bytes that compression removed."""
        return 1 - float(self.sizes.sum() / self.full_sizes.sum())


def no_regions(frames: np.ndarray, previous: list[np.ndarray]) -> np.ndarray:
    """Uniform compression."""
    return np.zeros((len(frames), BLOCKS), bool)


def random_regions(seed: int) -> Chooser:
    """As many blocks as the camera would choose, in random places."""
    rng = np.random.default_rng(seed)
    return lambda frames, previous: shuffled(regions_of_interest(frames, previous), rng)


def run_arm(videos: Videos, model: nn.Module, chooser: Chooser, ratio: float, high: int) -> Arm:
    """Compress every frame to ``(1 - ratio)`` of its bytes at high quality, and detect.

    Parameters
    ----------
    ratio : float
        Share of the bytes to remove, in [0, 1).
    high : int
        Step number of high quality.
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"a compression ratio of {ratio} leaves nothing to send or asks for more; use [0, 1)")
    previous = [np.zeros((0, 4))] * len(videos)
    parts = []
    for time in range(videos.length):
        frames = videos.frames[:, time]
        regions = chooser(frames, previous)
        streams, full = compress(frames, regions, ratio, high)
        decoded = decompress(streams)
        found = detect(model, decoded)
        previous = [each.boxes[each.scores >= TRUSTED] for each in found]
        parts.append((list(map(len, streams)), full, decoded, regions, found))
    sizes, full, frames, regions = (np.concatenate([part[k] for part in parts]) for k in range(4))
    found = tuple(each for part in parts for each in part[4])
    return Arm(sizes, full, frames, regions, found, average_precision(found, truth_in_order(videos)))


def compress(frames: np.ndarray, regions: np.ndarray, ratio: float, high: int) -> tuple[list[bytes], list[int]]:
    """Streams of the frames, and their bytes at high quality."""
    coefficients = codec.transform(frames)
    best = codec.Plan(np.zeros(coefficients.shape[1], bool), high, high)
    full = [codec.encode(each, best) for each in coefficients]
    budgets = [(1 - ratio) * len(stream) for stream in full]
    asked = zip(coefficients, regions, budgets, full, strict=True)
    streams = [fit(each, mask, high, budget, start) for each, mask, budget, start in asked]
    return streams, list(map(len, full))


def decompress(streams: list[bytes], side: int = SIDE) -> np.ndarray:
    """Frames (n, side, side) of the streams."""
    blocks = (side // codec.BLOCK) ** 2
    return codec.restore(np.stack([codec.decode(stream, blocks) for stream in streams]), side, side)
