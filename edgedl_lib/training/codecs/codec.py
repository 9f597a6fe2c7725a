"""What a codec is: values in, a packet of real bytes out, and the values, or something near them, back.

Two kinds of parts make a codec.  A *transform* turns values into fewer or friendlier values and remembers how, in a
header (a seed, a list of positions).  A *coder* writes values as bits.  `Chain` joins any number of transforms and one
coder; a transform alone is followed by `Dense`.

The shape of a tensor is not sent: sender and receiver hold the same model.  Everything else is: seeds, extremes, norms
and positions are part of the payload, so `Packet.size_bytes` is all that crosses the link.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgedl_lib.training.codecs.bits import SEED_BITS, BitReader, BitWriter, CodecError

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Packet:
    """One encoded tensor.

    Attributes
    ----------
    payload : bytes
        All that is sent.
    shape : tuple of int
        Shape of the tensor; known to both sides, not sent.
    bits : int
        Exact number of bits; the payload is padded to whole bytes.
    """

    payload: bytes
    shape: tuple[int, ...]
    bits: int

    @property
    def size_bytes(self) -> int:
        """Length of the payload (bytes)."""
        return len(self.payload)


class Codec:
    """Encodes one tensor.  A subclass writes `write` and `read`."""

    def encode(self, values: np.ndarray, rng: np.random.Generator) -> Packet:
        """Encode `values` of any shape.

        Raises
        ------
        CodecError
            If a value is not finite or does not fit into what the codec writes.
        """
        values = checked(values)
        writer = BitWriter()
        self.write(values, writer, rng)
        return Packet(writer.to_bytes(), values.shape, writer.bits)

    def decode(self, packet: Packet) -> np.ndarray:
        """The values again, float32, in the packet's shape."""
        reader = BitReader(packet.payload)
        values = self.read(reader, packet.shape)
        reader.expect_end()
        return values

    def write(self, values: np.ndarray, writer: BitWriter, rng: np.random.Generator) -> None:
        """Append the code of `values` to the writer."""
        raise NotImplementedError

    def read(self, reader: BitReader, shape: tuple[int, ...]) -> np.ndarray:
        """Read what `write` wrote for a tensor of `shape`."""
        raise NotImplementedError


class Transform(Codec):
    """Turns values into other values; alone, these are written as 32-bit floats."""

    def forward(self, values: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
        """Header and transformed values."""
        raise NotImplementedError

    def backward(self, header: Any, kept: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The values of `shape` from what was kept of them."""
        raise NotImplementedError

    def kept_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the transformed values for values of `shape`."""
        return shape

    def write_header(self, header: Any, writer: BitWriter, shape: tuple[int, ...]) -> None:
        """Append the header; by default it is a seed."""
        writer.integers(np.array([header], dtype=np.uint64), SEED_BITS)

    def read_header(self, reader: BitReader, shape: tuple[int, ...]) -> Any:
        """Read the header back."""
        return int(reader.integers(1, SEED_BITS)[0])

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        Chain(self).write(values, writer, rng)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        return Chain(self).read(reader, shape)


@dataclass(frozen=True)
class Dense(Codec):
    """Every value as a float of 32 bits, or of 16 with `half`.

    Examples
    --------
    >>> Dense().encode(np.zeros(5), np.random.default_rng(0)).size_bytes
    20
    """

    half: bool = False

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        writer.floats(values, self.half)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        return reader.floats(math.prod(shape), self.half).reshape(shape)


class Chain(Codec):
    """Transforms one after another, then one coder (`Dense` if none is given).

    Examples
    --------
    >>> from edgedl_lib.training.codecs import Quantise, Rotate, Subsample
    >>> codec = Chain(Rotate(), Subsample(0.25), Quantise(2))
    >>> codec.encode(np.ones(1024), np.random.default_rng(0)).bits  # two seeds, two extremes, 256 codes
    640
    """

    def __init__(self, *stages: Codec) -> None:
        coder = stages[-1] if stages and not isinstance(stages[-1], Transform) else None
        self.transforms: tuple[Transform, ...] = stages[:-1] if coder else stages
        self.coder: Codec = coder or Dense()
        for stage in self.transforms:
            if not isinstance(stage, Transform):
                raise CodecError(f"{stage!r} writes bits, so it must stand last in a chain; move it to the end.")

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, (*self.transforms, self.coder)))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        for stage in self.transforms:
            header, kept = stage.forward(values, rng)
            stage.write_header(header, writer, values.shape)
            values = kept
        self.coder.write(values, writer, rng)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        steps = []
        for stage in self.transforms:
            steps.append((stage, stage.read_header(reader, shape), shape))
            shape = stage.kept_shape(shape)
        values = self.coder.read(reader, shape)
        for stage, header, before in reversed(steps):
            values = stage.backward(header, values, before)
        return np.asarray(values, dtype=np.float32)


def checked(values: np.ndarray) -> np.ndarray:
    """The values as an array; CodecError unless all of them are finite 32-bit floats."""
    values = np.asarray(values)
    if values.size == 0:
        raise CodecError(f"A tensor of shape {values.shape} has nothing to send; leave it out of the update.")
    if not np.isfinite(values).all():
        raise CodecError("The update holds NaN or infinity; reject it or lower the client's learning rate.")
    if np.abs(values).max() > LARGEST:
        raise CodecError(f"The value {np.abs(values).max():.4g} overflows a 32-bit float; clip or scale the update.")
    return values


def kept_count(fraction: float, count: int) -> int:
    """How many of `count` values a fraction keeps: rounded, at least one."""
    return max(1, round(fraction * count))


def check_fraction(fraction: float) -> None:
    """CodecError unless 0 < fraction <= 1."""
    if not 0 < fraction <= 1:
        raise CodecError(f"The fraction {fraction} lies outside (0, 1]; 1 keeps everything.")


def stream_seed(rng: np.random.Generator) -> int:
    """The 32-bit seed that belongs to a generator, however much was drawn from it.

    A client that trains inside a random structure and then encodes its update with the same generator gets the same
    structure twice, without a word between the two.
    """
    return int(rng.bit_generator.seed_seq.generate_state(1)[0])


def draw_seed(rng: np.random.Generator) -> int:
    """A seed that fits into the payload's 32 bits."""
    return int(rng.integers(2**SEED_BITS))
