"""Minimum s-t cut with real capacities on SciPy's integer maximum flow.

SciPy's solver is fast and counts in int32, which silently overflows.  So the capacities are rounded down to whole
units, the flow is pushed, and what is left over is pushed once more in units a few hundred million times smaller.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

# A residual capacity can reach twice the largest capacity, and must still fit into int32.
LARGEST_CAPACITY = 2**29
ROUNDS = 2


@dataclass(frozen=True, eq=False)
class MinimumCut:
    """Source side of a minimum cut as a boolean per node, and the capacity of the arcs that leave it."""

    source_side: np.ndarray
    value: float


def minimum_cut(capacity, source, sink) -> MinimumCut:
    """Find a minimum cut; among equally cheap cuts the one with the smallest source side.

    Parameters
    ----------
    capacity : (M, M), capacity of the arc from row to column; 0 where there is none, ``inf`` where it must not be cut
    source, sink : node indices; the arcs into the sink must have finite capacities

    Returns
    -------
    MinimumCut
        Its value exceeds the minimum by at most ``M_arcs**3 / 2**58`` of the capacity into the sink: 3e-12 of it for
        100 arcs.  Cuts that differ by less count as equal.

    Raises
    ------
    ValueError
        If the arcs into the sink have infinite capacity.

    Examples
    --------
    >>> capacity = np.array([[0, 0.3, np.inf], [0, 0, 0.1], [0, 0, 0]])
    >>> minimum_cut(capacity[:2, :2], source=0, sink=1).value
    0.3
    """
    largest_flow = bound = capacity[:, sink].sum()
    if not np.isfinite(bound):
        raise ValueError(f"the arcs into the sink have capacity {bound}: give finite capacities")
    residual = np.array(capacity, dtype=float)
    arcs = np.count_nonzero(capacity)
    open_arcs = residual > 0
    for _ in range(ROUNDS if largest_flow > 0 else 0):
        unit = bound / LARGEST_CAPACITY
        whole = (np.clip(residual, 0, bound) / unit).astype(np.int32)
        flow = maximum_flow(csr_array(whole), source, sink).flow.toarray()
        residual -= flow * unit
        open_arcs = whole - flow > arcs  # rounding may leave a few units on arcs that are really full
        bound = arcs * unit  # at most one unit per arc was rounded away
    return _cut_behind(open_arcs, capacity, source)


def _cut_behind(open_arcs, capacity, source):
    """The nodes that the source still reaches are its side of the cut."""
    reached = breadth_first_order(csr_array(open_arcs), source, return_predecessors=False)
    source_side = np.zeros(len(capacity), dtype=bool)
    source_side[reached] = True
    return MinimumCut(source_side, float(capacity[np.ix_(source_side, ~source_side)].sum()))
