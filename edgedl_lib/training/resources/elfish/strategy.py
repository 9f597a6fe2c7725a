"""Soft training on the engine: the server names a mask, the client trains inside it, the server merges by neuron."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from edgedl_lib.training.local import LocalResult, batches, mean_loss
from edgedl_lib.training.models import Arrays, load_arrays
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.elfish.masks import Rotation, contribution
from edgedl_lib.training.resources.elfish.merging import merge
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging


class SoftTraining(FederatedAveraging):
    """Federated averaging in which each device trains its volume of the hidden neurons (Xu et al. 2019 [218]).

    Parameters
    ----------
    volumes : mapping of int to float
        Volume of each client; one that is not named trains the whole network.
    neurons : int
        Of the hidden layer.
    """

    def __init__(self, *, volumes: Mapping[int, float], neurons: int, mask_seed: int = 0, **settings) -> None:
        super().__init__(**settings)
        self.rotations = {
            client: Rotation(neurons, volume, np.random.default_rng([mask_seed, client, 7]))
            for client, volume in volumes.items()
        }
        self.neurons, self.masks = neurons, {}

    def instructions(self, server_round: int, client: int) -> dict:
        """The mask of this cycle, a bit for each neuron."""
        if client not in self.rotations:
            self.masks[client] = np.ones(self.neurons, dtype=bool)
            return {}
        self.masks[client] = self.rotations[client].next_mask(contribution(perceptron.from_arrays(self._arrays)))
        return {"mask": np.packbits(self.masks[client]).tobytes()}

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Each neuron is averaged over those who trained it."""
        models = [perceptron.from_arrays(each.arrays) for each in updates]
        stacked = tuple(np.stack(parts) for parts in zip(*models, strict=True))
        masks = np.stack([self.masks[each.client] for each in updates])
        merged = merge(perceptron.from_arrays(arrays), stacked, masks, [each.examples for each in updates])
        return perceptron.to_arrays(merged)


def masked_sgd(model, arrays: Arrays, split, training, rng, *, state: dict, config: dict) -> LocalResult:
    """Client step: SGD in which masked neurons give nothing and get no gradient, the others are scaled by 1/P."""
    load_arrays(model, arrays)
    loss_before = mean_loss(model, split)
    gates = _gates(config.get("mask"), len(arrays["0.bias"]))
    parameters = [torch.from_numpy(each.copy()).requires_grad_() for each in arrays.values()]
    for rows in batches(len(split), training, rng):
        first, first_bias, second, second_bias = parameters
        hidden = torch.relu(split.inputs[rows] @ first.T + first_bias) * gates
        loss = functional.cross_entropy(hidden @ second.T + second_bias, split.targets[rows])
        with torch.no_grad():
            for each, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                each.sub_(slope, alpha=training.learning_rate)
    trained = {name: each.detach().numpy() for name, each in zip(arrays, parameters, strict=True)}
    return LocalResult(trained, len(split), {"loss_before": loss_before})


def _gates(packed: bytes | None, neurons: int) -> torch.Tensor:
    """Factor of each neuron: 0 where it is masked, 1/P elsewhere."""
    if packed is None:
        return torch.ones(neurons)
    mask = np.unpackbits(np.frombuffer(packed, np.uint8), count=neurons).astype(np.float32)
    return torch.from_numpy(mask / mask.mean())
