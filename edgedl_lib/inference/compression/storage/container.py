"""A file of compressed tensors that gives back every weight bit for bit, and notices any damage.

All numbers are little endian::

    file    "EDLC", version u8, tensors u16, tensor ..., CRC-32 of everything before u32
    tensor  name length u8, name (UTF-8), storage u8, rank u8, sides u32 ..., body
    body    0 plain   float32 ...
            1 sparse  stream of gaps, float32 of every entry ...
            2 shared  code book length u16, float32 ..., index bits u8, stream of gaps if index bits, stream of codes
    stream  entries u32, bytes u32, coding u8, table, bits
    table   0 fixed    alphabet u16
            1 Huffman  alphabet u16, length of each symbol's code u8 ...

In a shared tensor with index bits, code 0 is a filler.  A CRC-32 finds every change of up to 32 neighbouring bits, so
every single flipped byte.  ``parts`` says for what the bytes are spent; they add up to the length of the file.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.compression.storage.huffman import PrefixCode, decode, encode, fixed_code, huffman_code
from edgedl_lib.inference.compression.storage.relative_index import RelativeIndex, decode_positions, encode_positions
from edgedl_lib.inference.compression.storage.sharing import SharedLayer

MAGIC, VERSION = b"EDLC", 1
PLAIN, SPARSE, SHARED = range(3)
FIXED, HUFFMAN = range(2)
PARTS = ("weights", "index", "code book", "tables", "plain", "header")


class DamagedFile(ValueError):
    """Bytes that are no compressed model, or no longer the one that was written."""


@dataclass(frozen=True)
class SparseWeight:
    """A pruned weight that is stored as gaps and float32 values."""

    weight: np.ndarray


Tensor = np.ndarray | SparseWeight | SharedLayer


@dataclass(frozen=True)
class Packed:
    """A compressed file and where its bytes go.

    Attributes
    ----------
    data : bytes
    parts : mapping
        Tensor name to a mapping of part (one of :data:`PARTS`) to bytes; ``""`` is what belongs to no tensor.
    """

    data: bytes
    parts: Mapping[str, Mapping[str, int]]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)

    def total(self, part: str) -> int:
        """Bytes of one part over all tensors."""
        return sum(parts.get(part, 0) for parts in self.parts.values())


def pack(tensors: Mapping[str, Tensor], index_bits: int = 5, huffman: bool = True) -> Packed:
    """Write tensors into a file.

    Parameters
    ----------
    tensors : mapping
        Name to an array (stored plainly), a :class:`SparseWeight` or a :class:`SharedLayer`.
    index_bits : int
        Of a gap between two entries of a sparse tensor.
    huffman : bool
        Code words by frequency; otherwise all of one length.
    """
    writer = _Writer(huffman)
    writer.put("header", MAGIC + struct.pack("<BH", VERSION, len(tensors)))
    for name, tensor in tensors.items():
        writer.tensor(name, tensor, index_bits)
    writer.name = ""
    writer.put("header", struct.pack("<I", zlib.crc32(writer.data)))
    return Packed(bytes(writer.data), {name: dict(parts) for name, parts in writer.parts.items()})


class _Writer:
    """Appends to a file and keeps the account of its parts."""

    def __init__(self, huffman: bool) -> None:
        self.huffman, self.name = huffman, ""
        self.data, self.parts = bytearray(), {}

    def put(self, part: str, raw: bytes) -> None:
        self.data += raw
        self.parts.setdefault(self.name, Counter())[part] += len(raw)

    def tensor(self, name: str, tensor: Tensor, index_bits: int) -> None:
        self.name, label = name, name.encode()
        storage, shape = _storage(tensor)
        self.put("header", struct.pack("<B", len(label)) + label + struct.pack("<BB", storage, len(shape)))
        self.put("header", struct.pack(f"<{len(shape)}I", *shape))
        (self.plain, self.sparse, self.shared)[storage](tensor, index_bits)

    def plain(self, tensor: np.ndarray, index_bits: int) -> None:
        self.put("plain", np.asarray(tensor, "<f4").tobytes())

    def sparse(self, tensor: SparseWeight, index_bits: int) -> None:
        flat = np.asarray(tensor.weight, "<f4").ravel()
        positions = np.flatnonzero(flat)
        index = encode_positions(positions, index_bits)
        values = np.zeros(len(index.gaps), "<f4")
        values[index.holds_weight] = flat[positions]
        self.stream("index", index.gaps, 2**index_bits)
        self.put("weights", values.tobytes())

    def shared(self, tensor: SharedLayer, index_bits: int) -> None:
        codes, clusters = tensor.codes.ravel(), len(tensor.code_book)
        self.put("code book", struct.pack("<H", clusters) + tensor.code_book.astype("<f4").tobytes())
        self.put("index", struct.pack("<B", index_bits if tensor.sparse else 0))
        if not tensor.sparse:
            return self.stream("weights", codes - 1, clusters)
        positions = np.flatnonzero(codes)
        index = encode_positions(positions, index_bits)
        entries = np.zeros(len(index.gaps), dtype=np.int64)
        entries[index.holds_weight] = codes[positions]
        self.stream("index", index.gaps, 2**index_bits)
        self.stream("weights", entries, clusters + 1)

    def stream(self, part: str, symbols: np.ndarray, alphabet: int) -> None:
        counts = np.bincount(symbols, minlength=alphabet)
        code = huffman_code(counts) if self.huffman and len(symbols) else fixed_code(alphabet)
        bits = encode(symbols, code)
        self.put(part, struct.pack("<II", len(symbols), len(bits)))
        self.put("tables", struct.pack("<BH", HUFFMAN if self.huffman and len(symbols) else FIXED, alphabet))
        if self.huffman and len(symbols):
            self.put("tables", code.lengths.astype(np.uint8).tobytes())
        self.put(part, bits)


def _storage(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    if isinstance(tensor, SharedLayer):
        return SHARED, tensor.codes.shape
    return (SPARSE, tensor.weight.shape) if isinstance(tensor, SparseWeight) else (PLAIN, np.shape(tensor))


def unpack(data: bytes) -> dict[str, np.ndarray | SharedLayer]:
    """Read a file: plain and sparse tensors as float32 arrays, shared ones with codes and code book.

    Raises
    ------
    DamagedFile
        Other bytes than a file of this kind, a cut or a change.
    """
    if not data.startswith(MAGIC):
        raise DamagedFile(f"not a compressed model: it begins with {bytes(data[:4])!r}, expected {MAGIC!r}")
    if len(data) < 11:
        raise DamagedFile(f"the compressed model is cut short: {len(data)} bytes; copy the file again")
    if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise DamagedFile("the checksum does not fit: the compressed model was changed or cut; copy the file again")
    reader = _Reader(data[:-4])
    version, count = reader.numbers("<4xBH")
    if version != VERSION:
        raise DamagedFile(f"version {version} of the file format is unknown; this library reads version {VERSION}")
    try:
        tensors = dict(reader.tensor() for _ in range(count))
    except (ValueError, IndexError) as fault:
        raise DamagedFile(
            f"the checksum fits but the content does not ({fault}); the file was not written here"
        ) from fault
    if reader.place != len(reader.data):
        raise DamagedFile(
            f"{len(reader.data) - reader.place} bytes follow the last tensor; the file was not written here"
        )
    return tensors


class _Reader:
    """Walks through a file; every step checks that there is enough left."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        if self.place + size > len(self.data):
            raise DamagedFile(f"the compressed model ends inside a field of {size} bytes; copy the file again")
        self.place += size
        return self.data[self.place - size : self.place]

    def numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def floats(self, count: int) -> np.ndarray:
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def tensor(self) -> tuple[str, np.ndarray | SharedLayer]:
        name = self.take(*self.numbers("<B")).decode()
        storage, rank = self.numbers("<BB")
        shape = self.numbers(f"<{rank}I")
        if storage > SHARED:
            raise DamagedFile(f"tensor {name} has the unknown storage {storage}; this library knows 0 to {SHARED}")
        return name, (self.plain, self.sparse, self.shared)[storage](shape)

    def plain(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.floats(int(np.prod(shape))).reshape(shape)

    def sparse(self, shape: tuple[int, ...]) -> np.ndarray:
        gaps, bits = self.stream()
        values = self.floats(len(gaps))
        return _scatter(shape, gaps, values, bits)

    def shared(self, shape: tuple[int, ...]) -> SharedLayer:
        code_book = self.floats(*self.numbers("<H"))
        (index_bits,) = self.numbers("<B")
        if not index_bits:
            return SharedLayer(code_book, self.stream()[0].reshape(shape) + 1)
        gaps, _ = self.stream()
        codes, _ = self.stream()
        return SharedLayer(code_book, _scatter(shape, gaps, codes, index_bits))

    def stream(self) -> tuple[np.ndarray, int]:
        """Symbols of a stream and the bits that its alphabet takes."""
        count, size = self.numbers("<II")
        coding, alphabet = self.numbers("<BH")
        code = PrefixCode(np.frombuffer(self.take(alphabet), np.uint8).astype(int)) if coding else fixed_code(alphabet)
        return decode(self.take(size), count, code), (alphabet - 1).bit_length()


def _scatter(shape: tuple[int, ...], gaps: np.ndarray, entries: np.ndarray, bits: int) -> np.ndarray:
    """Dense tensor from the gaps and the entries of a stream, fillers among them."""
    index = RelativeIndex(gaps, entries != 0, bits)
    flat = np.zeros(int(np.prod(shape)), entries.dtype)
    flat[decode_positions(index)] = entries[index.holds_weight]
    return flat.reshape(shape)
