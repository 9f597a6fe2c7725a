"""Small networks with every awkwardness of strips, and dense layers that are sparse in blocks."""

from __future__ import annotations

import numpy as np

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def small_vgg(height: int = 64, width: int = 64) -> LayerGraph:
    """Three stages of two 3x3 convolutions and a pool, as VGG-16 in small."""
    net = ModelBuilder("small VGG", (3, height, width))
    for stage, filters in enumerate((8, 16, 16), start=1):
        for index in (1, 2):
            net.conv(f"conv{stage}_{index}", filters, kernel=3, padding=1)
            net.relu(f"relu{stage}_{index}")
        net.max_pool(f"pool{stage}", kernel=2)
    net.dense("fc", 10)
    return net.graph()


def awkward(height: int = 37, width: int = 29) -> LayerGraph:
    """Odd sizes, a stride of two in a 5x5 convolution, overlapping pools, normalisation."""
    net = ModelBuilder("awkward", (3, height, width))
    net.conv("conv1", 8, kernel=3, padding=1)
    net.relu("relu1")
    net.conv("conv2", 8, kernel=5, stride=2, padding=2)
    net.lrn("norm2")
    net.max_pool("pool2", kernel=3, stride=2)
    net.conv("conv3", 8, kernel=3, padding=1, activation="relu")
    net.dense("fc", 10)
    return net.graph()


def block_sparse(
    seed: int, shape: tuple[int, int] = (96, 128), blocks: int = 4, density: float = 0.5, noise: float = 0.1
) -> np.ndarray:
    """Weights (outputs, inputs) with hidden blocks: rows and columns are shuffled, some links lead elsewhere.

    Parameters
    ----------
    density : float
        Share of a block's weights that are not zero.
    noise : float
        Share of all non-zero weights, on average, that lie outside the blocks.
    """
    generator = np.random.default_rng(seed)
    rows, columns = (generator.permutation(np.arange(size) % blocks) for size in shape)
    inside = rows[:, None] == columns[None, :]
    outside = density * noise / (1 - noise) / (blocks - 1)
    present = generator.random(shape) < np.where(inside, density, outside)
    return generator.normal(size=shape) * present


def keep_largest(weights: np.ndarray, share: float) -> np.ndarray:
    """Zero all but the largest weights: the sparse layer that MoDNN starts from."""
    if not 0 < share <= 1:
        raise ValueError(f"share {share} of weights to keep must lie in (0, 1]")
    return np.where(np.abs(weights) >= np.quantile(np.abs(weights), 1 - share), weights, 0.0)
