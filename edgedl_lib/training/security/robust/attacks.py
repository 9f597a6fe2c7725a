"""Two poisonings of a federated round, and how far each stands from the honest models.

``flip`` trains on labels c -> classes - 1 - c: data poisoning, as the text of Xie et al. 2019 [201] has it.
``reinitialise`` also throws the received model away and starts from a random one, as their released code does: what
comes back is another network, and an average with another network is none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays, to_arrays

ATTACKS = ("none", "flip", "reinitialise")


def poison(
    model: nn.Module, arrays: Arrays, split: Split, attack: str, classes: int, rng: np.random.Generator
) -> tuple[Arrays, Split]:
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
    return (arrays if attack == "flip" else another_model(model, rng)), flipped


def another_model(model: nn.Module, rng: np.random.Generator) -> Arrays:
    """Fresh random weights of the same architecture; the global generator of PyTorch is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        for layer in model.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    return to_arrays(model)


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
    arrays, split = poison(model, arrays, split, attack, int(config.get("classes", 10)), rng)
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
