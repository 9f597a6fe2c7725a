"""ESE: pruning that gives every processing element the same load (Han et al. 2017 [145]).

Rows are dealt in turn to N elements; the fullest element sets the time.  One threshold for the whole matrix leaves the
elements with different numbers of non-zeros; a threshold per element leaves each the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.offloading.platform.sparse_encoding import entries_per_column

FLOAT_BITS = 32
GATES = 4
ELEMENT_COUNTS = (8, 16, 32)


def prune(weights: np.ndarray, density: float) -> np.ndarray:
    """Mask that keeps the largest magnitudes of a matrix.

    Parameters
    ----------
    weights : numpy.ndarray, shape (rows, columns)
    density : float
        Share to keep, in (0, 1].

    Returns
    -------
    numpy.ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> prune(np.array([[1.0, -3.0], [2.0, 0.5]]), 0.5).tolist()
    [[False, True], [True, False]]
    """
    return _largest(np.abs(weights), _kept(weights.size, density))


def prune_balanced(weights: np.ndarray, density: float, elements: int) -> np.ndarray:
    """Mask that keeps, in the rows of each processing element, the same number of largest magnitudes.

    Parameters
    ----------
    weights : numpy.ndarray, shape (rows, columns)
        Rows divisible by `elements`, so that equal loads are possible.
    density : float
        Share to keep, in (0, 1].
    elements : int
        Processing elements N; row ``i`` belongs to element ``i mod N``.

    Examples
    --------
    >>> prune_balanced(np.array([[1.0, -3.0], [2.0, 0.5]]), 0.5, elements=2).tolist()
    [[False, True], [True, False]]
    """
    if weights.shape[0] % elements:
        raise ValueError(f"{weights.shape[0]} rows cannot be dealt evenly to {elements} elements: choose a divisor")
    total = _kept(weights.size, density)
    mask = np.zeros(weights.shape, bool)
    for element in range(elements):
        share = total // elements + (element < total % elements)
        mask[element::elements] = _largest(np.abs(weights[element::elements]), share)
    return mask


def load(mask: np.ndarray, elements: int) -> np.ndarray:
    """Non-zeros of each processing element, shape (N,)."""
    return np.bincount(np.arange(len(mask)) % elements, mask.sum(axis=1), minlength=elements).astype(int)


def balance(mask: np.ndarray, elements: int) -> float:
    """Mean over maximum of the elements' loads: 1 is perfect."""
    loads = load(mask, elements)
    return float(loads.mean() / loads.max()) if loads.max() else 1.0


def cycles(mask: np.ndarray, elements: int, *, fifo: bool = True) -> int:
    """Cycles of a sparse matrix-vector product with a dense vector, one entry an element and cycle.

    Parameters
    ----------
    mask : numpy.ndarray of bool, shape (rows, columns)
    elements : int
    fifo : bool
        With deep FIFOs the fullest element sets the time; without, the fullest element of every column does.

    Examples
    --------
    >>> mask = np.array([[1, 0], [0, 1]], bool)
    >>> cycles(mask, 2), cycles(mask, 2, fifo=False)
    (1, 2)
    """
    if fifo:
        return int(load(mask, elements).max())
    turns = -(-len(mask) // elements)
    padded = np.zeros((turns * elements, mask.shape[1]), int)
    padded[: len(mask)] = mask
    return int(padded.reshape(turns, elements, -1).sum(axis=0).max(axis=0).sum())


@dataclass(frozen=True)
class BalanceRow:
    """Plain against balanced pruning of one matrix on N processing elements."""

    elements: int
    plain_balance: float
    balanced_spread: int
    plain_cycles: int
    balanced_cycles: int

    @property
    def gain(self) -> float:
        """Speed-up from balancing."""
        return self.plain_cycles / self.balanced_cycles


def balance_study(weights: np.ndarray, density: float = 0.1) -> tuple[BalanceRow, ...]:
    """Compare both prunings of a matrix for N = 8, 16 and 32.

    Parameters
    ----------
    weights : numpy.ndarray, shape (rows, columns)
        Rows divisible by 32.
    density : float
    """
    plain = prune(weights, density)
    rows = []
    for elements in ELEMENT_COUNTS:
        balanced = prune_balanced(weights, density, elements)
        spread = int(np.ptp(load(balanced, elements)))
        rows.append(
            BalanceRow(elements, balance(plain, elements), spread, cycles(plain, elements), cycles(balanced, elements))
        )
    return tuple(rows)


def lstm_shapes() -> tuple[tuple[int, int], ...]:
    """Matrices of ESE's LSTM layer with projection: four gates from the input, four recurrent, one projection."""
    ese = facts("sparse_accelerators", "ese")
    cell, projection = int(ese["cell_size"]), int(ese["projection_size"])
    return ((cell, int(ese["input_size"])),) * GATES + ((cell, projection),) * GATES + ((projection, cell),)


@dataclass(frozen=True)
class EseStudy:
    """ESE's LSTM layer in the cycle model, against the published runs.

    Attributes
    ----------
    seconds : float
        Simulated time of one step of all channels.
    compression : float
        Dense float32 bits over encoded bits; pointers are not counted.
    dense_rate, sparse_rate : float
        Operations per second in the published time, with all and with the kept weights.
    """

    seconds: float
    compression: float
    dense_rate: float
    sparse_rate: float

    def speedup(self, rival: str, seconds: float | None = None) -> float:
        """Published sparse latency of ``cpu`` or ``gpu`` over ESE's (the simulated one by default)."""
        return facts("sparse_accelerators", f"ese {rival}")["sparse_latency"] / (seconds or self.seconds)

    def energy_ratio(self, rival: str, seconds: float | None = None) -> float:
        """Energy of ``cpu`` or ``gpu`` over ESE's for the same step."""
        watts = (
            facts("sparse_accelerators", f"ese {rival}")["sparse_power"] / facts("sparse_accelerators", "ese")["power"]
        )
        return self.speedup(rival, seconds) * watts


def published_latency() -> float:
    """ESE's measured time of one step of all channels, in seconds."""
    return facts("sparse_accelerators", "ese")["latency"]


def ese_study(seed: int = 0) -> EseStudy:
    """Simulate ESE's LSTM layer with random weights, pruned with balance; every entry, filler or not, takes a cycle."""
    ese = facts("sparse_accelerators", "ese")
    generator = np.random.default_rng(seed)
    elements, shapes = int(ese["processing_elements"]), lstm_shapes()
    worst, entries = 0, 0
    for shape in shapes:
        mask = prune_balanced(generator.standard_normal(shape, dtype=np.float32), ese["density"], elements)
        per_element = entries_per_column(mask, elements, int(ese["index_bits"])).sum(axis=1)
        worst, entries = worst + int(per_element.max()), entries + int(per_element.sum())
    dense = sum(rows * columns for rows, columns in shapes)
    rate = 2 * dense * ese["channels"] / ese["latency"]
    return EseStudy(
        seconds=worst / ese["clock"],
        compression=FLOAT_BITS * dense / (entries * (ese["weight_bits"] + ese["index_bits"])),
        dense_rate=rate,
        sparse_rate=rate * ese["density"],
    )


def _kept(size: int, density: float) -> int:
    if not 0 < density <= 1:
        raise ValueError(f"density must lie in (0, 1], not {density}: it is the share of weights to keep")
    return int(round(density * size))


def _largest(magnitudes: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(magnitudes.size, bool)
    if count:
        mask[np.argpartition(magnitudes, -count, axis=None)[-count:]] = True
    return mask.reshape(magnitudes.shape)
