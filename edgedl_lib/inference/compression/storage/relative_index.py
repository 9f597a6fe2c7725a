"""Where the non-zeros of a sparse tensor stand, as gaps of a few bits (Han et al. 2016 [146]).

The tensor is read row by row.  An entry stores the number of zeros before it; where that does not fit, a *filler*
(an entry whose value is zero) bridges ``2**bits`` places.  A decoder that does not count fillers as places puts every
later weight in the wrong one, silently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RelativeIndex:
    """Places of the entries of a sparse tensor.

    Attributes
    ----------
    gaps : ndarray of int, shape (E,)
        Zeros before each entry, fillers included among the entries.
    holds_weight : ndarray of bool, shape (E,)
        False for a filler.
    bits : int
        Width of a gap.
    """

    gaps: np.ndarray
    holds_weight: np.ndarray
    bits: int

    @property
    def filler_share(self) -> float:
        """Fillers per true entry."""
        weights = int(self.holds_weight.sum())
        return (len(self.gaps) - weights) / max(weights, 1)


def encode_positions(positions: np.ndarray, bits: int) -> RelativeIndex:
    """Gaps between increasing positions of a flattened tensor.

    Parameters
    ----------
    positions : ndarray of int, shape (n,)
        Strictly increasing, from 0.
    bits : int
        At most ``2**bits - 1`` zeros fit before one entry; at least 1.

    Examples
    --------
    >>> index = encode_positions(np.array([1, 4, 15]), bits=3)  # the figure of the paper
    >>> index.gaps.tolist(), index.holds_weight.tolist()
    ([1, 2, 7, 2], [True, True, False, True])
    """
    positions = np.asarray(positions, dtype=np.int64)
    if not 1 <= bits <= 16:
        raise ValueError(f"a gap takes 1 to 16 bits, not {bits}")
    before = np.diff(positions, prepend=-1) - 1  # zeros before each entry
    if (before < 0).any():
        raise ValueError("positions must increase strictly from 0; sort them and drop repetitions")
    fillers, rest = np.divmod(before, 2**bits)
    place = np.arange(len(before)) + np.cumsum(fillers)  # of each true entry among all entries
    gaps = np.full(len(before) + int(fillers.sum()), 2**bits - 1)
    holds_weight = np.zeros(len(gaps), dtype=bool)
    gaps[place], holds_weight[place] = rest, True
    return RelativeIndex(gaps, holds_weight, bits)


def decode_positions(index: RelativeIndex) -> np.ndarray:
    """Positions of the true entries."""
    return (np.cumsum(index.gaps + 1) - 1)[index.holds_weight]


def expected_filler_share(density: float, bits: int) -> float:
    """Fillers per weight if the weights stood at random: ``q**s / (1 - q**s)``, ``q = 1 - density``, ``s = 2**bits``.

    >>> round(expected_filler_share(0.08, bits=5), 3)
    0.075
    """
    if not 0 < density <= 1:
        raise ValueError(f"density must lie in (0, 1], not {density}")
    bridged = (1 - density) ** 2**bits
    return bridged / (1 - bridged)
