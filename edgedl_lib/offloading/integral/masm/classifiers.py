"""Five classifiers of digits, really trained, as the algorithms of one cloudlet: the same task, other needs.

A task is a sheet of digits.  Work is counted from the layers, bytes from the pixels that are sent, quality on
validation images; how good the answers are is counted on test images, which take no part in any choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import accuracy, build, train
from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms

DIGITS_PER_SHEET = 64  # so that the largest network alone keeps the cloudlet about half busy
CYCLES_PER_FLOP = 1.0
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class Recipe:
    """A network, the side (pixels) of the digits that it is sent, and how long it is trained."""

    side: int
    make: Callable[[], nn.Module]
    epochs: int


def _linear(side: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 10))


def _perceptron(side: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 16, 10),
    )


RECIPES = {
    "logistic, 4x4": Recipe(4, lambda: _linear(4), 25),
    "logistic, 8x8": Recipe(8, lambda: _linear(8), 20),
    "perceptron, 4x4": Recipe(4, lambda: _perceptron(4, 48), 25),
    "perceptron, 8x8": Recipe(8, lambda: _perceptron(8, 64), 15),
    "convolution, 8x8": Recipe(8, _convolutional, 8),
}


@dataclass(frozen=True)
class Trained:
    """What was measured about the five.

    Attributes
    ----------
    algorithms : Algorithms
        Their quality is that on validation images.
    test_quality : ndarray, shape (5,)
    """

    algorithms: Algorithms
    test_quality: np.ndarray


def train_algorithms(seed: int) -> Trained:
    """Train all five on the same images."""
    data, rows = digits(seed), []
    for recipe in RECIPES.values():
        network = build(recipe.make, seed)
        parts = {name: _at(getattr(data, name), recipe.side) for name in ("train", "validation", "test")}
        train(network, parts["train"], epochs=recipe.epochs, seed=seed, learning_rate=LEARNING_RATE)
        flop = layer_graph(network, (1, recipe.side, recipe.side)).flop
        work = CYCLES_PER_FLOP * DIGITS_PER_SHEET * flop
        size = DIGITS_PER_SHEET * recipe.side**2  # a byte per pixel
        rows.append((work, size, *(accuracy(network, parts[name]) for name in ("validation", "test"))))
    cycles, size_bytes, quality, test = np.array(rows, dtype=float).T
    return Trained(Algorithms(tuple(RECIPES), cycles, size_bytes, quality), test)


def _at(split: Split, side: int) -> Split:
    return Split(functional.adaptive_avg_pool2d(split.inputs, side), split.targets)
