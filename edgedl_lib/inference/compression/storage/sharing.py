"""Weight sharing (Han et al. 2016 [146]): k-means in each layer, then the code books are trained.

A code is a number; code 0 stands for a pruned weight (and for a filler of the relative index) and is always zero, so
``bits`` leave ``2**bits - 1`` values to share.  Every layer has a code book of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgedl_lib.inference.compression.sparsity.pruning import per_layer, weighted_layers
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import train

INITIAL = ("linear", "density", "random")
BITS = (1, 12)  # fewest and most bits of a code
FINE_TUNING = {"learning_rate": 1e-3, "batch_size": 32}  # without decay: a centroid stands for many weights


@dataclass(frozen=True)
class SharedLayer:
    """The weights of one layer as codes into a code book.

    Attributes
    ----------
    code_book : ndarray of float32, shape (k,)
        Value of codes 1 to k.
    codes : ndarray of int64
        Of the weight's shape; 0 is a pruned weight.
    """

    code_book: np.ndarray
    codes: np.ndarray

    def weight(self) -> np.ndarray:
        """The float32 weights."""
        return np.concatenate([[np.float32(0)], self.code_book])[self.codes]

    @property
    def sparse(self) -> bool:
        """Whether some weight is pruned."""
        return bool((self.codes == 0).any())


def cluster(
    values: np.ndarray, clusters: int, initial: str = "linear", seed: int = 0, iterations: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """K-means in one dimension: no cluster is empty.

    Parameters
    ----------
    values : ndarray, shape (n,)
    clusters : int
        If the values are fewer than this, each gets its own.
    initial : str
        ``"linear"``: even steps from the smallest to the largest value, which gives the rare large weights centroids;
        ``"density"``: even steps of rank; ``"random"``: values drawn with ``seed``.

    Returns
    -------
    ndarray, shape (k,), ndarray of int, shape (n,)
        Increasing centroids, and the nearest one of each value.

    Examples
    --------
    >>> centroids, nearest = cluster(np.array([0.0, 1.0, 9.0, 11.0]), 2)
    >>> centroids.tolist(), nearest.tolist()
    ([0.5, 10.0], [0, 0, 1, 1])
    """
    values = np.asarray(values, dtype=np.float64)
    if clusters < 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"k-means needs finite values and at least one cluster, got {len(values)} and {clusters}")
    ordered = np.sort(values)
    centroids = _initial(ordered, clusters, initial, seed)
    for _ in range(iterations):
        edges, centroids = _occupied(ordered, centroids)
        moved = np.add.reduceat(ordered, edges[:-1]) / np.diff(edges)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    _, centroids = _occupied(ordered, centroids)
    return centroids, np.searchsorted(_midpoints(centroids), values)


def _initial(ordered: np.ndarray, clusters: int, initial: str, seed: int) -> np.ndarray:
    distinct = np.unique(ordered)
    if len(distinct) <= clusters:
        return distinct
    if initial == "linear":
        return np.linspace(ordered[0], ordered[-1], clusters)
    if initial == "density":
        return ordered[((np.arange(clusters) + 0.5) / clusters * len(ordered)).astype(int)]
    if initial == "random":
        return np.sort(np.random.default_rng(seed).choice(distinct, clusters, replace=False))
    raise ValueError(f"unknown initialisation {initial!r}; choose one of {', '.join(INITIAL)}")


def _midpoints(centroids: np.ndarray) -> np.ndarray:
    return (centroids[1:] + centroids[:-1]) / 2


def _occupied(ordered: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the clusters in the ordered values; an empty cluster is moved to the value that is worst served."""
    while True:
        inner = np.searchsorted(ordered, _midpoints(centroids), side="right")
        edges = np.concatenate([[0], inner, [len(ordered)]])
        empty = np.flatnonzero(np.diff(edges) == 0)
        if len(empty) == 0:
            return edges, centroids
        distance = np.abs(ordered - np.repeat(centroids, np.diff(edges)))
        centroids = centroids.copy()
        centroids[empty[0]] = ordered[distance.argmax()]
        centroids.sort()


