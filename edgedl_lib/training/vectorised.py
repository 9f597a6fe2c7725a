"""All clients of a round trained as one program: `torch.func.vmap` over a leading axis of clients.

The batches are those of :func:`.local.local_sgd`, drawn from the same generators; only the arithmetic is done side by
side.  Where clients hold different numbers of samples their batches are filled up with samples of weight zero, and a
client that has finished stands still while the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.local import LocalResult, LocalTraining, batches, mean_loss
from edgedl_lib.training.models import Arrays, load_arrays

STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
MODELS_AT_ONCE = 64  # models that are tested side by side, each on its client's data
ROWS_AT_ONCE = 512  # samples per forward pass when the received model is tested: what a cache holds


@dataclass(frozen=True)
class Pool:
    """Data of several clients, one after another in one tensor.

    Attributes
    ----------
    data : Split
    starts, sizes : ndarray of int, shape (m,)
        Where each client's samples begin, and how many there are.
    """

    data: Split
    starts: np.ndarray
    sizes: np.ndarray

    def of(self, clients: Sequence[int]) -> Pool:
        """The same data, seen as that of some of the clients."""
        chosen = np.asarray(clients, dtype=np.int64)
        return Pool(self.data, self.starts[chosen], self.sizes[chosen])

    def __len__(self) -> int:
        return len(self.sizes)


def pool(splits: Sequence[Split]) -> Pool:
    """Copy the clients' data into one tensor."""
    sizes = np.array([len(split) for split in splits])
    inputs, targets = (torch.cat([getattr(split, name) for split in splits]) for name in ("inputs", "targets"))
    return Pool(Split(inputs, targets), np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)


def local_sgd_all(
    model: nn.Module,
    arrays: Arrays | Sequence[Arrays],
    splits: Sequence[Split] | Pool,
    training: LocalTraining,
    rngs: Sequence[np.random.Generator],
) -> list[LocalResult]:
    """:func:`.local.local_sgd` of many clients at once; the results agree within rounding.

    Parameters
    ----------
    model : nn.Module
        Says how to compute; without batch normalisation and dropout.
    arrays : Arrays or sequence of Arrays
        What all clients received, or what each did.
    splits : sequence of Split, or Pool
        Their data; a pool that is made once saves copying in every round.
    rngs : sequence of numpy.random.Generator
        One for each client.

    Raises
    ------
    ValueError
        The model cannot be vectorised, or the numbers of clients differ.
    """
    held = splits if isinstance(splits, Pool) else pool(splits)
    received = [arrays] * len(held) if isinstance(arrays, dict) else list(arrays)
    if not len(held) == len(received) == len(rngs):
        raise ValueError(f"{len(held)} data sets, {len(received)} models and {len(rngs)} generators; give one for each")
    _check(model)
    before = _losses_before(model, arrays if isinstance(arrays, dict) else received, held)
    plan = _Plan([list(batches(size, training, rng)) for size, rng in zip(held.sizes, rngs, strict=True)], held.starts)
    weights = _train(model.train(), _stacked(received), held.data, plan, training)
    trained = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    return [
        LocalResult({name: values[k] for name, values in trained.items()}, int(size), {"loss_before": loss})
        for k, (size, loss) in enumerate(zip(held.sizes, before, strict=True))
    ]


class _Plan:
    """Which samples each client visits in each step, and with what weight.

    Attributes
    ----------
    rows : Tensor of int64, shape (steps, m, B)
    weights : Tensor, shape (steps, m, B)
        One over the size of the client's batch; zero for filling.
    active : Tensor of bool, shape (steps, m)
    """

    def __init__(self, orders: list[list[np.ndarray]], starts: np.ndarray) -> None:
        steps, widest = max(map(len, orders)), max(len(rows) for order in orders for rows in order)
        numbers = np.zeros((steps, len(orders), widest), dtype=np.int64)
        weights = np.zeros(numbers.shape, dtype=np.float32)
        for client, (order, start) in enumerate(zip(orders, starts, strict=True)):
            for step, rows in enumerate(order):
                numbers[step, client, : len(rows)] = rows + start
                weights[step, client, : len(rows)] = 1 / len(rows)
        self.rows, self.weights = torch.from_numpy(numbers), torch.from_numpy(weights)
        self.active = self.weights.sum(dim=2) > 0

    def __len__(self) -> int:
        return len(self.rows)


