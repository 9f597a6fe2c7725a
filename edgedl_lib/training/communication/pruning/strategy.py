"""PruneFL on the federated engine: clients train within masks and report squared gradients, the server adjusts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from edgedl_lib.training.communication.pruning.selection import adjust
from edgedl_lib.training.communication.pruning.training import Clock
from edgedl_lib.training.local import LocalResult, batches, mean_loss
from edgedl_lib.training.models import Arrays, load_arrays, to_arrays
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging, weighted_mean

SQUARES = "squares."  # prefix of the arrays that hold a client's squared sums of gradients


def masked_step(model, arrays: Arrays, split, training, rng, *, state=None, config=None) -> LocalResult:
    """Local SGD that leaves pruned weights at zero, and reports the squared sum of each weight's gradients.

    `config` holds the names of the prunable matrices, joined by commas, and their masks, one bit a weight.
    """
    load_arrays(model, arrays)
    metrics = {"loss_before": mean_loss(model, split)}
    parameters = dict(model.named_parameters())
    sums = {name: torch.zeros_like(each) for name, each in parameters.items()}
    limits = _unpacked(config["prunable"].split(","), config["masks"], parameters)
    model.train()
    for rows in batches(len(split), training, rng):
        chosen = torch.from_numpy(rows)
        loss = functional.cross_entropy(model(split.inputs[chosen]), split.targets[chosen])
        found = torch.autograd.grad(loss, list(parameters.values()))
        with torch.no_grad():
            for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
                sums[name] += gradient
                parameter.sub_(gradient * limits.get(name, 1.0), alpha=training.learning_rate)
    squares = {SQUARES + name: each.square().numpy() for name, each in sums.items()}
    return LocalResult({**to_arrays(model), **squares}, len(split), metrics)


def _unpacked(names: list[str], packed: bytes, parameters) -> dict[str, torch.Tensor]:
    bits, place, found = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(np.float32), 0, {}
    for name in names:
        shape = tuple(parameters[name].shape)
        found[name] = torch.from_numpy(bits[place : place + np.prod(shape)].reshape(shape))
        place += int(np.prod(shape))
    return found


class PruneFL(FederatedAveraging):
    """Federated averaging whose model shrinks and grows; use it with :func:`masked_step`.

    A client's answer holds its weights and, beside them, an array ``squares.<name>`` for each.

    Parameters
    ----------
    masks : dict of str to numpy.ndarray
        First mask of each prunable matrix, by name.
    interval : int
        Rounds between two adjustments; 0 keeps the masks.
    """

    def __init__(self, *, masks: dict[str, np.ndarray], interval: int = 10, clock: Clock | None = None, **settings):
        super().__init__(**settings)
        self.masks, self.interval, self.clock = dict(masks), interval, clock or Clock()
        self._collected: dict[str, np.ndarray] = {}

    def instructions(self, server_round: int, client: int) -> dict:
        """The masks, one bit a weight."""
        bits = np.concatenate([mask.ravel() for mask in self.masks.values()])
        return {"prunable": ",".join(self.masks), "masks": np.packbits(bits).tobytes()}

    def outgoing(self, server_round: int, client: int, arrays: Arrays) -> Arrays:
        """The weights within the masks."""
        return {name: self._masked(name, values) for name, values in arrays.items()}

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """As federated averaging, for weights and squares."""
        weights = {name: values for name, values in update.arrays.items() if not name.startswith(SQUARES)}
        squares = {name.removeprefix(SQUARES): update.arrays[name] for name in update.arrays.keys() - weights.keys()}
        super().inspect(replace(update, arrays=weights), arrays)
        super().inspect(replace(update, arrays=squares), {name: arrays[name] for name in squares})

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Mean of weights and squares; every so many rounds new masks."""
        mean = weighted_mean([each.arrays for each in updates], [each.examples for each in updates])
        weights = {name: mean[name] for name in arrays}
        for name in mean.keys() - weights.keys():
            self._collected[name] = self._collected.get(name, 0.0) + mean[name]
        if self.interval and server_round % self.interval == 0:
            self._adjust(weights, server_round)
        return {name: self._masked(name, values) for name, values in weights.items()}

    def _adjust(self, mean: Arrays, server_round: int) -> None:
        names = list(self.masks)
        rest = [name for name in mean if name not in self.masks]
        found = adjust(
            [mean[name] for name in names],
            [self.masks[name] for name in names],
            [self._collected[SQUARES + name] for name in names],
            [self.clock.per_weight] * len(names),
            self.clock.seconds(sum(mean[name].size for name in rest)),
            float(sum(self._collected[SQUARES + name].sum() for name in rest)),
            server_round,
        )
        self.masks, self._collected = dict(zip(names, found, strict=True)), {}

    def _masked(self, name: str, values: np.ndarray) -> np.ndarray:
        return values * self.masks[name].astype(values.dtype) if name in self.masks else values
