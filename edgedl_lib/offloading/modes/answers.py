"""How often each way of sharing the work is right: measured on pictures, with eight bits on every link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits
from edgedl_lib.inference.quantised_split.quantise import Quantiser
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.offloading.modes.network import trunk

THRESHOLDS = torch.linspace(0.5, 1.0, 51).tolist()


@dataclass(frozen=True)
class Answers:
    """Accuracies in [0, 1], and where a picture is answered in vertical collaboration.

    Attributes
    ----------
    whole : float
        The whole trunk in one place: what an end device alone or integral offloading gives.
    exits : float
        Vertical collaboration: each level answers what it is sure of.
    shares : tuple of float
        Share of the pictures answered by end, edge and cloud.
    threshold : float
        Least probability of an early answer, chosen on the validation pictures.
    """

    whole: float
    exits: float
    shares: tuple[float, ...]
    threshold: float


def measure_answers(network: MultiExitNetwork, data: Dataset, *, tolerated_loss: float = 0.005) -> Answers:
    """Accuracies on the test pictures.

    The threshold is the smallest at which the validation pictures lose at most `tolerated_loss` against the best
    threshold; the ranges of the eight-bit grids also come from the validation pictures.
    """
    grids = boundary_grids(network, data.validation.inputs)
    threshold = choose_threshold(crossed_logits(network, data.validation, grids), data.validation, tolerated_loss)
    logits = crossed_logits(network, data.test, grids)
    decision = decide(logits, [threshold] * (network.exits - 1), "probability")
    whole = exit_logits(network, data.test.inputs)[-1]
    return Answers(
        _share_right(whole, data.test),
        decision.accuracy(data.test.targets),
        tuple(decision.shares.tolist()),
        threshold,
    )


def boundary_grids(network: MultiExitNetwork, inputs: Tensor) -> dict[int, Quantiser]:
    """Eight-bit grid of the features after each segment but the last, from their range on `inputs`."""
    grids = {}
    with torch.no_grad():
        for index, segment in enumerate(network.segments[:-1]):
            inputs = segment(inputs)
            grids[index] = Quantiser.for_tensor(inputs)
    return grids


@torch.no_grad()
def crossed_logits(network: MultiExitNetwork, split: Split, grids: dict[int, Quantiser]) -> Tensor:
    """Logits of every exit when features cross each boundary in eight bits, shape (exits, n, classes)."""
    values, logits = split.inputs, []
    for index, (segment, branch) in enumerate(zip(network.segments, network.branches, strict=True)):
        values = segment(values)
        logits.append(branch(values))  # the level answers from its own, unquantised features
        if index in grids:
            values = grids[index].round_trip(values)
    return torch.stack(logits)


def choose_threshold(logits: Tensor, split: Split, tolerated_loss: float) -> float:
    """Smallest probability that may answer early at an accuracy of no more than `tolerated_loss` below the best."""
    accuracies = [_early_accuracy(logits, split, threshold) for threshold in THRESHOLDS]
    goal = max(accuracies) - tolerated_loss
    return next(threshold for threshold, each in zip(THRESHOLDS, accuracies, strict=True) if each >= goal)


@torch.no_grad()
def cut_accuracy(network: MultiExitNetwork, data: Dataset, cut: int) -> float:
    """Accuracy of the whole trunk when what its first `cut` layers give crosses a link in eight bits.

    A cut at 0 sends the picture, whose pixels have eight bits anyway, and one after the last layer sends nothing.
    """
    layers = trunk(network)
    if cut in (0, len(layers)):
        return _share_right(layers(data.test.inputs), data.test)
    first, rest = layers[:cut], layers[cut:]
    grid = Quantiser.for_tensor(first(data.validation.inputs))
    return _share_right(rest(grid.round_trip(first(data.test.inputs))), data.test)


def _early_accuracy(logits: Tensor, split: Split, threshold: float) -> float:
    early: Sequence[float] = [threshold] * (len(logits) - 1)
    return decide(logits, early, "probability").accuracy(split.targets)


def _share_right(logits: Tensor, split: Split) -> float:
    return float((logits.argmax(dim=1) == split.targets).double().mean())
