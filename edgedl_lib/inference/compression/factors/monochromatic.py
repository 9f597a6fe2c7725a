"""The other factorisations of Denton et al. 2014: one colour per filter, outer products, blocks of channels.

Filters are arrays ``(F, C, d, d)``: outputs, inputs (colours), rows, columns.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

ALS_SWEEPS = 30  # of alternating least squares per term; rank-one fits settle in fewer


@dataclass(frozen=True)
class Monochromatic:
    """First-layer filters that each look at one of a few colours.

    Attributes
    ----------
    colours : ndarray, shape (C', C)
        Unit vectors in colour space.
    group : ndarray, shape (F,)
        Colour that each filter reads.
    patterns : ndarray, shape (F, d, d)
    """

    colours: np.ndarray
    group: np.ndarray
    patterns: np.ndarray

    def filters(self) -> np.ndarray:
        """The approximated filters (F, C, d, d)."""
        return np.einsum("fc,fyx->fcyx", self.colours[self.group], self.patterns)


def monochromatic(weight: np.ndarray, colours: int, seed: int = 0) -> Monochromatic:
    """Give each filter one colour out of ``colours`` shared ones (Denton et al. 2014, section 3.2.1).

    The best colour of a filter is the first left singular vector of its (C, d d) slice; k-means gathers these, sign
    removed, and the pattern is then the projection of the filter on its group's colour.

    Raises
    ------
    ValueError
        More colours than filters, or NaN.
    """
    filters, channels, *window = weight.shape
    _require_finite(weight)
    if not 1 <= colours <= filters:
        raise ValueError(f"{colours} colours for {filters} filters; choose 1 to {filters}")
    slices = weight.reshape(filters, channels, -1)
    best = np.linalg.svd(slices, full_matrices=False)[0][:, :, 0]  # (F, C)
    largest = np.abs(best).argmax(axis=1)
    best *= np.sign(best[np.arange(filters), largest])[:, None]  # a colour and its negative are one direction
    clusters = KMeans(colours, n_init=4, random_state=seed).fit(best)
    shared = clusters.cluster_centers_ / np.linalg.norm(clusters.cluster_centers_, axis=1, keepdims=True)
    patterns = np.einsum("fc,fcp->fp", shared[clusters.labels_], slices)
    return Monochromatic(shared, clusters.labels_, patterns.reshape(filters, *window))


def monochromatic_gain(filters: int, channels: int, colours: int, kernel: int, stride: int = 1) -> float:
    """Multiply-accumulates of the plain first layer over those of colour maps and one-colour filters.

    The colour maps are computed for every input pixel, that is ``stride ** 2`` per output pixel.

    >>> round(monochromatic_gain(96, 3, 12, kernel=7, stride=2), 2)
    2.91
    """
    plain = filters * channels * kernel**2
    return plain / (colours * channels * stride**2 + filters * kernel**2)


def outer_products(weight: np.ndarray, rank: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Greedy sum of ``rank`` outer products over (outputs, inputs, window), each fitted to what the others left.

    Returns
    -------
    approximation : ndarray, shape of ``weight``
    residuals : ndarray, shape (rank + 1,)
        Relative error after 0, 1, ... terms; it never rises.
    """
    _require_finite(weight)
    if rank < 1:
        raise ValueError(f"rank {rank} is not possible; give at least one outer product")
    generator = np.random.default_rng(seed)
    rest = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
    norm, residuals = np.linalg.norm(rest), [1.0]
    for _ in range(rank):
        rest = rest - _rank_one(rest, generator)
        residuals.append(np.linalg.norm(rest) / norm)
    return weight - rest.reshape(weight.shape), np.array(residuals)


def _rank_one(tensor: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Best single outer product that alternating least squares finds from a random start."""
    b, c = (generator.standard_normal(size) for size in tensor.shape[1:])
    for _ in range(ALS_SWEEPS):
        a = np.einsum("fcp,c,p->f", tensor, b, c) / ((b @ b) * (c @ c))
        b = np.einsum("fcp,f,p->c", tensor, a, c) / ((a @ a) * (c @ c))
        c = np.einsum("fcp,f,c->p", tensor, a, b) / ((a @ a) * (b @ b))
    return np.einsum("f,c,p->fcp", a, b, c)


def bicluster(weight: np.ndarray, groups: tuple[int, int], rank: int, *, similar: bool = True, seed: int = 0):
    """Approximate each block of similar outputs and similar inputs by an SVD of its own; blocks have equal sizes.

    Parameters
    ----------
    groups : (int, int)
        Number of output and input groups; they must divide F and C.
    rank : int
        Of each block, as a matrix (outputs, inputs x window).
    similar : bool
        Group by similarity; otherwise in the order given, the baseline.

    Returns
    -------
    ndarray, shape of ``weight``
    """
    _require_finite(weight)
    if any(size % number for size, number in zip(weight.shape, groups, strict=False)):
        raise ValueError(f"{groups} groups do not divide the {weight.shape[:2]} outputs and inputs evenly")
    rows, columns = (_grouped(np.moveaxis(weight, axis, 0), groups[axis], similar, seed) for axis in (0, 1))
    approximation = np.empty_like(weight)
    for outputs in rows:
        for inputs in columns:
            place = np.ix_(outputs, inputs)
            approximation[place] = _truncated(weight[place], rank)
    return approximation


def _grouped(vectors: np.ndarray, number: int, similar: bool, seed: int) -> np.ndarray:
    """Indices (number, size) of groups of equal size: k-means centres filled in order of distance."""
    count = len(vectors)
    if not similar:
        return np.arange(count).reshape(number, -1)
    flat = vectors.reshape(count, -1)
    distances = KMeans(number, n_init=4, random_state=seed).fit(flat).transform(flat)
    members: list[list[int]] = [[] for _ in range(number)]
    placed: set[int] = set()
    for item, group in zip(*np.unravel_index(distances.argsort(axis=None), distances.shape), strict=True):
        if item not in placed and len(members[group]) < count // number:
            members[group].append(int(item))
            placed.add(item)
    return np.array(members)


def _truncated(block: np.ndarray, rank: int) -> np.ndarray:
    matrix = block.reshape(len(block), -1)
    if not 1 <= rank <= min(matrix.shape):
        raise ValueError(f"rank {rank} is not possible; these blocks have the ranks 1 to {min(matrix.shape)}")
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return ((left[:, :rank] * values[:rank]) @ right[:rank]).reshape(block.shape)


def _require_finite(weight: np.ndarray) -> None:
    if weight.ndim != 4 or not np.isfinite(weight).all():
        raise ValueError(f"need finite filters (F, C, d, d), got shape {weight.shape}; check the weights for NaN")
