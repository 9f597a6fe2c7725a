"""How sparse accelerators store a pruned matrix: rows dealt to processing elements, 4-bit codes, 4-bit relative rows.

EIE (Han et al. 2016 [153]) and ESE (Han et al. 2017 [145]) give row ``i`` to element ``i mod N``.  Each element stores
its share column by column; an entry holds a code and the number of zeros before it.  Where that number does not fit the
index, a *filler* (an entry with value zero) is inserted: it costs storage and a cycle like any other entry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INDEX_BITS = 4
CODE_BITS = 4


@dataclass(frozen=True)
class CompressedMatrix:
    """A matrix of codes, dealt to processing elements and compressed.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the dense matrix.
    codes, zeros : numpy.ndarray, shape (E,)
        Of each entry: its code (0 marks a filler) and the zeros that precede it; ordered by element, column, row.
    pointers : numpy.ndarray, shape (N, columns + 1)
        Where each column of each element starts.
    index_bits : int
    """

    shape: tuple[int, int]
    codes: np.ndarray
    zeros: np.ndarray
    pointers: np.ndarray
    index_bits: int = INDEX_BITS

    @property
    def fillers(self) -> int:
        """Entries that hold no weight."""
        return int(np.sum(self.codes == 0))

    @property
    def bits(self) -> int:
        """Storage of the entries in bits, without pointers and code book."""
        return len(self.codes) * (CODE_BITS + self.index_bits)

    @property
    def entries_per_column(self) -> np.ndarray:
        """Entries of each element and column, shape (N, columns)."""
        return np.diff(self.pointers, axis=1)


def deal_rows(matrix: np.ndarray, elements: int) -> np.ndarray:
    """Deal rows in turn to processing elements.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (rows, columns)
    elements : int
        N.  Missing rows of the last turn are zero.

    Returns
    -------
    numpy.ndarray, shape (N, columns, ceil(rows / N))
    """
    if elements < 1:
        raise ValueError(f"the number of processing elements must be at least 1, not {elements}")
    rows, columns = matrix.shape
    turns = -(-rows // elements)
    padded = np.zeros((turns * elements, columns), matrix.dtype)
    padded[:rows] = matrix
    return padded.reshape(turns, elements, columns).transpose(1, 2, 0)


def compress(codes: np.ndarray, elements: int, index_bits: int = INDEX_BITS) -> CompressedMatrix:
    """Compress a matrix of codes.

    Parameters
    ----------
    codes : numpy.ndarray of int, shape (rows, columns)
        0 is a zero weight; 1 to 15 index the code book.
    elements : int
        Processing elements N.
    index_bits : int
        At most ``2**index_bits - 1`` zeros fit between two entries.

    Examples
    --------
    >>> column = np.zeros((40, 1), int); column[[2, 39]] = 7
    >>> packed = compress(column, elements=1)
    >>> packed.codes.tolist(), packed.zeros.tolist()  # 36 zeros between them need two fillers
    ([7, 0, 0, 7], [2, 15, 15, 4])
    """
    dealt = deal_rows(codes, elements)  # (N, columns, turns)
    segment, before = _zeros_before(dealt)
    step = 2**index_bits
    fillers = before // step
    position = np.arange(len(before)) + np.cumsum(fillers)  # of each true entry in the stream
    total = len(before) + int(fillers.sum())
    stream_codes, stream_zeros = np.zeros(total, codes.dtype), np.full(total, step - 1)
    stream_codes[position] = dealt[dealt != 0]
    stream_zeros[position] = before % step
    counts = np.bincount(segment, 1 + fillers, minlength=dealt.shape[0] * dealt.shape[1]).astype(int)
    ends = np.cumsum(counts).reshape(dealt.shape[:2])
    starts = np.concatenate([[0], ends[:-1, -1]])[:, None]
    return CompressedMatrix(codes.shape, stream_codes, stream_zeros, np.hstack([starts, ends]), index_bits)


def entries_per_column(mask: np.ndarray, elements: int, index_bits: int = INDEX_BITS) -> np.ndarray:
    """Entries, fillers included, that each element stores of each column of a mask.

    Returns
    -------
    numpy.ndarray of int, shape (N, columns)
    """
    dealt = deal_rows(mask, elements)
    segment, before = _zeros_before(dealt)
    counts = np.bincount(segment, 1 + before // 2**index_bits, minlength=dealt.shape[0] * dealt.shape[1])
    return counts.astype(int).reshape(dealt.shape[:2])


def multiply(matrix: CompressedMatrix, activations: np.ndarray, code_book: np.ndarray) -> np.ndarray:
    """Product of a compressed matrix with a vector, as the hardware walks it: zero activations are skipped.

    Parameters
    ----------
    matrix : CompressedMatrix
    activations : numpy.ndarray, shape (columns,)
    code_book : numpy.ndarray, shape (16,)
        Weight of each code; code 0 must be zero.

    Returns
    -------
    numpy.ndarray, shape (rows,)
    """
    if code_book[0] != 0:
        raise ValueError(f"code 0 stands for a filler and must be zero, not {code_book[0]}: shift the code book by one")
    elements, columns = matrix.entries_per_column.shape
    counts = matrix.entries_per_column.ravel()
    segment = np.repeat(np.arange(counts.size), counts)
    steps = np.cumsum(matrix.zeros + 1)
    base = np.concatenate([[0], steps])[matrix.pointers[:, :-1].ravel()]
    turn = steps - 1 - base[segment]
    row, column = turn * elements + segment // columns, segment % columns
    active = activations[column] != 0
    result = np.zeros(matrix.shape[0], np.result_type(activations, code_book))
    np.add.at(result, row[active], code_book[matrix.codes[active]] * activations[column[active]])
    return result


def filler_ratio(density: float, index_bits: int = INDEX_BITS) -> float:
    """Expected fillers per true entry in a long random column of a density in (0, 1].

    The zeros before an entry are geometric, so the ratio is ``q**s / (1 - q**s)`` with ``q = 1 - density`` and
    ``s = 2**index_bits``.

    Examples
    --------
    >>> round(filler_ratio(1 / 16), 2), round(filler_ratio(1 / 4), 2)
    (0.55, 0.01)
    """
    if not 0 < density <= 1:
        raise ValueError(f"density must lie in (0, 1], not {density}")
    gap = (1 - density) ** 2**index_bits
    return gap / (1 - gap)


def _zeros_before(dealt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segment (element and column) of each non-zero, and the zeros between it and the one before."""
    element, column, turn = np.nonzero(dealt)
    segment = element * dealt.shape[1] + column
    previous = np.concatenate([[-1], turn[:-1]])
    first = np.concatenate([[True], segment[1:] != segment[:-1]])[: len(turn)]
    return segment, turn - np.where(first, -1, previous[: len(turn)]) - 1
