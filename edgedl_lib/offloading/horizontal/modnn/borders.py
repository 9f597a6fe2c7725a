"""Which rows of every map a worker owns: biased strips (BODP), borders on the stride (Mao et al. 2017 [177])."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.intervals import Axis, Interval
from edgedl_lib.inference.tiles.stages import POINT_KINDS, WINDOW_KINDS, NotTileable, Stage, tile_stages
from edgedl_lib.nets.graph import LayerGraph

Borders = tuple[int, ...]  # 0, ..., size: worker i owns [borders[i], borders[i + 1])


def owned(borders: Borders) -> list[Interval]:
    """The interval of each worker.

    >>> [interval.length for interval in owned((0, 4, 7))]
    [4, 3]
    """
    return [Interval(*pair) for pair in zip(borders, borders[1:], strict=False)]


def biased_borders(size: int, speeds: Sequence[float], multiple: int = 1) -> Borders:
    """Cut `size` rows into one strip per worker, as even in *time* as whole units of `multiple` rows allow.

    Each worker gets a unit; every further one goes to the worker that would be done with it first.

    Parameters
    ----------
    speeds : sequence of float
        Operations per second, or any numbers in the same proportion.
    multiple : int
        Borders lie on multiples of this: the product of the strides that follow.

    Raises
    ------
    ValueError
        More workers than units, or a speed that is not positive.

    Examples
    --------
    >>> biased_borders(224, [1, 2, 2, 4], multiple=16)
    (0, 16, 64, 112, 224)
    >>> biased_borders(7, [1, 1])
    (0, 4, 7)
    """
    if not speeds or min(speeds) <= 0:
        raise ValueError(f"speeds {list(speeds)} must be positive, one for each worker")
    units = math.ceil(size / multiple)
    if len(speeds) > units:
        raise ValueError(
            f"{len(speeds)} workers but only {units} strips of at least {multiple} of the {size} rows; "
            f"use {units} workers or fewer"
        )
    given = [1] * len(speeds)
    for _ in range(units - len(speeds)):
        finish = [(count + 1) / speed for count, speed in zip(given, speeds, strict=True)]
        given[finish.index(min(finish))] += 1
    stops = [multiple * sum(given[: index + 1]) for index in range(len(given))]
    return (0, *(min(stop, size) for stop in stops))


@dataclass(frozen=True)
class Ownership:
    """Borders of every map along one axis.

    Attributes
    ----------
    stages : tuple of Stage
        The part of the network that is cut: a window and what follows it element by element, up to the dense layers.
    axis : int
        0 cuts rows (strips), 1 cuts columns.
    before, after : tuple of Borders
        Of the input and of the output of each stage.
    """

    stages: tuple[Stage, ...]
    axis: int
    before: tuple[Borders, ...]
    after: tuple[Borders, ...]

    @property
    def workers(self) -> int:
        """Number of strips."""
        return len(self.before[0]) - 1


def axis_of(stage: Stage, axis: int) -> Axis:
    """The stage's window along the height (0) or the width (1)."""
    return stage.columns if axis else stage.rows


def map_stages(graph: LayerGraph) -> tuple[Stage, ...]:
    """Stages of a chain before the first layer that needs the whole map.

    Raises
    ------
    NotTileable
        The graph branches, or begins with a layer that needs the whole map.
    """
    if not graph.is_chain:
        raise NotTileable(f"{graph.name} branches; strips follow a chain of layers, give one without shortcuts")
    cut = next((layer.name for layer in graph if layer.kind not in WINDOW_KINDS + POINT_KINDS), None)
    if cut == graph.layers[0].name:
        raise NotTileable(f"{graph.name} begins with {cut}, which needs all of its input; there is no map to cut")
    names = graph.layer_names
    return tile_stages(graph, until=names[names.index(cut) - 1] if cut else None)


def alignment(stages: Sequence[Stage], axis: int = 0) -> int:
    """Product of the strides of these stages: borders on its multiples fall on whole rows in every map."""
    return math.prod(axis_of(stage, axis).stride for stage in stages)


def aligned_ownership(graph: LayerGraph, speeds: Sequence[float], axis: int = 0) -> Ownership:
    """One cut of the input for all layers: no pooling layer ever needs a neighbour.

    >>> from edgedl_lib.nets.zoo import vgg16
    >>> plan = aligned_ownership(vgg16(), [1, 1, 1, 1])
    >>> plan.before[0], plan.after[-1]
    ((0, 64, 128, 192, 224), (0, 2, 4, 6, 7))
    """
    stages = map_stages(graph)
    borders = biased_borders(axis_of(stages[0], axis).size, speeds, alignment(stages, axis))
    return inherited_ownership(stages, borders, axis)


def inherited_ownership(stages: Sequence[Stage], borders: Borders, axis: int = 0) -> Ownership:
    """Follow any borders of the input, also unaligned ones: who holds the row where a window starts computes it."""
    before, after = [], []
    for stage in stages:
        before.append(borders)
        borders = _below(stage, borders, axis)
        after.append(borders)
    return Ownership(tuple(stages), axis, tuple(before), tuple(after))


def staged_ownership(graph: LayerGraph, speeds: Sequence[float], axis: int = 0) -> Ownership:
    """Cut anew after each strided stage, borders on the next stride only: strips as even as each map allows.

    Raises
    ------
    ValueError
        Some map has fewer rows than there are workers.
    """
    stages = map_stages(graph)
    strides = [axis_of(stage, axis).stride for stage in stages]
    borders = biased_borders(axis_of(stages[0], axis).size, speeds, _next(strides))
    before, after = [], []
    for index, stage in enumerate(stages):
        before.append(borders)
        if strides[index] == 1 and (index == 0 or strides[index - 1] > 1):
            borders = biased_borders(stage.output_shape[1 + axis], speeds, _next(strides[index:]))
        else:
            borders = _below(stage, borders, axis)
        after.append(borders)
    return Ownership(stages, axis, tuple(before), tuple(after))


def _next(strides: Sequence[int]) -> int:
    return next((stride for stride in strides if stride > 1), 1)


def _below(stage: Stage, borders: Borders, axis: int) -> Borders:
    size, stride = stage.output_shape[1 + axis], axis_of(stage, axis).stride
    return (*(min(-(-border // stride), size) for border in borders[:-1]), size)
