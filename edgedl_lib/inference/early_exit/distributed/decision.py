"""Who answers: DDNN's rule, and thresholds chosen on validation samples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.criteria import check_threshold, normalised_entropy
from edgedl_lib.inference.early_exit.decision import ExitDecision


def decide_levels(logits: Tensor, thresholds: Sequence[float]) -> ExitDecision:
    """Each sample leaves at the first level whose normalised entropy is *at most* the threshold; the last one answers.

    BranchyNet's rule is strictly below.  With "at most", a threshold of 1 always leaves, even from a uniform guess,
    which is what the byte formula of the paper takes for granted.

    Parameters
    ----------
    logits : Tensor, shape (exits, samples, classes)
    thresholds : sequence of float in [0, 1], length exits - 1
    """
    if len(thresholds) != len(logits) - 1:
        raise ValueError(f"{len(logits)} exits need {len(logits) - 1} thresholds, got {len(thresholds)}")
    leaves = torch.ones(logits.shape[:2], dtype=torch.bool)
    for index, threshold in enumerate(thresholds):
        check_threshold("normalised_entropy", threshold)
        leaves[index] = normalised_entropy(logits[index]) <= threshold
    first = leaves.int().argmax(dim=0)
    return ExitDecision(first, logits.argmax(dim=-1).gather(0, first[None])[0], len(logits))


def threshold_for_share(logits: Tensor, share: float) -> float:
    """The smallest threshold at which at least this share of the samples leaves at an exit with these logits.

    Parameters
    ----------
    logits : Tensor, shape (samples, classes)
        Of validation samples: a threshold chosen on test samples has seen the answers.
    share : float in [0, 1]
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} is a fraction and lies within 0 and 1")
    if share in (0, 1):
        return float(share)
    ordered = normalised_entropy(logits).sort().values
    return (
        float(ordered[min(len(ordered) - 1, round(share * len(ordered)) - 1)]) if share * len(ordered) >= 0.5 else 0.0
    )
