"""Robust averages of client models, one row a client (survey VII-E).

Each rule takes a stack of ``k`` vectors and returns one.  All are unweighted: a weight is a number that a poisoned
client may choose.
"""

from __future__ import annotations

import numpy as np


def mean(stack: np.ndarray) -> np.ndarray:
    """Plain average of shape (..., k, d) over the clients: (..., d)."""
    return _checked(stack).mean(-2)


def trimmed_mean(stack: np.ndarray, trim: int) -> np.ndarray:
    """Coordinate by coordinate, leave out the ``trim`` smallest and largest of k values and average the rest.

    Trmean of Xie, Koyejo and Gupta 2019 [201].  With q poisoned clients every coordinate stays between honest values
    as long as ``trim >= q``.

    Parameters
    ----------
    stack : ndarray, shape (..., k, d)
    trim : int
        Values left out on *each* side; a count, because a fraction of k is rounded down too easily.

    Examples
    --------
    >>> trimmed_mean(np.array([[1.0], [2.0], [3.0], [1000.0]]), 1)
    array([2.5])

    Raises
    ------
    ValueError
        ``trim`` is negative or leaves no value.
    """
    stack = _checked(stack)
    clients = stack.shape[-2]
    if not (isinstance(trim, int | np.integer) and 0 <= trim and 2 * trim < clients):
        raise ValueError(
            f"trim {trim} of {clients} values on each side leaves nothing; choose 0 to {(clients - 1) // 2}"
        )
    if trim == 0:
        return stack.mean(-2)
    ordered = np.partition(stack, (trim, clients - trim - 1), axis=-2)
    return ordered[..., trim : clients - trim, :].mean(-2)


def median(stack: np.ndarray) -> np.ndarray:
    """Coordinate-wise median: the trimmed mean that trims all it can (Yin et al. 2018)."""
    return np.median(_checked(stack), axis=-2)


def krum(stack: np.ndarray, malicious: int) -> np.ndarray:
    """The one model that is closest to its ``k - malicious - 2`` nearest neighbours (Blanchard et al. 2017).

    Parameters
    ----------
    stack : ndarray, shape (k, d)
    malicious : int
        How many poisoned models to expect.

    Raises
    ------
    ValueError
        Fewer than ``malicious + 3`` models: there is no neighbourhood to measure.
    """
    return _checked(stack)[int(krum_scores(stack, malicious).argmin())]


def krum_scores(stack: np.ndarray, malicious: int) -> np.ndarray:
    """Sum of squared distances of each of k models to its ``k - malicious - 2`` nearest neighbours, shape (k,)."""
    stack = _checked(stack)
    clients = len(stack)
    if malicious < 0 or clients < malicious + 3:
        raise ValueError(f"Krum against {malicious} poisoned models needs {malicious + 3} or more, got {clients}")
    distances = _squared_distances(stack)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, : clients - malicious - 2].sum(1)


def _squared_distances(stack: np.ndarray) -> np.ndarray:
    centred = stack - np.median(stack, axis=0)  # the squares of a common offset would drown the differences
    norms = (centred**2).sum(1)
    return np.maximum(norms[:, None] + norms[None] - 2 * centred @ centred.T, 0.0)


def _checked(stack: np.ndarray) -> np.ndarray:
    stack = np.asarray(stack)
    if stack.ndim < 2 or stack.shape[-2] == 0:
        raise ValueError(f"expected one row a client, shape (..., clients, values), got shape {stack.shape}")
    if not np.isfinite(stack).all():
        rows = np.unique(np.argwhere(~np.isfinite(stack))[:, -2]).tolist()
        raise ValueError(f"the models in rows {rows} hold NaN or infinite values; reject these clients first")
    return stack
