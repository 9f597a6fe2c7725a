"""How to say which k of n positions are meant: the cheapest of three ways, chosen for each tensor.

=========  ==============================================  =====================================
way        bits                                            cheapest when
=========  ==============================================  =====================================
fixed      k times the bits of n - 1                       k is one or two
bitmap     n                                               about a third or more is kept
gaps       k (1 + m) + (sum of gaps >> m), m 5 bits        in between: gaps of about 2^m, written
                                                           as unary part and m bits (Rice)
=========  ==============================================  =====================================

Two bits in front say which way was taken.  If all are kept nothing is written.
"""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.codecs.bits import BitReader, BitWriter

WAYS = ("fixed", "bitmap", "gaps")
WAY_BITS = 2
WIDTH_BITS = 5  # of the Rice parameter


def position_bits(positions: np.ndarray, count: int) -> dict[str, int]:
    """Bits that each way needs for sorted `positions` below `count`, the two bits in front included.

    Examples
    --------
    >>> position_bits(np.array([3, 500, 900]), 1024)
    {'fixed': 32, 'bitmap': 1026, 'gaps': 36}
    """
    gaps = _gaps(positions)
    width = _rice_width(gaps)
    ways = {
        "fixed": len(positions) * _fixed_width(count),
        "bitmap": count,
        "gaps": WIDTH_BITS + len(positions) * (1 + width) + int((gaps >> width).sum()),
    }
    return {way: WAY_BITS + bits for way, bits in ways.items()}


def write_positions(positions: np.ndarray, count: int, writer: BitWriter) -> str:
    """Write sorted positions the cheapest way; return its name."""
    if len(positions) == count:
        return "all"
    sizes = position_bits(positions, count)
    way = min(WAYS, key=sizes.__getitem__)
    writer.integers(np.array([WAYS.index(way)]), WAY_BITS)
    if way == "fixed":
        writer.integers(positions, _fixed_width(count))
    elif way == "bitmap":
        chosen = np.zeros(count, dtype=bool)
        chosen[positions] = True
        writer.flags(chosen)
    else:
        _write_gaps(_gaps(positions), writer)
    return way


def read_positions(kept: int, count: int, reader: BitReader) -> np.ndarray:
    """Read `kept` sorted positions below `count`."""
    if kept == count:
        return np.arange(count)
    way = WAYS[int(reader.integers(1, WAY_BITS)[0])]
    if way == "fixed":
        return reader.integers(kept, _fixed_width(count)).astype(np.int64)
    if way == "bitmap":
        return np.flatnonzero(reader.flags(count))
    width = int(reader.integers(1, WIDTH_BITS)[0])
    high = reader.unary(kept)
    low = reader.integers(kept, width).astype(np.int64) if width else 0
    return np.cumsum((high << width) + low + 1) - 1


def _write_gaps(gaps: np.ndarray, writer: BitWriter) -> None:
    width = _rice_width(gaps)
    writer.integers(np.array([width]), WIDTH_BITS)
    high = gaps >> width
    ones = np.ones(int(high.sum()) + len(gaps), dtype=bool)
    ones[np.cumsum(high + 1) - 1] = False  # all unary parts first, so that both sides work on whole arrays
    writer.flags(ones)
    if width:
        writer.integers(gaps & ((1 << width) - 1), width)


def _gaps(positions: np.ndarray) -> np.ndarray:
    return np.diff(positions, prepend=-1) - 1


def _rice_width(gaps: np.ndarray) -> int:
    widths = np.arange(min(2**WIDTH_BITS, int(gaps.max()).bit_length() + 1))
    bits = len(gaps) * (1 + widths) + (gaps[:, None] >> widths).sum(axis=0)
    return int(widths[np.argmin(bits)])


def _fixed_width(count: int) -> int:
    return max(1, int(count - 1).bit_length())
