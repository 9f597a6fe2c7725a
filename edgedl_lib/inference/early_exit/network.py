"""A network that can answer before its last layer: a trunk in segments, a branch with its own classifier after each."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.training import Objective


class MultiExitNetwork(nn.Module):
    """Trunk segments and branches in turn; ``forward`` is a generator, so what nobody asks for is never computed.

    >>> network = MultiExitNetwork([nn.Linear(4, 3), nn.Linear(3, 3)], [nn.Linear(3, 2), nn.Linear(3, 2)])
    >>> [tuple(logits.shape) for logits in network(torch.zeros(5, 4))]
    [(5, 2), (5, 2)]

    Parameters
    ----------
    segments : sequence of nn.Module
        Trunk from the input on; segment n feeds branch n and segment n + 1.
    branches : sequence of nn.Module
        Classifiers, each returns logits; the last one is the network's own output.

    Raises
    ------
    ValueError
        No exit at all, or unequal numbers of segments and branches.
    """

    def __init__(self, segments: Sequence[nn.Module], branches: Sequence[nn.Module]) -> None:
        super().__init__()
        if not branches:
            raise ValueError("a network with exits needs at least one: the list of branches is empty")
        if len(segments) != len(branches):
            raise ValueError(f"{len(segments)} segments but {len(branches)} branches; each segment ends in one exit")
        self.segments = nn.ModuleList(segments)
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Iterator[Tensor]:
        """Logits of exit after exit, each of shape (batch, classes); stop asking and the rest is not run."""
        for segment, branch in zip(self.segments, self.branches, strict=True):
            inputs = segment(inputs)
            yield branch(inputs)

    @property
    def exits(self) -> int:
        """Number of exits, the final one included."""
        return len(self.branches)


def joint_objective(weights: Sequence[float] | None = None) -> Objective:
    """Weighted sum of the exits' cross entropies, BranchyNet's joint loss (Teerapittayanon et al. 2016 [160]).

    Raises
    ------
    ValueError
        When called with a network whose number of exits is not that of the weights, or for negative weights.
    """
    if weights is not None and min(weights, default=-1) < 0:
        raise ValueError(f"weights {list(weights)} must be at least zero, one for each exit")

    def objective(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        losses = [functional.cross_entropy(logits, targets) for logits in model(inputs)]
        if weights is not None and len(weights) != len(losses):
            raise ValueError(f"{len(weights)} weights for {len(losses)} exits; give one for each")
        factors = [1.0] * len(losses) if weights is None else weights
        return sum(factor * loss for factor, loss in zip(factors, losses, strict=True))

    objective.cache_key = None if weights is None else tuple(weights)
    return objective


@torch.no_grad()
def exit_logits(model: nn.Module, inputs: Tensor, batch_size: int = 1024) -> Tensor:
    """Logits of every exit for every input, shape (exits, n, classes), in evaluation mode.

    Raises
    ------
    ValueError
        Inputs with NaN.
    """
    if torch.isnan(inputs).any():
        raise ValueError(f"{int(torch.isnan(inputs).sum())} of the inputs are NaN; clean the data before predicting")
    model.eval()
    return torch.cat([torch.stack(list(model(batch))) for batch in inputs.split(batch_size)], dim=1)
