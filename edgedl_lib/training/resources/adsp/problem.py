"""What the workers learn: digits in equal parts, a network of one hidden layer, mini-batches drawn by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training import partition
from edgedl_lib.training.data import digits_pool
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.perceptron import Layers

WIDTHS = (64, 64, 10)
TARGET_LOSS = 0.10  # nats, on all training samples


@dataclass(frozen=True)
class Problem:
    """Learning shared by M workers.

    Attributes
    ----------
    inputs, labels, targets : ndarray, shape (n, 64), (n,) and one-hot (n, 10)
    parts : tuple of ndarray
        Sample numbers of each worker.
    learning_rate : float
    batch_size : int or None
        None takes all of a worker's samples.
    """

    inputs: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    parts: tuple[np.ndarray, ...]
    learning_rate: float
    batch_size: int | None
    seed: int

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self.parts)

    def start(self) -> Layers:
        """The model with which everybody begins."""
        return perceptron.initial_layers(WIDTHS, self.seed)

    def generators(self) -> list[np.random.Generator]:
        """One per worker: its batches do not depend on what the others do."""
        return [np.random.default_rng([self.seed, worker]) for worker in range(self.workers)]

    def batch(self, worker: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (B, 64) and one-hot targets (B, 10) of the worker's next step."""
        rows = self.parts[worker]
        if self.batch_size is not None:
            rows = rows[rng.integers(len(rows), size=self.batch_size)]
        return self.inputs[rows], self.targets[rows]

    def step(self, layers: Layers, worker: int, rng: np.random.Generator) -> Layers:
        """One step of SGD by one worker."""
        slopes = perceptron.gradient(layers, *self.batch(worker, rng))
        return perceptron.descend(layers, slopes, self.learning_rate)

    def loss(self, layers: Layers) -> float:
        """Mean cross entropy (nats) on all training samples."""
        return perceptron.loss(layers, self.inputs, self.labels)


def digits_problem(seed: int, workers: int = 3, learning_rate: float = 0.1, batch_size: int | None = 32) -> Problem:
    """1,500 digits, an equal part for each worker."""
    train, _ = digits_pool(seed)
    parts = partition.iid(len(train), workers, seed)
    labels = train.targets.numpy()
    one_hot = np.eye(WIDTHS[-1], dtype=np.float32)[labels]
    return Problem(train.inputs.numpy(), labels, one_hot, parts, learning_rate, batch_size, seed)
