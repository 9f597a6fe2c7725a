"""Where to look: blocks with strong edges, and blocks around what was detected in the previous frame.

The end device needs only its own frame and the boxes that the edge has sent back; it never sees the truth.
"""

from collections.abc import Sequence

import numpy as np

from edgedl_lib.offloading.vertical.regions.codec import BLOCK

SMOOTHING = 7  # pixels: an average that foliage does not survive
EDGE_THRESHOLD = 10.0  # mean squared gradient of a block, in squared grey levels per squared pixel
LARGEST_SHARE = 0.2  # of the blocks; above it, only the strongest are kept


def edge_energy(frames: np.ndarray) -> np.ndarray:
    """Mean squared gradient of each block of the smoothed frames, (n, rows, columns)."""
    smooth = _average(frames.astype(np.float32))
    down, right = np.diff(smooth, axis=1, append=smooth[:, -1:]), np.diff(smooth, axis=2, append=smooth[:, :, -1:])
    n, height, width = frames.shape
    squared = (down**2 + right**2).reshape(n, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return squared.mean(axis=(2, 4))


def regions_of_interest(
    frames: np.ndarray,
    previous: Sequence[np.ndarray],
    threshold: float = EDGE_THRESHOLD,
    largest_share: float = LARGEST_SHARE,
) -> np.ndarray:
    """Blocks of interest, (n, blocks) of bool.

    Parameters
    ----------
    frames : ndarray, shape (n, height, width)
    previous : sequence of n arrays, shape (k, 4)
        Boxes detected in the previous frame (pixels), none for the first.
    threshold, largest_share : float
        Of the edge energy.
    """
    energy = edge_energy(frames)
    flat = energy.reshape(len(frames), -1)
    keep = max(1, round(largest_share * flat.shape[1]))
    strongest = np.partition(flat, -keep, axis=1)[:, -keep]  # the weakest that may stay
    chosen = (energy >= threshold) & (energy >= strongest[:, None, None])
    for mask, boxes in zip(chosen, previous, strict=True):
        mark_boxes(mask, boxes)
    return chosen.reshape(len(frames), -1)


def mark_boxes(mask: np.ndarray, boxes: np.ndarray, margin: int = 1) -> None:
    """Add the blocks of each box, rounded to blocks and dilated by `margin`, to a mask (rows, columns), in place."""
    corners = np.round(np.asarray(boxes, float).reshape(-1, 4) / BLOCK).astype(int)
    for top, left, bottom, right in corners + (-margin, -margin, margin, margin):
        mask[max(0, top) : bottom, max(0, left) : right] = True


def shuffled(regions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many blocks in random places, frame by frame."""
    return rng.permuted(regions, axis=1)


def _average(frames: np.ndarray) -> np.ndarray:
    """Moving average over SMOOTHING x SMOOTHING pixels, edges repeated."""
    half = SMOOTHING // 2
    padded = np.pad(frames, ((0, 0), (half + 1, half), (half + 1, half)), mode="edge")
    sums = padded.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    window = slice(SMOOTHING, None), slice(None, -SMOOTHING)
    corners = [sums[:, first][:, :, second] for first in window for second in window]
    return (corners[0] - corners[1] - corners[2] + corners[3]) / SMOOTHING**2
