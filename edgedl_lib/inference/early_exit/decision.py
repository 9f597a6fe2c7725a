"""Where each sample leaves, given the logits of all exits: the rule of inference, for a whole split at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.criteria import check_threshold, criterion_named


@dataclass(frozen=True)
class ExitDecision:
    """Which exit answered for each sample, and what.

    Attributes
    ----------
    exit : Tensor, shape (n,), int64
        Index of the exit, 0 is the first.
    prediction : Tensor, shape (n,), int64
    exits : int
        Number of exits of the network.
    """

    exit: Tensor
    prediction: Tensor
    exits: int

    @property
    def shares(self) -> Tensor:
        """Share of the samples that left at each exit, shape (exits,), float64."""
        return torch.bincount(self.exit, minlength=self.exits).double() / len(self.exit)

    def accuracy(self, targets: Tensor) -> float:
        """Share of right answers, in [0, 1]."""
        return float((self.prediction == targets).double().mean())


def decide(logits: Tensor, thresholds: Sequence[float], criterion: str = "entropy") -> ExitDecision:
    """Let each sample leave at the first exit that is sure enough; the last exit always answers.

    Parameters
    ----------
    logits : Tensor, shape (exits, n, classes)
    thresholds : sequence of float, length exits - 1
        Nats for ``"entropy"``; within [0, 1] for the other criteria.
    criterion : str
        ``"entropy"``, ``"normalised_entropy"``, ``"probability"`` or ``"margin"``.

    Raises
    ------
    ValueError
        No samples, a threshold too many or too few or out of range, or logits with NaN.
    """
    _check(logits, thresholds, criterion)
    rule = criterion_named(criterion)
    leaves = torch.ones(logits.shape[:2], dtype=torch.bool)  # (exits, n)
    for index, threshold in enumerate(thresholds):
        leaves[index] = rule.leaves(logits[index], threshold)
    first = leaves.int().argmax(dim=0)  # (n,), the first True
    answers = logits.argmax(dim=-1)  # (exits, n)
    return ExitDecision(first, answers.gather(0, first[None])[0], len(logits))


def _check(logits: Tensor, thresholds: Sequence[float], criterion: str) -> None:
    if logits.dim() != 3 or 0 in logits.shape:
        raise ValueError(
            f"expected logits of shape (exits, samples, classes), none of them 0, got {tuple(logits.shape)}"
        )
    if len(thresholds) != len(logits) - 1:
        raise ValueError(f"{len(logits)} exits need {len(logits) - 1} thresholds, got {len(thresholds)}")
    for threshold in thresholds:
        check_threshold(criterion, threshold)
