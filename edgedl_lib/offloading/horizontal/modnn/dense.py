"""Dense layers on several phones: balanced co-clustering (MSCC) and what crosses between them (FGCP).

MoDNN [177] names both schemes; how they work in detail is our reading.  MSCC here: Dhillon's spectral co-clustering
(2001) with clusters of equal size.  FGCP here: for every link between two workers, move the neuron's value or the
partial sum, whichever covers all links with fewer values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DensePartition:
    """Which worker holds which neuron.

    Attributes
    ----------
    outputs, inputs : ndarray of int, shapes (outputs,) and (inputs,)
    """

    outputs: np.ndarray
    inputs: np.ndarray

    def cross_links(self, weights: np.ndarray) -> int:
        """Non-zero weights whose two ends lie on different workers."""
        return int(np.count_nonzero((weights != 0) & (self.outputs[:, None] != self.inputs[None, :])))


def random_partition(weights: np.ndarray, workers: int, seed: int) -> DensePartition:
    """Equal shares, drawn at random."""
    generator = np.random.default_rng([seed, 177])  # not the stream that drew the weights
    return DensePartition(*(generator.permutation(np.arange(size) % workers) for size in weights.shape))


def cocluster(weights: np.ndarray, workers: int, seed: int) -> DensePartition:
    """Group outputs and inputs that are linked, equally many for each worker.

    The bipartite graph of |weights| is normalised by both degrees; its singular vectors place outputs and inputs in
    one space; k-means finds centres there; an assignment problem gives each centre equal shares.

    Parameters
    ----------
    weights : ndarray, shape (outputs, inputs)

    Raises
    ------
    ValueError
        Fewer neurons than workers.
    """
    from sklearn.cluster import KMeans

    if not 1 <= workers <= min(weights.shape):
        raise ValueError(f"{workers} workers cannot share {weights.shape[0]} outputs and {weights.shape[1]} inputs")
    places = _spectral_places(np.abs(weights), workers)
    centres = KMeans(workers, n_init=5, random_state=seed).fit(np.vstack(places)).cluster_centers_
    return DensePartition(*(_equal_shares(each, centres) for each in places))


def _spectral_places(links: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
    degrees = [np.sqrt(links.sum(axis=axis) + 1e-12) for axis in (1, 0)]
    left, _, right = np.linalg.svd(links / degrees[0][:, None] / degrees[1][None, :], full_matrices=False)
    # the first pair of vectors only tells the degrees
    chosen = slice(1, workers) if workers > 1 else slice(0, 1)
    places = (left[:, chosen], right[chosen].T)
    return tuple(each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in places)


def _equal_shares(places: np.ndarray, centres: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    seats = np.arange(len(places)) % len(centres)
    distance = np.square(places[:, None, :] - centres[None, :, :]).sum(axis=-1)  # (neurons, workers)
    rows, columns = linear_sum_assignment(distance[:, seats])
    return seats[columns[np.argsort(rows)]]


@dataclass(frozen=True)
class CrossTraffic:
    """Values that cross between workers in one pass of a dense layer, by three rules.

    Attributes
    ----------
    neurons : int
        Every input value goes to each worker that has a link to it.
    partial_sums : int
        Every worker multiplies at home and sends one partial sum per output.
    chosen : int
        The smaller of the two ways for every link: a smallest vertex cover.
    """

    neurons: int
    partial_sums: int
    chosen: int


def cross_traffic(weights: np.ndarray, partition: DensePartition) -> CrossTraffic:
    """Count the values by Koenig's theorem: a smallest vertex cover is as large as a largest matching."""
    totals = np.zeros(3, int)
    for _, _, links in _cross_blocks(weights, partition):
        moved, summed = cover(links)
        totals += links.any(axis=0).sum(), links.any(axis=1).sum(), moved.sum() + summed.sum()
    return CrossTraffic(*map(int, totals))


def cover(links: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewest inputs to move and outputs to sum remotely, so that every link is served.

    Parameters
    ----------
    links : ndarray of bool, shape (outputs, inputs)

    Returns
    -------
    moved : ndarray of bool, shape (inputs,)
    summed : ndarray of bool, shape (outputs,)

    Examples
    --------
    >>> moved, summed = cover(np.array([[1, 1, 1], [1, 0, 0]], bool))
    >>> int(moved.sum() + summed.sum())
    2
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    partner = maximum_bipartite_matching(csr_array(links.astype(np.int8)), perm_type="column")  # of each output
    outputs, inputs = partner < 0, np.zeros(links.shape[1], bool)  # reached from unmatched outputs
    while True:
        inputs = links[outputs].any(axis=0)
        reached = outputs | ((partner >= 0) & inputs[partner])
        if (reached == outputs).all():
            return inputs, ~outputs & links.any(axis=1)
        outputs = reached


def run_partitioned(weights: np.ndarray, values: np.ndarray, partition: DensePartition) -> tuple[np.ndarray, int]:
    """The layer's product as the workers compute it, and how many values crossed between them."""
    same = partition.outputs[:, None] == partition.inputs[None, :]
    result, crossed = (weights * same) @ values, 0
    for receiver, sender, links in _cross_blocks(weights, partition):
        moved, summed = cover(links)
        block, arrived = weights[np.ix_(receiver, sender)], values[sender]
        result[receiver] += (block * moved) @ arrived  # the receiver multiplies what arrived
        result[receiver[summed]] += (block * ~moved)[summed] @ arrived  # the sender multiplied: one sum per output
        crossed += int(moved.sum() + summed.sum())
    return result, crossed


def _cross_blocks(weights: np.ndarray, partition: DensePartition):
    """For every ordered pair of workers: the receiver's outputs, the sender's inputs, the links between."""
    workers = range(1 + int(max(partition.outputs.max(), partition.inputs.max())))
    for to in workers:
        for source in workers:
            receiver, sender = np.flatnonzero(partition.outputs == to), np.flatnonzero(partition.inputs == source)
            links = weights[np.ix_(receiver, sender)] != 0
            if to != source and links.any():
                yield receiver, sender, links


def saved(before: float, after: float) -> float:
    """Percent by which `after` is smaller."""
    if before <= 0:
        raise ValueError(f"nothing to save: {before} before")
    return 100 * (1 - after / before)