def share_weights(
    model: nn.Module, bits: int | Mapping[str, int], initial: str = "linear", seed: int = 0
) -> dict[str, SharedLayer]:
    """Cluster the weights of each layer that are not zero and replace them by their centroids, in place.

    Parameters
    ----------
    bits : int or mapping
        Bits of a code.  A layer with pruned weights shares ``2**bits - 1`` values, any other ``2**bits``.
    """
    layers, shared = weighted_layers(model), {}
    for name, width in per_layer(model, bits, "bits").items():
        if not BITS[0] <= width <= BITS[1]:
            raise ValueError(f"{name}: a code takes {BITS[0]} to {BITS[1]} bits, not {width}")
        weight = layers[name].weight.detach().numpy()
        alive = weight != 0
        clusters = 2**width - (0 if alive.all() else 1)
        centroids, nearest = cluster(weight[alive], clusters, initial, seed)
        codes = np.zeros(weight.shape, dtype=np.int64)
        codes[alive] = nearest + 1
        shared[name] = SharedLayer(centroids.astype(np.float32), codes)
    install(model, shared)
    return shared


@torch.no_grad()
def install(model: nn.Module, shared: Mapping[str, SharedLayer]) -> None:
    """Write the shared weights into the model, in place."""
    layers = weighted_layers(model)
    for name, layer in shared.items():
        layers[name].weight.copy_(torch.from_numpy(layer.weight()))


class CodeBookGather(torch.autograd.Function):
    """``weight[i] = code_book[members[i]]``; backwards, a centroid gets the sum of its members' gradients."""

    @staticmethod
    def forward(context, code_book: Tensor, members: Tensor, places: Tensor, size: int) -> Tensor:
        context.save_for_backward(members, places)
        context.clusters = len(code_book)
        weight = code_book.new_zeros(size)  # a pruned weight is zero and has no gradient
        weight[places] = code_book[members]
        return weight

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        members, places = context.saved_tensors
        sums = torch.bincount(members, gradient[places], minlength=context.clusters)
        return sums.to(gradient.dtype), None, None, None


class SharedWeight(nn.Module):
    """Parametrisation of a layer's weight by its code book: what the optimiser sees are the centroids."""

    def __init__(self, layer: SharedLayer) -> None:
        super().__init__()
        codes = torch.from_numpy(layer.codes)
        self.shape = codes.shape
        self.register_buffer("places", codes.flatten().nonzero().flatten())
        self.register_buffer("members", codes.flatten()[self.places] - 1)
        self.register_buffer("start", torch.from_numpy(layer.code_book.copy()))

    def forward(self, code_book: Tensor) -> Tensor:
        return CodeBookGather.apply(code_book, self.members, self.places, self.shape.numel()).view(self.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return self.start.clone()


def fine_tune_code_books(
    model: nn.Module, shared: Mapping[str, SharedLayer], data: Dataset, *, epochs: int, seed: int, **training
) -> dict[str, SharedLayer]:
    """Train the centroids and the biases with the codes fixed; the model ends as a plain one with the new weights."""
    layers = weighted_layers(model)
    for name, layer in shared.items():
        parametrize.register_parametrization(layers[name], "weight", SharedWeight(layer), unsafe=True)
    if epochs:
        train(model, data.train, epochs=epochs, seed=seed, **FINE_TUNING | training)
    tuned = {}
    for name, layer in shared.items():
        code_book = layers[name].parametrizations.weight.original.detach().numpy().copy()
        tuned[name] = SharedLayer(code_book, layer.codes)
        parametrize.remove_parametrizations(layers[name], "weight", leave_parametrized=True)
    return tuned


def sharing_rate(weights: int, clusters: int, bits: int = 32) -> float:
    """Compression rate of a dense layer by sharing alone, ``n b / (n log2 k + k b)``, with whole bits for a code.

    >>> sharing_rate(16, 4)  # the 4x4 example of the paper
    3.2
    """
    if weights < 1 or clusters < 1:
        raise ValueError(f"need at least one weight and one cluster, got {weights} and {clusters}")
    return weights * bits / (weights * (clusters - 1).bit_length() + clusters * bits)
