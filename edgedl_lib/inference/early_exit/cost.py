"""What early exit costs on average when the branches are paid for too."""

from collections.abc import Sequence

import numpy as np


def cost_per_exit(segment_costs: Sequence[float], branch_costs: Sequence[float]) -> np.ndarray:
    """Cost of a sample that leaves at each exit, shape (exits,): all segments and all branches up to there.

    >>> cost_per_exit([1, 5], [2, 0])
    array([3., 8.])
    """
    segments, branches = np.asarray(segment_costs, float), np.asarray(branch_costs, float)
    if segments.shape != branches.shape or segments.ndim != 1 or not len(segments):
        raise ValueError(f"expected one segment and one branch per exit, got {segments.shape} and {branches.shape}")
    if not (np.isfinite(segments).all() and np.isfinite(branches).all() and min(segments.min(), branches.min()) >= 0):
        raise ValueError("costs must be finite and at least zero")
    return np.cumsum(segments + branches)


def expected_cost(shares: Sequence[float], segment_costs: Sequence[float], branch_costs: Sequence[float]) -> float:
    """Mean cost of a sample, in the unit of the costs (MAC, FLOP, seconds).

    Parameters
    ----------
    shares : sequence of float, length exits
        Share of the samples that leave at each exit; they sum to 1.
    segment_costs, branch_costs : sequence of float, length exits
        A final exit without layers of its own has branch cost 0.
    """
    costs = cost_per_exit(segment_costs, branch_costs)
    fractions = np.asarray(shares, float)
    if fractions.shape != costs.shape:
        raise ValueError(f"{len(fractions)} shares for {len(costs)} exits; give one for each")
    if not (fractions.min() >= 0 and abs(fractions.sum() - 1) < 1e-6):
        raise ValueError(
            f"shares {fractions.tolist()} must be at least zero and sum to 1, they sum to {fractions.sum()}"
        )
    return float(fractions @ costs)


def break_even_share(first_branch_cost: float, skipped_cost: float) -> float:
    """Share of samples that must leave at the only branch before it pays for itself: branch over what it skips.

    >>> round(break_even_share(107_650, 1_027_570), 4)  # B-LeNet
    0.1048
    """
    if not (first_branch_cost >= 0 and skipped_cost > 0):
        raise ValueError(
            f"expected a branch cost of at least 0 and a skipped cost above 0, got {first_branch_cost}, {skipped_cost}"
        )
    return first_branch_cost / skipped_cost
