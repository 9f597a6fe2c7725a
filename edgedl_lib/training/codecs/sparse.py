"""Transforms that keep some of the values: a random part, or the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.codec import Transform, check_fraction, draw_seed, kept_count, stream_seed
from edgedl_lib.training.codecs.positions import read_positions, write_positions


@dataclass(frozen=True)
class _Kept(Transform):
    fraction: float

    def __post_init__(self) -> None:
        check_fraction(self.fraction)

    def kept_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As `Transform.kept_shape`."""
        return (kept_count(self.fraction, math.prod(shape)),)

    def positions(self, seed: int, count: int) -> np.ndarray:
        """The sorted random positions that belong to a seed."""
        kept = kept_count(self.fraction, count)
        if kept == count:
            return np.arange(count)
        return np.sort(np.random.default_rng(seed).choice(count, kept, replace=False, shuffle=False))


@dataclass(frozen=True)
class Subsample(_Kept):
    """A random part of the values, scaled up so that the mean over seeds is right (sketched updates [203]).

    Exactly `round(fraction * count)` values are kept, at least one; the receiver scales by count / kept.
    """

    def forward(self, values, rng):
        """As `Transform.forward`."""
        seed = draw_seed(rng)
        positions = self.positions(seed, values.size)
        return seed, np.ravel(values)[positions]

    def backward(self, seed, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        count = math.prod(shape)
        return _spread(kept * (count / len(kept)), self.positions(seed, count), shape)


@dataclass(frozen=True)
class RandomMask(_Kept):
    """The values inside a random mask, as they are (structured updates [203]: nothing outside was trained).

    The mask is the one of the generator's own seed (`stream_seed`): the one within which the client trained.
    """

    def mask(self, seed: int, shape: tuple[int, ...]) -> np.ndarray:
        """Whether each entry may be trained."""
        inside = np.zeros(math.prod(shape), dtype=bool)
        inside[self.positions(seed, inside.size)] = True
        return inside.reshape(shape)

    def forward(self, values, rng):
        """As `Transform.forward`."""
        seed = stream_seed(rng)
        return seed, np.ravel(values)[self.positions(seed, values.size)]

    def backward(self, seed, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        return _spread(kept, self.positions(seed, math.prod(shape)), shape)


@dataclass(frozen=True)
class TopK(_Kept):
    """The largest values by size and where they stand; of equal ones no more than the fraction allows.

    Positions are written the cheapest way (see `positions`).  Biased: put `ErrorFeedback` around it.

    Examples
    --------
    >>> packet = TopK(0.25).encode(np.array([0.0, -3.0, 1.0, 2.0]), np.random.default_rng(0))
    >>> packet.bits, TopK(0.25).decode(packet)
    (36, array([ 0., -3.,  0.,  0.], dtype=float32))
    """

    def forward(self, values, rng):
        """As `Transform.forward`."""
        flat = np.ravel(values)
        kept = kept_count(self.fraction, flat.size)
        if kept == flat.size:
            return np.arange(kept), flat
        positions = np.sort(np.argpartition(np.abs(flat), flat.size - kept)[flat.size - kept :])
        return positions, flat[positions]

    def backward(self, positions, kept, shape) -> np.ndarray:
        """As `Transform.backward`."""
        return _spread(kept, positions, shape)

    def write_header(self, positions, writer, shape) -> None:
        """As `Transform.write_header`."""
        write_positions(positions, math.prod(shape), writer)

    def read_header(self, reader, shape) -> np.ndarray:
        """As `Transform.read_header`."""
        count = math.prod(shape)
        return read_positions(kept_count(self.fraction, count), count, reader)


def _spread(kept: np.ndarray, positions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    values = np.zeros(math.prod(shape), dtype=kept.dtype)
    values[positions] = kept
    return values.reshape(shape)
