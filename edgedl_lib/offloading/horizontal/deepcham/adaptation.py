"""The models of DeepCham [104]: generic, constrained to the domain's labels, adapted, and late fusion of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, predict, train


@dataclass(frozen=True)
class GenericModel:
    """A network trained on clean images, and the layer whose output serves as deep features."""

    network: nn.Sequential
    classes: int

    def probabilities(self, inputs: Tensor) -> np.ndarray:
        """Softmax, shape (n, classes)."""
        return torch.softmax(predict(self.network, inputs).double(), dim=1).numpy()

    def features(self, inputs: Tensor) -> np.ndarray:
        """Output of the first hidden layer, shape (n, 64)."""
        if not len(inputs):
            return np.zeros((0, self.network[1].out_features))
        return predict(self.network[:3], inputs).numpy()


def generic_model(images: Split, classes: int, seed: int, epochs: int = 40) -> GenericModel:
    """Train a perceptron with hidden layers of 64 and 32 on clean images.

    The first three modules (flatten, linear, rectifier) give the deep features.
    """
    pixels = images.inputs[0].numel()

    def make() -> nn.Sequential:
        layers = [nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes)]
        return nn.Sequential(nn.Flatten(), *layers)

    network = build(make, seed)
    train(network, images, epochs=epochs, seed=seed, learning_rate=3e-3)
    return GenericModel(network, classes)


def constrained(probabilities: np.ndarray, classes: tuple[int, ...]) -> np.ndarray:
    """Generic probabilities of the domain's labels alone, brought to a sum of one; shape (n, len(classes)).

    >>> constrained(np.array([[0.5, 0.1, 0.4]]), (1, 2)).tolist()
    [[0.2, 0.8]]
    """
    if not classes:
        raise ValueError("a domain without labels has nothing to recognise; give at least one class")
    chosen = probabilities[:, list(classes)]
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Soften a saturated softmax: p^(1/T), brought to a sum of one.

    >>> tempered(np.array([[0.9801, 0.0198]]), 2).round(2).tolist()
    [[0.88, 0.12]]
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} must be positive")
    softened = probabilities ** (1 / temperature)
    return softened / softened.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Adaptation:
    """A shallow classifier on deep features, trained on what the users labelled.

    Attributes
    ----------
    classes : tuple of int
        Labels of the domain, in the order of the columns.
    classifier : object or None
        None while fewer than two labels are known.
    only : int or None
        The label, if all photographs carry the same.
    """

    classes: tuple[int, ...]
    classifier: object | None = None
    only: int | None = None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """p_a(c | x), shape (n, len(classes)); a class that nobody labelled has probability 0."""
        result = np.zeros((len(features), len(self.classes)))
        if self.classifier is not None:
            columns = [self.classes.index(int(label)) for label in self.classifier.classes_]
            result[:, columns] = self.classifier.predict_proba(features)
        elif self.only is not None:
            result[:, self.classes.index(self.only)] = 1
        return result


def adapt(features: np.ndarray, labels: np.ndarray, classes: tuple[int, ...]) -> Adaptation:
    """Logistic regression on the features of the labelled photographs.

    Parameters
    ----------
    features : ndarray, shape (n, 64)
    labels : ndarray of int, shape (n,)
        May be empty, or miss some of the classes.
    """
    from sklearn.linear_model import LogisticRegression

    known = np.unique(labels)
    if not set(known) <= set(classes):
        raise ValueError(f"labels {sorted(set(known) - set(classes))} do not occur in a domain of {classes}")
    if len(known) < 2:
        return Adaptation(classes, only=int(known[0]) if len(known) else None)
    features = features.astype(float)
    return Adaptation(classes, LogisticRegression(solver="newton-cg").fit(features, labels))


@dataclass(frozen=True)
class Fusion:
    """Late fusion: (1 - w) times the tempered constrained softmax plus w times the adapted one."""

    weight: float = 2 / 3
    temperature: float = 4.0

    def combine(self, constrained: np.ndarray, adapted: np.ndarray) -> np.ndarray:
        """Scores, shape (n, classes); a row of zeros in `adapted` (nothing learnt) leaves the constrained model's."""
        return (1 - self.weight) * tempered(constrained, self.temperature) + self.weight * adapted


def product(constrained: np.ndarray, adapted: np.ndarray) -> np.ndarray:
    """The other rule: multiply; a saturated softmax then has a veto."""
    return constrained * adapted
