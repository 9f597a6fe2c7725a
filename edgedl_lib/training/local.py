"""What one client does: mini-batch SGD on its own data, from the model it was sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.models import Arrays, load_arrays, to_arrays


@dataclass(frozen=True)
class LocalTraining:
    """How a client trains.

    Attributes
    ----------
    learning_rate : float
    epochs : int
        Passes over the local data.
    batch_size : int or None
        None takes all local data as one batch.
    steps : int or None
        Train this many SGD steps instead of whole epochs.
    momentum, weight_decay : float
        The momentum starts at zero in every round.
    """

    learning_rate: float = 0.1
    epochs: int = 1
    batch_size: int | None = 10
    steps: int | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.learning_rate) or self.learning_rate < 0:
            raise ValueError(f"learning_rate {self.learning_rate} must be a finite number that is not negative")
        for name in ("epochs", "batch_size", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} {value} must be at least 1")
        if not 0 <= self.momentum < 1 or self.weight_decay < 0:
            raise ValueError(
                f"momentum {self.momentum} must lie in [0, 1), weight_decay {self.weight_decay} not below 0"
            )

    def changed(self, config: dict) -> "LocalTraining":
        """With the entries of a server's instruction that have the name of an attribute."""
        asked = {each.name: config[each.name] for each in fields(self) if each.name in config}
        return replace(self, **asked) if asked else self


@dataclass(frozen=True)
class LocalResult:
    """What a client hands back.

    Attributes
    ----------
    arrays : Arrays
        Its model after training.
    examples : int
        Size of its data, the weight of the average.
    metrics : dict of str to float
        Always "loss_before": mean loss of the received model on all local data (nats).
    """

    arrays: Arrays
    examples: int
    metrics: dict[str, float]


def local_sgd(
    model: nn.Module,
    arrays: Arrays,
    split: Split,
    training: LocalTraining,
    rng: np.random.Generator,
    *,
    state: dict | None = None,
    config: dict | None = None,
) -> LocalResult:
    """ClientUpdate of McMahan et al. 2017 [198]: E epochs of SGD with mini-batches of B samples.

    Parameters
    ----------
    model : nn.Module
        Room to train in; its weights are overwritten.
    arrays : Arrays
        What the server sent.
    rng : numpy.random.Generator
        Of the order of the samples, and of dropout if the model has any.
    state, config : dict
        What this client keeps over rounds and what the server asks for; plain SGD needs neither.
    """
    load_arrays(model, arrays)
    metrics = {"loss_before": mean_loss(model, split)}
    parameters = [each for each in model.parameters() if each.requires_grad]
    velocity = [torch.zeros_like(each) for each in parameters] if training.momentum else None
    model.train()
    with _seeded(model, rng):
        for rows in batches(len(split), training, rng):
            inputs, targets = _rows(split, rows)
            loss = functional.cross_entropy(model(inputs), targets)
            _step(parameters, torch.autograd.grad(loss, parameters), training, velocity)
    return LocalResult(to_arrays(model), len(split), metrics)


def batches(count: int, training: LocalTraining, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Sample numbers of each step: every epoch visits all samples once, in a new order; the last batch may be small.

    Examples
    --------
    >>> [len(rows) for rows in batches(7, LocalTraining(epochs=2, batch_size=3), np.random.default_rng(0))]
    [3, 3, 1, 3, 3, 1]
    """
    size = count if training.batch_size is None else min(training.batch_size, count)
    per_epoch = -(-count // size)
    total = training.epochs * per_epoch if training.steps is None else training.steps
    for step in range(total):
        position = step % per_epoch
        if position == 0:
            order = np.arange(count) if size == count else rng.permutation(count)
        yield order[position * size : (position + 1) * size]


@torch.no_grad()
def mean_loss(model: nn.Module, split: Split) -> float:
    """Mean cross entropy (nats) of the model on the split, in evaluation mode."""
    model.eval()
    return float(functional.cross_entropy(model(split.inputs), split.targets))


def _rows(split: Split, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    if len(rows) == len(split):
        return split.inputs, split.targets  # one batch holds all: its order does not matter
    chosen = torch.from_numpy(rows)
    return split.inputs.index_select(0, chosen), split.targets.index_select(0, chosen)


@torch.no_grad()
def _step(parameters, gradients, training: LocalTraining, velocity) -> None:
    for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        if training.weight_decay:
            gradient = gradient + training.weight_decay * parameter
        if velocity is not None:
            gradient = velocity[index].mul_(training.momentum).add_(gradient)
        parameter.sub_(gradient, alpha=training.learning_rate)


@contextmanager
def _seeded(model: nn.Module, rng: np.random.Generator):
    """Dropout draws from PyTorch's global generator: seed it from ours, and give it back as it was."""
    if not any(isinstance(module, nn.modules.dropout._DropoutNd) for module in model.modules()):
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        yield
