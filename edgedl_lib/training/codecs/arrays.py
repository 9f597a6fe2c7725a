"""Whole models: a packet for every named array, and what the codec leaves out carried over to the next message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.bits import BitReader
from edgedl_lib.training.codecs.codec import Codec, Dense, Packet

Arrays = dict[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]
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


@dataclass(frozen=True)
class Packets:
    """An encoded model; names, shapes and codecs are known to both sides, so `payload` is all that is sent."""

    packets: dict[str, Packet]
    codecs: dict[str, Codec]

    @property
    def size_bytes(self) -> int:
        """Length of `payload` (bytes)."""
        return sum(packet.size_bytes for packet in self.packets.values())

    @property
    def bits(self) -> int:
        """Exact number of bits, without the padding of each array to whole bytes."""
        return sum(packet.bits for packet in self.packets.values())

    @property
    def payload(self) -> bytes:
        """All arrays' payloads one after another."""
        return b"".join(packet.payload for packet in self.packets.values())


def encode_arrays(codec: Codec, arrays: Arrays, rng: np.random.Generator, dense: Predicate | None = None) -> Packets:
    """Encode every array; those for which `dense(name, array)` holds are written as 32-bit floats."""
    plain = Dense()
    codecs = {name: plain if dense and dense(name, values) else codec for name, values in arrays.items()}
    return Packets({name: codecs[name].encode(values, rng) for name, values in arrays.items()}, codecs)


def decode_arrays(packets: Packets) -> Arrays:
    """All arrays again."""
    return {name: packets.codecs[name].decode(packet) for name, packet in packets.packets.items()}


def decode_payload(codec: Codec, payload: bytes, like: Arrays, dense: Predicate | None = None) -> Arrays:
    """Decode a payload of `encode_arrays` for arrays of the names and shapes of `like`."""
    plain, arrays, start = Dense(), {}, 0
    for name, values in like.items():
        reader = BitReader(payload, start)
        arrays[name] = (plain if dense and dense(name, values) else codec).read(reader, values.shape)
        start = reader.next_byte
    BitReader(payload, start).expect_end()
    return arrays


class ErrorFeedback:
    """Adds what earlier messages left out: sent + residual = all that was ever given.

    One object for one sender; it is no codec, because it remembers.

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
        return self._encode("", np.asarray(values), rng)

    def decode(self, packet: Packet) -> np.ndarray:
        """As the codec's own `decode`."""
        return self.codec.decode(packet)

    def encode_arrays(self, arrays: Arrays, rng: np.random.Generator, dense: Predicate | None = None) -> Packets:
        """Encode every array plus its residual; dense arrays owe nothing."""
        owing = {name: values for name, values in arrays.items() if not (dense and dense(name, values))}
        packets = {
            name: self._encode(name, values, rng) if name in owing else Dense().encode(values, rng)
            for name, values in arrays.items()
        }
        return Packets(packets, {name: self.codec if name in owing else Dense() for name in arrays})

    def _encode(self, name: str, values: np.ndarray, rng: np.random.Generator) -> Packet:
        total = values.astype(np.float32) + self.residuals.get(name, np.float32(0))
        packet = self.codec.encode(total, rng)
        self.residuals[name] = total - self.codec.decode(packet)
        return packet
