"""Signs packed into machine words, and their product by exclusive-or and counting (Rastegari et al. 2016 [132]).

A bit is 1 for +1 and 0 for -1.  Bits beyond the end of a row are 0 on both sides, so exclusive-or clears them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WORD = np.uint64
WORD_BYTES = 8


@dataclass(frozen=True)
class PackedSigns:
    """Rows of signs, 64 to a word.

    Attributes
    ----------
    words : ndarray of uint64, shape (rows, words per row)
    length : int
        Signs in one row.
    """

    words: np.ndarray
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes that the signs occupy, filled up to whole words."""
        return self.words.nbytes

    def unpack(self) -> np.ndarray:
        """The signs as float32, shape (rows, length)."""
        bits = np.unpackbits(self.words.view(np.uint8), axis=1, count=self.length, bitorder="little")
        return 2 * bits.astype(np.float32) - 1


def pack(signs: np.ndarray) -> PackedSigns:
    """Pack rows of values that are -1 or +1.

    Raises
    ------
    ValueError
        Another number of axes, or another value.
    """
    signs = np.asarray(signs)
    if signs.ndim != 2 or signs.shape[1] == 0:
        raise ValueError(f"expected rows of signs, shape (rows, length), got {signs.shape}")
    if not np.isin(signs, (-1, 1)).all():
        raise ValueError("only -1 and +1 fit into a bit; take the sign first, with +1 for 0")
    octets = np.packbits(signs > 0, axis=1, bitorder="little")
    filled = np.zeros((len(signs), -(-octets.shape[1] // WORD_BYTES) * WORD_BYTES), np.uint8)
    filled[:, : octets.shape[1]] = octets
    return PackedSigns(filled.view(WORD), signs.shape[1])


def packed_product(left: PackedSigns, right: PackedSigns) -> np.ndarray:
    """All dot products of rows of ``left`` with rows of ``right``, int32, shape (left rows, right rows).

    Equal signs add one, different signs take one away: length - 2 x (number of differing bits).

    >>> packed_product(pack([[1, -1, 1]]), pack([[1, 1, 1], [-1, 1, -1]]))
    array([[ 1, -3]], dtype=int32)

    Raises
    ------
    ValueError
        Rows of different length.
    """
    if left.length != right.length:
        raise ValueError(f"rows of {left.length} and {right.length} signs have no dot product")
    different = np.zeros((len(left.words), len(right.words)), np.int32)
    for left_word, right_word in zip(left.words.T, right.words.T, strict=True):
        different += np.bitwise_count(left_word[:, None] ^ right_word[None, :])
    return left.length - 2 * different


def packed_ternary_bytes(count: int) -> int:
    """Bytes of that many three-valued weights at two bits each."""
    return -(-count // 4)


def pack_ternary(values: np.ndarray) -> np.ndarray:
    """Four values -1, 0 or +1 to a byte: 0, 1 or 2 for each, the first in the lowest bits; shape (bytes,).

    >>> pack_ternary(np.array([1, 0, -1, 0, 1]))
    array([70, 86], dtype=uint8)
    """
    values = np.asarray(values).ravel()
    if not np.isin(values, (-1, 0, 1)).all():
        raise ValueError("only -1, 0 and +1 are ternary; apply the threshold first")
    codes = np.ones(4 * packed_ternary_bytes(len(values)), np.uint8)  # ones unpack to 0
    codes[: len(values)] = values + 1
    four = codes.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)
    return np.bitwise_or.reduce(four, axis=1)


def unpack_ternary(octets: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` values of packed bytes, int8."""
    codes = (octets[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    return codes.ravel()[:count].astype(np.int8) - 1
