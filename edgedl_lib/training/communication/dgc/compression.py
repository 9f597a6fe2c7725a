"""What a node sends: the five ingredients of Deep Gradient Compression, each with its switch.

Lin et al. 2018 [191], algorithms 1 and 4.  Tensors with one dimension (biases, batch norm) are sent dense.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from edgedl_lib.training.codecs.codec import check_fraction, kept_count

WARM_UP_DENSITIES = (0.25, 0.0625, 0.015625, 0.004)  # sparsity 75, 93.75, 98.4375 and 99.6 %: one epoch each


@dataclass(frozen=True)
class Ingredients:
    """Which parts of the method are on.

    Attributes
    ----------
    accumulation : bool
        Keep what was not sent and add to it.
    correction : bool
        Momentum is applied at the node, before accumulation, instead of at the receiver.
    clipping : bool
        Gradients are clipped at the node, before accumulation.
    masking : bool
        What was sent loses its momentum as well.
    warm_up : bool
        The density falls over the first epochs, and the learning rate rises.
    """

    accumulation: bool = True
    correction: bool = True
    clipping: bool = True
    masking: bool = True
    warm_up: bool = True

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All five, in the order of the paper."""
        return tuple(each.name for each in fields(cls))


ALL = Ingredients()
DROPPING = Ingredients(True, False, False, False, False)  # gradient dropping, Aji and Heafield 2017
TOP_K_ALONE = Ingredients(False, False, False, False, False)


@dataclass
class Memory:
    """What a group of nodes keeps of one tensor between iterations.

    Attributes
    ----------
    velocity, residual : Tensor, shape (nodes, entries)
        `u` and `v` in the paper.
    """

    velocity: Tensor
    residual: Tensor

    @classmethod
    def empty(cls, nodes: int, entries: int) -> Memory:
        """Nothing kept yet."""
        return cls(torch.zeros(nodes, entries), torch.zeros(nodes, entries))


@dataclass(frozen=True)
class Message:
    """Entries of one tensor that the nodes send.

    Attributes
    ----------
    positions : Tensor of int64, shape (nodes, kept)
    values : Tensor, shape (nodes, kept)
    entries : int
        Size of the tensor.
    """

    positions: Tensor
    values: Tensor
    entries: int
    total: Tensor = field(init=False)

    def __post_init__(self) -> None:
        summed = torch.zeros(self.entries)
        object.__setattr__(self, "total", summed.index_add_(0, self.positions.reshape(-1), self.values.reshape(-1)))

    @property
    def union(self) -> int:
        """Entries that at least one node sends: what comes back to all."""
        return len(self.positions.unique())


def compress(
    gradient: Tensor, memory: Memory, density: float, use: Ingredients = ALL, momentum: float = 0.9, nesterov=False
) -> Message:
    """Take in a gradient, send the largest entries of what has piled up, keep the rest.

    Parameters
    ----------
    gradient : Tensor, shape (nodes, entries)
        Each node's gradient, already divided by the number of nodes.
    memory : Memory
        Changed in place.
    density : float
        Share of the entries that each node sends, in (0, 1]; at least one entry is.
    """
    check_fraction(density)
    step = gradient
    if use.correction:
        step = _moved(memory.velocity, gradient, momentum, nesterov)
    pile = memory.residual.add_(step) if use.accumulation else step.clone()
    kept = kept_count(density, pile.shape[1])
    positions = pile.abs().topk(kept, dim=1, sorted=False).indices  # exactly `kept`, however many are equal
    message = Message(positions, pile.gather(1, positions), pile.shape[1])
    memory.residual.scatter_(1, positions, 0.0)
    if use.masking:
        memory.velocity.scatter_(1, positions, 0.0)
    return message


def clip_locally(gradients: list[Tensor], threshold: float) -> None:
    """Rescale, in place, each node's whole gradient to at most `threshold` over the root of the number of nodes."""
    nodes = len(gradients[0])
    norms = sum(each.reshape(nodes, -1).square().sum(1) for each in gradients).sqrt()
    scale = (threshold * nodes**-0.5 / norms.clamp_min(1e-30)).clamp_max(1.0)
    for each in gradients:
        each.mul_(scale.view(-1, *[1] * (each.ndim - 1)))


def density_at(epoch: int, final: float, warm_up: bool = True) -> float:
    """Share of entries sent in an epoch, counted from 0: a quarter, then a quarter of that, down to the final one.

    Examples
    --------
    >>> [density_at(epoch, 0.001) for epoch in range(6)]
    [0.25, 0.0625, 0.015625, 0.004, 0.001, 0.001]
    """
    if not warm_up or epoch >= len(WARM_UP_DENSITIES):
        return final
    return max(final, WARM_UP_DENSITIES[epoch])


def _moved(velocity: Tensor, gradient: Tensor, momentum: float, nesterov: bool) -> Tensor:
    """Step of momentum SGD; the velocity is changed in place."""
    if nesterov:
        velocity.add_(gradient).mul_(momentum)
        return velocity + gradient
    return velocity.mul_(momentum).add_(gradient)
