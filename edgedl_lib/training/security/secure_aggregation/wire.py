"""Messages as bytes: a set of clients is a bitmap, an entry takes exactly as many bits as the sum needs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def pack_clients(members: Iterable[int], clients: int) -> bytes:
    """A set of client numbers as a bitmap of ``ceil(clients / 8)`` bytes.

    >>> pack_clients({0, 9}, 10).hex()
    '8040'
    """
    present = np.zeros(clients, dtype=np.uint8)
    present[list(members)] = 1
    return np.packbits(present).tobytes()


def unpack_clients(data: bytes, clients: int) -> tuple[tuple[int, ...], bytes]:
    """Clients named at the start of a message, in order, and the rest of the message."""
    size = -(-clients // 8)
    present = np.unpackbits(np.frombuffer(data[:size], dtype=np.uint8), count=clients)
    return tuple(np.flatnonzero(present).tolist()), data[size:]


def split(data: bytes, size: int) -> list[bytes]:
    """Pieces of equal size.

    Raises
    ------
    ValueError
        If the data is no whole number of pieces.
    """
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no whole number of pieces of {size} bytes")
    return [data[start : start + size] for start in range(0, len(data), size)]


def pack_entries(values: np.ndarray, bits: int) -> bytes:
    """Unsigned integers, `bits` bits each, without gaps.

    >>> pack_entries(np.array([1, 2, 3], dtype=np.uint32), 3).hex()
    '2980'
    """
    as_bytes = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(len(values), -1)
    return np.packbits(np.unpackbits(as_bytes, axis=1)[:, -bits:]).tobytes()


def unpack_entries(data: bytes, count: int, bits: int, dtype: np.dtype) -> np.ndarray:
    """The opposite of :func:`pack_entries`.

    Raises
    ------
    ValueError
        If the data does not have the size of `count` entries.
    """
    if len(data) != entries_size(count, bits):
        raise ValueError(f"{len(data)} bytes instead of {entries_size(count, bits)} for {count} entries of {bits} bits")
    flat = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count * bits).reshape(count, bits)
    padded = np.zeros((count, 8 * dtype.itemsize), dtype=np.uint8)
    padded[:, -bits:] = flat
    return np.packbits(padded, axis=1).view(dtype.newbyteorder(">")).ravel().astype(dtype)


def entries_size(count: int, bits: int) -> int:
    """Bytes of `count` entries of `bits` bits."""
    return -(-count * bits // 8)
