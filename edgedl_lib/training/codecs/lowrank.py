"""A matrix as the product of a random one, of which only the seed is sent, and a smaller one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.bits import CodecError
from edgedl_lib.training.codecs.codec import Transform, stream_seed


@dataclass(frozen=True)
class LowRank(Transform):
    """H = A B with a random A (rows x rank) from a seed; only B is sent (structured updates [203]).

    A is the one of the generator's own seed (`stream_seed`): the one with which the client trained.  A tensor of more
    than two dimensions is a matrix of its first dimension against all others.

    Parameters
    ----------
    rank : int or float
        The rank; a float below one is a share of the rows.
    """

    rank: float

    def __post_init__(self) -> None:
        if self.rank <= 0 or (self.rank >= 1 and self.rank != int(self.rank)):
            raise CodecError(f"The rank {self.rank} is neither a whole number nor a share between 0 and 1.")

    def rank_of(self, rows: int) -> int:
        """Rank for a matrix of `rows` rows: at least one, at most `rows`."""
        return min(rows, max(1, round(self.rank * rows) if self.rank < 1 else int(self.rank)))

    def kept_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As `Transform.kept_shape`."""
        if len(shape) < 2:
            raise CodecError(f"LowRank needs a matrix, not a tensor of shape {shape}; send vectors densely.")
        return (self.rank_of(shape[0]), math.prod(shape[1:]))

    def basis(self, seed: int, rows: int) -> np.ndarray:
        """A, rows x rank, Gaussian with variance 1 / rank: A A^T is the identity on average."""
        rank = self.rank_of(rows)
        return np.random.default_rng(seed).standard_normal((rows, rank)) / math.sqrt(rank)

    def forward(self, values, rng):
        """As `Transform.forward`: B by least squares."""
        self.kept_shape(values.shape)
        seed = stream_seed(rng)
        matrix = values.reshape(values.shape[0], -1).astype(np.float64)
        return seed, np.linalg.lstsq(self.basis(seed, len(matrix)), matrix, rcond=None)[0]

    def backward(self, seed, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        return (self.basis(seed, shape[0]) @ kept.astype(np.float64)).reshape(shape)
