"""Pictures of products as an inspection camera sees them: a textured tile, with or without a defect.

A stand-in for the paper's data, which are not public.  The *degree* of a defect, in [0.2, 1], is its contrast; place,
size and direction say nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SIDE = 32  # pixels
RAW_BYTES = SIDE * SIDE  # one byte a pixel
TYPES = ("ok", "scratch", "spot", "crack", "stain")
OK = 0
LOWEST_DEGREE = 0.2
TEXTURE = 0.05  # deviation of the background's grain
STRONGEST = 0.55  # change of brightness at degree 1

Shape = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Tiles:
    """Inspection images and what is wrong with them.

    Attributes
    ----------
    images : Tensor, shape (n, 1, 32, 32), in [0, 1]
    kinds : Tensor, shape (n,), int64, index into :data:`TYPES`
    degrees : Tensor, shape (n,), contrast of the defect in [0.2, 1]; 0 on "ok", where it means nothing
    """

    images: Tensor
    kinds: Tensor
    degrees: Tensor

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def targets(self) -> Tensor:
        """Type and degree side by side, shape (n, 2), as the loss reads them."""
        return torch.stack([self.kinds.float(), self.degrees], dim=1)


def draw_tiles(seed: int, count: int) -> Tiles:
    """Draw `count` tiles, every type equally likely.

    Raises
    ------
    ValueError
        If there is to be none.

    Examples
    --------
    >>> tiles = draw_tiles(seed=0, count=4)
    >>> tiles.images.shape, bool(tiles.images.min() >= 0), bool(tiles.images.max() <= 1)
    (torch.Size([4, 1, 32, 32]), True, True)
    """
    if count < 1:
        raise ValueError(f"count is {count}: draw at least one tile")
    rng = np.random.default_rng(seed)
    kinds = rng.integers(len(TYPES), size=count)
    degrees = np.where(kinds == OK, 0.0, rng.uniform(LOWEST_DEGREE, 1.0, count))
    images = backgrounds(rng, count)
    for row in np.flatnonzero(kinds != OK):
        images[row] += STRONGEST * degrees[row] * SHAPES[TYPES[kinds[row]]](rng)
    pixels = np.round(255 * np.clip(images, 0, 1)) / 255  # what one byte a pixel can say
    return Tiles(
        torch.from_numpy(pixels[:, None]).float(), torch.from_numpy(kinds).long(), torch.from_numpy(degrees).float()
    )


def backgrounds(rng: np.random.Generator, count: int) -> np.ndarray:
    """Grey tiles with grain and uneven light, (count, 32, 32), around 0.5."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) - 0.5
    slope = rng.normal(0, 0.08, (2, count, 1, 1))
    brightness = rng.normal(0.5, 0.04, (count, 1, 1))
    grain = rng.normal(0, 1, (count, SIDE, SIDE))
    grain = (grain + np.roll(grain, 1, axis=1) + np.roll(grain, 1, axis=2)) / np.sqrt(3)
    return brightness + slope[0] * rows + slope[1] * columns + TEXTURE * grain


def scratch(rng: np.random.Generator) -> np.ndarray:
    """A straight bright line, as a mask (32, 32) with peak 1."""
    angle, centre, half = rng.uniform(0, np.pi), rng.uniform(10, 22, 2), rng.uniform(8, 13)
    return _stroke(np.array([[-half], [half]]) * [np.sin(angle), np.cos(angle)] + centre, width=0.9)


def crack(rng: np.random.Generator) -> np.ndarray:
    """A dark line that changes its direction every few pixels."""
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.choice([-1, 1], 5) * rng.uniform(0.6, 1.1, 5))
    steps = rng.uniform(3, 6, 5)[:, None] * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    corners = np.cumsum(np.concatenate([[[0.0, 0.0]], steps]), axis=0)
    return -_stroke(corners - corners.mean(axis=0) + rng.uniform(12, 20, 2), width=0.9)


def spot(rng: np.random.Generator) -> np.ndarray:
    """A small dark disc with a sharp edge."""
    centre, radius = rng.uniform(6, 26, (2, 1, 1)), rng.uniform(2, 4)
    return -np.clip(radius + 0.5 - _distance(centre), 0, 1)


def stain(rng: np.random.Generator) -> np.ndarray:
    """A wide dark cloud without an edge."""
    centre, radii = rng.uniform(10, 22, (2, 1, 1)), rng.uniform(4, 7, (2, 1, 1))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    return -np.exp(-(((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2) / 2)


SHAPES: dict[str, Shape] = {"scratch": scratch, "spot": spot, "crack": crack, "stain": stain}


def _stroke(corners: np.ndarray, width: float) -> np.ndarray:
    """A poly-line through `corners` (points, 2), one at its centre and fading over `width` pixels."""
    pixels = np.stack(np.mgrid[0:SIDE, 0:SIDE], axis=-1)[:, :, None, :]  # (32, 32, 1, 2)
    start, along = corners[:-1], np.diff(corners, axis=0)  # (segments, 2)
    length = np.maximum((along**2).sum(axis=1), 1e-9)
    share = np.clip(((pixels - start) * along).sum(axis=-1) / length, 0, 1)  # (32, 32, segments)
    nearest = start + share[..., None] * along
    distance = np.sqrt(((pixels - nearest) ** 2).sum(axis=-1)).min(axis=-1)
    return np.exp(-((distance / width) ** 2))


def _distance(centre: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    return np.hypot(rows - centre[0], columns - centre[1])
