"""MI-FACE: an image of a class from a classifier's confidences alone (Fredrikson, Jha and Ristenpart 2015 [195]).

The attacker descends on the cost ``1 - confidence(label)`` within the pixels' range.  With the weights in hand it knows
the gradient; without them it asks the classifier about a small step in every pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Classifier = Callable[[np.ndarray], np.ndarray]  # images (n, d) to confidences (n, classes)
Gradient = Callable[[np.ndarray, np.ndarray], np.ndarray]  # images (n, d), labels (n,) to d confidence / d image (n, d)

STEPS = 5_000  # the paper's alpha, from memory
PATIENCE = 100  # its beta: give up after so many steps without progress
TARGET = 0.99  # its gamma, read as a confidence: stop at a cost of 0.01
STEP_SIZE = 0.1  # its lambda


@dataclass(frozen=True)
class Inversion:
    """Images that the attack found.

    Attributes
    ----------
    images : ndarray, shape (labels, d)
        In [0, 1]; of each run the iterate with the least cost.
    confidence : ndarray, shape (labels,)
        What the attacked classifier says of them.
    steps : int
        Steps of the longest run.
    queries : int
        Images that the classifier was asked about, over all labels; 0 for a white-box attack's gradients.
    """

    images: np.ndarray
    confidence: np.ndarray
    steps: int
    queries: int


def invert(
    classifier: Classifier,
    gradient: Gradient,
    labels: np.ndarray,
    pixels: int,
    *,
    steps: int = STEPS,
    patience: int = PATIENCE,
    target: float = TARGET,
    step_size: float = STEP_SIZE,
) -> Inversion:
    """Attack all labels at once, each from a black image, by projected gradient descent.

    Raises
    ------
    ValueError
        A target outside (0, 1], or no step.
    """
    if not 0 < target <= 1 or steps < 1:
        raise ValueError(f"target {target} and steps {steps}: expected a confidence in (0, 1] and at least one step")
    search = _Search(classifier, np.asarray(labels), pixels)
    for _ in range(steps):
        rows = search.running(patience, target)
        if not len(rows):
            break
        search.move(rows, step_size * gradient(search.images[rows], search.labels[rows]))
    return Inversion(search.best, 1 - search.best_cost, search.steps, getattr(gradient, "queries", 0))


class _Search:
    """Where each label's descent stands."""

    def __init__(self, classifier: Classifier, labels: np.ndarray, pixels: int) -> None:
        self.classifier, self.labels, self.steps = classifier, labels, 0
        self.images = np.zeros((len(labels), pixels))
        self.best = self.images.copy()
        self.best_cost = 1 - _confidence(classifier, self.images, labels)
        self.stale = np.zeros(len(labels), int)

    def running(self, patience: int, target: float) -> np.ndarray:
        return np.flatnonzero((self.stale < patience) & (self.best_cost > 1 - target))

    def move(self, rows: np.ndarray, ascent: np.ndarray) -> None:
        self.steps += 1
        self.images[rows] = np.clip(self.images[rows] + ascent, 0.0, 1.0)
        cost = 1 - _confidence(self.classifier, self.images[rows], self.labels[rows])
        better = cost < self.best_cost[rows]
        self.best[rows[better]], self.best_cost[rows[better]] = self.images[rows[better]], cost[better]
        self.stale[rows] = np.where(better, 0, self.stale[rows] + 1)


class FiniteDifferences:
    """Slope of a confidence from two queries a pixel, as somebody without the weights sees it.

    Parameters
    ----------
    classifier : callable
        What is *released*: rounded, if the defence rounds.
    step : float
        Change of one pixel; a large one looks over the steps of a rounded confidence.
    """

    def __init__(self, classifier: Classifier, step: float) -> None:
        if not step > 0:
            raise ValueError(f"step {step} must be positive: it is the change of one pixel")
        self.classifier, self.step, self.queries = classifier, step, 0

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        count, pixels = images.shape
        shift = self.step * np.eye(pixels)
        ahead = (images[:, None] + shift).reshape(-1, pixels)  # (n * d, d)
        behind = (images[:, None] - shift).reshape(-1, pixels)
        repeated = np.repeat(labels, pixels)
        rise = _confidence(self.classifier, ahead, repeated) - _confidence(self.classifier, behind, repeated)
        self.queries += 2 * len(repeated)
        return rise.reshape(count, pixels) / (2 * self.step)


def _confidence(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return classifier(images)[np.arange(len(labels)), labels]
