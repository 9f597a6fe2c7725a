"""Ternary weights: -a, 0 or +a, with a threshold in proportion to the mean absolute weight (Li and Liu 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgedl_lib.inference.compression.one_bit.coded_layers import pass_through

THRESHOLD = 0.7  # of the mean of |w|: between the best for normal (0.77) and for uniform weights (0.67)


@dataclass(frozen=True)
class Ternary:
    """Every filter becomes a times -1, 0 or +1; a is the mean of the absolute weights above the threshold.

    Attributes
    ----------
    threshold : float
        In units of the filter's mean of \\|w\\|; at least 0, and below 1 so that some weight always survives.
    """

    threshold: float = THRESHOLD
    bits: int = 2
    scales_per_filter: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold {self.threshold} lies outside [0, 1) times the mean of |w|; try {THRESHOLD}")

    def __call__(self, weights: Tensor, training: bool) -> Tensor:
        fixed = weights.detach()
        values = self.values(fixed)
        kept = values.abs()
        scale = (fixed.abs() * kept).sum(-1, keepdim=True) / kept.sum(-1, keepdim=True).clamp(min=1)
        return pass_through(weights, scale * values)

    def values(self, weights: Tensor) -> Tensor:
        """-1, 0 or +1 per weight.

        >>> Ternary().values(torch.tensor([[0.1, -1.0, 0.9]]))
        tensor([[ 0., -1.,  1.]])
        """
        limit = self.threshold * weights.abs().mean(dim=-1, keepdim=True)
        return torch.sign(weights) * (weights.abs() > limit)


def best_threshold(weights: Tensor) -> float:
    """Threshold that leaves the least squared error with its own best scale, over the mean of \\|w\\|; exact search.

    Keeping the k largest of the sorted absolute weights removes (sum of them)^2 / k from the squared norm, so the best
    k maximises that; the threshold lies between the last weight kept and the next.
    """
    sizes = weights.abs().flatten().sort(descending=True).values.double()
    kept = torch.arange(1, len(sizes) + 1)
    best = int((sizes.cumsum(0) ** 2 / kept).argmax())
    boundary = sizes[best : best + 2].mean()
    return float(boundary / sizes.mean())
