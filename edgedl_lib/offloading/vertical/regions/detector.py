"""A sliding-window detector: every window of three sizes is background or one of ten digits.

It is trained on windows of uncompressed frames.  All windows of many frames go through the network at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, train
from edgedl_lib.offloading.vertical.regions.average_precision import Detections, containment, overlap
from edgedl_lib.offloading.vertical.regions.scenes import (
    ABSENT,
    DIGIT,
    SCALES,
    SIDE,
    Videos,
    frames_in_order,
    truth_in_order,
)
from edgedl_lib.offloading.vertical.regions.windows import cut_windows, filtered_windows

BACKGROUND = 10
CLASSES = 11
LEAST_SCORE = 0.2
SAME_OBJECT = 0.4  # share of the smaller window above which the weaker of two is dropped
BESIDE = 0.3  # overlap with an object under which a window counts as background
BACKGROUND_SHARE = 2  # windows of background for every window of an object
BATCH = 16  # frames whose windows fit a processor's cache
MINED = 240  # frames searched for hard windows of background
JITTER = 0.5  # in grid steps: as far as the sliding window may miss an object


@dataclass(frozen=True)
class Training:
    """How a detector is trained.

    Attributes
    ----------
    hidden : int
        Units of the hidden layer.
    epochs : int
        Before hard windows have been collected, and again after.
    crops : int
        Windows of objects.
    """

    hidden: int
    epochs: int
    crops: int


EDGE = Training(hidden=48, epochs=10, crops=4000)
CLOUD = Training(hidden=128, epochs=10, crops=6000)


def network(hidden: int) -> nn.Sequential:
    """Normalised windows (..., 64) to logits (..., 11)."""
    return nn.Sequential(nn.Linear(DIGIT * DIGIT, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES))


def flop_per_frame(model: nn.Module) -> float:
    """Operations of one frame of 96x96: all windows of all sizes."""
    windows = sum((SIDE // scale - DIGIT + 1) ** 2 for scale in SCALES)
    return 2.0 * windows * sum(weight.numel() for weight in model.parameters() if weight.ndim == 2)


@torch.no_grad()
def detect(model: nn.Module, frames: np.ndarray) -> list[Detections]:
    """Boxes, classes and confidences in each of the frames (n, 96, 96)."""
    batches = (frames[start : start + BATCH] for start in range(0, len(frames), BATCH))
    return [each for batch in batches for each in _detect_batch(model, batch)]


def _detect_batch(model: nn.Module, frames: np.ndarray) -> list[Detections]:
    found = [_candidates(model, frames, scale) for scale in SCALES]
    owner, boxes, labels, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(frames) + 1))
    of_frames = (order[start:end] for start, end in zip(bounds, bounds[1:], strict=False))
    return [strongest(Detections(boxes[rows], labels[rows], scores[rows])) for rows in of_frames]


def _candidates(model: nn.Module, frames: np.ndarray, scale: int) -> tuple[np.ndarray, ...]:
    """Frame, box, class and score of every window that may hold a digit."""
    shares = functional.softmax(_logits(model, frames, scale), dim=1)[:, :BACKGROUND]  # (n, 10, rows, columns)
    owner, row, column = torch.nonzero(shares.sum(dim=1) > LEAST_SCORE, as_tuple=True)
    scores, labels = shares[owner, :, row, column].max(dim=1)
    corner = scale * torch.stack([row, column], dim=1).numpy().astype(float)
    boxes = np.concatenate([corner, corner + DIGIT * scale], axis=1)
    sure = scores.numpy() > LEAST_SCORE
    return owner.numpy()[sure], boxes[sure], labels.numpy()[sure], scores.numpy()[sure]


def _logits(model: nn.Sequential, frames: np.ndarray, scale: int) -> torch.Tensor:
    """The network on all windows, (n, 11, rows, columns), as two convolutions."""
    first, _, last = model
    hidden = torch.relu(filtered_windows(frames, scale, first.weight) + first.bias[:, None, None])
    return functional.conv2d(hidden, last.weight[:, :, None, None], last.bias)


def strongest(found: Detections) -> Detections:
    """Keep the most confident window of each object."""
    order = np.argsort(-found.scores, kind="stable")
    boxes = found.boxes[order]
    same = containment(boxes) > SAME_OBJECT
    left, kept = np.ones(len(boxes), bool), []
    for index in range(len(boxes)):
        if left[index]:
            kept.append(index)
            left &= ~same[index]
    return Detections(boxes[kept], found.labels[order[kept]], found.scores[order[kept]])


def train_detector(videos: Videos, training: Training, seed: int) -> nn.Module:
    """Train on windows of uncompressed frames, then again with those that were mistaken for objects."""
    rng = np.random.default_rng(seed)
    model = build(lambda: network(training.hidden), seed)
    crops = join(
        object_crops(videos, training.crops, rng), background_crops(videos, BACKGROUND_SHARE * training.crops, rng)
    )
    settings = {"epochs": training.epochs, "seed": seed, "learning_rate": 4e-3, "batch_size": 200}
    train(model, crops, **settings)
    train(model, join(crops, mistaken_windows(model, videos)), **settings)
    return model


def object_crops(videos: Videos, count: int, rng: np.random.Generator) -> Split:
    """Windows around random objects, shifted as a sliding window may be."""
    video, number = np.nonzero(videos.labels != ABSENT)
    chosen = rng.integers(len(video), size=count)
    time = rng.integers(videos.length, size=count)
    boxes = videos.boxes[video[chosen], time, number[chosen]]
    scales = np.round((boxes[:, 2] - boxes[:, 0]) / DIGIT).astype(int)
    corners = boxes[:, :2] + rng.uniform(-JITTER, JITTER, (count, 2)) * scales[:, None]
    windows = cut_windows(videos.frames[video[chosen], time], corners, scales)
    return Split(windows, torch.from_numpy(videos.labels[video[chosen], number[chosen]]))


def background_crops(videos: Videos, count: int, rng: np.random.Generator) -> Split:
    """Windows that hold no object, or only a part of one."""
    tries = 2 * count
    video, time = rng.integers(len(videos), size=tries), rng.integers(videos.length, size=tries)
    scales = rng.choice(SCALES, size=tries)
    corners = rng.uniform(0, 1, (tries, 2)) * (SIDE - DIGIT * scales)[:, None]
    windows = np.concatenate([corners, corners + DIGIT * scales[:, None]], axis=1)
    covered = _covered(windows, videos.boxes[video, time], videos.labels[video] != ABSENT)
    rows = np.flatnonzero(covered < BESIDE)[:count]
    crops = cut_windows(videos.frames[video[rows], time[rows]], corners[rows], scales[rows])
    return Split(crops, torch.full((len(rows),), BACKGROUND))


def mistaken_windows(model: nn.Module, videos: Videos) -> Split:
    """Windows that are taken for an object and overlap none, in up to MINED frames spread over the videos."""
    owner, boxes = [], []
    every = slice(None, None, -(-len(videos) * videos.length // MINED))
    frames, truth = frames_in_order(videos)[every], truth_in_order(videos)[every]
    for index, (found, (objects, _)) in enumerate(zip(detect(model, frames), truth, strict=True)):
        alone = found.boxes[overlap(found.boxes, objects).max(axis=1, initial=0) < BESIDE]
        owner += [index] * len(alone)
        boxes.append(alone)
    corners = np.concatenate(boxes)
    scales = np.round((corners[:, 2] - corners[:, 0]) / DIGIT).astype(int)
    windows = cut_windows(frames[owner], corners[:, :2], scales)
    return Split(windows, torch.full((len(owner),), BACKGROUND))


def join(*splits: Split) -> Split:
    """Several sets of windows as one."""
    return Split(torch.cat([each.inputs for each in splits]), torch.cat([each.targets for each in splits]))


def _covered(windows: np.ndarray, boxes: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Largest overlap of each window (n, 4) with the present boxes (n, 3, 4) of its own frame."""
    inner = np.minimum(windows[:, None, 2:], boxes[..., 2:]) - np.maximum(windows[:, None, :2], boxes[..., :2])
    common = np.clip(inner, 0, None).prod(axis=-1)  # (n, 3)
    areas = (windows[:, 2:] - windows[:, :2]).prod(axis=-1)[:, None] + (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)
    return np.where(present, common / np.maximum(areas - common, 1e-9), 0).max(axis=1)


def least_confidence(found: Sequence[Detections]) -> np.ndarray:
    """The least confidence among each frame's detections, shape (n,); 0 where nothing was found."""
    return np.array([each.scores.min(initial=1.0) if len(each.scores) else 0.0 for each in found])
