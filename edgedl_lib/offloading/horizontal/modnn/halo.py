"""What neighbours send each other between two layers: halo rows of strips, edges and corners of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.intervals import Interval, exact_input
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT
from edgedl_lib.offloading.horizontal.modnn.borders import Borders, Ownership, aligned_ownership, axis_of, owned
from edgedl_lib.system.link import Link


@dataclass(frozen=True)
class Message:
    """A rectangle of a map that one worker sends to another; workers are (row, column) places of the grid."""

    sender: tuple[int, int]
    receiver: tuple[int, int]
    rows: Interval
    columns: Interval
    channels: int

    @property
    def size_bytes(self) -> int:
        """Bytes as float32."""
        return BYTES_PER_ELEMENT * self.channels * self.rows.length * self.columns.length


@dataclass(frozen=True)
class Traffic:
    """Bytes and messages of one inference, all layers together."""

    size_bytes: int
    messages: int

    def delivery_time(self, link: Link, wake_up: float) -> float:
        """Seconds on the shared medium: transmission, and one wake-up of the radio for each message."""
        return float(link.transfer_time(self.size_bytes)) + self.messages * wake_up


def held(need: Interval, borders: Borders) -> list[tuple[int, Interval]]:
    """Who owns which part of an interval.

    >>> [(owner, *part) for owner, part in held(Interval(3, 9), (0, 4, 8, 12))]
    [(0, 3, 4), (1, 4, 8), (2, 8, 9)]
    """
    parts = [need.intersection(own) for own in owned(borders)]
    return [(owner, part) for owner, part in enumerate(parts) if part.length]


def wanted(plan: Ownership, index: int) -> list[Interval]:
    """What each worker's output of stage `index` reads of the stage's input."""
    axis = axis_of(plan.stages[index], plan.axis)
    return [exact_input(axis, own) for own in owned(plan.after[index])]


def stage_messages(rows: Ownership, columns: Ownership, index: int) -> list[Message]:
    """Messages before a stage: all that a worker's output reads and another worker owns."""
    parts = [[held(need, plan.before[index]) for need in wanted(plan, index)] for plan in (rows, columns)]
    channels = rows.stages[index].input_shape[0]
    return [
        Message((row, column), (to_row, to_column), row_part, column_part, channels)
        for to_row, row_parts in enumerate(parts[0])
        for to_column, column_parts in enumerate(parts[1])
        for row, row_part in row_parts
        for column, column_part in column_parts
        if (row, column) != (to_row, to_column)
    ]


def halo_messages(rows: Ownership, columns: Ownership | None = None) -> list[list[Message]]:
    """Messages before each stage, of strips or, if columns are cut too, of a grid.

    The first stage has none: its strips, halo included, come with the image.
    """
    columns = columns or uncut(rows)
    return [stage_messages(rows, columns, index) if index else [] for index in range(len(rows.stages))]


def halo_traffic(rows: Ownership, columns: Ownership | None = None) -> Traffic:
    """Bytes and messages of all stages together."""
    messages = [each for stage in halo_messages(rows, columns) for each in stage]
    return Traffic(sum(each.size_bytes for each in messages), len(messages))


def uncut(rows: Ownership) -> Ownership:
    """Columns of strips: one owner has them all."""
    before = tuple((0, stage.input_shape[2]) for stage in rows.stages)
    return Ownership(rows.stages, 1, before, tuple((0, stage.output_shape[2]) for stage in rows.stages))


def strip_traffic(graph: LayerGraph, workers: int) -> Traffic:
    """Equal strips, borders aligned to all strides.

    >>> from edgedl_lib.nets.zoo import vgg16
    >>> strip_traffic(vgg16(), 4)
    Traffic(size_bytes=3096576, messages=72)
    """
    return halo_traffic(aligned_ownership(graph, [1.0] * workers))


def grid_traffic(graph: LayerGraph, grid: Sequence[int]) -> Traffic:
    """The conventional baseline: a grid of (rows, columns) tiles, whose diagonal neighbours exchange corners.

    >>> from edgedl_lib.nets.zoo import vgg16
    >>> grid_traffic(vgg16(), (2, 2))
    Traffic(size_bytes=2123776, messages=144)
    """
    rows, columns = (aligned_ownership(graph, [1.0] * count, axis) for axis, count in enumerate(grid))
    return halo_traffic(rows, columns)


def delivery_reduction(strips: Traffic, grid: Traffic, link: Link, wake_up: float) -> float:
    """Percent of the grid's delivery time that strips save; negative where they take longer."""
    return 100 * (1 - strips.delivery_time(link, wake_up) / grid.delivery_time(link, wake_up))


def wake_up_for(strips: Traffic, grid: Traffic, link: Link, reduction: float = 0.0) -> float:
    """Seconds per message at which strips save this percentage; 0 percent is the break-even.

    Solves delivery_time(strips) = (1 - reduction / 100) delivery_time(grid), which is linear in the wake-up.
    """
    share = 1 - reduction / 100
    sending = float(link.transfer_time(strips.size_bytes)) - share * float(link.transfer_time(grid.size_bytes))
    return sending / (share * grid.messages - strips.messages)
