"""A hash of matrix positions that is the same in every process, on every machine and in every version.

Python's own ``hash`` of a string is salted per process, and a generator's stream may change between versions; a network
whose weights hang on either could not be loaded again.  The mixer is splitmix64 (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(values: np.ndarray) -> np.ndarray:
    """Well-mixed 64-bit values; different inputs give different outputs."""
    with np.errstate(over="ignore"):
        values = values.astype(np.uint64) + _GOLDEN
        values = (values ^ (values >> np.uint64(30))) * _FIRST
        values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def hashed_positions(rows: int, columns: int, buckets: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bucket and sign of every position of a matrix.

    Parameters
    ----------
    rows, columns : int
    buckets : int
        Values that are stored.
    seed : int
        Different layers need different seeds.

    Returns
    -------
    buckets : ndarray of int64, shape (rows, columns), in [0, buckets)
    signs : ndarray of float32, shape (rows, columns), -1 or +1

    Examples
    --------
    >>> hashed_positions(1, 4, 10, seed=0)[0]
    array([[7, 5, 8, 4]])
    """
    if min(rows, columns, buckets) < 1 or seed < 0:
        raise ValueError(
            f"a {rows}x{columns} matrix, {buckets} buckets and seed {seed}: all must be positive (seed >= 0)"
        )
    base = mixed(np.array([seed], np.uint64))
    positions = mixed(base ^ np.arange(rows * columns, dtype=np.uint64)).reshape(rows, columns)
    chosen = (positions >> np.uint64(1)) % np.uint64(buckets)
    signs = np.where(positions & np.uint64(1), 1, -1).astype(np.float32)
    return chosen.astype(np.int64), signs
