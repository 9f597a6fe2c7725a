"""What the survey compares with: a quantised model that a device runs alone, in the memory that a DDNN uses there."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.inference.early_exit.distributed.communication import device_memory
from edgedl_lib.inference.early_exit.distributed.network import Design
from edgedl_lib.inference.early_exit.distributed.views import Views, ViewSets
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, predict, train

LEVELS = 127  # of a signed 8-bit weight


@dataclass(frozen=True)
class AloneModel:
    """An int8 linear classifier of one camera's shrunken picture.

    Attributes
    ----------
    accuracy : float
        On all test samples, those that the camera does not see included.
    memory : int
        Bytes: one a weight, four a bias, four for the scale.
    side : int
        Pixels per side of the shrunken picture.
    """

    accuracy: float
    memory: int
    side: int


def model_memory(side: int, classes: int) -> int:
    """Bytes of the classifier for pictures of ``side`` x ``side`` pixels."""
    return side * side * classes + 4 * classes + 4


def train_alone(design: Design, sets: ViewSets, seed: int, epochs: int = 6) -> AloneModel:
    """Such a model of the camera that sees most, as large as a DDNN device's memory (rounded up in its favour)."""
    memory = device_memory(design)
    side = next(side for side in range(1, max(design.view) + 1) if model_memory(side, design.classes) >= memory)
    camera = int(sets.train.visible.sum(dim=0).argmax())
    return AloneModel(_accuracy(sets, camera, side, seed, epochs), model_memory(side, design.classes), side)


def _accuracy(sets: ViewSets, camera: int, side: int, seed: int, epochs: int) -> float:
    seen = sets.train.visible[:, camera]
    training = _shrunken(sets.train, camera, side).where(seen)
    model = build(lambda: nn.Linear(side * side, sets.classes), seed)
    train(model, training, epochs=epochs, seed=seed, learning_rate=1e-2)
    _to_int8(model)
    test = _shrunken(sets.test, camera, side)
    return float(np.mean((predict(model, test.inputs).argmax(dim=1) == test.targets).numpy()))


@torch.no_grad()
def _to_int8(model: nn.Linear) -> None:
    scale = model.weight.abs().max() / LEVELS
    model.weight.copy_((model.weight / scale).round().clamp(-LEVELS, LEVELS) * scale)


def _shrunken(views: Views, camera: int, side: int) -> Split:
    pictures = functional.adaptive_avg_pool2d(views.inputs[:, camera : camera + 1], side)
    return Split(pictures.flatten(1), views.targets)
