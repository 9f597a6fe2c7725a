"""Canonical Huffman codes over small alphabets, encoded and decoded with array operations (Huffman 1952).

A canonical code is determined by its code lengths: symbols are numbered in order of (length, symbol).  The lengths are
all that a file has to store, and left-aligned codes then increase, so that decoding is a binary search.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import accumulate, repeat

import numpy as np

LONGEST_CODE = 48  # bits; 2**48 symbols would be needed to reach it


@dataclass(frozen=True)
class PrefixCode:
    """A canonical prefix code.

    Attributes
    ----------
    lengths : ndarray of int, shape (alphabet,)
        Bits of each symbol's code; 0 for a symbol that never occurs.
    """

    lengths: np.ndarray

    def __post_init__(self) -> None:
        used = self.lengths[self.lengths > 0]
        if len(used) == 0 or self.lengths.max() > LONGEST_CODE or self.lengths.min() < 0:
            raise ValueError(f"code lengths must lie in 0 to {LONGEST_CODE} and not all be 0")
        if np.sum(0.5 ** used.astype(float)) > 1:
            raise ValueError("these lengths belong to no prefix code: they break Kraft's inequality")

    @property
    def order(self) -> np.ndarray:
        """Used symbols, by (length, symbol)."""
        ranked = np.lexsort((np.arange(len(self.lengths)), self.lengths))
        return ranked[self.lengths[ranked] > 0]

    def aligned(self) -> np.ndarray:
        """Codes of :attr:`order`, as numbers of as many bits as the longest code, shifted to the left."""
        sizes = self.lengths[self.order]
        steps = np.left_shift(1, (sizes.max() - sizes).astype(np.int64))
        return np.cumsum(steps) - steps

    def codes(self) -> np.ndarray:
        """Code of each symbol as a number of its own length, shape (alphabet,); 0 for unused ones."""
        codes = np.zeros(len(self.lengths), dtype=np.int64)
        order = self.order
        codes[order] = self.aligned() >> (self.lengths.max() - self.lengths[order])
        return codes


def huffman_code(counts: np.ndarray) -> PrefixCode:
    """The shortest prefix code for symbols that occur ``counts`` times, shape (alphabet,).

    >>> huffman_code(np.array([5, 1, 0, 2])).lengths.tolist()
    [1, 2, 0, 2]
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or (counts < 0).any() or not counts.any():
        raise ValueError("counts must be a vector of non-negative numbers, at least one of them positive")
    lengths = np.zeros(len(counts), dtype=np.int64)
    heap = [(int(count), symbol, (symbol,)) for symbol, count in enumerate(counts) if count]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        few, _, first = heapq.heappop(heap)
        more, tie, second = heapq.heappop(heap)
        lengths[list(first + second)] += 1
        heapq.heappush(heap, (few + more, tie, first + second))
    return PrefixCode(lengths)


def fixed_code(alphabet: int) -> PrefixCode:
    """The code that gives every symbol the same number of bits."""
    return PrefixCode(np.full(alphabet, max(1, int(alphabet - 1).bit_length())))


def entropy_bits(counts: np.ndarray) -> float:
    """Entropy of symbols that occur ``counts`` times, in bits per symbol: no code is shorter on average.

    >>> entropy_bits(np.array([2, 1, 1]))
    1.5
    """
    share = np.asarray(counts, dtype=float)
    share = share[share > 0] / share.sum()
    return float(-np.sum(share * np.log2(share)))


def encode(symbols: np.ndarray, code: PrefixCode) -> bytes:
    """Concatenated codes of the symbols, the last byte filled with zeros.

    Raises
    ------
    ValueError
        A symbol that the code does not know.
    """
    symbols = np.asarray(symbols, dtype=np.int64)
    if len(symbols) and (symbols.max() >= len(code.lengths) or symbols.min() < 0 or not code.lengths[symbols].all()):
        raise ValueError("a symbol has no code: build the code from the counts of these symbols")
    sizes, words = code.lengths[symbols], code.codes()[symbols]
    last = np.cumsum(sizes)
    place = np.arange(last[-1] if len(last) else 0)  # of each bit in the stream
    shift = np.repeat(last, sizes) - 1 - place
    return np.packbits((np.repeat(words, sizes) >> shift) & 1).tobytes()


def decode(stream: bytes, count: int, code: PrefixCode) -> np.ndarray:
    """The first ``count`` symbols of a stream, shape (count,).

    At every bit of the stream the window of the longest code is looked up among the left-aligned codes; then the chain
    of code lengths is followed from bit 0.

    Raises
    ------
    ValueError
        The stream ends too early or holds a word that is no code.
    """
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).astype(np.int64)
    longest = int(code.lengths.max())
    padded = np.concatenate([bits, np.zeros(longest, np.int64)])
    window = np.zeros(len(bits), np.int64)
    for offset in range(longest):
        window = 2 * window + padded[offset : offset + len(bits)]
    aligned, sizes = code.aligned(), code.lengths[code.order]
    rank = np.searchsorted(aligned, window, side="right") - 1
    places = _chain(sizes[rank], count)
    ranks = rank[places]
    if places[-1] + sizes[ranks[-1]] > len(bits) or (window[places] >= (aligned + _span(sizes))[ranks]).any():
        raise ValueError("the bit stream holds a word that is no code; the file is damaged")
    return code.order[ranks]


def _chain(steps: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` places of the walk that starts at 0 and advances by ``steps[place]``."""
    jump = (np.arange(len(steps)) + steps).tolist()
    try:
        return np.array(list(accumulate(repeat(None, count - 1), lambda place, _: jump[place], initial=0)))
    except IndexError:
        raise ValueError(f"the bit stream ends before its {count} symbols; the file is cut short") from None


def _span(sizes: np.ndarray) -> np.ndarray:
    """How many windows begin with each code."""
    return np.left_shift(1, (sizes.max() - sizes).astype(np.int64))
