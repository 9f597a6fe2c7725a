"""Coders that write each value with few bits and round at random, so that the mean over many messages is right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.bits import CodecError
from edgedl_lib.training.codecs.codec import LARGEST, Codec

WIDEST = 32  # bits of a quantised value


@dataclass(frozen=True)
class Quantise(Codec):
    """Probabilistic quantisation between the least and the greatest value (Konecny et al. [203]).

    Exactly 2^bits *levels*, so that exactly `bits` bits are enough; the paper speaks of 2^bits intervals, which have
    one end point more.  A value between two levels goes up with the probability that makes its mean right.

    Examples
    --------
    >>> packet = Quantise(1).encode(np.array([0.0, 1.0, 1.0, 0.0]), np.random.default_rng(0))
    >>> packet.bits, Quantise(1).decode(packet)  # two extremes of 32 bits, four codes
    (68, array([0., 1., 1., 0.], dtype=float32))
    """

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= WIDEST:
            raise CodecError(f"Quantise needs 1 to {WIDEST} bits, not {self.bits}.")

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        extremes = np.array([values.min(), values.max()])
        writer.floats(extremes)
        low, high = extremes.astype(np.float32).astype(np.float64)
        steps = 2**self.bits - 1
        scale = steps / (high - low) if high > low else 0.0  # a constant is the lowest level throughout
        scaled = np.clip((np.ravel(values).astype(np.float64) - low) * scale, 0, steps)
        writer.integers(_round_at_random(scaled, rng), self.bits)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        low, high = reader.floats(2).astype(np.float64)
        codes = reader.integers(math.prod(shape), self.bits)
        return (low + codes * ((high - low) / (2**self.bits - 1))).astype(np.float32).reshape(shape)


@dataclass(frozen=True)
class LowPrecision(Codec):
    """The low-precision quantiser of FedPAQ [204]: the norm, and for each value a sign and one of `levels` + 1 levels.

    Unbiased; its variance is at most `variance_bound` times the squared norm.  With one level a message is ternary,
    which costs two bits a value, not one.

    Examples
    --------
    >>> LowPrecision(1).encode(np.ones(65), np.random.default_rng(0)).bits  # 32 + 65 (1 + 1)
    162
    """

    levels: int

    def __post_init__(self) -> None:
        if not 1 <= self.levels < 2**WIDEST:
            raise CodecError(f"LowPrecision needs at least one level and fewer than 2^{WIDEST}, not {self.levels}.")

    @property
    def level_bits(self) -> int:
        """Bits of a level: ceil(log2(levels + 1))."""
        return int(self.levels).bit_length()

    def variance_bound(self, count: int) -> float:
        """The q in E|Q(x) - x|^2 <= q |x|^2 for `count` values: min(count / levels^2, sqrt(count) / levels)."""
        return min(count / self.levels**2, math.sqrt(count) / self.levels)

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        flat = np.ravel(values).astype(np.float64)
        norm = np.linalg.norm(flat)
        if norm > LARGEST:
            raise CodecError(f"The norm {norm:.4g} overflows a 32-bit float; clip or scale the update.")
        writer.floats(np.array([norm]))
        scaled = np.abs(flat) / norm * self.levels if norm else np.zeros_like(flat)
        writer.flags(flat < 0)
        writer.integers(_round_at_random(np.minimum(scaled, self.levels), rng), self.level_bits)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        count = math.prod(shape)
        norm = float(reader.floats(1)[0])
        signs = np.where(reader.flags(count), -1.0, 1.0)
        levels = reader.integers(count, self.level_bits)
        return (signs * levels * (norm / self.levels)).astype(np.float32).reshape(shape)


def _round_at_random(scaled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Neighbouring integers with the mean `scaled`."""
    floor = np.floor(scaled)
    return np.add(floor, rng.random(scaled.size) < scaled - floor).astype(np.uint32)
