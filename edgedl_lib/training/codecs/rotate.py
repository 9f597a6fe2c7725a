"""Transforms that spread a vector's energy: a random rotation, and Kashin's representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from edgedl_lib.training.codecs.bits import CodecError
from edgedl_lib.training.codecs.codec import Transform, draw_seed

KASHIN_ITERATIONS = 3
KASHIN_SHRINK = 0.9  # eta: the clipping level falls by this factor each time
KASHIN_DELTA = 1.0
FACTOR = 32  # side of the largest matrix in a transform
FULLEST = 0.85  # a vector that fills more of the frame than this gets a frame of twice the size


def walsh_hadamard(values: np.ndarray) -> np.ndarray:
    """Fast orthonormal Walsh-Hadamard transform along the last axis, whose length is a power of two.

    Its own inverse; of the order of d log d operations.

    Examples
    --------
    >>> walsh_hadamard(np.array([1.0, 0.0, 0.0, 0.0]))
    array([0.5, 0.5, 0.5, 0.5])
    """
    length = values.shape[-1]
    if length & (length - 1) or length == 0:
        raise CodecError(f"The length {length} is no power of two; pad the vector.")
    result = np.asarray(values, dtype=np.float64)
    after = 1
    while after < length:  # the matrix is a Kronecker product: one factor after another, each a small product
        size = min(FACTOR, length // after)
        factor = _sylvester(size)
        if after == 1:
            result = result.reshape(-1, size) @ factor
        else:
            result = factor @ result.reshape(-1, size, after)
        after *= size
    return result.reshape(values.shape) / math.sqrt(length)


@cache
def _sylvester(size: int) -> np.ndarray:
    return np.ones((1, 1)) if size == 1 else np.kron(_sylvester(size // 2), [[1.0, 1.0], [1.0, -1.0]])


def power_of_two(count: int) -> int:
    """The least power of two that is not below `count`."""
    return 1 << (count - 1).bit_length()


@dataclass(frozen=True)
class Rotate(Transform):
    """Random signs, then the Walsh-Hadamard transform: the "HD" of sketched updates [203].

    Padded with zeros; orthonormal, so that errors keep their size on the way back.

    Parameters
    ----------
    block : int, optional
        Rotate pieces of this length, a power of two, each by itself: then at most one block is padding.  Without, the
        whole vector is padded to the next power of two, which can double what follows.
    """

    block: int | None = None

    def __post_init__(self) -> None:
        if self.block is not None and (self.block < 1 or self.block & (self.block - 1)):
            raise CodecError(f"The block {self.block} is no power of two, which the Walsh-Hadamard transform needs.")

    def kept_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As `Transform.kept_shape`."""
        length = self._length(math.prod(shape))
        return (-(-math.prod(shape) // length) * length,)

    def forward(self, values, rng):
        """As `Transform.forward`."""
        seed = draw_seed(rng)
        padded = np.zeros(self.kept_shape(values.shape))
        padded[: values.size] = np.ravel(values)
        signed = padded * _signs(np.random.default_rng(seed), padded.size)
        return seed, walsh_hadamard(signed.reshape(-1, self._length(values.size))).reshape(-1)

    def backward(self, seed, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        rows = kept.reshape(-1, self._length(math.prod(shape)))
        restored = walsh_hadamard(rows).reshape(-1) * _signs(np.random.default_rng(seed), kept.size)
        return restored[: math.prod(shape)].reshape(shape)

    def _length(self, count: int) -> int:
        return min(self.block or power_of_two(count), power_of_two(count))


@dataclass(frozen=True)
class Kashin(Transform):
    """Kashin's representation [206] by the iteration of Lyubarskii and Vershynin: no coefficient is large.

    x = U a with a tight frame U, the rows of a randomly signed Walsh-Hadamard matrix at *random* places.  Places at the
    front would leave no freedom: with the Sylvester matrix a vector padded by exactly its own length just doubles its
    coefficients.  The last iteration is not clipped, so nothing is lost.

    Parameters
    ----------
    iterations, shrink, delta : as in the iteration: clipping level |x| / sqrt(delta D), times `shrink` each time.
    scatter : bool
        Random places (the method); False pads at the end, to see what that costs.
    """

    iterations: int = KASHIN_ITERATIONS
    shrink: float = KASHIN_SHRINK
    delta: float = KASHIN_DELTA
    scatter: bool = True

    def __post_init__(self) -> None:
        if self.iterations < 1 or not 0 < self.shrink <= 1 or self.delta <= 0:
            raise CodecError("Kashin needs at least one iteration, 0 < shrink <= 1 and a positive delta.")

    def kept_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As `Transform.kept_shape`: the frame's size, at least 1 / `FULLEST` times the number of values."""
        count = math.prod(shape)
        length = power_of_two(count)
        return (2 * length,) if count > FULLEST * length else (length,)

    def forward(self, values, rng):
        """As `Transform.forward`."""
        seed = draw_seed(rng)
        (length,) = self.kept_shape(values.shape)
        signs, places = _frame(seed, length, values.size, self.scatter)
        residual = np.ravel(values).astype(np.float64)
        level = np.linalg.norm(residual) / math.sqrt(self.delta * length)
        coefficients = np.zeros(length)
        for turn in range(self.iterations):
            step = _analyse(residual, signs, places)
            if turn < self.iterations - 1:
                step = np.clip(step, -level, level)
            coefficients += step
            residual = residual - _synthesise(step, signs, places)
            level *= self.shrink
        return seed, coefficients

    def backward(self, seed, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        signs, places = _frame(seed, kept.size, math.prod(shape), self.scatter)
        return _synthesise(kept, signs, places).reshape(shape)


def _signs(rng: np.random.Generator, length: int) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-length // 8)), np.uint8), count=length)
    return bits * 2.0 - 1.0


def _frame(seed: int, length: int, count: int, scatter: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signs = _signs(rng, length)
    places = rng.permutation(length)[:count] if scatter else np.arange(count)
    return signs, places


def _analyse(values: np.ndarray, signs: np.ndarray, places: np.ndarray) -> np.ndarray:
    padded = np.zeros(len(signs))
    padded[places] = values
    return walsh_hadamard(padded * signs)


def _synthesise(coefficients: np.ndarray, signs: np.ndarray, places: np.ndarray) -> np.ndarray:
    return (walsh_hadamard(coefficients) * signs)[places]
