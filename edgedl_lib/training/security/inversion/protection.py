"""A softmax classifier, and two ways of showing less of it: rounded confidences, a label alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax


@dataclass(frozen=True)
class Softmax:
    """Softmax regression as plain arrays.

    Attributes
    ----------
    weight : ndarray, shape (classes, d)
    bias : ndarray, shape (classes,)
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Confidences (n, classes) for images (n, d)."""
        return softmax(images @ self.weight.T + self.bias, axis=1)

    def gradient(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Slope of the confidence in ``labels`` with respect to the pixels, (n, d)."""
        shares = self(images)
        own = shares[np.arange(len(labels)), labels][:, None]
        return own * (self.weight[labels] - shares @ self.weight)

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of the images whose likeliest class is their label."""
        return float((self(images).argmax(1) == labels).mean())


def rounded(classifier, step: float):
    """The classifier with every confidence rounded to a multiple of ``step`` before it is released [195].

    Raises
    ------
    ValueError
        A step outside (0, 1].
    """
    if not 0 < step <= 1:
        raise ValueError(f"confidences lie in [0, 1]; a rounding step of {step} is not in (0, 1]")
    return lambda images: np.round(classifier(images) / step) * step


def label_only(classifier):
    """The classifier that releases its decision and nothing else: one for the likeliest class, zero for the others."""

    def decide(images: np.ndarray) -> np.ndarray:
        shares = classifier(images)
        return (shares == shares.max(1, keepdims=True)).astype(float)

    return decide
