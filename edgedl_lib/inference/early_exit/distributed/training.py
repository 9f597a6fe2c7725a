"""Training all exits of a DDNN together, several seeds side by side."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from edgedl_lib.inference.early_exit.distributed.binary import clip_latent_weights
from edgedl_lib.inference.early_exit.distributed.network import Design, ddnn, replica
from edgedl_lib.inference.early_exit.distributed.views import ABSENT, Views
from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, train

BATCH_SIZE = 40
LEARNING_RATE = 0.015  # of Adam; binary weights need larger steps than float ones


def ddnn_objective(network: MultiExitNetwork, views: Tensor, targets: Tensor) -> Tensor:
    """Sum of all cross entropies, each with weight one, as in the authors' code (Teerapittayanon et al. 2017 [161]).

    Every device learns from the pictures on which it sees the object, with its own label; the exits that join several
    devices learn from every sample, with the object's class.

    Parameters
    ----------
    targets : Tensor, shape (batch, 1 + cameras) or (batch, replicas, 1 + cameras)
        The object's class, then each camera's label or ``ABSENT``.
    """
    own, common = targets[..., 1:].flatten(1), targets[..., 0]
    maps = network.segments[0](views)
    scores = network.branches[0].heads(maps)
    loss = device_loss(scores, own) + exit_loss(network.branches[0].logits(scores), common)
    for segment, branch in zip(network.segments[1:], network.branches[1:], strict=True):
        maps = segment(maps)
        loss = loss + exit_loss(branch(maps), common)
    return loss


def device_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Sum over the devices of their mean cross entropy on the pictures that show the object; none shows it: zero."""
    each = functional.cross_entropy(scores.transpose(1, 2), labels, ignore_index=ABSENT, reduction="none")  # (batch, n)
    return (each.sum(dim=0) / (labels != ABSENT).sum(dim=0).clamp(min=1)).sum()


def exit_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy over the batch, summed over replicas."""
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="sum") / len(targets)


def train_ddnn(
    design: Design,
    views: Sequence[Views],
    seed: int,
    *,
    epochs: int = 2,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
) -> list[MultiExitNetwork]:
    """Train one network for each set of views, all in the same loop; they share no weight, hence no gradient.

    Parameters
    ----------
    design : Design
        Its ``replicas`` is replaced by the number of sets.
    views : sequence of Views
        Cut to the length of the shortest.
    seed : int
        Of the initial weights and the order of the samples.

    Raises
    ------
    ValueError
        If the design and the views disagree about the number or size of the pictures.
    """
    expected = (design.cameras, *design.view)
    for each in views:
        if tuple(each.inputs.shape[1:]) != expected:
            raise ValueError(f"the design is for pictures {expected}, the views are {tuple(each.inputs.shape[1:])}")
    design = replace(design, replicas=len(views))
    network = build(lambda: ddnn(design), seed)
    train(
        network,
        side_by_side([each.split() for each in views]),
        epochs=epochs,
        seed=seed,
        batch_size=batch_size,
        learning_rate=learning_rate,
        objective=ddnn_objective,
        after_step=clip_latent_weights,
        schedule=cooling,
    )
    return [replica(network, design, number) for number in range(len(views))]


def cooling(done: float) -> float:
    """Factor of the learning rate: one, then straight down to a twentieth over the last half of the steps."""
    return min(1.0, max(0.05, 2 * (1 - done)))


def side_by_side(splits: Sequence[Split], trim: bool = True) -> Split:
    """One split whose channels are all the cameras of all replicas, and targets of shape (samples, replicas, ...).

    Sets of unequal length are cut to the shortest, or (``trim=False``) the last sample of the shorter is repeated.
    """
    lengths = [len(split) for split in splits]
    rows = torch.arange(min(lengths) if trim else max(lengths))
    chosen = [rows.clamp(max=length - 1) for length in lengths]
    inputs = torch.cat([split.inputs[own] for split, own in zip(splits, chosen, strict=True)], dim=1)
    targets = torch.stack([split.targets[own] for split, own in zip(splits, chosen, strict=True)], dim=1)
    return Split(inputs, targets)
