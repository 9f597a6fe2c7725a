"""A dense layer that was really trained, on digits, and then pruned: it was never made of blocks."""

from __future__ import annotations

import numpy as np
from torch import nn

from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, train
from edgedl_lib.offloading.horizontal.modnn.networks import keep_largest


def trained_layer(seed: int, epochs: int = 10, share: float = 0.1) -> np.ndarray:
    """Weights (64, 64) behind the first hidden layer of a perceptron, the largest tenth of them."""
    network = build(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        ),
        seed,
    )
    train(network, digits(seed).train, epochs=epochs, seed=seed, learning_rate=3e-3)
    return keep_largest(network[3].weight.detach().numpy().astype(float), share)
