"""Several seeds of one dense network, trained side by side: one batched product instead of one small one per seed.

A small network waits for the interpreter more than for arithmetic; three together take little longer than one.  The
networks are ordinary modules before and after; each sees its own data, in its own order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.compression.one_bit.coded_layers import CodedLinear
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import TrainingHistory, train


class SideBySide(nn.Module):
    """R networks of equal shape as one module: inputs (batch, R, features), logits (batch, R, classes).

    Raises
    ------
    ValueError
        Networks of different shape.
    """

    def __init__(self, networks: Sequence[nn.Sequential]) -> None:
        super().__init__()
        shapes = {tuple((type(stage), _shape(stage)) for stage in network) for network in networks}
        if len(shapes) != 1:
            raise ValueError(f"side by side stand networks of one shape, got {len(shapes)} shapes")
        self.stages = nn.Sequential(*(_stack(stages) for stages in zip(*networks, strict=True)))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.stages(inputs)

    def unstack(self, networks: Sequence[nn.Sequential]) -> None:
        """Write what was learned back into the single networks."""
        for stages, stacked in zip(zip(*networks, strict=True), self.stages, strict=True):
            for place, stage in enumerate(stages):
                stage.load_state_dict({name: value[place] for name, value in _rows(stacked, len(stages)).items()})


def train_side_by_side(
    networks: Sequence[nn.Sequential],
    splits: Sequence[Split],
    *,
    after_step: Callable[[nn.Module], None] | None = None,
    **options,
) -> TrainingHistory:
    """Train network r on split r, all in the same steps, in place; options as of :func:`nets.training.train`.

    Parameters
    ----------
    networks : sequence of nn.Sequential
        Dense layers, batch norms and element-wise modules.
    splits : sequence of Split
        Equally many samples each; inputs of shape (n, features).

    Returns
    -------
    TrainingHistory
        Its loss is the mean over the networks.
    """
    together = SideBySide(networks)
    joined = Split(
        torch.stack([split.inputs for split in splits], dim=1), torch.stack([split.targets for split in splits], dim=1)
    )
    history = train(together, joined, objective=mean_cross_entropy, after_step=after_step, **options)
    together.unstack(networks)
    for network in networks:
        network.eval()
    return history


def mean_cross_entropy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy (nats), mean over samples and networks; Adam does not care for the factor 1 / R in a gradient."""
    return functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


class _Dense(nn.Module):
    """Dense layers, coded or not: weights (R, out, in), biases (R, out)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.data for layer in layers]))
        biased = layers[0].bias is not None
        self.bias = nn.Parameter(torch.stack([layer.bias.data for layer in layers])) if biased else None
        if isinstance(layers[0], CodedLinear):
            self.code = layers[0].code

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.code(self.weight, self.training) if hasattr(self, "code") else self.weight
        outputs = torch.bmm(inputs.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)  # (batch, R, out)
        return outputs if self.bias is None else outputs + self.bias


class _Norm(nn.BatchNorm1d):
    """Batch norms: R x features of one wide norm, since every feature is normalised alone."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        first = layers[0]
        super().__init__(len(layers) * first.num_features, first.eps, first.momentum, first.affine)
        states = [layer.state_dict() for layer in layers]
        joined = {name: torch.cat([state[name] for state in states]) for name in states[0] if states[0][name].ndim}
        self.load_state_dict(joined | {"num_batches_tracked": states[0]["num_batches_tracked"]})

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.reshape(len(inputs), -1)).view_as(inputs)


def _stack(stages: Sequence[nn.Module]) -> nn.Module:
    first = stages[0]
    if hasattr(first, "stacked"):
        return first.stacked(stages)
    if isinstance(first, nn.Linear):
        return _Dense(stages)
    if isinstance(first, nn.BatchNorm1d):
        return _Norm(stages)
    if list(first.parameters()):
        raise ValueError(f"no rule to put {type(first).__name__} side by side; give it a method stacked(layers)")
    return first


def _rows(stacked: nn.Module, count: int) -> dict[str, Tensor]:
    """State of a stacked stage with the networks as first axis."""
    state = stacked.state_dict()
    if isinstance(stacked, _Norm):
        return {name: value.view(count, -1) if value.ndim else value.expand(count) for name, value in state.items()}
    return state


def _shape(stage: nn.Module) -> tuple:
    return tuple(tuple(value.shape) for value in stage.state_dict().values())
