"""Fused layers on one chip (Alwani et al. 2016 [130]): traffic to memory, buffers and repeated work, from the shapes.

A pyramid is what one tip of the last map depends on.  Only its base (raw input) and its tip touch off-chip memory.
All figures are per image, float32, without weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.stages import Stage
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT


def pyramid_widths(stages: Sequence[Stage], tip: int = 1) -> tuple[int, ...]:
    """Width of a pyramid on every map, the raw input first, away from the borders: D[l-1] = (D[l] - 1) S + K.

    >>> from edgedl_lib.inference.tiles.stages import tile_stages
    >>> from edgedl_lib.nets import model
    >>> pyramid_widths(tile_stages(model("vgg19"), "relu3_1"))
    (24, 22, 20, 10, 8, 6, 3, 1)
    """
    if not isinstance(tip, int) or not 1 <= tip <= stages[-1].output_shape[2]:
        raise ValueError(f"tip of {tip!r} pixels does not fit the last map; choose 1 to {stages[-1].output_shape[2]}")
    widths = [tip]
    for stage in reversed(stages):
        widths.append((widths[-1] - 1) * stage.columns.stride + stage.columns.kernel)
    return tuple(reversed(widths))


@dataclass(frozen=True)
class ReuseBuffers:
    """Bytes that keep the overlap of pyramids between the layers (the raw input's overlap is read again).

    Attributes
    ----------
    rows : int
        The last K - S rows of each map, across its width.
    columns : int
        The last K - S columns of each pyramid.
    """

    rows: int
    columns: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.rows + self.columns


def reuse_buffers(stages: Sequence[Stage], tip: int = 1) -> ReuseBuffers:
    """Line buffers of all maps between the stages: 4 C (K - S) (W + D), summed over the inputs of the later stages.

    This is the count that gives the published figure: the columns are kept over the whole height of a pyramid.
    """
    return _buffers(stages, pyramid_widths(stages, tip), tip)


def least_reuse_buffers(stages: Sequence[Stage], tip: int = 1) -> ReuseBuffers:
    """Line buffers that suffice: beside the row buffers, columns are kept only over the rows that are new.

    A map gains S rows for each new row behind it, so a stage reads (new - 1) S + K rows of it, not the whole pyramid's.
    """
    new, heights = tip, [tip]
    for stage in reversed(stages):
        heights.append((new - 1) * stage.rows.stride + stage.rows.kernel)
        new *= stage.rows.stride
    pyramid_widths(stages, tip)
    return _buffers(stages, tuple(reversed(heights)), tip)


def _buffers(stages: Sequence[Stage], column_heights: Sequence[int], tip: int) -> ReuseBuffers:
    """Rows and columns kept; a tip as wide or as high as the last map leaves nothing to keep along that axis."""
    _, last_height, last_width = stages[-1].output_shape
    rows = columns = 0
    for stage, tall in zip(stages[1:], column_heights[1:], strict=False):
        channels, height, width = stage.input_shape
        rows += BYTES_PER_ELEMENT * channels * max(0, stage.rows.kernel - stage.rows.stride) * width
        columns += (
            BYTES_PER_ELEMENT * channels * max(0, stage.columns.kernel - stage.columns.stride) * min(tall, height)
        )
    return ReuseBuffers(rows if tip < last_height else 0, columns if tip < last_width else 0)


def map_bytes(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Float32 bytes of every whole map, the raw input first."""
    shapes = (stages[0].input_shape, *(stage.output_shape for stage in stages))
    return tuple(BYTES_PER_ELEMENT * channels * height * width for channels, height, width in shapes)


def grouped_traffic(stages: Sequence[Stage], ends: Sequence[int]) -> int:
    """Bytes read and written off-chip when groups of stages are fused: each group's first input and last output.

    ``ends`` holds, for each group, the number of stages up to its end: ``range(1, n + 1)`` fuses nothing, ``(n,)`` all.
    """
    sizes = map_bytes(stages)
    if list(ends) != sorted(set(ends)) or not ends or ends[0] < 1 or ends[-1] != len(stages):
        raise ValueError(f"ends {tuple(ends)} must rise from 1 or more to {len(stages)}, the number of stages")
    starts = (0, *ends[:-1])
    return sum(sizes[start] + sizes[end] for start, end in zip(starts, ends, strict=True))


def unfused_traffic(stages: Sequence[Stage], merge_pools: bool = False) -> int:
    """Bytes read and written when every stage reads its input and writes its output, or pools run with their layer."""
    inner = [i for i in range(1, len(stages)) if not (merge_pools and stages[i].kind == "pool")]
    return grouped_traffic(stages, (*inner, len(stages)))


def fused_traffic(stages: Sequence[Stage]) -> int:
    """Bytes of the raw input and of the last map."""
    return grouped_traffic(stages, (len(stages),))


def recompute_mac(stages: Sequence[Stage], tip: int = 1) -> int:
    """Multiply-accumulates if every pyramid computes all it needs; pyramids at the borders count as full ones."""
    widths = pyramid_widths(stages, tip)
    per_pyramid = sum(stage.mac_per_pixel * width * width for stage, width in zip(stages, widths[1:], strict=True))
    _, height, across = stages[-1].output_shape
    return per_pyramid * -(-height // tip) * -(-across // tip)


@dataclass(frozen=True)
class FusionPoint:
    """One way to group the stages: its groups' ends, off-chip traffic and buffers, bytes."""

    ends: tuple[int, ...]
    traffic: int
    storage: int


def fusion_points(stages: Sequence[Stage]) -> Iterator[FusionPoint]:
    """Every grouping; a pool always runs with the layer before it."""
    last = len(stages)
    free = [index for index in range(1, last) if stages[index].kind != "pool"]
    for count in range(len(free) + 1):
        for inner in itertools.combinations(free, count):
            ends = (*inner, last)
            groups = zip((0, *inner), ends, strict=True)
            storage = sum(reuse_buffers(stages[start:end]).total for start, end in groups)
            yield FusionPoint(ends, grouped_traffic(stages, ends), storage)


def fusion_front(stages: Sequence[Stage]) -> tuple[FusionPoint, ...]:
    """The groupings that no other beats in both traffic and storage, by falling traffic."""
    front: list[FusionPoint] = []
    for point in sorted(fusion_points(stages), key=lambda each: (each.storage, each.traffic)):
        if not front or point.traffic < front[-1].traffic:
            front.append(point)
    return tuple(front)
