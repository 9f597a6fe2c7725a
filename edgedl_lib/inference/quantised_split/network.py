"""A small digit classifier to split: four conv-BN-ReLU groups, two pools, two dense layers, trained in seconds.

It is shaped like AlexNet where that matters for splitting: pooling shrinks the maps below the size of the image, and
the dense layers hold nearly all weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.torch_model import TorchModel, to_torch

FILTERS = (6, 6, 12, 4)
HIDDEN = 2048
CLASSES = 10
TRAINING_IMAGES, VALIDATION_IMAGES = 1000, 300
BATCH, LEARNING_RATE = 50, 3e-3


@dataclass(frozen=True)
class Split:
    """Images (n, 1, 8, 8) in [0, 1] on 17 grey levels, and their labels (n,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Digits:
    """Three disjoint parts: weights come from `training`, ranges and the tuner's choice from `validation` alone."""

    training: Split
    validation: Split
    test: Split


def load_splits(seed: int) -> Digits:
    """scikit-learn's 1,797 digits, shuffled by `seed` into 1000 / 300 / 497."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    images = torch.from_numpy(digits.images[order, None] / 16).to(torch.float32)
    labels = torch.from_numpy(digits.target[order])
    ends = (0, TRAINING_IMAGES, TRAINING_IMAGES + VALIDATION_IMAGES, len(order))
    return Digits(*(Split(images[a:b], labels[a:b]) for a, b in zip(ends, ends[1:], strict=False)))


def digits_graph() -> LayerGraph:
    """Layer graph of the network; 17 layers, hence 18 cuts.

    >>> graph = digits_graph()
    >>> len(graph), graph["pool2"].output_shape
    (17, (4, 2, 2))
    """
    net = ModelBuilder("digits", (1, 8, 8))
    for group, filters in enumerate(FILTERS, start=1):
        net.conv(f"conv{group}", filters, kernel=3, padding=1, bias=False)
        net.batch_norm(f"bn{group}")
        net.relu(f"relu{group}")
        if group % 2 == 0:
            net.max_pool(f"pool{group // 2}", kernel=2, stride=2)
    net.dense("fc1", HIDDEN)
    net.relu("relu5")
    net.dense("fc2", CLASSES)
    return net.graph()


def train_network(training: Split, seed: int, epochs: int = 20) -> TorchModel:
    """Train with Adam; the same seed gives the same weights bit for bit (on one thread).

    The global generator of PyTorch is left as it was found.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = to_torch(digits_graph(), seed).requires_grad_(True).train()
        optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        for _ in range(epochs):
            for rows in torch.randperm(len(training.labels)).split(BATCH):
                optimiser.zero_grad()
                loss = nn.functional.cross_entropy(network(training.images[rows]), training.labels[rows])
                loss.backward()
                optimiser.step()
    return network.eval().requires_grad_(False)
