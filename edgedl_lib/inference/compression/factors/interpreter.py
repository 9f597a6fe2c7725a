"""A runtime for very little memory: it loads one layer, runs it and drops it before the next (SparseSep, section 20).

The network lies in a file.  What must fit into memory is the largest layer with its input and output, not the network.
"""

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from torch import nn

from edgedl_lib.inference.compression.factors.sparse_coding import SparseCodedLinear

BYTES = 4  # float32 values and int32 indices alike


@dataclass(frozen=True)
class StoredLayer:
    """Where one matrix lies in the file, and what follows it.

    Attributes
    ----------
    shape : (int, int)
        Outputs and inputs.
    entries : int or None
        Non-zeros of a sparse matrix in CSR form; None for a dense one.
    bias, rectify : bool
    offset : int
        First byte in the file.
    """

    shape: tuple[int, int]
    entries: int | None
    bias: bool
    rectify: bool
    offset: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """Numbers of each array in the file: values, column indices and row starts if sparse, bias."""
        rows, columns = self.shape
        matrix = (rows * columns,) if self.entries is None else (self.entries, self.entries, rows + 1)
        return (*matrix, rows) if self.bias else matrix

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file, and in memory while the layer runs."""
        return BYTES * sum(self.lengths)

    @property
    def working_bytes(self) -> int:
        """Bytes in memory while the layer runs, with its input and its output."""
        return self.stored_bytes + BYTES * sum(self.shape)


class LayerwiseInterpreter:
    """Runs a file of dense and sparse matrices with one of them in memory at a time."""

    def __init__(self, path: Path, layers: Sequence[StoredLayer]) -> None:
        self.path, self.layers = Path(path), tuple(layers)

    @classmethod
    def write(cls, network: nn.Sequential, path: Path) -> "LayerwiseInterpreter":
        """Store the layers of a dense network, factored and sparse-coded ones as the two matrices that they are.

        Raises
        ------
        ValueError
            For anything but dense layers, ReLU and flattening.
        """
        stored: list[StoredLayer] = []
        with open(path, "wb") as file:
            for matrix, bias, rectify in _matrices(network):
                stored.append(_append(file, matrix, bias, rectify))
        return cls(path, stored)

    def run(self, vector: np.ndarray) -> np.ndarray:
        """Logits of one input; each layer is read from the file when its turn comes."""
        for layer in self.layers:
            vector = self._apply(layer, vector)
        return vector

    def _apply(self, layer: StoredLayer, vector: np.ndarray) -> np.ndarray:
        arrays = self._load(layer)
        if layer.entries is None:
            result = arrays[0].reshape(layer.shape) @ vector
        else:
            result = sparse.csr_array((arrays[0], arrays[1], arrays[2]), shape=layer.shape) @ vector
        if layer.bias:
            result += arrays[-1]
        return np.maximum(result, 0, out=result) if layer.rectify else result

    def _load(self, layer: StoredLayer) -> list[np.ndarray]:
        arrays, offset = [], layer.offset
        for place, length in enumerate(layer.lengths):
            kind = np.int32 if layer.entries is not None and place in (1, 2) else np.float32
            arrays.append(np.fromfile(self.path, kind, length, offset=offset))
            offset += BYTES * length
        return arrays

    @property
    def peak_bytes(self) -> int:
        """What the model says must fit into memory: the largest layer with its input and output."""
        return max(layer.working_bytes for layer in self.layers)

    @property
    def resident_bytes(self) -> int:
        """What a runtime needs that loads the whole network: all layers, and the largest input and output."""
        return sum(layer.stored_bytes for layer in self.layers) + BYTES * max(sum(layer.shape) for layer in self.layers)

    def measured_peak(self, vector: np.ndarray) -> int:
        """Largest number of bytes that Python allocated at once during a run, the given vector included."""
        vector = np.ascontiguousarray(vector, np.float32)
        self.run(vector)  # first calls import and cache
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            self.run(vector)
            return tracemalloc.get_traced_memory()[1] - before + vector.nbytes
        finally:
            tracemalloc.stop()


def _matrices(network: nn.Sequential):
    """Matrix, bias and whether a ReLU follows, for each matrix of the network in order."""
    modules = [module for module in _flat(network) if not isinstance(module, nn.Flatten)]
    for module, follower in zip(modules, [*modules[1:], None], strict=True):
        if isinstance(module, nn.ReLU):
            continue
        *inner, last = _parts(module)
        for matrix in inner:
            yield matrix, None, False
        bias = None if module.bias is None else module.bias.detach().numpy()
        yield last, bias, isinstance(follower, nn.ReLU)


def _flat(module: nn.Module):
    if type(module) is nn.Sequential:
        for child in module:
            yield from _flat(child)
    else:
        yield module


def _parts(module: nn.Module) -> list:
    if isinstance(module, SparseCodedLinear):
        factors = [module.first.numpy(), module.second.numpy()]
        code = 1 if module.wide else 0
        factors[code] = sparse.csr_array(factors[code])
        return factors
    if isinstance(module, nn.Linear):
        return [module.weight.detach().numpy()]
    raise ValueError(f"the interpreter runs dense layers, ReLU and Flatten, not {type(module).__name__}")


def _append(file, matrix, bias: np.ndarray | None, rectify: bool) -> StoredLayer:
    coded = sparse.issparse(matrix)
    layer = StoredLayer(matrix.shape, matrix.nnz if coded else None, bias is not None, rectify, file.tell())
    arrays = [matrix.data, matrix.indices, matrix.indptr] if coded else [matrix]
    for array in (*arrays, *([] if bias is None else [bias])):
        kind = np.int32 if array.dtype.kind == "i" else np.float32
        file.write(np.ascontiguousarray(array, kind).tobytes())
    return layer
