"""Bytes: of a message as it is really encoded, and of the networks in the paper's tables by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs.bits import BitReader, BitWriter
from edgedl_lib.training.codecs.positions import read_positions, write_positions
from edgedl_lib.training.communication.dgc.compression import Message

MEGABYTE = 2**20  # the paper's MB
VALUE_BYTES, INDEX_BYTES = 4, 2  # what explains the sizes that the paper prints
ENCODINGS = ("32-bit index", "packed index", "best of index, bitmap, gaps", "the same, 16-bit values")


def encode(message: Message, node: int, encoding: str = ENCODINGS[2]) -> bytes:
    """What one node sends of one tensor; the number of entries is known to both sides."""
    order = message.positions[node].argsort()
    positions = message.positions[node][order].numpy()
    writer = BitWriter()
    if encoding in ENCODINGS[2:]:
        write_positions(positions, message.entries, writer)
    else:
        writer.integers(positions, _index_width(encoding, message.entries))
    writer.floats(message.values[node][order].numpy(), half=encoding == ENCODINGS[3])
    return writer.to_bytes()


def decode(payload: bytes, kept: int, entries: int, encoding: str = ENCODINGS[2]) -> np.ndarray:
    """The tensor that a node meant, flat, zero where nothing was sent."""
    reader = BitReader(payload)
    if encoding in ENCODINGS[2:]:
        positions = read_positions(kept, entries, reader)
    else:
        positions = reader.integers(kept, _index_width(encoding, entries)).astype(np.int64)
    values = np.zeros(entries, dtype=np.float32)
    values[positions] = reader.floats(kept, half=encoding == ENCODINGS[3])
    return values


@dataclass(frozen=True)
class Network:
    """Sizes of a network whose gradient is sent.

    Attributes
    ----------
    weights : int
        Entries of tensors with more than one dimension: sent sparse.
    dense : int
        Entries of biases and batch norm: sent whole.
    """

    name: str
    weights: int
    dense: int

    @property
    def dense_bytes(self) -> int:
        """Bytes of the whole gradient in 32-bit floats."""
        return VALUE_BYTES * (self.weights + self.dense)

    def sent_bytes(self, density: float = 0.001, entry_bytes: int = VALUE_BYTES + INDEX_BYTES) -> float:
        """Bytes of a sparse message at so many bytes an entry, with the one-dimensional tensors whole."""
        return density * self.weights * entry_bytes + VALUE_BYTES * self.dense

    @property
    def ratio(self) -> float:
        """Compression."""
        return self.dense_bytes / self.sent_bytes()


def from_graph(name: str, graph, biases: bool = True) -> Network:
    """Network of a layer graph: batch norm is sent dense, and the biases are unless told otherwise."""
    dense = sum(layer.parameter_count for layer in graph.layers if layer.kind == "norm")
    if biases:
        dense += sum(layer.config.get("bias_count", 0) for layer in graph.layers if layer.kind != "norm")
    return Network(name, graph.parameter_count - dense, dense)


def lstm_language_model(hidden: int = 1500, layers: int = 2, vocabulary: int = 10_000) -> Network:
    """LSTM and decoder of the Penn Treebank model; the printed size leaves no room for the input embedding."""
    matrices = layers * 2 * 4 * hidden * hidden + hidden * vocabulary
    return Network("PTB LSTM", matrices, layers * 2 * 4 * hidden + vocabulary)  # two bias vectors a layer


def _index_width(encoding: str, entries: int) -> int:
    return 32 if encoding == ENCODINGS[0] else max(1, int(entries - 1).bit_length())
