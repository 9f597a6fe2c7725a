"""Generated surveillance videos: a still background with clutter, and handwritten digits that drift across it.

Digits stand for the objects of a camera: ten classes, several sizes, low contrast.  What makes such frames expensive is
the same as in real ones, texture that no detector needs (foliage) and edges that belong to nothing (walls).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

SIDE = 96
DIGIT = 8  # pixels per side of a digit at scale one
SCALES = (2, 3, 4)
SCALE_SHARES = (0.5, 0.3, 0.2)  # most objects are far away
MOST_OBJECTS = 3
ABSENT = -1
FOLIAGE_ABOVE = 0.15  # of a slow random field in [-1, 1]: about a third of the scene


@dataclass(frozen=True)
class Videos:
    """Several videos of one length.

    Attributes
    ----------
    frames : ndarray, shape (videos, length, 96, 96), uint8
    boxes : ndarray, shape (videos, length, 3, 4)
        Top, left, bottom, right (pixels, half-open) of each object; meaningless where the label is -1.
    labels : ndarray, shape (videos, 3)
        Class of each object, -1 where there is none.
    """

    frames: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def length(self) -> int:
        """Frames per video."""
        return self.frames.shape[1]

    def truth(self, time: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (k, 4) and labels (k,) of the present objects in every video at one time."""
        present = self.labels != ABSENT
        return [(self.boxes[video, time, mask], self.labels[video, mask]) for video, mask in enumerate(present)]


@dataclass(frozen=True)
class Look:
    """How the scenes look (grey levels).

    Attributes
    ----------
    contrast : tuple of float
        Least and greatest difference of a digit's stroke from its background.
    body : float
        Greatest difference of an object's opaque body from the mean of what it hides.
    texture : float
        Deviation of the foliage.
    walls : float
        Greatest step at the edge of a wall.
    noise : float
        Deviation of the sensor's noise, new in every frame.
    """

    contrast: tuple[float, float] = (40.0, 80.0)
    body: float = 20.0
    texture: float = 22.0
    walls: float = 25.0
    noise: float = 3.0


LOOK = Look()


def generate(digits: np.ndarray, labels: np.ndarray, count: int, length: int, seed: int, look: Look = LOOK) -> Videos:
    """Videos with one to three of the given digits each.

    Parameters
    ----------
    digits : ndarray, shape (n, 8, 8)
        Ink in [0, 1].
    labels : ndarray, shape (n,)
    count, length : int
        Videos, and frames in each.
    """
    if digits.shape[1:] != (DIGIT, DIGIT) or not len(digits):
        raise ValueError(f"digits of shape {digits.shape} cannot be pasted; give (n, {DIGIT}, {DIGIT})")
    rng = np.random.default_rng(seed)
    frames = np.empty((count, length, SIDE, SIDE), np.uint8)
    boxes, classes = np.zeros((count, length, MOST_OBJECTS, 4)), np.full((count, MOST_OBJECTS), ABSENT)
    for video in range(count):
        scene = np.repeat(background(rng, look)[None], length, axis=0)
        for number, path in enumerate(paths(rng, length)):
            chosen = rng.integers(len(digits))
            classes[video, number], boxes[video, :, number] = labels[chosen], path
            paste(scene, digits[chosen], path, rng.uniform(*look.contrast), rng.uniform(-look.body, look.body))
        scene += rng.normal(0, look.noise, scene.shape)
        frames[video] = np.clip(np.round(scene), 0, 255)
    return Videos(frames, boxes, classes)


def truth_in_order(videos: Videos) -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes and labels of all frames, by time, then by video."""
    return [pair for time in range(videos.length) for pair in videos.truth(time)]


def frames_in_order(videos: Videos) -> np.ndarray:
    """All frames, by time, then by video, (frames, 96, 96)."""
    return videos.frames.swapaxes(0, 1).reshape(-1, SIDE, SIDE)


def background(rng: np.random.Generator, look: Look) -> np.ndarray:
    """A still scene, (96, 96): slow shading, patches of foliage, and walls with straight edges."""
    shading = enlarge(rng.uniform(60, 140, (4, 4)), SIDE)
    foliage = enlarge(rng.uniform(-1, 1, (6, 6)), SIDE) > FOLIAGE_ABOVE
    scene = shading + foliage * rng.normal(0, look.texture, (SIDE, SIDE))
    for _ in range(rng.integers(2, 5)):
        top, left = rng.integers(0, SIDE - 8, 2)
        height, width = rng.integers(8, 60, 2)
        scene[top : top + height, left : left + width] += rng.uniform(-look.walls, look.walls)
    return scene


def paths(rng: np.random.Generator, length: int) -> list[np.ndarray]:
    """Boxes over time, each (length, 4), of one to three objects that never touch; fewer if the room is short."""
    found: list[np.ndarray] = []
    wanted = rng.integers(1, MOST_OBJECTS + 1)
    for _ in range(30):
        side = DIGIT * rng.choice(SCALES, p=SCALE_SHARES)
        start, speed = rng.uniform(0, SIDE - side, 2), rng.uniform(-2, 2, 2)
        corner = np.clip(np.round(start + np.arange(length)[:, None] * speed), 0, SIDE - side)
        path = np.concatenate([corner, corner + side], axis=1)
        if not any(_touch(path, other) for other in found):
            found.append(path)
        if len(found) == wanted:
            break
    return found


def paste(scene: np.ndarray, digit: np.ndarray, path: np.ndarray, contrast: float, body: float) -> None:
    """Put a digit on an opaque body into the scene, (length, 96, 96), along its path."""
    top, left, bottom, right = path[0].astype(int)
    looks = scene[0, top:bottom, left:right].mean() + body + contrast * enlarge(digit, bottom - top)
    for frame, (top, left, bottom, right) in zip(scene, path.astype(int), strict=True):
        frame[top:bottom, left:right] = looks


def enlarge(values: np.ndarray, side: int) -> np.ndarray:
    """Bilinear enlargement of a square array."""
    source = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    return functional.interpolate(source, size=(side, side), mode="bilinear", align_corners=False)[0, 0].numpy()


def _touch(first: np.ndarray, second: np.ndarray) -> bool:
    inside = (first[:, :2] < second[:, 2:]) & (second[:, :2] < first[:, 2:])
    return bool(inside.all(axis=1).any())
