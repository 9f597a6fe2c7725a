"""Sparse against dense matrix products on this processor: from which density, and at which batch, zeros pay.

A zero skipped saves a multiply-add; an entry kept costs an index as wide as its value, and the gathers that indices ask
for leave the vector units idle.  Both libraries' CSR kernels are timed, and the faster one counts.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from edgedl_lib.system.timing import Timing, measure_in_turn

VALUE_BYTES, INDEX_BYTES = 4, 4
WARM_UP_SECONDS = 0.01  # kernels without a choice to make are warm after a few calls


@dataclass(frozen=True)
class SparseTiming:
    """One matrix, one batch: seconds per product of the dense kernel and of the CSR kernels.

    Attributes
    ----------
    density : float
        Share of non-zero weights.
    batch : int
    dense, scipy, torch : Timing
    error : float
        Largest difference of a CSR product from the dense one, over the largest result.
    """

    density: float
    batch: int
    dense: Timing
    scipy: Timing
    torch: Timing
    error: float

    @property
    def speedup(self) -> float:
        """Dense time over that of the faster CSR kernel, each in its least disturbed window."""
        return self.dense.minimum / min(self.scipy.minimum, self.torch.minimum)


def random_sparse(rows: int, columns: int, density: float, seed: int = 0) -> np.ndarray:
    """Matrix with the given share of non-zeros at random places, as magnitude pruning leaves it; float32.

    Raises
    ------
    ValueError
        If the density leaves nothing (sparsity 1.0) or is above 1.
    """
    if not 0 < density <= 1:
        raise ValueError(f"a density of {density} is not possible; choose one in (0, 1], sparsity 1 leaves nothing")
    generator = np.random.default_rng(seed)
    values = generator.random((rows, columns), dtype=np.float32)
    kept = generator.random((rows, columns), dtype=np.float32) < density
    return (values + 0.5) * kept


def time_sparse(
    rows: int, columns: int, densities: Sequence[float], batches: Sequence[int], *, seed: int = 0, windows: int = 6
) -> list[SparseTiming]:
    """Time dense and CSR products of one size at every density and batch, each rival in turn."""
    matrices = {density: random_sparse(rows, columns, density, seed) for density in densities}
    return [_time_one(matrix, density, batch, windows) for density, matrix in matrices.items() for batch in batches]


def _time_one(matrix: np.ndarray, density: float, batch: int, windows: int) -> SparseTiming:
    inputs = np.random.default_rng(batch).random((matrix.shape[1], batch), dtype=np.float32)
    compressed = sparse.csr_array(matrix)
    tensor, vectors = torch.from_numpy(matrix), torch.from_numpy(inputs)
    pieces = [torch.from_numpy(part) for part in (compressed.indptr, compressed.indices, compressed.data)]
    with warnings.catch_warnings(action="ignore"):  # "in beta state"
        coded = torch.sparse_csr_tensor(*pieces, size=matrix.shape, check_invariants=False)
    with torch.inference_mode():
        calls = {
            "dense": lambda: tensor @ vectors,
            "scipy": lambda: compressed @ inputs,
            "torch": lambda: coded @ vectors,
        }
        truth = calls["dense"]().numpy()
        results = [calls["scipy"](), calls["torch"]().numpy()]
        timings = measure_in_turn(calls, windows=windows, warm_up_seconds=WARM_UP_SECONDS)
    error = max(float(np.abs(result - truth).max() / np.abs(truth).max()) for result in results)
    return SparseTiming(density, batch, timings["dense"], timings["scipy"], timings["torch"], error)


def break_even_density(timings: Sequence[SparseTiming]) -> float:
    """Density at which CSR and dense take the same time: log-log interpolation between measured densities.

    Where one kernel wins at every density measured, the nearer end of the grid.
    """
    ordered = sorted(timings, key=lambda timing: timing.density)
    density = np.log([timing.density for timing in ordered])
    gain = np.log([timing.speedup for timing in ordered])
    if gain[0] <= 0:
        return float(np.exp(density[0]))
    losing = np.flatnonzero(gain <= 0)
    if losing.size == 0:
        return float(np.exp(density[-1]))
    right = int(losing[0])
    share = gain[right - 1] / (gain[right - 1] - gain[right])
    return float(np.exp(density[right - 1] + share * (density[right] - density[right - 1])))


def csr_bytes(rows: int, columns: int, density: float) -> float:
    """Bytes of a CSR matrix with 32-bit indices: value and column of each entry, and the row starts."""
    return rows * columns * density * (VALUE_BYTES + INDEX_BYTES) + INDEX_BYTES * (rows + 1)


def equal_size_density(rows: int, columns: int) -> float:
    """Density at which CSR takes as many bytes as the dense matrix.

    >>> round(equal_size_density(2048, 2048), 4)
    0.4998
    """
    dense = VALUE_BYTES * rows * columns
    return (dense - INDEX_BYTES * (rows + 1)) / (rows * columns * (VALUE_BYTES + INDEX_BYTES))
