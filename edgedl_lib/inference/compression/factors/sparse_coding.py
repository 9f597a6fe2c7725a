"""SparseSep: a trained dense layer as a dense dictionary times a sparse code, no training (Bhattacharya 2016 [147]).

``W^T ~ B A`` with the dictionary ``B (m, k)`` over the shorter side ``m`` of the matrix and ``A (k, n)`` with a few
entries in each column.  Stored are ``k m`` numbers and two for each entry of the code, its value and its index.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

SWEEPS = 8  # of coding and dictionary update; the error settles within a few
INDEX_AND_VALUE = 2  # numbers stored for one entry of a sparse matrix


@dataclass(frozen=True)
class SparseCode:
    """A matrix (m, n) as ``dictionary @ code``.

    Attributes
    ----------
    dictionary : ndarray, shape (m, k)
    code : ndarray, shape (k, n)
        Mostly zeros.
    """

    dictionary: np.ndarray
    code: np.ndarray

    @property
    def entries(self) -> int:
        """Non-zero numbers of the code."""
        return int(np.count_nonzero(self.code))

    @property
    def stored_numbers(self) -> int:
        """Dictionary, values of the code, and one index for each value."""
        return self.dictionary.size + INDEX_AND_VALUE * self.entries

    @property
    def mac(self) -> int:
        """Multiply-accumulates of one matrix-vector product."""
        return self.dictionary.size + self.entries

    def matrix(self) -> np.ndarray:
        """The approximated matrix."""
        return self.dictionary @ self.code


def sparse_code(matrix: np.ndarray, atoms: int, per_column: int, sweeps: int = SWEEPS) -> SparseCode:
    """Alternate between coding the columns on the dictionary and fitting the dictionary to the code.

    Parameters
    ----------
    matrix : ndarray, shape (m, n)
    atoms : int
        Columns of the dictionary, 1 to n.
    per_column : int
        Entries of the code in each column, at most ``atoms``.

    Notes
    -----
    Coding is orthogonal matching pursuit; the update is the method of optimal directions, the joint form of the
    K-SVD that the paper names.  The first dictionary holds the columns of largest norm: no random numbers are used.
    """
    _check(matrix, atoms, per_column)
    dictionary = matrix[:, np.argsort(-np.linalg.norm(matrix, axis=0), kind="stable")[:atoms]]
    for _ in range(sweeps):
        code = matching_pursuit(_unit_columns(dictionary), matrix, per_column)
        dictionary = matrix @ np.linalg.pinv(code)
    dictionary = _unit_columns(dictionary)
    return SparseCode(dictionary, matching_pursuit(dictionary, matrix, per_column))


def identity_code(matrix: np.ndarray) -> SparseCode:
    """The degenerate case: as many atoms as rows, the dictionary the identity, the code the matrix itself."""
    return SparseCode(np.eye(len(matrix)), matrix.copy())


def matching_pursuit(dictionary: np.ndarray, signals: np.ndarray, entries: int) -> np.ndarray:
    """Codes (k, n) of the signals (m, n), ``entries`` non-zeros each: orthogonal matching pursuit, all signals at once.

    Each step adds, for every signal, the atom that correlates most with its residual, and solves for all chosen
    coefficients again.
    """
    gram, products = dictionary.T @ dictionary, dictionary.T @ signals  # (k, k), (k, n)
    columns = np.arange(signals.shape[1])
    chosen = np.empty((0, len(columns)), dtype=int)
    correlation = products.copy()
    for _ in range(entries):
        score = np.abs(correlation)
        score[chosen, columns] = -1.0
        chosen = np.vstack([chosen, score.argmax(axis=0)])
        system = gram[chosen.T[:, :, None], chosen.T[:, None, :]]  # (n, t, t)
        system = system + 1e-10 * np.eye(len(chosen))
        values = np.linalg.solve(system, products[chosen, columns].T[:, :, None])[:, :, 0].T  # (t, n)
        code = np.zeros_like(products)
        code[chosen, columns] = values
        correlation = products - gram @ code
    return code


class SparseCodedLinear(nn.Module):
    """A dense layer through a dictionary and a sparse code, the dictionary on the shorter side of its weights.

    Parameters
    ----------
    layer : nn.Linear
    atoms, per_column : int
        Of :func:`sparse_code`.
    """

    def __init__(self, layer: nn.Linear, atoms: int, per_column: int) -> None:
        super().__init__()
        weight = layer.weight.detach().double().numpy()  # (outputs, inputs)
        self.wide = layer.out_features > layer.in_features
        self.coded = sparse_code(weight.T if self.wide else weight, atoms, per_column)
        factors = (
            (self.coded.dictionary.T, self.coded.code.T) if self.wide else (self.coded.code, self.coded.dictionary)
        )
        for name, values in zip(("first", "second"), factors, strict=True):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)).float())
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(functional.linear(inputs, self.first), self.second, self.bias)

    @property
    def stored_numbers(self) -> int:
        """Numbers in memory: dictionary, code with its indices, bias."""
        return self.coded.stored_numbers + (0 if self.bias is None else self.bias.numel())

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """A dense layer with the parameters and the products of dictionary and code; indices are no parameters."""
        outputs, biases = len(self.second), 0 if self.bias is None else self.bias.numel()
        if tuple(input_shape) != (self.first.shape[1],):
            raise ValueError(f"{name} expects a vector of {self.first.shape[1]} features, its input is {input_shape}")
        config = {"units": outputs, "bias_count": biases, "stored_numbers": self.stored_numbers}
        parameters = self.coded.mac + biases
        return Layer(name, "dense", (tuple(input_shape),), (outputs,), parameters, 2 * self.coded.mac, config)


def _unit_columns(matrix: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(matrix, axis=0)
    return matrix / np.where(norms > 0, norms, 1.0)


def _check(matrix: np.ndarray, atoms: int, per_column: int) -> None:
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError(f"need a finite matrix, got shape {matrix.shape}; check the weights for NaN")
    if not 1 <= atoms <= matrix.shape[1]:
        raise ValueError(f"{atoms} atoms are not possible; this matrix has the columns 1 to {matrix.shape[1]}")
    if not 1 <= per_column <= min(atoms, matrix.shape[0]):
        raise ValueError(f"{per_column} entries in a column are not possible with {atoms} atoms; choose fewer")
