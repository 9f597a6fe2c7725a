"""How sure is an exit?  Four measures of one vector of logits.

Entropies fall with confidence, in nats or as a share of the largest possible; the largest probability and the margin
between the two largest rise with it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def entropy(logits: Tensor) -> Tensor:
    """Entropy of the softmax in nats, shape (...,) for logits (..., classes); 0 is certain, ln(classes) is a guess.

    >>> round(entropy(torch.tensor([0.0, 0.0])).item(), 6)
    0.693147
    """
    logarithm = torch.log_softmax(_checked(logits), dim=-1)
    return -(logarithm.exp() * logarithm).nan_to_num(0.0).sum(dim=-1)  # p ln p is 0 at p = 0


def normalised_entropy(logits: Tensor) -> Tensor:
    """Entropy divided by ln(classes), in [0, 1]: DDNN's measure (Teerapittayanon et al. 2017 [161])."""
    return (entropy(logits) / math.log(logits.shape[-1])).clamp(0.0, 1.0)


def largest_probability(logits: Tensor) -> Tensor:
    """Probability of the most likely class, in [1 / classes, 1]."""
    return torch.softmax(_checked(logits), dim=-1).amax(dim=-1)


def margin(logits: Tensor) -> Tensor:
    """Difference between the two largest probabilities, in [0, 1]."""
    first, second = torch.softmax(_checked(logits), dim=-1).topk(2, dim=-1).values.unbind(dim=-1)
    return first - second


@dataclass(frozen=True)
class Criterion:
    """A measure of confidence, which way it points and the range of its thresholds."""

    measure: Callable[[Tensor], Tensor]
    falls_with_confidence: bool
    largest_threshold: float

    def leaves(self, logits: Tensor, threshold: float) -> Tensor:
        """Whether a sample answers here: entropy strictly below the threshold, probability or margin at least it."""
        value = self.measure(logits)
        return value < threshold if self.falls_with_confidence else value >= threshold


CRITERIA = {
    "entropy": Criterion(entropy, True, math.inf),
    "normalised_entropy": Criterion(normalised_entropy, True, 1.0),
    "probability": Criterion(largest_probability, False, 1.0),
    "margin": Criterion(margin, False, 1.0),
}


def criterion_named(name: str) -> Criterion:
    """The criterion of this name; a ValueError lists the ones that exist."""
    if name not in CRITERIA:
        raise ValueError(f"unknown criterion {name!r}; choose one of {', '.join(CRITERIA)}")
    return CRITERIA[name]


def check_threshold(name: str, threshold: float) -> None:
    """Raise ValueError unless the threshold lies in the range of this criterion."""
    largest = criterion_named(name).largest_threshold
    if not 0 <= threshold <= largest:  # also refuses NaN
        raise ValueError(f"threshold {threshold} of {name} must lie within 0 and {largest:g}")


def _checked(logits: Tensor) -> Tensor:
    if torch.isnan(logits).any():
        raise ValueError("the logits hold NaN: the network or its input is broken, a confidence would mean nothing")
    if logits.shape[-1] < 2:
        raise ValueError(f"confidence needs at least two classes, the logits have {logits.shape[-1]}")
    return logits
