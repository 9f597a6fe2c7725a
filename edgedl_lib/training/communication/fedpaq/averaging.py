"""FedPAQ as a strategy of the federated engine, its problem, and a twin that runs many step sizes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.codecs import LowPrecision
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.local import LocalTraining, batches
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

NODES, SAMPLES, BATCH = 50, 200, 10
NOISE = 0.1  # deviation of the pixel noise
FEATURES = 65  # pixels and a constant


class FedPAQ(FederatedAveraging):
    """``nodes`` of all train ``period`` steps; the plain mean of their quantised *changes* is added to the model.

    Parameters
    ----------
    levels : int or None
        Of the low-precision quantiser; None sends changes as they are, which is federated averaging.
    """

    def __init__(self, *, nodes: int, period: int, levels: int | None, seed: int = 0) -> None:
        if period < 1:
            raise ValueError(f"period {period}: a client takes at least one step")
        upload = None if levels is None else LowPrecision(levels)
        super().__init__(clients_per_round=nodes, seed=seed, weighting="equal", upload=upload)
        self.period = period

    def instructions(self, server_round: int, client: int) -> dict:
        """The number of local steps."""
        return {"steps": self.period}


class TwoClasses(nn.Module):
    """Logistic regression with one weight per feature: scores 0 and w.x of the two classes."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Scores, shape (n, 2)."""
        score = inputs @ self.weight
        return torch.stack([torch.zeros_like(score), score], dim=1)


@dataclass(frozen=True, eq=False)
class Problem:
    """Digits 0 and 8, drawn with replacement for 50 nodes, with pixel noise.

    Attributes
    ----------
    inputs : ndarray, shape (nodes, samples, features)
    labels : ndarray, shape (nodes, samples), 0 or 1
    """

    inputs: np.ndarray
    labels: np.ndarray

    def losses(self, models: np.ndarray) -> np.ndarray:
        """Mean logistic loss, shape (runs,), of models of shape (runs, features), on a quarter of each node's data.

        The nodes' samples are drawn alike, so that the first quarter of each is as good as all and four times as fast.
        """
        some = self.inputs.shape[1] // 4
        scores = self.inputs[:, :some].reshape(-1, self.inputs.shape[2]) @ models.T
        log_odds = np.maximum(scores, 0) + np.log1p(np.exp(-np.abs(scores)))
        return (log_odds - self.labels[:, :some].reshape(-1, 1) * scores).mean(axis=0)

    def task(self, step: float, seed: int) -> Task:
        """The same for the engine."""
        splits = tuple(
            Split(torch.from_numpy(inputs).float(), torch.from_numpy(labels))
            for inputs, labels in zip(self.inputs, self.labels, strict=True)
        )
        data = FederatedData("digits 0 and 8", splits, splits[0], 2)
        training = LocalTraining(learning_rate=step, batch_size=BATCH)
        return Task(data.name, data, partial(TwoClasses, self.inputs.shape[2]), training, seed)


@lru_cache(maxsize=8)
def zeros_and_eights(seed: int, nodes: int = NODES, samples: int = SAMPLES) -> Problem:
    """The problem of the first experiment, small: IID nodes."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(np.isin(bunch.target, (0, 8)))
    rows = rng.choice(known, (nodes, samples))
    pixels = bunch.data[rows] / 16 + NOISE * rng.standard_normal((nodes, samples, 64))
    inputs = np.concatenate([pixels, np.ones((nodes, samples, 1))], axis=2)
    return Problem(inputs, (bunch.target[rows] == 8).astype(np.int64))


def quantised(changes: np.ndarray, levels: int, uniforms: np.ndarray) -> np.ndarray:
    """What `LowPrecision` decodes of many vectors at once: norm, sign and a level drawn so that the mean is right.

    Parameters
    ----------
    changes : ndarray, shape (..., p)
    uniforms : ndarray, shape (..., p)
        In [0, 1): the level is rounded up where they lie below its fraction.
    """
    norm = np.linalg.norm(changes, axis=-1, keepdims=True)
    scaled = np.abs(changes) / np.where(norm > 0, norm, 1) * levels
    low = np.floor(scaled)
    return np.sign(changes) * (low + (uniforms < scaled - low)) * norm / levels


def averaged_rounds(
    problem: Problem,
    steps: Sequence[float],
    *,
    period: int,
    nodes: int,
    levels: int | None,
    iterations: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """FedPAQ with each step size at once, on the same nodes, batches and coins as the engine with that seed.

    Returns
    -------
    losses : ndarray, shape (rounds + 1, step sizes)
        Training loss before the first round and after each.
    models : ndarray, shape (step sizes, features)
    """
    rates = np.asarray(steps, dtype=float)[:, None, None]
    models = np.zeros((len(steps), problem.inputs.shape[2]))
    losses = [problem.losses(models)]
    local = LocalTraining(batch_size=BATCH, steps=period)
    for number in range(1, iterations // period + 1):
        chosen = np.sort(np.random.default_rng([seed, number]).choice(len(problem.inputs), nodes, replace=False))
        rngs = [np.random.default_rng([seed, number, node]) for node in chosen]
        rows = np.array([list(batches(problem.inputs.shape[1], local, rng)) for rng in rngs])  # (nodes, period, batch)
        own = np.repeat(models[:, None], nodes, axis=1)  # (step sizes, nodes, features)
        for index in range(period):
            own = own - rates * _gradients(problem, chosen, rows[:, index], own)
        changes = own - models[:, None]
        if levels is not None:
            changes = quantised(changes, levels, np.stack([rng.random(changes.shape[2]) for rng in rngs]))
        models = models + changes.mean(axis=1)
        losses.append(problem.losses(models))
    return np.array(losses), models


def _gradients(problem: Problem, nodes: np.ndarray, rows: np.ndarray, models: np.ndarray) -> np.ndarray:
    """Gradient of each node's mini-batch at its own models, shape (step sizes, nodes, features)."""
    inputs = problem.inputs[nodes[:, None], rows]  # (nodes, batch, features)
    scores = np.einsum("nbf,snf->snb", inputs, models, optimize=True)
    errors = 1 / (1 + np.exp(-np.clip(scores, -500, 500))) - problem.labels[nodes[:, None], rows]
    return np.einsum("snb,nbf->snf", errors, inputs, optimize=True) / rows.shape[1]
