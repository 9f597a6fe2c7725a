"""Whole models: a packet for every named array, and what the codec leaves out carried over to the next message."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.bits import BitReader, CodecError
from edgedl_lib.training.codecs.codec import Codec, Dense, Packet

Arrays = dict[str, np.ndarray]
Shape = tuple[int, ...]
Predicate = Callable[[str, np.ndarray], bool]


class Matrices(Codec):
    """A codec for arrays of two and more dimensions; vectors (biases) are sent densely.

    Examples
    --------
    >>> from edgedl_lib.training.codecs import Quantise
    >>> codec = Matrices(Quantise(1))
    >>> rng = np.random.default_rng(0)
    >>> codec.encode(np.ones((8, 8)), rng).bits, codec.encode(np.ones(8), rng).bits
    (128, 256)
    """

    def __init__(self, codec: Codec, vectors: Codec | None = None) -> None:
        self.codec, self.vectors = codec, vectors or Dense()

    def __repr__(self) -> str:
        return f"Matrices({self.codec!r})"

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        (self.codec if values.ndim > 1 else self.vectors).write(values, writer, rng)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        return (self.codec if len(shape) > 1 else self.vectors).read(reader, shape)


class WholeModel(Codec):
    """A codec for all arrays as one vector, in the order of their names: one header, one scale, one mask.

    `encode_arrays` and `decode_payload` join and split the arrays; a single tensor is encoded as it is.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def __repr__(self) -> str:
        return f"WholeModel({self.codec!r})"

    def write(self, values, writer, rng) -> None:
        """As `Codec.write`."""
        self.codec.write(values, writer, rng)

    def read(self, reader, shape) -> np.ndarray:
        """As `Codec.read`."""
        return self.codec.read(reader, shape)


@dataclass(frozen=True)
class Packets:
    """An encoded model.

    Attributes
    ----------
    parts : tuple of (names, Packet)
        What was encoded together.
    shapes : dict of str to tuple of int
        Names and shapes of the arrays; like the codec, known to both sides and not sent.
    codec : Codec
    dense : frozenset of str
        Names of the arrays that were written as 32-bit floats.
    """

    parts: tuple[tuple[tuple[str, ...], Packet], ...]
    shapes: dict[str, Shape]
    codec: Codec
    dense: frozenset[str]

    @property
    def payload(self) -> bytes:
        """All that is sent."""
        return b"".join(packet.payload for _, packet in self.parts)

    @property
    def size_bytes(self) -> int:
        """Length of the payload (bytes)."""
        return sum(packet.size_bytes for _, packet in self.parts)

    @property
    def bits(self) -> int:
        """Exact number of bits, without the padding of each packet to whole bytes."""
        return sum(packet.bits for _, packet in self.parts)

    @property
    def packets(self) -> dict[str, Packet]:
        """The packet of each array.

        Raises
        ------
        CodecError
            Arrays were encoded together; use `payload`.
        """
        if any(len(names) > 1 for names, _ in self.parts):
            raise CodecError(
                "The arrays were encoded together as one vector; send the payload, not one for each array."
            )
        return {name: packet for (name,), packet in self.parts}


def encode_arrays(codec: Codec, arrays: Arrays, rng: np.random.Generator, dense: Predicate | None = None) -> Packets:
    """Encode every array; those for which `dense(name, array)` holds are written as 32-bit floats."""
    plain = frozenset(name for name, values in arrays.items() if dense and dense(name, values))
    shapes = {name: np.shape(values) for name, values in arrays.items()}
    parts = [(names, part.encode(_joined(arrays, names), rng)) for part, names in _parts(codec, shapes, plain)]
    return Packets(tuple(parts), shapes, codec, plain)


def decode_arrays(packets: Packets) -> Arrays:
    """All arrays again."""
    return decode_payload(packets.codec, packets.payload, packets.shapes, packets.dense)


def decode_payload(
    codec: Codec, payload: bytes, shapes: dict[str, Shape], dense: frozenset[str] = frozenset()
) -> Arrays:
    """Decode a payload of `encode_arrays` for arrays of those names and shapes.

    Raises
    ------
    CodecError
        The payload is longer or shorter than the codec reads for these shapes.
    """
    decoded: Arrays = {}
    start = 0
    for part, names in _parts(codec, shapes, dense):
        reader = BitReader(payload, start)
        sizes = [math.prod(shapes[name]) for name in names]
        values = part.read(reader, shapes[names[0]] if len(names) == 1 else (sum(sizes),))
        start = reader.next_byte
        pieces = np.split(values.reshape(-1), np.cumsum(sizes)[:-1])
        decoded.update({name: piece.reshape(shapes[name]) for name, piece in zip(names, pieces, strict=True)})
    BitReader(payload, start).expect_end()
    return {name: decoded[name] for name in shapes}


def _parts(codec: Codec, shapes: dict[str, Shape], dense: frozenset[str]) -> list[tuple[Codec, tuple[str, ...]]]:
    """Which arrays are encoded together, and by what."""
    coded = tuple(name for name in shapes if name not in dense)
    if isinstance(codec, WholeModel) and coded:
        return [(codec, coded), *((Dense(), (name,)) for name in shapes if name in dense)]
    return [(Dense() if name in dense else codec, (name,)) for name in shapes]


def _joined(arrays: Arrays, names: tuple[str, ...]) -> np.ndarray:
    if len(names) == 1:
        return arrays[names[0]]
    return np.concatenate([np.ravel(arrays[name]) for name in names])


class ErrorFeedback:
    """Adds what earlier messages left out: sent + residual = all that was ever given.

    One object for one sender; it is no codec, because it remembers.  Around a codec whose error can exceed the vector
    itself, like one-bit quantisation, the residual grows without end.

    Examples
    --------
    >>> from edgedl_lib.training.codecs import TopK
    >>> memory = ErrorFeedback(TopK(0.5))
    >>> packet = memory.encode(np.array([3.0, 1.0]), np.random.default_rng(0))
    >>> memory.residual
    array([0., 1.], dtype=float32)
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.residuals: Arrays = {}

    @property
    def residual(self) -> np.ndarray | None:
        """What a single tensor still owes; None before the first message."""
        return self.residuals.get("")

    def encode(self, values: np.ndarray, rng: np.random.Generator) -> Packet:
        """Encode one tensor plus its residual."""
        total = np.asarray(values, dtype=np.float32) + self.residuals.get("", np.float32(0))
        packet = self.codec.encode(total, rng)
        self.residuals = {"": total - self.codec.decode(packet)}
        return packet

    def decode(self, packet: Packet) -> np.ndarray:
        """As the codec's own `decode`."""
        return self.codec.decode(packet)

    def encode_arrays(self, arrays: Arrays, rng: np.random.Generator, dense: Predicate | None = None) -> Packets:
        """Encode every array plus its residual; dense arrays owe nothing."""
        total = {name: values + self.residuals.get(name, np.float32(0)) for name, values in arrays.items()}
        packets = encode_arrays(self.codec, total, rng, dense)
        self.residuals = {name: total[name] - sent for name, sent in decode_arrays(packets).items()}
        return packets
