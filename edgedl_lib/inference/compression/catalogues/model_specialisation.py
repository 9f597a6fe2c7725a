"""Specialisation (MCDNN [152]): while few classes dominate a stream, a small model for them answers most requests.

The small model knows the frequent classes and one more, "other"; what it calls other, or is not sure of, goes to the
general model and costs both.  The general model's answers over a window tell which classes are frequent now, and
whether specialising pays at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, predict, train

CLASSES = 50
FEATURES = 32
SPREAD = 1.3  # of a sample around its class's centre, in units of the centres' own spread
CONFIDENCE = 0.7  # below it the small model hands over
LEAST_GAIN = 1.5  # expected cost of the general model over that of the pair, below which nobody specialises
WINDOW = 400  # requests from which frequencies are estimated


def class_centres(seed: int, classes: int = CLASSES) -> Tensor:
    """Centres of the classes, shape (classes, features)."""
    return torch.randn(classes, FEATURES, generator=torch.Generator().manual_seed(seed))


def draw_stream(centres: Tensor, shares: np.ndarray, count: int, seed: int) -> Split:
    """Requests whose classes have the given shares."""
    rng = np.random.default_rng(seed)
    targets = torch.from_numpy(rng.choice(len(shares), count, p=shares))
    noise = torch.from_numpy(rng.standard_normal((count, FEATURES)).astype(np.float32))
    return Split(centres[targets] + SPREAD * noise, targets)


def zipf_shares(exponent: float, classes: int = CLASSES) -> np.ndarray:
    """Shares of the classes by Zipf's law; exponent zero is uniform.

    >>> bool(zipf_shares(1.8)[:5].sum() >= 0.8), float(zipf_shares(0.0)[:5].sum().round(3))
    (True, 0.1)
    """
    if not exponent >= 0:
        raise ValueError(f"Zipf exponent {exponent} must not be negative")
    weights = np.arange(1, classes + 1, dtype=float) ** -exponent
    return weights / weights.sum()


def general_network() -> nn.Sequential:
    """The model that knows all classes."""
    return _dense(256, CLASSES)


def special_network(classes: int) -> nn.Sequential:
    """A model for a few classes and "other", some seventy times cheaper."""
    return _dense(16, classes + 1)


def cost(model: nn.Module) -> int:
    """Multiply-adds of one request."""
    return layer_graph(model, (FEATURES,)).mac


@dataclass(frozen=True)
class Specialised:
    """A general model with a small one before it.

    Attributes
    ----------
    general, special : nn.Module
    classes : ndarray
        The frequent classes, in the order of the small model's outputs.
    """

    general: nn.Module
    special: nn.Module
    classes: np.ndarray

    def serve(self, requests: Split) -> tuple[float, float]:
        """Accuracy (percent) over all requests, of whatever class, and mean cost in multiply-adds."""
        special = torch.softmax(predict(self.special, requests.inputs), dim=1)
        confidence, answer = special.max(dim=1)
        alone = (answer < len(self.classes)) & (confidence >= CONFIDENCE)
        answers = predict(self.general, requests.inputs).argmax(dim=1)
        answers[alone] = torch.from_numpy(self.classes)[answer[alone]]
        handed_over = 1 - float(alone.float().mean())
        right = 100 * float((answers == requests.targets).float().mean())
        return right, cost(self.special) + handed_over * cost(self.general)


def train_general(centres: Tensor, seed: int, samples: int = 4_000, epochs: int = 6) -> nn.Module:
    """The general model, trained on about equally many requests of every class."""
    model = build(general_network, seed)
    split = draw_stream(centres, zipf_shares(0.0, len(centres)), samples, seed + 1)
    train(model, split, epochs=epochs, seed=seed, learning_rate=3e-3)
    return model


def frequent_classes(general: nn.Module, window: Tensor, count: int = 5) -> tuple[np.ndarray, float]:
    """The most frequent answers of the general model over a window, and their share of it."""
    answers = np.bincount(predict(general, window).argmax(dim=1).numpy(), minlength=CLASSES)
    classes = np.argsort(-answers, kind="stable")[:count]
    return classes, float(answers[classes].sum() / answers.sum())


def expected_gain(general: nn.Module, share: float, count: int = 5) -> float:
    """Cost of the general model over that of the pair, if the small model answers this share alone."""
    whole, small = cost(general), cost(special_network(count))
    return whole / (small + (1 - share) * whole)


def specialise(general: nn.Module, centres: Tensor, window: Tensor, seed: int, count: int = 5) -> Specialised | None:
    """A small model for the classes that dominate the window, or nothing if that would not pay."""
    classes, share = frequent_classes(general, window, count)
    if expected_gain(general, share, count) < LEAST_GAIN:
        return None
    special = build(lambda: special_network(count), seed)
    train(special, _training_requests(centres, classes, seed), epochs=12, seed=seed, learning_rate=1e-2)
    return Specialised(general, special, classes)


def _training_requests(centres: Tensor, classes: np.ndarray, seed: int) -> Split:
    """Half frequent classes, half others, relabelled for the small model: it must learn what it does not know."""
    shares = np.full(len(centres), 0.5 / (len(centres) - len(classes)))
    shares[classes] = 0.5 / len(classes)
    split = draw_stream(centres, shares, 3_000, seed + 2)
    labels = torch.full((len(centres),), len(classes))
    labels[torch.from_numpy(classes)] = torch.arange(len(classes))
    return Split(split.inputs, labels[split.targets])


@dataclass(frozen=True)
class SpecialisationResult:
    """One stream served with and without specialisation.

    Attributes
    ----------
    switched_on : bool
    gain : float
        Cost of the general model over the cost of what served.
    loss : float
        Accuracy lost, points, over requests of all classes.
    """

    switched_on: bool
    gain: float
    loss: float


@lru_cache(maxsize=8)
def _general_of(seed: int) -> nn.Module:
    return train_general(class_centres(seed), seed)


def specialisation_study(exponent: float, seed: int, requests: int = 3_000) -> SpecialisationResult:
    """Watch a window of a stream, specialise if it pays, and serve the rest of the stream."""
    centres, general = class_centres(seed), _general_of(seed)
    shares = np.random.default_rng(seed).permutation(zipf_shares(exponent))
    stream = draw_stream(centres, shares, WINDOW + requests, seed + 3)
    window, rest = stream.inputs[:WINDOW], Split(stream.inputs[WINDOW:], stream.targets[WINDOW:])
    pair = specialise(general, centres, window, seed)
    if pair is None:
        return SpecialisationResult(False, 1.0, 0.0)
    alone = 100 * float((predict(general, rest.inputs).argmax(dim=1) == rest.targets).float().mean())
    accuracy, spent = pair.serve(rest)
    return SpecialisationResult(True, cost(general) / spent, alone - accuracy)


def _dense(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, outputs))
