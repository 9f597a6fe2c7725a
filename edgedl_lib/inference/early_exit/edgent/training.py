"""A small network with five exits, trained jointly: are later exits really the more accurate ones?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits, joint_objective
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.training import build, train

WIDTHS = (8, 16, 24, 24, 16)  # in the proportions of the paper's 32, 64, 96, 96, 64
POOLED = (True, True, False, False, False)


def five_exit_network(input_shape: Sequence[int] = (1, 8, 8), classes: int = 10) -> MultiExitNetwork:
    """Five convolutions, an exit of one dense layer behind each: Edgent's network at a quarter of its width.

    Examples
    --------
    >>> network = five_exit_network()
    >>> network.exits, sum(parameter.numel() for parameter in network.parameters())
    (5, 17938)
    """
    channels, side, segments, branches = input_shape[0], input_shape[1], [], []
    for width, pooled in zip(WIDTHS, POOLED, strict=True):
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        if pooled:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        segments.append(nn.Sequential(*layers))
        branches.append(nn.Sequential(nn.Flatten(), nn.Linear(width * side * side, classes)))
        channels = width
    return MultiExitNetwork(segments, branches)


def exit_graphs(network: MultiExitNetwork, input_shape: Sequence[int]) -> tuple[LayerGraph, ...]:
    """The chain of layers that runs for each exit, first exit first."""
    return tuple(
        layer_graph(nn.Sequential(*network.segments[: number + 1], branch), tuple(input_shape), f"exit {number + 1}")
        for number, branch in enumerate(network.branches)
    )


def exit_accuracies(network: MultiExitNetwork, split: Split) -> np.ndarray:
    """Accuracy of every exit if all samples left there, (exits,)."""
    answers = exit_logits(network, split.inputs).argmax(dim=-1)  # (exits, n)
    return (answers == split.targets).double().mean(dim=1).numpy()


def largest_drop(accuracies: Sequence[float]) -> float:
    """Largest loss from an exit to a later one, at least 0.

    >>> largest_drop([0.6, 0.8, 0.7, 0.9])
    0.10000000000000009
    """
    accuracies = np.asarray(accuracies, dtype=float)
    return float(np.max(np.maximum.accumulate(accuracies) - accuracies))


@dataclass(frozen=True, eq=False)
class TrainedExits:
    """Accuracies of one seed's network.

    Attributes
    ----------
    network : MultiExitNetwork
    after_epoch : (checkpoints, exits) on the validation split, in [0, 1]
    epochs : (checkpoints,) epochs trained by then
    test : (exits,) at the end
    """

    network: MultiExitNetwork
    after_epoch: np.ndarray
    epochs: np.ndarray
    test: np.ndarray


def train_exits(data: Dataset, seed: int, epochs: Sequence[int] = (1, 3, 10)) -> TrainedExits:
    """Train one network with equal weights for all exits and look at its exits after each number of `epochs`.

    Raises
    ------
    ValueError
        If the epochs are not increasing.
    """
    steps = np.diff([0, *epochs])
    if len(steps) == 0 or (steps < 1).any():
        raise ValueError(f"epochs {list(epochs)} must increase from at least 1")
    network = build(lambda: five_exit_network(data.input_shape, data.classes), seed)
    checkpoints = []
    for position, count in enumerate(steps.tolist()):
        train(
            network,
            data.train,
            epochs=count,
            seed=1000 * seed + position,
            learning_rate=3e-3,
            objective=joint_objective(),
        )
        checkpoints.append(exit_accuracies(network, data.validation))
    return TrainedExits(network, np.array(checkpoints), np.asarray(epochs), exit_accuracies(network, data.test))