def _train(model: nn.Module, weights: dict[str, Tensor], data: Split, plan: _Plan, training: LocalTraining):
    def loss(parameters, inputs, targets, share):
        scores = functional_call(model, parameters, (inputs,))
        return (functional.cross_entropy(scores, targets, reduction="none") * share).sum()

    losses = vmap(loss)
    velocity = {name: torch.zeros_like(tensor) for name, tensor in weights.items()} if training.momentum else None
    for step in range(len(plan)):
        rows = plan.rows[step]
        inputs = data.inputs.index_select(0, rows.ravel()).unflatten(0, rows.shape)  # (m, B, ...)
        targets = data.targets.index_select(0, rows.ravel()).unflatten(0, rows.shape)
        total = losses(weights, inputs, targets, plan.weights[step]).sum()  # a client's gradient sees its own loss only
        gradients = torch.autograd.grad(total, list(weights.values()))
        _step(weights, gradients, plan.active[step], training, velocity)
    return weights


@torch.no_grad()
def _step(weights, gradients, active: Tensor, training: LocalTraining, velocity) -> None:
    everybody = bool(active.all())
    for (name, tensor), gradient in zip(weights.items(), gradients, strict=True):
        if training.weight_decay:
            gradient = gradient + training.weight_decay * tensor
        if velocity is not None:
            gradient = velocity[name].mul_(training.momentum).add_(gradient)
        if not everybody:
            gradient = gradient * active.view(-1, *[1] * (gradient.ndim - 1))
        tensor.sub_(gradient, alpha=training.learning_rate)


def _stacked(received: list[Arrays]) -> dict[str, Tensor]:
    stacks = {name: np.stack([arrays[name] for arrays in received]) for name in received[0]}
    return {name: torch.from_numpy(values).requires_grad_() for name, values in stacks.items()}


@torch.no_grad()
def _losses_before(model: nn.Module, arrays: Arrays | list[Arrays], held: Pool) -> list[float]:
    if not isinstance(arrays, dict):
        return _losses_of_each(model, arrays, held)
    load_arrays(model, arrays).eval()
    rows = np.concatenate([np.arange(start, start + size) for start, size in zip(held.starts, held.sizes, strict=True)])
    losses = []
    for part in torch.from_numpy(rows).split(ROWS_AT_ONCE):
        scores = model(held.data.inputs.index_select(0, part))
        losses.append(functional.cross_entropy(scores, held.data.targets.index_select(0, part), reduction="none"))
    return [float(each.mean()) for each in torch.cat(losses).split(held.sizes.tolist())]


def _losses_of_each(model: nn.Module, arrays: list[Arrays], held: Pool) -> list[float]:
    """Every client has received a model of its own."""
    if len(set(held.sizes.tolist())) > 1:
        return [mean_loss(load_arrays(model, each), held_split(held, k)) for k, each in enumerate(arrays)]
    rows = torch.from_numpy(held.starts[:, None] + np.arange(held.sizes[0]))  # (m, n)
    inputs, targets = (part.index_select(0, rows.ravel()) for part in (held.data.inputs, held.data.targets))
    score = vmap(lambda weights, rows: functional_call(model.eval(), weights, (rows,)), chunk_size=MODELS_AT_ONCE)
    scores = score(_stacked(arrays), inputs.unflatten(0, rows.shape)).flatten(0, 1)
    losses = functional.cross_entropy(scores, targets, reduction="none")
    return losses.view(rows.shape).mean(dim=1).tolist()


def held_split(held: Pool, position: int) -> Split:
    """Data of one client of a pool."""
    rows = slice(int(held.starts[position]), int(held.starts[position] + held.sizes[position]))
    return Split(held.data.inputs[rows], held.data.targets[rows])


def _check(model: nn.Module) -> None:
    unfit = [name or "model" for name, module in model.named_modules() if isinstance(module, STOCHASTIC)]
    if unfit or any(True for _ in model.buffers()):
        raise ValueError(f"{unfit or 'buffers'} cannot be trained side by side; use the in-process engine")
