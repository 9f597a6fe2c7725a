"""Depth with and without shortcuts: the degradation experiment of ResNet on dense layers.

:func:`dense_tower` is the network to read.  :class:`TowerStack` trains many of them at once, some with shortcuts and
some without; member by member it computes the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import build, train
from edgedl_lib.system.estimate import Estimate, paired

WIDTH = 32
LEARNING_RATE = 3e-3


class ResidualBlock(nn.Module):
    """Two dense layers with batch norm; with ``shortcut`` the input is added before the last ReLU (ResNet [127])."""

    def __init__(self, width: int, shortcut: bool = True) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Linear(width, width, bias=False), nn.BatchNorm1d(width)
        self.second, self.second_norm = nn.Linear(width, width, bias=False), nn.BatchNorm1d(width)
        self.relu, self.shortcut = nn.ReLU(), shortcut

    def forward(self, features: Tensor) -> Tensor:
        inner = self.relu(self.first_norm(self.first(features)))
        change = self.second_norm(self.second(inner))
        return self.relu(features + change if self.shortcut else change)


def dense_tower(inputs: int, depth: int, shortcut: bool = True, width: int = WIDTH, classes: int = 10) -> nn.Sequential:
    """Dense network of ``depth`` hidden layers of equal width after the first; two of them make a block.

    With and without shortcuts it has the same parameters.
    """
    blocks = [ResidualBlock(width, shortcut) for _ in range(_blocks(depth))]
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), *blocks, nn.Linear(width, classes))


class TowerStack(nn.Module):
    """Several dense towers of one depth that train side by side, as batched matrix products.

    Activations have the shape (members, width, samples), so that batch norm sees members x width channels.

    Parameters
    ----------
    towers : sequence of nn.Sequential
        From :func:`dense_tower`, all of the same size; their weights are copied.
    """

    def __init__(self, towers: Sequence[nn.Sequential]) -> None:
        super().__init__()
        blocks = list(zip(*(list(tower)[2:-1] for tower in towers), strict=True))
        self.members = len(towers)
        self.entry, self.entry_bias = _stacked([tower[0] for tower in towers])
        self.exit, self.exit_bias = _stacked([tower[-1] for tower in towers])
        layers = [[getattr(block, name) for block in row] for row in blocks for name in ("first", "second")]
        self.weights = nn.ParameterList(_stacked(row)[0] for row in layers)
        self.norms = nn.ModuleList(nn.BatchNorm1d(self.members * len(self.entry[0])) for _ in layers)
        skips = torch.tensor([float(bool(tower[2].shortcut)) for tower in towers])
        self.register_buffer("skips", skips[:, None, None])

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of every member, shape (members, samples, classes), for flat inputs (samples, features)."""
        maps = torch.baddbmm(self.entry_bias, self.entry, inputs.T.expand(self.members, -1, -1)).relu()
        for index in range(0, len(self.weights), 2):
            inner = self._layer(index, maps).relu()
            maps = torch.addcmul(self._layer(index + 1, inner), self.skips, maps).relu()
        return torch.baddbmm(self.exit_bias, self.exit, maps).transpose(1, 2)

    def _layer(self, index: int, maps: Tensor) -> Tensor:
        product = torch.bmm(self.weights[index], maps)
        return self.norms[index](product.view(1, -1, product.shape[2])).view_as(product)


def stack_loss(stack: TowerStack, inputs: Tensor, targets: Tensor) -> Tensor:
    """Sum of the members' mean cross entropies (nats): each member's gradient is that of its own training."""
    return member_losses(stack, Split(inputs, targets)).sum()


def member_losses(stack: TowerStack, split: Split) -> Tensor:
    """Mean cross entropy of every member, nats, shape (members,)."""
    logits = stack(split.inputs)
    targets = split.targets.expand(len(logits), -1)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view(targets.shape).mean(dim=1)


@torch.no_grad()
def settle_norms(model: nn.Module, split: Split) -> None:
    """Set the running statistics of every batch norm to those of the whole split.

    Running means lag behind the weights, and forty layers multiply the lag: without this a deep network looks worse
    at test time than it is.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of all batches
    model.train()
    model(split.inputs)
    model.eval()


@dataclass(frozen=True)
class DepthResult:
    """Plain and residual towers of one depth, one value per seed.

    Attributes
    ----------
    depth : int
    plain_loss, residual_loss : tuple of float
        Training loss after the last epoch in evaluation mode, nats.
    plain_accuracy, residual_accuracy : tuple of float
        On the test split, percent.
    """

    depth: int
    plain_loss: tuple[float, ...]
    residual_loss: tuple[float, ...]
    plain_accuracy: tuple[float, ...]
    residual_accuracy: tuple[float, ...]


def accuracy_gain(shallow: DepthResult, deep: DepthResult) -> Estimate:
    """Points of test accuracy that the residual network gains by depth, seed by seed."""
    return paired(deep.residual_accuracy, shallow.residual_accuracy)


def degradation(
    data: Dataset, depths: Sequence[int], seeds: Sequence[int], epochs: int, batch_size: int = 128
) -> list[DepthResult]:
    """Train plain and residual towers of each depth for equally many epochs; a seed decides the weights of a pair."""
    flat = data.flat()
    return [_one_depth(flat, depth, seeds, epochs, batch_size) for depth in depths]


def _one_depth(flat: Dataset, depth: int, seeds: Sequence[int], epochs: int, batch_size: int) -> DepthResult:
    features, classes = flat.train.inputs.shape[1], flat.classes
    kinds = [(shortcut, seed) for shortcut in (False, True) for seed in seeds]
    towers = [
        build(lambda s=shortcut: dense_tower(features, depth, s, classes=classes), seed) for shortcut, seed in kinds
    ]
    stack = TowerStack(towers)
    options = {"batch_size": batch_size, "learning_rate": LEARNING_RATE, "objective": stack_loss}
    train(stack, flat.train, epochs=epochs, seed=seeds[0], **options)
    settle_norms(stack, flat.train)
    with torch.no_grad():
        losses = member_losses(stack, flat.train).tolist()
        hits = (stack(flat.test.inputs).argmax(dim=2) == flat.test.targets).float().mean(dim=1)
    accuracy, half = (100 * hits).tolist(), len(seeds)
    return DepthResult(
        depth, *(tuple(part) for values in (losses, accuracy) for part in (values[:half], values[half:]))
    )


def _stacked(layers: Sequence[nn.Linear]) -> tuple[nn.Parameter, nn.Parameter | None]:
    weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
    if layers[0].bias is None:
        return weight, None
    return weight, nn.Parameter(torch.stack([layer.bias.detach()[:, None] for layer in layers]))


def _blocks(depth: int) -> int:
    if depth < 2 or depth % 2:
        raise ValueError(f"depth {depth} must be a positive even number: a block has two layers")
    return depth // 2
