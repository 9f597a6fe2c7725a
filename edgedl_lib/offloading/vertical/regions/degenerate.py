"""Three cases in which regions must change nothing, byte by byte and pixel by pixel."""

import numpy as np

from edgedl_lib.offloading.vertical.regions import codec
from edgedl_lib.offloading.vertical.regions.cameras import BLOCKS, compress, decompress
from edgedl_lib.offloading.vertical.regions.saliency import regions_of_interest
from edgedl_lib.offloading.vertical.regions.scenes import Videos, frames_in_order

RATIO = 0.6


def equal_share(first: list[bytes], second: list[bytes]) -> float:
    """Percent of the frames whose streams and decoded pixels are equal."""
    pixels = decompress(first), decompress(second)
    same = [a == b and np.array_equal(*pair) for a, b, *pair in zip(first, second, *pixels, strict=True)]
    return 100 * float(np.mean(same))


def no_region(videos: Videos, high: int) -> float:
    """No edge is strong enough and nothing was detected: the camera must fall back to uniform compression."""
    frames = frames_in_order(videos)
    regions = regions_of_interest(frames, [np.zeros((0, 4))] * len(frames), threshold=np.inf)
    return equal_share(compress(frames, regions, RATIO, high)[0], _uniform(frames, RATIO, high))


def whole_frame(videos: Videos, high: int) -> float:
    """Every block is of interest."""
    frames = frames_in_order(videos)
    streams, _ = compress(frames, np.ones((len(frames), BLOCKS), bool), RATIO, high)
    return equal_share(streams, _uniform(frames, RATIO, high))


def rho_zero(videos: Videos, high: int) -> float:
    """Nothing is to be removed: the frames as they are without region compression."""
    frames = frames_in_order(videos)
    regions = regions_of_interest(frames, [np.zeros((0, 4))] * len(frames))
    plan = codec.Plan(np.zeros(BLOCKS, bool), high, high)
    untouched = [codec.encode(each, plan) for each in codec.transform(frames)]
    return equal_share(compress(frames, regions, 0.0, high)[0], untouched)


def _uniform(frames: np.ndarray, ratio: float, high: int) -> list[bytes]:
    return compress(frames, np.zeros((len(frames), BLOCKS), bool), ratio, high)[0]
