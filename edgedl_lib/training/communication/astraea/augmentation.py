"""Copies of rare classes: how many, and what is changed in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData

SIDE = 8  # pixels of a digit
SHIFTS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0))


def extra_copies(class_counts: np.ndarray, strength: float) -> np.ndarray:
    """Extra copies of one sample of each class: (mean / C_y)^alpha - 1 below the mean, else none; absent classes none.

    >>> extra_copies(np.array([30, 10, 20]), 1.0).tolist()
    [0.0, 1.0, 0.0]
    """
    if not 0 <= strength <= 1:
        raise ValueError(
            f"strength {strength} must lie in [0, 1]; 0 augments nothing, 1 brings every class to the mean"
        )
    counts = np.asarray(class_counts, dtype=float)
    rare = (counts > 0) & (counts < counts.mean())
    return np.where(rare, (counts.mean() / np.where(rare, counts, 1.0)) ** strength - 1, 0.0)


def augmented(data: FederatedData, strength: float, seed: int) -> FederatedData:
    """Every client copies its own samples of rare classes, shifted by one pixel; the test set stays as it is.

    A fraction of a copy is made with that probability.
    """
    copies = extra_copies(data.label_counts().sum(axis=0), strength)
    clients = (
        _with_copies(split, copies, np.random.default_rng([seed, client])) for client, split in enumerate(data.clients)
    )
    return replace(data, clients=tuple(clients))


def _with_copies(split: Split, copies: np.ndarray, rng: np.random.Generator) -> Split:
    wanted = copies[split.targets.numpy()]
    times = np.floor(wanted + rng.random(len(wanted))).astype(int)
    rows = torch.from_numpy(np.repeat(np.arange(len(split)), times))
    if not len(rows):
        return split
    images = split.inputs[rows].reshape(-1, SIDE, SIDE)
    moved = torch.stack([shifted(image, *SHIFTS[int(rng.integers(len(SHIFTS)))]) for image in images])
    return Split(torch.cat([split.inputs, moved.flatten(1)]), torch.cat([split.targets, split.targets[rows]]))


def shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """The image of shape (side, side), moved; zeros come in from the border."""
    moved = torch.zeros_like(image)
    source = [slice(max(0, -step), min(SIDE, SIDE - step)) for step in (down, right)]
    target = [slice(max(0, step), min(SIDE, SIDE + step)) for step in (down, right)]
    moved[tuple(target)] = image[tuple(source)]
    return moved
