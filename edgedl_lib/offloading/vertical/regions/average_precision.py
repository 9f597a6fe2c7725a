"""Average precision at an overlap of one half: how good boxes, classes and their ranking are together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENOUGH = 0.5  # intersection over union


@dataclass(frozen=True)
class Detections:
    """What was found in one frame: boxes (k, 4), labels (k,), scores (k,)."""

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair of boxes, shape (k, m).

    >>> overlap(np.array([[0, 0, 2, 2.0]]), np.array([[0, 1, 2, 3.0]])).round(3).tolist()
    [[0.333]]
    """
    common, areas = _common(first, second)
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)


def containment(boxes: np.ndarray) -> np.ndarray:
    """Intersection of every pair of boxes over the smaller of the two, shape (k, k): 1 for a part of a larger box.

    >>> containment(np.array([[0, 0, 4, 4.0], [0, 0, 2, 2.0]])).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    common, areas = _common(boxes, boxes)
    return common / np.minimum(areas[0][:, None], areas[1][None])


def _common(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    inner = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.clip(inner, 0, None).prod(axis=2), areas


def right_detections(found: Detections, boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which detections hit an object of their class that no more confident detection has hit, shape (k,)."""
    right = np.zeros(len(found.scores), bool)
    free = np.ones(len(boxes), bool)
    overlaps = overlap(found.boxes, boxes)
    for index in np.argsort(-found.scores, kind="stable"):
        usable = free & (labels == found.labels[index]) & (overlaps[index] >= ENOUGH)
        if usable.any():
            best = int(np.argmax(np.where(usable, overlaps[index], -1)))
            right[index], free[best] = True, False
    return right


def average_precision(found: Sequence[Detections], truth: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Area under precision over recall, all classes pooled, in [0, 1].

    Parameters
    ----------
    found : sequence of Detections
    truth : sequence of (boxes, labels)
        Of the same frames.
    """
    objects = sum(len(labels) for _, labels in truth)
    if not objects:
        raise ValueError("average precision needs at least one object; these frames show none")
    right = np.concatenate([right_detections(each, *pair) for each, pair in zip(found, truth, strict=True)])
    order = np.argsort(-np.concatenate([each.scores for each in found]), kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision at this recall or a higher one
    return float(envelope[right[order]].sum() / objects)
