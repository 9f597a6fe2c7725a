"""How well a reconstruction resembles what it should, counted in correlations and in classes recovered."""

from __future__ import annotations

import numpy as np

TWO = 2  # classes that a device of the study holds


def class_means(images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean training image of every class, shape (classes, d): what an inversion can at best find."""
    return np.stack([images[labels == label].mean(0) for label in range(classes)])


def correlations(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Pearson correlation of each image (n, d) with each reference (m, d), shape (n, m); 0 for a flat image."""
    first, second = (_standardised(rows) for rows in (images, references))
    return first @ second.T


def recovered(images: np.ndarray, labels: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Whether each image resembles its own class more than every other; an image that shows nothing does not count."""
    table = correlations(images, references)
    return (table.argmax(1) == labels) & (table.max(1) > 0)


def classes_read(update: np.ndarray) -> frozenset[int]:
    """The two classes that a device seems to hold: those whose bias its update raises most.

    ``update`` is the bias update of a softmax layer, shape (classes,): training on a class pushes its bias up and all
    others down, whatever the images are.
    """
    return frozenset(np.argsort(update)[-TWO:].tolist())


def image_read(weight_update: np.ndarray, bias_update: np.ndarray, label: int) -> np.ndarray:
    """Image behind one gradient step of a softmax layer, shape (d,).

    The step moves row ``label`` of the weights by a multiple of the (weighted mean) image, and its bias by the same
    multiple of one.  With a single image the quotient is that image.

    Raises
    ------
    ValueError
        The bias did not move: the device holds nothing of this class.
    """
    if bias_update[label] == 0:
        raise ValueError(f"the bias of class {label} did not move, so its row shows no image; choose another class")
    return weight_update[label] / bias_update[label]


def _standardised(rows: np.ndarray) -> np.ndarray:
    centred = np.asarray(rows, float) - np.mean(rows, axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 1e-12)
