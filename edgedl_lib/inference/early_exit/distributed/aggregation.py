"""Maximum, average or concatenation: all pairs of joints for scores and maps, on shared devices or trained apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.distributed.binary import clip_latent_weights
from edgedl_lib.inference.early_exit.distributed.decision import decide_levels
from edgedl_lib.inference.early_exit.distributed.network import AGGREGATIONS, CloudTier, Design, DeviceTier, ScoreExit
from edgedl_lib.inference.early_exit.distributed.study import GRID, run_trials
from edgedl_lib.inference.early_exit.distributed.training import (
    BATCH_SIZE,
    LEARNING_RATE,
    cooling,
    device_loss,
    exit_loss,
    side_by_side,
)
from edgedl_lib.inference.early_exit.distributed.views import ViewSets
from edgedl_lib.nets.training import build, train


class JointBank(nn.Module):
    """One set of devices below every joint: three local exits on the same heads, three clouds on the same maps."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        features, filters = design.filters * design.map_bits, design.cloud_filters * design.map_bits
        sizes = (design.replicas, design.cameras, features, design.classes)
        self.devices = DeviceTier(design)
        self.locals = nn.ModuleList(ScoreExit(*sizes, kind) for kind in AGGREGATIONS)
        for other in self.locals[1:]:
            other.heads = self.locals[0].heads
        self.clouds = nn.ModuleList(
            CloudTier(design.cameras, design.filters, replace(design, features=kind)) for kind in AGGREGATIONS
        )
        self.answers = nn.ModuleList(
            ScoreExit(design.replicas, 1, filters, design.classes, "MP", binary=False) for _ in AGGREGATIONS
        )

    def outputs(self, views: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores of the devices, and the logits of the three local and the three cloud exits."""
        maps = self.devices(views)
        scores = self.locals[0].heads(maps)
        local = [joint.logits(scores) for joint in self.locals]
        return scores, local + [answer(cloud(maps)) for cloud, answer in zip(self.clouds, self.answers, strict=True)]

    def forward(self, views: Tensor) -> Tensor:
        """Logits of all six exits (batch, replicas, 6, classes)."""
        return torch.stack([each if each.dim() == 3 else each[:, None] for each in self.outputs(views)[1]], dim=2)


def bank_objective(bank: JointBank, views: Tensor, targets: Tensor) -> Tensor:
    """Devices by their own labels, all six joints by the object's class, each with weight one."""
    scores, logits = bank.outputs(views)
    common = targets[..., 0]
    return device_loss(scores, targets[..., 1:].flatten(1)) + sum(exit_loss(each, common) for each in logits)


def aggregation_table(
    design: Design, sets: Sequence[ViewSets], seed: int, *, shared_devices: bool, **options
) -> dict[str, np.ndarray]:
    """Test accuracy of all nine pairs of joints in a network of two levels.

    Parameters
    ----------
    shared_devices : bool
        Train one set of devices below all joints (a third of the time) instead of nine networks, as the authors did.
    options
        ``epochs``, ``batch_size``, ``learning_rate``.

    Returns
    -------
    dict
        ``local``, ``cloud`` and ``overall`` accuracy, shape (3, 3, seeds): joint of the scores, joint of the maps, in
        the order of ``kinds``.  The threshold of ``overall`` has the best validation accuracy.
    """
    pairs = _shared if shared_devices else _apart
    cells = pairs(replace(design, edges=(), replicas=len(sets)), sets, seed, options)  # (3, 3, seeds, 3)
    return {"kinds": AGGREGATIONS, **{name: cells[..., k] for k, name in enumerate(("local", "cloud", "overall"))}}


def _apart(design: Design, sets: Sequence[ViewSets], seed: int, options: dict) -> np.ndarray:
    cells = np.empty((3, 3, len(sets), 3))
    for row, local in enumerate(AGGREGATIONS):
        for column, features in enumerate(AGGREGATIONS):
            trials = run_trials(replace(design, local=local, features=features), sets, seed, **options)
            cells[row, column] = [(*trial.accuracy, trial.overall(trial.threshold)) for trial in trials]
    return cells


def _shared(design: Design, sets: Sequence[ViewSets], seed: int, options: dict) -> np.ndarray:
    settings = {"epochs": 2, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE} | options
    bank = build(lambda: JointBank(design), seed)
    train(
        bank,
        side_by_side([each.train.split() for each in sets]),
        seed=seed,
        objective=bank_objective,
        after_step=clip_latent_weights,
        schedule=cooling,
        **settings,
    )
    validation = _six_logits(bank, [each.validation for each in sets])
    test = _six_logits(bank, [each.test for each in sets])
    cells = np.empty((3, 3, len(sets), 3))
    for row, column, number in np.ndindex(3, 3, len(sets)):
        chosen = [row, 3 + column]
        cells[row, column, number] = _judge(
            validation[number][chosen], sets[number].validation.targets, test[number][chosen], sets[number].test.targets
        )
    return cells


@torch.no_grad()
def _six_logits(bank: JointBank, views: Sequence) -> list[Tensor]:
    """Logits (6, samples, classes) of each replica on its own views."""
    split = side_by_side([each.split() for each in views], trim=False)
    logits = bank.eval()(split.inputs).permute(1, 2, 0, 3)  # (replicas, 6, samples, classes)
    return [each[:, : len(view)] for each, view in zip(logits, views, strict=True)]


def _judge(validation: Tensor, known: Tensor, test: Tensor, targets: Tensor) -> tuple[float, float, float]:
    scores = [decide_levels(validation, [value]).accuracy(known) for value in GRID]
    threshold = GRID[len(GRID) - 1 - int(np.argmax(scores[::-1]))]
    right = (test.argmax(dim=-1) == targets).double().mean(dim=-1)
    return float(right[0]), float(right[1]), decide_levels(test, [threshold]).accuracy(targets)
