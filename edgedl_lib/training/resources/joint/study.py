"""The chapter's runs: residuals in random cells, and learning over a radio that loses packets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData, digits_pool
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.lockstep import curves_side_by_side
from edgedl_lib.training.models import perceptron
from edgedl_lib.training.resources.joint import cell
from edgedl_lib.training.resources.joint.matching import SCHEMES, residual
from edgedl_lib.training.resources.joint.strategy import RadioAveraging
from edgedl_lib.training.task import Task

USERS, BLOCKS, ROUNDS = 15, 12, 100
TRAINING = LocalTraining(learning_rate=0.1, batch_size=None)


def random_pairs(seed: int, number: int, users: int = USERS, blocks: int = BLOCKS) -> cell.Pairs:
    """One random cell."""
    rng = np.random.default_rng([seed, number, 220])
    return cell.pairs(cell.draw_distances(users, rng), cell.draw_samples(users, rng), blocks, rng)


def residuals(seed: int, cells: int = 200) -> np.ndarray:
    """Residual of every scheme in every cell, shape (schemes, cells)."""
    found = [random_pairs(seed, number) for number in range(cells)]
    rngs = [np.random.default_rng([seed, number, 225]) for number in range(cells)]
    return np.array(
        [
            [residual(pairs, scheme(pairs, rng)) for pairs, rng in zip(found, rngs, strict=True)]
            for scheme in SCHEMES.values()
        ]
    )


def radio_task(seed: int) -> tuple[Task, np.ndarray, np.ndarray]:
    """Digits of two classes a user, 100 to 600 samples drawn with replacement; also distances (m) and sizes."""
    rng = np.random.default_rng([seed, 15])
    distance, samples = cell.draw_distances(USERS, rng), cell.draw_samples(USERS, rng)
    train, test = digits_pool(seed)
    clients = tuple(_two_classes(train, user, int(size), rng) for user, size in enumerate(samples))
    data = FederatedData("digits", clients, test, 10)
    return Task("radio", data, partial(perceptron, 64, 50, 10), TRAINING, seed=seed), distance, samples


def learning(seeds: Sequence[int], rounds: int = ROUNDS) -> tuple[np.ndarray, np.ndarray]:
    """Test loss and accuracy of every scheme, shape (schemes, seeds, rounds + 1) each."""
    runs = []
    for scheme in SCHEMES:
        for seed in seeds:
            task, distance, samples = radio_task(seed)
            settings = {"distance": distance, "samples": samples, "blocks": BLOCKS, "seed": seed}
            runs.append((task, RadioAveraging(scheme=scheme, **settings)))
    shape = (len(SCHEMES), len(seeds), rounds + 1)
    return tuple(curve.reshape(shape) for curve in curves_side_by_side(runs, rounds))


def _two_classes(train: Split, user: int, size: int, rng: np.random.Generator) -> Split:
    labels = train.targets.numpy()
    own = np.flatnonzero((labels == user % 10) | (labels == (user + 3) % 10))
    rows = torch.from_numpy(rng.choice(own, size))
    return Split(train.inputs[rows], train.targets[rows])
