"""Streams of bits: what a packet is made of, and the one place that knows how many bits there are."""

from __future__ import annotations

import numpy as np

SEED_BITS = 32  # seeds of masks and rotations travel as 32-bit integers


class CodecError(ValueError):
    """Values that a codec cannot carry, or a payload that it cannot read."""


class BitWriter:
    """Collects fields of any width; `to_bytes` pads the last byte with zeros.

    Examples
    --------
    >>> writer = BitWriter()
    >>> writer.integers(np.array([1, 0, 3]), 2)
    >>> writer.bits, writer.to_bytes().hex()
    (6, '4c')
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[np.ndarray, int]] = []  # packed bytes, number of bits

    @property
    def bits(self) -> int:
        """Bits written so far."""
        return sum(count for _, count in self._pieces)

    def flags(self, values: np.ndarray) -> None:
        """One bit for each value: whether it is true."""
        self._pieces.append((np.packbits(np.asarray(values, dtype=bool)), len(values)))

    def integers(self, values: np.ndarray, width: int) -> None:
        """Unsigned integers of `width` bits each, the most significant bit first."""
        values = np.asarray(values)
        values = values.astype(np.uint64) if values.dtype.kind != "u" else values
        if width and len(values) and int(values.max()) >> width:
            raise CodecError(f"{int(values.max())} does not fit into {width} bits; use a wider field.")
        self._pieces.append((_pack(values, width), width * len(values)))

    def floats(self, values: np.ndarray, half: bool = False) -> None:
        """IEEE numbers of 32 bits, or of 16 with `half`; what does not fit is refused."""
        values = np.ravel(values)
        with np.errstate(over="ignore"):
            packed = values.astype(">f2" if half else ">f4")
        if not np.isfinite(packed).all():
            largest, kind = np.abs(values).max(), "16" if half else "32"
            raise CodecError(f"The value {largest:.4g} overflows a {kind}-bit float; clip or scale the update.")
        self._pieces.append((packed.view(np.uint8), packed.nbytes * 8))

    def to_bytes(self) -> bytes:
        """The whole stream."""
        aligned = all(count % 8 == 0 for _, count in self._pieces[:-1])
        if aligned:
            return b"".join(packed.tobytes() for packed, _ in self._pieces)
        return np.packbits(np.concatenate([np.unpackbits(packed, count=n) for packed, n in self._pieces])).tobytes()


def _shifts(width: int) -> np.ndarray:
    """Where fields of 1, 2 or 4 bits start in a byte."""
    return np.arange(8 - width, -1, -width, dtype=np.uint8)


def _pack(values: np.ndarray, width: int) -> np.ndarray:
    if width in (8, 16, 32):
        return values.astype(f">u{width // 8}").view(np.uint8)
    if width in (1, 2, 4):
        slots = np.zeros((-(-len(values) * width // 8), 8 // width), dtype=np.uint8)
        slots.reshape(-1)[: len(values)] = values
        return np.bitwise_or.reduce(slots << _shifts(width), axis=1)
    places = np.arange(width - 1, -1, -1, dtype=np.uint64)
    return np.packbits(((values[:, None] >> places) & np.uint64(1)).astype(np.uint8))


class BitReader:
    """Reads the fields back in the order in which they were written."""

    def __init__(self, payload: bytes, start: int = 0) -> None:
        self._bytes = np.frombuffer(payload, dtype=np.uint8)
        self._position = 8 * start

    @property
    def next_byte(self) -> int:
        """First byte that has not been touched."""
        return -(-self._position // 8)

    def expect_end(self) -> None:
        """Raise CodecError if bytes are left over."""
        if self.next_byte != len(self._bytes):
            raise CodecError(
                f"The payload has {len(self._bytes)} bytes but the codec reads {self.next_byte}: "
                "it was written by another codec or for another shape."
            )

    def flags(self, count: int) -> np.ndarray:
        """`count` bits as booleans."""
        return self._take(count).astype(bool)

    def integers(self, count: int, width: int) -> np.ndarray:
        """`count` unsigned integers of `width` bits."""
        if width in (8, 16, 32) and self._position % 8 == 0:
            return self._raw(count * width // 8).view(f">u{width // 8}").astype(np.uint64)
        if width in (1, 2, 4) and self._position % 8 == 0:
            self._require(count * width)
            raw = self._bytes[self._position // 8 : -(-(self._position + count * width) // 8)]
            self._position += count * width
            return ((raw[:, None] >> _shifts(width)) & (2**width - 1)).reshape(-1)[:count]
        rows = self._take(count * width).reshape(count, width)
        return rows @ (2 ** np.arange(width - 1, -1, -1, dtype=np.uint64))

    def floats(self, count: int, half: bool = False) -> np.ndarray:
        """`count` IEEE numbers as float32."""
        size = 2 if half else 4
        raw = self._raw(count * size) if self._position % 8 == 0 else np.packbits(self._take(8 * size * count))
        return raw.view(f">f{size}").astype(np.float32)

    def unary(self, count: int) -> np.ndarray:
        """`count` numbers written as that many ones and a zero."""
        first = self._position // 8
        rest = np.unpackbits(self._bytes[first:])[self._position % 8 :]
        stops = np.flatnonzero(rest == 0)[:count]
        if len(stops) < count:
            raise CodecError("The payload ends too early: it was cut or written by another codec.")
        self._position += int(stops[-1]) + 1 if count else 0
        return np.diff(stops, prepend=-1) - 1

    def _raw(self, size: int) -> np.ndarray:
        start = self._position // 8
        self._require(8 * size)
        self._position += 8 * size
        return self._bytes[start : start + size]

    def _take(self, count: int) -> np.ndarray:
        self._require(count)
        first, last = self._position // 8, -(-(self._position + count) // 8)
        offset = self._position % 8
        self._position += count
        return np.unpackbits(self._bytes[first:last])[offset : offset + count]

    def _require(self, count: int) -> None:
        if self._position + count > 8 * len(self._bytes):
            raise CodecError("The payload ends too early: it was cut or written by another codec.")
