"""Fully connected networks of several clients, trained together; each client's gradient may be kept in a small space.

The arithmetic is that of `edgedl_lib.training.local.local_sgd` for a `perceptron`, written out so that a sweep over
many codecs is quick: the same batches, results equal within rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.codecs import Codec, LowRank, Matrices, RandomMask, stream_seed
from edgedl_lib.training.local import LocalResult, LocalTraining, batches
from edgedl_lib.training.models import Arrays, perceptron

Restriction = Callable[[Tensor], Tensor]  # of the gradients of all clients, shape (m, outputs, inputs)


def he_perceptron(*widths: int) -> nn.Module:
    """A `perceptron` that starts with He et al.'s weights (2015) and no biases: it learns from the first round on."""
    model = perceptron(*widths)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


def train_together(
    received: Sequence[Arrays],
    splits: Sequence[Split],
    training: LocalTraining,
    rngs: Sequence[np.random.Generator],
    structure: Codec | None = None,
) -> list[Arrays]:
    """What each client's network has become.

    Parameters
    ----------
    received : sequence of Arrays
        One `perceptron` for each client, all of the same widths.
    splits : sequence of Split
        Equally many samples for each.
    structure : codec, optional
        `RandomMask` or `LowRank`, or `Matrices` around one: train only inside that space, drawn by each client's own
        generator (structured updates [203]).  Biases are always trained.
    """
    inputs, targets = torch.stack([each.inputs for each in splits]), torch.stack([each.targets for each in splits])
    stacks = {name: torch.from_numpy(np.stack([each[name] for each in received])) for name in received[0]}
    layers = [(stacks[name], stacks[name.replace("weight", "bias")]) for name in stacks if name.endswith("weight")]
    restrictions = [_restriction(structure, weights.shape[1:], rngs) for weights, _ in layers]
    orders = [list(batches(inputs.shape[1], training, rng)) for rng in rngs]
    clients = torch.arange(len(splits))[:, None]
    for rows in zip(*orders, strict=True):
        chosen = torch.from_numpy(np.stack(rows))
        _step(layers, inputs[clients, chosen], targets[clients, chosen], training.learning_rate, restrictions)
    return [{name: values[k].numpy() for name, values in stacks.items()} for k in range(len(splits))]


def structured_step(structure: Codec, model, arrays: Arrays, split: Split, training, rng, *, state=None, config=None):
    """A client's step for the engine, through `functools.partial(structured_step, RandomMask(0.25))`.

    Give the strategy the same codec as `upload`: it finds the same space in the client's generator.
    """
    (trained,) = train_together([arrays], [split], training, [rng], structure)
    return LocalResult(trained, len(split), {})


def _step(layers, inputs: Tensor, targets: Tensor, rate: float, restrictions: list[Restriction | None]) -> None:
    """One step of SGD on the mean cross entropy of each client's batch: inputs (m, B, features)."""
    outputs = [inputs]
    for position, (weights, biases) in enumerate(layers):
        scores = torch.baddbmm(biases[:, None], outputs[-1], weights.transpose(1, 2))
        outputs.append(scores if position == len(layers) - 1 else scores.relu_())
    slope = torch.softmax(outputs[-1], dim=2)  # (m, B, classes)
    slope.scatter_add_(2, targets[..., None], torch.full_like(slope, -1.0)).div_(inputs.shape[1])
    for position in reversed(range(len(layers))):
        weights, biases = layers[position]
        before = torch.bmm(slope, weights).mul_(outputs[position] > 0) if position else None
        gradient = torch.bmm(slope.transpose(1, 2), outputs[position])
        restrict = restrictions[position]
        weights.sub_(restrict(gradient) if restrict else gradient, alpha=rate)
        biases.sub_(slope.sum(dim=1), alpha=rate)
        slope = before


def _restriction(structure: Codec | None, shape: Sequence[int], rngs) -> Restriction | None:
    """Keeps gradients of weights of `shape` in each client's own space."""
    inner = structure.codec if isinstance(structure, Matrices) else structure
    seeds = [stream_seed(rng) for rng in rngs]
    if isinstance(inner, RandomMask):
        inside = torch.from_numpy(np.stack([inner.mask(seed, tuple(shape)) for seed in seeds]))
        return lambda gradient: gradient.mul_(inside)
    if isinstance(inner, LowRank):
        bases = torch.from_numpy(np.stack([inner.basis(seed, shape[0]) for seed in seeds]).astype(np.float32))
        return lambda gradient: torch.bmm(bases, torch.bmm(bases.transpose(1, 2), gradient))  # A times step in B
    if inner is not None:
        raise ValueError(f"{structure!r} is no space to train in; choose RandomMask or LowRank")
    return None
