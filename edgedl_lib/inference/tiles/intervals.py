"""Tiles along one axis: which rows (or columns) of its input an interval of a layer's output depends on.

Intervals are half-open, as Python's slices: ``Interval(2, 5)`` holds rows 2, 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Interval(NamedTuple):
    """Rows (or columns) ``start`` up to but without ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Rows in the interval, 0 if it is empty."""
        return max(0, self.stop - self.start)

    def intersection(self, other: Interval) -> Interval:
        """What both hold; an empty interval at the later start if they do not meet."""
        start = max(self.start, other.start)
        return Interval(start, max(start, min(self.stop, other.stop)))


class Axis(NamedTuple):
    """The window of a layer along one axis: input ``size``, ``kernel``, ``stride``, ``padding``; is it a pool?"""

    size: int
    kernel: int
    stride: int
    padding: int
    pools: bool = False


def reach(axis: Axis, output: Interval) -> Interval:
    """Positions that the windows of ``output`` cover, including padding outside the map."""
    return Interval(
        output.start * axis.stride - axis.padding, (output.stop - 1) * axis.stride - axis.padding + axis.kernel
    )


def exact_input(axis: Axis, output: Interval) -> Interval:
    """Real input positions that ``output`` depends on: right for every kernel, stride and padding.

    >>> exact_input(Axis(size=10, kernel=3, stride=1, padding=1), Interval(0, 5))
    Interval(start=0, stop=6)
    >>> exact_input(Axis(size=9, kernel=3, stride=2, padding=0), Interval(2, 4))
    Interval(start=4, stop=9)
    """
    first = max(output.start, -(-(axis.padding - axis.kernel + 1) // axis.stride))  # a window inside padding reads none
    last = min(output.stop - 1, (axis.size - 1 + axis.padding) // axis.stride)
    start = min(max(0, first * axis.stride - axis.padding), axis.size)
    if output.length == 0 or first > last:
        return Interval(start, start)
    return Interval(start, min(axis.size, last * axis.stride - axis.padding + axis.kernel))


def published_input(axis: Axis, output: Interval) -> Interval:
    """The traversal of DeepThings [156]: exact only for odd "same" convolutions and pools with kernel = stride.

    A convolution reads half a kernel on both sides of ``stride`` times its interval, whatever its padding; a pool
    reads ``stride`` rows per row, whatever its kernel.
    """
    first, last = output.start, output.stop - 1
    if axis.pools:
        return Interval(first * axis.stride, last * axis.stride + axis.stride)
    half = axis.kernel // 2
    return Interval(max(0, first * axis.stride - half), min(axis.size - 1, last * axis.stride + half) + 1)


InputRule = Callable[[Axis, Interval], Interval]


def padding_of(axis: Axis, output: Interval) -> tuple[int, int]:
    """Positions before and after the map that ``output`` reads: 0 unless it lies at a real border.

    >>> padding_of(Axis(size=10, kernel=3, stride=1, padding=1), Interval(0, 5))
    (1, 0)
    """
    if output.length == 0:
        return 0, 0
    start, stop = reach(axis, output)
    real = exact_input(axis, output)
    return (real.start - start, stop - real.stop) if real.length else (stop - start, 0)


class GridTooFine(ValueError):
    """More tiles than the rule can cut from the map."""


def ceil_intervals(size: int, parts: int) -> tuple[Interval, ...]:
    """Steps of ``ceil(size / parts)``, the last tile takes the rest: DeepThings' rule.

    >>> [interval.length for interval in ceil_intervals(38, 5)]
    [8, 8, 8, 8, 6]

    Raises
    ------
    GridTooFine
        The rule would leave empty tiles, as it does for 38 rows in 12 parts.
    """
    _check_parts(size, parts)
    step = -(-size // parts)
    if (parts - 1) * step >= size:
        advice = f"use at most {-(-size // step)} parts, or even_intervals"
        raise GridTooFine(f"steps of {step} use up {size} rows before the last of {parts} tiles; {advice}")
    return tuple(Interval(index * step, min(size, (index + 1) * step)) for index in range(parts))


def even_intervals(size: int, parts: int) -> tuple[Interval, ...]:
    """Lengths that differ by at most one row.

    >>> [interval.length for interval in even_intervals(38, 12)]
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4]
    """
    _check_parts(size, parts)
    bounds = [index * size // parts for index in range(parts + 1)]
    lengths = sorted(stop - start for start, stop in zip(bounds, bounds[1:], strict=False))
    starts = [sum(lengths[:index]) for index in range(parts)]
    return tuple(Interval(start, start + length) for start, length in zip(starts, lengths, strict=True))


CutRule = Callable[[int, int], tuple[Interval, ...]]


def _check_parts(size: int, parts: int) -> None:
    for name, value in (("size", size), ("parts", parts)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} of a grid is {value!r}, it must be a positive whole number")
    if parts > size:
        raise GridTooFine(f"{parts} tiles cannot be cut from {size} rows; use at most {size}")
