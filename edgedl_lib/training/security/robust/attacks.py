"""Two poisonings of a federated round, and how far each stands from the honest models.

``flip`` trains on labels c -> classes - 1 - c: data poisoning, as the text of Xie et al. 2019 [201] has it.
``reinitialise`` also throws the received model away and starts from a random one, as their released code does: what
comes back is another network, and an average with another network is none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays

ATTACKS = ("none", "flip", "reinitialise")


def poison(arrays: Arrays, split: Split, attack: str, classes: int, rng: np.random.Generator) -> tuple[Arrays, Split]:
    """Model and data that an attacker puts in the place of its own; ``"none"`` changes nothing.

    Raises
    ------
    ValueError
        An unknown attack.
    """
    if attack not in ATTACKS:
        raise ValueError(f"unknown attack {attack!r}; choose {', '.join(ATTACKS)}")
    if attack == "none":
        return arrays, split
    flipped = replace(split, targets=classes - 1 - split.targets)
    return (arrays if attack == "flip" else another_model(arrays, rng)), flipped


def another_model(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    """Fresh random weights of the same shapes: uniform within one over the square root of a neuron's inputs.

    That is how PyTorch starts linear and convolutional layers; a bias follows its weight.
    """
    fresh, bound = {}, 1.0
    for name, values in arrays.items():
        if values.ndim > 1:
            bound = 1 / np.sqrt(values[0].size)
        fresh[name] = rng.uniform(-bound, bound, values.shape).astype(values.dtype)
    return fresh


def poisonable_sgd(
    model: nn.Module,
    arrays: Arrays,
    split: Split,
    training: LocalTraining,
    rng: np.random.Generator,
    *,
    state: dict,
    config: dict,
) -> LocalResult:
    """A client step that obeys ``config["attack"]``: devices of the study are honest until told not to be."""
    attack = str(config.get("attack", "none"))
    arrays, split = poison(arrays, split, attack, int(config.get("classes", 10)), rng)
    return local_sgd(model, arrays, split, training, rng)


def relative_distance(honest: np.ndarray, poisoned: np.ndarray) -> np.ndarray:
    """Distance of poisoned models from the honest mean, over the median distance of honest ones.

    Parameters
    ----------
    honest : ndarray, shape (h, d)
    poisoned : ndarray, shape (q, d)

    Returns
    -------
    ndarray, shape (q,)
        About 1 for an attacker that hides among the honest.
    """
    centre = honest.mean(0)
    usual = np.median(np.linalg.norm(honest - centre, axis=1))
    if usual == 0:
        raise ValueError("all honest models are equal: there is no usual distance to compare with")
    return np.linalg.norm(poisoned - centre, axis=1) / usual
