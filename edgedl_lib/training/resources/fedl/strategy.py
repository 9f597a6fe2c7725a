"""FEDL on the federated engine: one client step and the steps of the strategy in which it differs from averaging."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.local import LocalResult, LocalTraining, mean_loss
from edgedl_lib.training.models import Arrays, flatten, load_arrays, to_arrays, unflatten
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging, weighted_mean

PREFIX = "gradient of "  # a client sends its model and, under these names, its gradient there


def surrogate_step(
    model: nn.Module,
    arrays: Arrays,
    split: Split,
    training: LocalTraining,
    rng: np.random.Generator,
    *,
    state: dict,
    config: dict,
) -> LocalResult:
    """Full-batch steps on the surrogate; plain descent while the server has no global gradient yet.

    ``config`` holds ``eta`` and, from the second round on, ``global-gradient`` (float32, in the order of the names).
    """
    load_arrays(model, arrays)
    metrics = {"loss_before": mean_loss(model, split)}
    correction = None
    if "global-gradient" in config:
        pulled = unflatten(np.frombuffer(config["global-gradient"], np.float32), arrays)
        received = _gradient(model, split)
        correction = [
            float(config["eta"]) * torch.from_numpy(pulled[name].copy()) - own
            for name, own in zip(arrays, received, strict=True)
        ]
    for _ in range(training.steps or training.epochs):
        slopes = _gradient(model, split)
        _move(model, slopes if correction is None else map(torch.add, slopes, correction), training.learning_rate)
    ends = {PREFIX + name: slope.numpy() for name, slope in zip(arrays, _gradient(model, split), strict=True)}
    return LocalResult(to_arrays(model) | ends, len(split), metrics)


class Fedl(FederatedAveraging):
    """FEDL: averages models and gradients, and hands the mean gradient out with the next model.

    Parameters
    ----------
    eta : float
        The hyper-learning rate; at 0 nothing moves after the first round.
    """

    def __init__(self, *, eta: float, **settings) -> None:
        super().__init__(**settings)
        if not (np.isfinite(eta) and eta >= 0):
            raise ValueError(f"eta {eta} must be a finite number that is not negative")
        self.eta, self._global_gradient = eta, None

    def instructions(self, server_round: int, client: int) -> dict:
        """The hyper-learning rate, and the mean gradient of the round before."""
        if self._global_gradient is None:
            return {"eta": self.eta}
        return {"eta": self.eta, "global-gradient": self._global_gradient.astype(np.float32).tobytes()}

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """Both halves must be sound."""
        weights, slopes = _halves(update.arrays)
        super().inspect(replace(update, arrays=weights), arrays)
        super().inspect(replace(update, arrays=slopes), arrays)

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Means of both, weighted by samples."""
        sizes = [update.examples for update in updates]
        weights, slopes = zip(*(_halves(update.arrays) for update in updates), strict=True)
        self._global_gradient = flatten(weighted_mean(list(slopes), sizes))
        return weighted_mean(list(weights), sizes)


def _halves(arrays: Arrays) -> tuple[Arrays, Arrays]:
    slopes = {name.removeprefix(PREFIX): values for name, values in arrays.items() if name.startswith(PREFIX)}
    return {name: values for name, values in arrays.items() if not name.startswith(PREFIX)}, slopes


def _gradient(model: nn.Module, split: Split) -> tuple[torch.Tensor, ...]:
    loss = functional.cross_entropy(model(split.inputs), split.targets)
    return torch.autograd.grad(loss, list(model.parameters()))


@torch.no_grad()
def _move(model: nn.Module, slopes, rate: float) -> None:
    for parameter, slope in zip(model.parameters(), slopes, strict=True):
        parameter.sub_(slope, alpha=rate)
