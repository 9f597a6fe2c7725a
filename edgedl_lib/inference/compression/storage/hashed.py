"""HashedNets: a large virtual weight matrix that shares a few stored values (Chen et al. 2015 [125])."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.compression.storage.hashing import hashed_positions
from edgedl_lib.nets import layers
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape


class HashedLinear(nn.Module):
    """Dense layer whose virtual weight (i, j) is a stored value, chosen and signed by a hash of (i, j).

    The bias is one more column of the virtual matrix.  Position and sign are computed, not stored: the state of the
    layer is ``stored`` values.  It saves memory on disk and no arithmetic.

    Parameters
    ----------
    in_features, out_features : int
        Of the virtual matrix.
    stored : int
        Values that are kept, at least one.
    seed : int
        Of the hash.
    """

    def __init__(self, in_features: int, out_features: int, stored: int, seed: int = 0) -> None:
        super().__init__()
        self.in_features, self.out_features, self.seed = in_features, out_features, seed
        buckets, signs = hashed_positions(out_features, in_features + 1, stored, seed)
        self.register_buffer("buckets", torch.from_numpy(buckets), persistent=False)
        self.register_buffer("signs", torch.from_numpy(signs), persistent=False)
        bound = 1 / math.sqrt(in_features)  # of the virtual matrix: what a unit sums up is what its fan-in says
        self.weight = nn.Parameter(torch.empty(stored).uniform_(-bound, bound))

    @property
    def virtual(self) -> Tensor:
        """The virtual matrix, shape (out, in + 1), bias last; its gradient gathers in the stored values."""
        return self.weight[self.buckets] * self.signs

    def forward(self, inputs: Tensor) -> Tensor:
        virtual = self.virtual
        return functional.linear(inputs, virtual[:, :-1], virtual[:, -1])

    @property
    def stored_bits(self) -> int:
        """32 for each stored value."""
        return 32 * self.weight.numel()

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """The operations of the virtual matrix, the parameters of the stored values."""
        dense = layers.dense(name, input_shape, self.out_features)
        if math.prod(input_shape) != self.in_features:
            raise ValueError(f"{name} expects {self.in_features} features, its input has shape {input_shape}")
        config = dict(dense.config) | {"stored_bits": self.stored_bits, "bias_count": 0}
        return Layer(name, "dense", (input_shape,), dense.output_shape, self.weight.numel(), dense.flop, config)

    @staticmethod
    def stacked(layers: Sequence[HashedLinear]) -> nn.Module:
        """The layers of several networks side by side."""
        return _SideBySide(layers)


class _SideBySide(nn.Module):
    """Hashed layers of R networks: stored values (R, K)."""

    def __init__(self, layers: Sequence[HashedLinear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.data for layer in layers]))
        self.register_buffer("buckets", torch.stack([layer.buckets for layer in layers]), persistent=False)
        self.register_buffer("signs", torch.stack([layer.signs for layer in layers]), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        chosen = self.weight.gather(1, self.buckets.flatten(1)).view_as(self.signs) * self.signs  # (R, out, in + 1)
        outputs = torch.baddbmm(chosen[:, None, :, -1], inputs.transpose(0, 1), chosen[:, :, :-1].transpose(1, 2))
        return outputs.transpose(0, 1)


def hashed_network(widths: tuple[int, ...], share: float, seed: int = 0) -> nn.Sequential:
    """Dense ReLU network in which every layer stores ``share`` of its virtual weights and biases.

    Raises
    ------
    ValueError
        A share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share {share} lies outside (0, 1]; 1/8 stores an eighth of the virtual weights")
    stages: list[nn.Module] = []
    for place, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
        stored = max(1, round(share * outputs * (inputs + 1)))
        stages += [HashedLinear(inputs, outputs, stored, 1000 * seed + place), nn.ReLU()]
    return nn.Sequential(*stages[:-1])


def plain_network(widths: tuple[int, ...]) -> nn.Sequential:
    """The same network with dense layers."""
    stages: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        stages += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*stages[:-1])


def equal_storage_width(widths: tuple[int, int, int], share: float) -> int:
    """Hidden units of a dense network that stores as much as the hashed one; rounded up, in its favour.

    >>> equal_storage_width((784, 200, 10), 1 / 64)
    4
    """
    inputs, hidden, classes = widths
    stored = share * (hidden * (inputs + 1) + classes * (hidden + 1))
    return max(1, math.ceil((stored - classes) / (inputs + 1 + classes)))
