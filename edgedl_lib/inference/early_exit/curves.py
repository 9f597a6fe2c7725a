"""Accuracy against cost of a network with one early exit, for every share of samples that may leave there.

Share by share, not threshold by threshold: two criteria, or two training runs, have different scales but the same
shares.  The samples leave in order of confidence, so the curve is exact; a random choice gives its straight chord.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from edgedl_lib.inference.early_exit.accounting import ExitCosts
from edgedl_lib.inference.early_exit.criteria import criterion_named
from edgedl_lib.inference.early_exit.decision import decide


@dataclass(frozen=True)
class ExitCurve:
    """What happens when the k most confident of n samples leave at exit 1, for k = 0..n.

    Attributes
    ----------
    share : ndarray, shape (n + 1,)
        k / n, in [0, 1].
    accuracy : ndarray, shape (n + 1,)
        Of all samples, in [0, 1]; the first entry is that of the final exit alone, the last that of exit 1 alone.
    """

    share: np.ndarray
    accuracy: np.ndarray

    def at(self, share: float | np.ndarray) -> np.ndarray:
        """Accuracy at these shares, interpolated between neighbouring samples."""
        return np.interp(share, self.share, self.accuracy)

    def random_at(self, share: float | np.ndarray) -> np.ndarray:
        """Expected accuracy when the same share of samples leaves at random: the chord of the curve."""
        return self.accuracy[0] + np.asarray(share) * (self.accuracy[-1] - self.accuracy[0])


def exit_curve(logits: Tensor, targets: Tensor, criterion: str = "entropy") -> ExitCurve:
    """Curve of a network with two exits.

    Parameters
    ----------
    logits : Tensor, shape (2, n, classes)
    targets : Tensor, shape (n,)

    Raises
    ------
    ValueError
        Another number of exits, or logits with NaN.
    """
    if logits.dim() != 3 or len(logits) != 2 or logits.shape[1] == 0:
        raise ValueError(f"a curve over one share needs two exits and some samples, got {tuple(logits.shape)}")
    rule = criterion_named(criterion)
    order = rule.measure(logits[0]).argsort(descending=not rule.falls_with_confidence, stable=True)
    first, final = (logits.argmax(dim=-1) == targets).double()[:, order].numpy()  # most confident first
    right = final.sum() + np.concatenate([[0.0], np.cumsum(first - final)])
    return ExitCurve(np.arange(len(right)) / (len(right) - 1), right / (len(right) - 1))


def cost_at(share: float | np.ndarray, costs: ExitCosts) -> np.ndarray:
    """Mean cost relative to the baseline when this share leaves at the only early exit."""
    first, final = np.cumsum(np.add(costs.segments, costs.branches)) / costs.baseline
    return final + np.asarray(share) * (first - final)


def static_line(cost: np.ndarray, shallow: tuple[float, float], full: tuple[float, float]) -> np.ndarray:
    """Accuracy of a mixture of two static networks, each given as (cost, accuracy), at a mean cost between theirs."""
    (low, shallow_accuracy), (high, full_accuracy) = shallow, full
    if not low < high:
        raise ValueError(f"the shallow network costs {low:g}, the full one {high:g}; give the cheaper one first")
    return shallow_accuracy + (np.asarray(cost) - low) / (high - low) * (full_accuracy - shallow_accuracy)


@dataclass(frozen=True)
class Sweep:
    """One row per threshold of the single early exit.

    Attributes
    ----------
    thresholds, exit_share, accuracy, gain : ndarray, shape (T,)
        Threshold (nats for entropy), share leaving at exit 1, accuracy of all, honest gain over the baseline.
    """

    thresholds: np.ndarray
    exit_share: np.ndarray
    accuracy: np.ndarray
    gain: np.ndarray


def sweep(
    logits: Tensor, targets: Tensor, costs: ExitCosts, thresholds: Sequence[float], criterion: str = "entropy"
) -> Sweep:
    """Exit share, accuracy and honest gain at each threshold, as in the authors' notebooks but branches counted."""
    decisions = [decide(logits, [threshold], criterion) for threshold in thresholds]
    shares = np.array([decision.shares.numpy() for decision in decisions])
    accuracy = np.array([decision.accuracy(targets) for decision in decisions])
    return Sweep(np.array(thresholds), shares[:, 0], accuracy, np.array([costs.gain(row) for row in shares]))


def conditional_accuracy(logits: Tensor, targets: Tensor, threshold: float) -> tuple[float, float]:
    """Accuracy of *exit 1* on the samples that leave there, and on those that stay, in [0, 1].

    Raises
    ------
    ValueError
        All leave or all stay, so that one of the two does not exist.
    """
    leaves = decide(logits, [threshold, *[0.0] * (len(logits) - 2)]).exit == 0
    if leaves.all() or not leaves.any():
        raise ValueError(
            f"at threshold {threshold:g} {int(leaves.sum())} of {len(leaves)} samples leave; choose another"
        )
    right = (logits[0].argmax(dim=-1) == targets).double()
    return float(right[leaves].mean()), float(right[~leaves].mean())


def hardest_and_easiest(logits: Tensor, targets: Tensor, count: int) -> dict[str, Tensor]:
    """Indices of samples that exit 1 finds easy or hard: by entropy, right and wrong answers apart.

    Returns
    -------
    dict
        ``"easy, right"``, ``"easy, wrong"``, ``"hard, right"``, ``"hard, wrong"``: at most ``count`` indices each, the
        most extreme first.
    """
    entropy = criterion_named("entropy").measure(logits[0])
    right = logits[0].argmax(dim=-1) == targets
    found = {}
    for ease, falling in (("easy", False), ("hard", True)):
        order = entropy.argsort(descending=falling, stable=True)
        for answer, mask in (("right", right), ("wrong", ~right)):
            found[f"{ease}, {answer}"] = order[mask[order]][:count]
    return found


def pooled(curves: Sequence[ExitCurve], share: np.ndarray) -> np.ndarray:
    """Mean accuracy over runs at each share, shape (shares,)."""
    return np.mean([curve.at(share) for curve in curves], axis=0)


def error_share_of_hardest(logits: Tensor, targets: Tensor, fraction: float = 0.2) -> float:
    """Share of exit 1's errors that lie among this fraction of samples with the highest entropy, in [0, 1].

    Raises
    ------
    ValueError
        Exit 1 makes no error.
    """
    wrong = logits[0].argmax(dim=-1) != targets
    if not wrong.any():
        raise ValueError("exit 1 makes no error on these samples; there is nothing to share")
    order = criterion_named("entropy").measure(logits[0]).argsort(descending=True, stable=True)
    return float(wrong[order][: round(fraction * len(order))].sum() / wrong.sum())
