"""Where to look: blocks with strong edges, and blocks around what was detected in the previous frame.

The end device needs only its own frame and the boxes that the edge has sent back; it never sees the truth.
"""

from collections.abc import Sequence

import numpy as np

from edgedl_lib.offloading.vertical.regions.codec import BLOCK

SMOOTHING = 5  # pixels per side of the average
TEXTURE_SHARE = 1.5 / SMOOTHING**3  # of a block's own gradient energy; white texture keeps 1 / SMOOTHING ** 3 of it
EDGE_THRESHOLD = 8.0  # edge energy from which a block is of interest, in squared grey levels per squared pixel
LARGEST_SHARE = 0.25  # of the blocks; above it, only the strongest are kept


def edge_energy(frames: np.ndarray) -> np.ndarray:
    """Gradient energy that foliage does not explain, for each block of the frames, (n, rows, columns).

    Averaging weakens the gradient of texture by a known factor and that of an edge by much less.  What the texture must
    have left in the averaged frame is therefore subtracted, half as much again for safety.
    """
    pixels = frames.astype(np.float32)
    return _gradient_energy(_average(pixels)) - TEXTURE_SHARE * _gradient_energy(pixels)


def _gradient_energy(pixels: np.ndarray) -> np.ndarray:
    """Mean squared gradient of each block."""
    down, right = np.diff(pixels, axis=1, append=pixels[:, -1:]), np.diff(pixels, axis=2, append=pixels[:, :, -1:])
    n, height, width = pixels.shape
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
