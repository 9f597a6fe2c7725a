"""Does balanced pruning cost accuracy?  A small character LSTM, pruned both ways and retrained (Han et al. 2017 [145]).

The text comes from a random second-order Markov source, so the loss has a known floor and needs memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from edgedl_lib.offloading.platform.load_balance import balance_study, prune, prune_balanced

SYMBOLS = 12
ELEMENTS = 32
BATCH, LENGTH = 32, 16
#: Matrices that are pruned; biases, embedding and output layer are not.
PRUNED = ("weight_ih_l0", "weight_hh_l0")


@dataclass(frozen=True)
class TaskStudy:
    """Cross-entropy in nats on unseen text, dense and pruned both ways, and the trained recurrent matrices.

    Attributes
    ----------
    dense_loss, plain_loss, balanced_loss : float
    weights : numpy.ndarray, shape (4 hidden, hidden + hidden)
        Trained input and recurrent weights of the four gates.
    """

    dense_loss: float
    plain_loss: float
    balanced_loss: float
    weights: np.ndarray

    @property
    def loss_difference(self) -> float:
        """Balanced over plain loss, in percent above one."""
        return 100 * (self.balanced_loss / self.plain_loss - 1)

    def balance_rows(self, density: float = 0.1):
        """Both prunings of the trained weights for N = 8, 16, 32."""
        return balance_study(self.weights, density)


class CharacterModel(nn.Module):
    """Embedding, one LSTM layer, linear output: the next symbol of a text."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.output = nn.Linear(hidden, SYMBOLS)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """Scores of the next symbol, (batch, length, symbols), of symbols (batch, length)."""
        return self.output(self.lstm(self.embedding(text))[0])

    def loss(self, text: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of predicting each symbol from those before it."""
        return nn.functional.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


def markov_text(count: int, length: int, seed: int) -> torch.Tensor:
    """Texts of a random second-order source, shape (count, length); the source itself is the same for every seed."""
    source = np.random.default_rng(20170222).dirichlet(np.full(SYMBOLS, 0.15), (SYMBOLS, SYMBOLS)).cumsum(axis=-1)
    generator = np.random.default_rng(seed)
    text = generator.integers(0, SYMBOLS, (count, length))
    for position in range(2, length):
        rows = source[text[:, position - 2], text[:, position - 1]]  # (count, symbols)
        drawn = (generator.random((count, 1)) > rows).sum(axis=1)
        text[:, position] = np.minimum(drawn, SYMBOLS - 1)
    return torch.from_numpy(text)


def train(
    network: CharacterModel,
    text: torch.Tensor,
    steps: int,
    rate: float,
    masks: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Adam steps on batches of texts in turn; masked weights stay zero."""
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    _apply(network, masks)
    for step in range(steps):
        start = BATCH * step % len(text)
        optimiser.zero_grad()
        network.loss(text[start : start + BATCH]).backward()
        optimiser.step()
        _apply(network, masks)  # Adam's moments would revive a pruned weight


def task_study(
    seed: int = 0, hidden: int = 128, density: float = 0.1, steps: int = 100, retraining: int = 50
) -> TaskStudy:
    """Train, prune plainly and with balance for 32 elements, retrain both, and compare on unseen text.

    Parameters
    ----------
    seed : int
    hidden : int
        Cells; the four gates' rows must be divisible by 32.
    density : float
    steps, retraining : int
        Optimiser steps before and after pruning.
    """
    text, unseen = markov_text(BATCH * 24, LENGTH, seed), markov_text(256, LENGTH, seed + 1)
    torch.manual_seed(seed)
    network = CharacterModel(hidden)
    train(network, text, steps, rate=1e-2)
    trained = {name: value.clone() for name, value in network.state_dict().items()}
    weights = [getattr(network.lstm, name).detach().numpy().copy() for name in PRUNED]
    losses = [_loss(network, unseen)]
    for cut in (lambda w: prune(w, density), lambda w: prune_balanced(w, density, ELEMENTS)):
        network.load_state_dict(trained)
        masks = {name: torch.from_numpy(cut(w)) for name, w in zip(PRUNED, weights, strict=True)}
        train(network, text, retraining, rate=3e-3, masks=masks)
        losses.append(_loss(network, unseen))
    return TaskStudy(*losses, weights=np.hstack(weights))


def _apply(network: CharacterModel, masks: Mapping[str, torch.Tensor] | None) -> None:
    with torch.no_grad():
        for name, mask in (masks or {}).items():
            getattr(network.lstm, name).mul_(mask)


def _loss(network: CharacterModel, text: torch.Tensor) -> float:
    with torch.no_grad():
        return float(network.loss(text))
