"""Which clients train together: greedy groups whose joint histogram of labels is as uniform as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Groups = tuple[tuple[int, ...], ...]


def divergence_from_uniform(counts: np.ndarray) -> np.ndarray | float:
    """Kullback-Leibler divergence [213] of label histograms from the uniform one, in nats, along the last axis.

    sum p log(K p) with 0 log 0 = 0: a class that is absent adds nothing, and nothing is added to make it present.
    The other direction, of the uniform from the histogram, would be infinite as soon as one class is absent.

    >>> round(float(divergence_from_uniform(np.array([7, 0]))), 4)  # log 2
    0.6931
    >>> float(divergence_from_uniform(np.array([3, 3, 3])))
    0.0

    Raises
    ------
    ValueError
        A histogram without samples, or with negative counts.
    """
    counts = np.asarray(counts, dtype=float)
    total = counts.sum(axis=-1, keepdims=True)
    if np.any(total <= 0) or np.any(counts < 0):
        raise ValueError("a histogram needs samples and no negative counts; leave out clients without data")
    share = counts / total
    return (share * np.log(counts.shape[-1] * np.where(share > 0, share, 1 / counts.shape[-1]))).sum(axis=-1)


def balanced_groups(
    counts: np.ndarray,
    online: Sequence[int],
    capacity: int,
    distance: Callable[[np.ndarray], np.ndarray] = divergence_from_uniform,
) -> Groups:
    """Fill one mediator after the other with the client that brings it nearest to uniform (Duan et al. 2019).

    Parameters
    ----------
    counts : ndarray, shape (K, classes)
        What every client reported about its labels.  It is private information: a server that knows it knows which
        classes a person has.
    online : sequence of int
        Clients of this round; on a tie the first.
    capacity : int
        Clients per mediator; the last one takes what is left.
    """
    if capacity < 1:
        raise ValueError(f"capacity {capacity}: a mediator needs at least one client")
    counts, waiting, groups = np.asarray(counts), list(online), []
    while waiting:
        group, merged = [], np.zeros(counts.shape[1])
        while waiting and len(group) < capacity:
            nearest = waiting[int(np.argmin(distance(merged + counts[waiting])))]
            waiting.remove(nearest)
            group.append(nearest)
            merged = merged + counts[nearest]
        groups.append(tuple(group))
    return tuple(groups)


def random_groups(online: Sequence[int], capacity: int, rng: np.random.Generator) -> Groups:
    """Groups without looking at the data."""
    order = rng.permutation(online).tolist()
    return tuple(tuple(order[start : start + capacity]) for start in range(0, len(order), capacity))


def group_divergences(counts: np.ndarray, groups: Groups) -> np.ndarray:
    """Divergence of each group's joint histogram from uniform, in the order of the groups."""
    return np.array([divergence_from_uniform(np.asarray(counts)[list(group)].sum(axis=0)) for group in groups])


def models_per_round(online: int, capacity: int, passes: int = 1) -> int:
    """Models that cross a link in a round: server to mediators and back, and to every client and back in each pass.

    >>> models_per_round(10, 5), models_per_round(10, 5, passes=2)
    (24, 44)
    """
    return 2 * (-(-online // capacity) + online * passes)
