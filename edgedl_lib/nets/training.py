"""One seeded training loop for every model of the book: plain, masked, quantised, distilled or with several exits.

What varies is given as two functions: the ``objective`` (what is minimised) and ``after_step`` (what is restored after
each step, a pruning mask for instance).  A run depends on its arguments alone, on one thread bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.weight_cache import cached_file, restore, store

Objective = Callable[[nn.Module, Tensor, Tensor], Tensor]

OPTIMISERS = {
    "adam": lambda parameters, rate, decay: torch.optim.Adam(parameters, rate, weight_decay=decay, fused=True),
    "sgd": lambda parameters, rate, decay: torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay),
}


@dataclass(frozen=True)
class TrainingHistory:
    """What happened during one training.

    Attributes
    ----------
    loss : ndarray, shape (epochs run,)
        Mean objective per epoch.
    validation_accuracy : ndarray, shape (epochs run,)
        Empty without a validation split.
    steps : int
        Optimiser steps.
    """

    loss: np.ndarray
    validation_accuracy: np.ndarray
    steps: int

    @property
    def best_epoch(self) -> int:
        """Index of the first epoch with the highest validation accuracy."""
        return int(self.validation_accuracy.argmax())


def cross_entropy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean softmax cross entropy (nats) of the model's logits; targets are labels or probabilities."""
    return functional.cross_entropy(model(inputs), targets)


def build(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a model whose random weights depend on ``seed`` alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def train(
    model: nn.Module,
    split: Split,
    *,
    epochs: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    objective: Objective = cross_entropy,
    after_step: Callable[[nn.Module], None] | None = None,
    validation: Split | None = None,
    patience: int | None = None,
    optimiser: str = "adam",
    weight_decay: float = 0.0,
    schedule: Callable[[float], float] | None = None,
    progress: bool = False,
    cache: Path | None = None,
) -> TrainingHistory:
    """Train a model in place and leave it in evaluation mode.

    Parameters
    ----------
    epochs, batch_size : int
        Each epoch visits all samples once, in an order drawn from ``seed``.
    seed : int
        Of the order of the samples and of dropout or stochastic weights.
    objective : callable
        ``objective(model, inputs, targets)`` returns the scalar to minimise.
    after_step : callable, optional
        ``after_step(model)`` runs after each optimiser step, without gradients.
    validation : Split, optional
        Its accuracy is recorded after each epoch; the model must return logits.
    patience : int, optional
        Stop after this many epochs without a better validation accuracy, and restore the best weights.
    schedule : callable, optional
        Factor of the learning rate as a function of the share of steps done, in [0, 1).
    progress : bool
        Show a progress bar while running; it leaves nothing behind.
    cache : Path, optional
        Folder of trained weights, named by a hash of everything that decides the result.

    Raises
    ------
    ValueError
        An unknown optimiser, no epochs, patience without a validation split, inputs with NaN, or a loss that is not
        finite.
    """
    _check_request(model, split, epochs, batch_size, optimiser, patience, validation)
    settings = {"objective": objective, "after_step": after_step, "learning_rate": learning_rate}
    settings |= {"optimiser": optimiser, "weight_decay": weight_decay, "schedule": schedule}
    length = {"epochs": epochs, "batch_size": batch_size, "validation": validation, "patience": patience}
    kept = cache and cached_file(cache, model, split, {"seed": seed, **settings, **length})
    if kept and kept.exists():
        return TrainingHistory(*restore(model, kept))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        history = _Run(model, split, **settings).all_epochs(**length, progress=progress)
    model.eval()
    if kept:
        store(model, (history.loss, history.validation_accuracy, history.steps), kept)
    return history


class _Run:
    """The state of one training: model, optimiser, losses so far."""

    def __init__(self, model, split, *, objective, after_step, learning_rate, optimiser, weight_decay, schedule):
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.model, self.split, self.objective, self.after_step = model, split, objective, after_step
        self.optimiser = OPTIMISERS[optimiser](trained, learning_rate, weight_decay)
        self.learning_rate, self.schedule, self.steps = learning_rate, schedule, 0

    def all_epochs(self, *, epochs, batch_size, validation, patience, progress) -> TrainingHistory:
        losses, accuracies, best = [], [], None
        self.total_steps = epochs * -(-len(self.split) // batch_size)
        for _ in _shown(range(epochs), progress):
            losses.append(self.one_epoch(batch_size))
            if validation is None:
                continue
            accuracies.append(accuracy(self.model, validation))
            if patience is not None and accuracies[-1] == max(accuracies) > max(accuracies[:-1], default=-1):
                best = {name: value.clone() for name, value in self.model.state_dict().items()}
            if patience is not None and len(accuracies) - 1 - int(np.argmax(accuracies)) >= patience:
                break
        if best is not None:
            self.model.load_state_dict(best)
        return TrainingHistory(np.array(losses), np.array(accuracies), self.steps)

    def one_epoch(self, batch_size: int) -> float:
        self.model.train()
        total = 0.0
        for rows in torch.randperm(len(self.split)).split(batch_size):
            total += len(rows) * self.one_step(self.split.inputs[rows], self.split.targets[rows])
        return total / len(self.split)

    def one_step(self, inputs: Tensor, targets: Tensor) -> float:
        if self.schedule is not None:
            for group in self.optimiser.param_groups:
                group["lr"] = self.learning_rate * self.schedule(self.steps / self.total_steps)
        loss = self.objective(self.model, inputs, targets)
        if not torch.isfinite(loss):
            raise ValueError(
                f"the loss is {loss.item()} at step {self.steps}; lower the learning rate or check the data"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step(self.model)
        return loss.item()


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor, batch_size: int = 1024) -> Tensor:
    """Logits of every input, shape (n, classes), in evaluation mode; the model's mode is left as it was."""
    if torch.isnan(inputs).any():
        raise ValueError(f"{int(torch.isnan(inputs).sum())} of the inputs are NaN; clean the data before predicting")
    training = model.training
    model.eval()
    try:
        return torch.cat([model(batch) for batch in inputs.split(batch_size)])
    finally:
        model.train(training)


def accuracy(model: nn.Module, split: Split) -> float:
    """Share of samples whose largest logit is that of their label, in [0, 1]."""
    return float((predict(model, split.inputs).argmax(dim=1) == split.targets).double().mean())


def error(model: nn.Module, split: Split) -> float:
    """Share of wrong answers, in percent."""
    return 100 * (1 - accuracy(model, split))


def _check_request(model, split, epochs, batch_size, optimiser, patience, validation) -> None:
    if optimiser not in OPTIMISERS:
        raise ValueError(f"unknown optimiser {optimiser!r}; choose one of {', '.join(OPTIMISERS)}")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs {epochs} and batch_size {batch_size} must be at least 1")
    if patience is not None and validation is None:
        raise ValueError("early stopping needs a validation split: give validation=..., or leave patience out")
    if torch.isnan(split.inputs).any():
        raise ValueError("the training inputs hold NaN; clean the data before training")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("the model has no parameter that may change; call requires_grad_(True) first")


def _shown(epochs: range, progress: bool):
    if not progress:
        return epochs
    from tqdm.auto import tqdm

    return tqdm(epochs, desc="epochs", leave=False)
