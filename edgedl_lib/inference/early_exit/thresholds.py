"""The best thresholds on a validation split, found exactly: every way to split these samples is tried.

A threshold matters only by which samples it lets leave, so the distinct values of the criterion are all there is to
try: n + 1 for one branch, their product for two.  Choose on a validation split; the authors chose on the test set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.cost import cost_per_exit
from edgedl_lib.inference.early_exit.criteria import check_threshold, criterion_named

MAXIMAL_CANDIDATES = 4096  # per branch: the table of two branches then holds 16 million entries


@dataclass(frozen=True)
class ThresholdTable:
    """Accuracy and mean cost of every pair of thresholds.

    Attributes
    ----------
    candidates : tuple of ndarray
        Thresholds of each branch, from "nobody leaves" to "everybody leaves".
    accuracy, cost : ndarray, shape (candidates of branch 1,) or (of branch 1, of branch 2)
        Accuracy in [0, 1]; cost in the unit of the costs given.
    """

    candidates: tuple[np.ndarray, ...]
    accuracy: np.ndarray
    cost: np.ndarray

    def most_accurate(self, cost_limit: float) -> "ThresholdChoice":
        """Highest accuracy at a mean cost of at most ``cost_limit``; among equals the cheapest.

        Raises
        ------
        ValueError
            Nothing is that cheap.
        """
        allowed = self.cost <= cost_limit * (1 + 1e-12)
        if not allowed.any():
            raise ValueError(f"no thresholds cost at most {cost_limit:g}; the cheapest cost {self.cost.min():g}")
        return self._best(allowed, -self.accuracy, self.cost)

    def cheapest(self, accuracy_floor: float) -> "ThresholdChoice":
        """Lowest mean cost at an accuracy of at least ``accuracy_floor``; among equals the most accurate.

        Raises
        ------
        ValueError
            Nothing is that accurate.
        """
        allowed = self.accuracy >= accuracy_floor - 1e-12
        if not allowed.any():
            raise ValueError(f"no thresholds reach accuracy {accuracy_floor:g}; the best is {self.accuracy.max():g}")
        return self._best(allowed, self.cost, -self.accuracy)

    def _best(self, allowed: np.ndarray, first: np.ndarray, second: np.ndarray) -> "ThresholdChoice":
        rows = np.flatnonzero(allowed)
        order = np.lexsort((second.flat[rows], first.flat[rows]))
        index = np.unravel_index(rows[order[0]], self.accuracy.shape)
        chosen = tuple(float(values[i]) for values, i in zip(self.candidates, index, strict=True))
        return ThresholdChoice(chosen, float(self.accuracy[index]), float(self.cost[index]))


@dataclass(frozen=True)
class ThresholdChoice:
    """Thresholds and what they gave on the split that chose them: hand them to ``decide`` for any other split."""

    thresholds: tuple[float, ...]
    accuracy: float
    cost: float


def threshold_table(
    logits: Tensor,
    targets: Tensor,
    segment_costs: Sequence[float],
    branch_costs: Sequence[float],
    criterion: str = "entropy",
) -> ThresholdTable:
    """Try every threshold of one early exit, or every pair of two.

    Parameters
    ----------
    logits : Tensor, shape (2 or 3 exits, n, classes)
    targets : Tensor, shape (n,)
    segment_costs, branch_costs : sequence of float, length exits

    Raises
    ------
    ValueError
        Another number of exits, no samples, NaN, or costs that do not fit.
    """
    if logits.dim() != 3 or len(logits) not in (2, 3) or logits.shape[1] == 0:
        raise ValueError(f"the exact search takes logits (2 or 3 exits, samples, classes), got {tuple(logits.shape)}")
    costs = cost_per_exit(segment_costs, branch_costs)
    if len(costs) != len(logits):
        raise ValueError(f"{len(costs)} costs for {len(logits)} exits; give one segment and one branch for each")
    right = (logits.argmax(dim=-1) == targets).double().numpy()  # (exits, n)
    branches = [_candidates(level, criterion) for level in logits[:-1]]
    leaves = [leaves for _, leaves in branches]
    tables = _one_branch(leaves, right, costs) if len(leaves) == 1 else _two_branches(leaves, right, costs)
    kept = tuple(slice(len(values)) for values, _ in branches)  # a criterion's range may forbid that all leave
    return ThresholdTable(tuple(values for values, _ in branches), *(table[kept] for table in tables))


def _candidates(logits: Tensor, criterion: str) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds of one branch from strict to lax, and for each sample the index of the first with which it leaves."""
    rule = criterion_named(criterion)
    values = rule.measure(logits)
    distinct = torch.unique(values)
    if len(distinct) > MAXIMAL_CANDIDATES:  # exact up to here; beyond, evenly spaced ranks
        distinct = distinct[torch.linspace(0, len(distinct) - 1, MAXIMAL_CANDIDATES).long()]
    above = torch.nextafter(distinct[-1:], torch.tensor(torch.inf))
    rising = torch.cat([distinct, above]).double()
    at_most = torch.bucketize(values.double(), rising, right=True)  # how many thresholds are <= the value
    first = at_most if rule.falls_with_confidence else len(rising) - at_most
    thresholds = (rising if rule.falls_with_confidence else rising.flip(0)).numpy()
    usable = np.array([_in_range(threshold, criterion) for threshold in thresholds])
    return thresholds[usable], (first.numpy() - int(usable.argmax())).clip(min=0)


def _in_range(threshold: float, criterion: str) -> bool:
    try:
        check_threshold(criterion, threshold)
    except ValueError:
        return False
    return True


def _one_branch(leaves: list[np.ndarray], right: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = int(leaves[0].max()) + 1
    moved_right = np.bincount(leaves[0], right[0] - right[1], minlength=size)
    left = np.cumsum(np.bincount(leaves[0], minlength=size))
    samples = right.shape[1]
    accuracy = (right[1].sum() + np.cumsum(moved_right)) / samples
    return accuracy, costs[1] + left / samples * (costs[0] - costs[1])


def _two_branches(leaves: list[np.ndarray], right: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entry (i, j): samples with first index <= i leave at 1, of the rest those with second index <= j at 2."""
    shape = tuple(int(level.max()) + 1 for level in leaves)

    def table(first: np.ndarray, second: np.ndarray, last: np.ndarray) -> np.ndarray:
        gained = np.zeros(shape)
        np.add.at(gained, tuple(leaves), second - last)
        prefix = gained.cumsum(axis=1)
        stayers = prefix.sum(axis=0) - prefix.cumsum(axis=0)  # of samples with first index > i
        at_first = np.cumsum(np.bincount(leaves[0], first - last, minlength=shape[0]))
        return (last.sum() + at_first[:, None] + stayers) / len(last)

    ones = np.ones(right.shape[1])
    return table(*right), table(*(cost * ones for cost in costs))
