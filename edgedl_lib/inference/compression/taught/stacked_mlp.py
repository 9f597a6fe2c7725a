"""Many small dense networks trained side by side: one batched product instead of a hundred short ones.

A comparison over seeds and settings trains the same small network again and again, and on a processor most of that time
is the overhead of calls.  Here R networks of one shape are stacked along a leading axis of *runs*; each run has its own
initial weights, its own order of samples and its own objective, and ends where it would have ended alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from edgedl_lib.nets.training import build

CHUNK = 512  # inputs per call when predicting: the hidden layers of all runs must fit the memory


def mlp(widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Dense network with ReLU between its layers: dense1, relu1, [dropout1], dense2, and so on.

    >>> [name for name, _ in mlp((64, 8, 10)).named_children()]
    ['dense1', 'relu1', 'dense2']
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths {tuple(widths)} describe no network; give at least inputs and outputs, each positive")
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        modules[f"dense{number}"] = nn.Linear(inputs, outputs)
        if number < len(widths) - 1:
            modules[f"relu{number}"] = nn.ReLU()
            if dropout:
                modules[f"dropout{number}"] = nn.Dropout(dropout)
    return nn.Sequential(modules)


class StackedMLP(nn.Module):
    """R networks ``mlp(widths)``, one per run; runs with the same seed start from the same weights.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden units, classes.
    seeds : sequence of int
        One per run.
    dropout : float
        Share of hidden units that training silences; never active in evaluation mode.
    """

    def __init__(self, widths: Sequence[int], seeds: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        plain = {seed: build(lambda: mlp(widths), seed) for seed in dict.fromkeys(seeds)}
        self._take([plain[seed] for seed in seeds])
        self.dropout = dropout

    @classmethod
    def of(cls, networks: Sequence[nn.Module]) -> StackedMLP:
        """Stack copies of existing dense networks of one shape."""
        stack = cls.__new__(cls)
        nn.Module.__init__(stack)
        stack._take(networks)
        stack.dropout = 0.0
        return stack

    def _take(self, networks: Sequence[nn.Module]) -> None:
        layers = [[module for module in network if isinstance(module, nn.Linear)] for network in networks]
        together = list(zip(*layers, strict=True))
        weights = [torch.stack([layer.weight.detach().T for layer in one]) for one in together]  # (R, in, out)
        biases = [torch.stack([layer.bias.detach() for layer in one]).unsqueeze(1) for one in together]  # (R, 1, out)
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)

    @property
    def runs(self) -> int:
        """Number of networks R."""
        return len(self.weights[0])

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden units, classes."""
        return (self.weights[0].shape[1], *(weight.shape[2] for weight in self.weights))

    def activations(self, inputs: Tensor, masks: Sequence[Tensor] | None = None) -> list[Tensor]:
        """What each layer puts out: hidden layers (R, n, units) after ReLU and mask, then logits (R, n, classes).

        Parameters
        ----------
        inputs : Tensor, shape (n, features) or (R, n, features)
            The same for all runs, or one batch each.
        masks : sequence of Tensor, optional
            One per hidden layer, broadcast against (R, n, units).
        """
        current, outputs = inputs.expand(self.runs, *inputs.shape[-2:]), []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            current = torch.baddbmm(bias, current, weight)
            if number < len(self.weights) - 1:
                current = current.relu()
                current = current if masks is None else current * masks[number]
                current = nn.functional.dropout(current, self.dropout, self.training)
            outputs.append(current)
        return outputs

    def forward(self, inputs: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """Logits, shape (R, n, classes)."""
        return self.activations(inputs, masks)[-1]

    def network(self, run: int) -> nn.Sequential:
        """One run as an ordinary network of its own."""
        network = mlp(self.widths)
        layers = [module for module in network if isinstance(module, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(layers, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[run].T)
                layer.bias.copy_(bias[run, 0])
        return network.eval()


@dataclass(frozen=True)
class BatchOrder:
    """Which samples each run sees at each step.

    Attributes
    ----------
    rows : Tensor of int64, shape (steps, R, batch)
    weights : Tensor, shape (steps, R, batch)
        Share of each sample in its batch's mean; zero for padding, so that a short last batch stays short.
    """

    rows: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def batch_order(samples: Sequence[Tensor], seeds: Sequence[int], steps: int, batch_size: int) -> BatchOrder:
    """The order in which ``nets.training.train`` visits the samples of each run, for a given number of steps.

    Parameters
    ----------
    samples : sequence of Tensor of int64
        Row numbers that a run may see; runs may have different numbers, but all make the same number of updates.
    seeds : sequence of int
        One per run.
    """
    rows = torch.zeros(steps, len(seeds), batch_size, dtype=torch.int64)
    weights = torch.zeros(steps, len(seeds), batch_size)
    for run, (own, seed) in enumerate(zip(samples, seeds, strict=True)):
        generator, step = torch.Generator().manual_seed(seed), 0
        while step < steps:
            for batch in torch.randperm(len(own), generator=generator).split(batch_size)[: steps - step]:
                rows[step, run, : len(batch)] = own[batch]
                weights[step, run, : len(batch)] = 1 / len(batch)
                step += 1
    return BatchOrder(rows, weights)


Objective = Callable[[StackedMLP, Tensor, Tensor], Tensor]
"""``objective(stack, inputs (R, batch, features), rows (R, batch))`` returns the loss of each sample, (R, batch)."""


def train_stack(
    stack: StackedMLP,
    inputs: Tensor,
    order: BatchOrder,
    objective: Objective,
    *,
    learning_rate: float = 1e-3,
    extra: Sequence[nn.Parameter] = (),
    each_step: Callable[[int], None] | None = None,
    seed: int = 0,
) -> None:
    """Train all runs in place with Adam; the sum over runs is minimised, which is each run's own mean alone.

    Parameters
    ----------
    inputs : Tensor, shape (samples, features)
    extra : sequence of Parameter
        Trained as well, for instance a projection of a hidden layer.
    each_step : callable, optional
        Called with the number of updates done, before each of them.
    seed : int
        Of dropout.
    """
    optimiser = torch.optim.Adam([*stack.parameters(), *extra], learning_rate, fused=True)
    stack.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for step, (rows, weights) in enumerate(zip(order.rows, order.weights, strict=True)):
            if each_step is not None:
                each_step(step)
            optimiser.zero_grad(set_to_none=True)
            (objective(stack, inputs[rows], rows) * weights).sum().backward()
            optimiser.step()
    stack.eval()


@torch.no_grad()
def predict_stack(stack: StackedMLP, inputs: Tensor) -> Tensor:
    """Logits of every run, shape (R, n, classes), in evaluation mode."""
    training = stack.training
    stack.eval()
    try:
        return torch.cat([stack(batch) for batch in inputs.split(CHUNK)], dim=1)
    finally:
        stack.train(training)


def stack_error(logits: Tensor, targets: Tensor) -> Tensor:
    """Percent of wrong answers of each run, shape (R,)."""
    return 100 * (logits.argmax(dim=-1) != targets).double().mean(dim=-1)
