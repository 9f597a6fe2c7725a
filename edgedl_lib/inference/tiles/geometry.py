"""Geometry of tiles through fused layers: what each tile reads, holds and computes, from the shapes alone.

A grid cuts the last map; each tile is walked back through the layers to the region of the input that it depends on.
The regions overlap: that overlap is what tiles pay for running alone (DeepThings [156], fused layers [130]).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.intervals import (
    CutRule,
    InputRule,
    Interval,
    ceil_intervals,
    exact_input,
    padding_of,
)
from edgedl_lib.inference.tiles.stages import Stage, tile_stages
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT, Layer

Layers = LayerGraph | Sequence[Layer] | Sequence[Stage]
Grid = tuple[int, int]


@dataclass(frozen=True)
class Region:
    """Rows ``top`` up to ``bottom`` and columns ``left`` up to ``right`` of a map, half-open as slices."""

    top: int
    bottom: int
    left: int
    right: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"region: {name} is {value!r}, it must be a whole number from 0")

    @classmethod
    def of(cls, rows: Interval, columns: Interval) -> Region:
        """Rows times columns."""
        return cls(*rows, *columns)

    @property
    def rows(self) -> Interval:
        """The rows as an interval."""
        return Interval(self.top, self.bottom)

    @property
    def columns(self) -> Interval:
        """The columns as an interval."""
        return Interval(self.left, self.right)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.rows.length

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.columns.length

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    def intersection(self, other: Region) -> Region:
        """What both hold, possibly empty."""
        return Region.of(self.rows.intersection(other.rows), self.columns.intersection(other.columns))

    def contains(self, other: Region) -> bool:
        """Does it hold every pixel of the other?"""
        return self.intersection(other).pixels == other.pixels


@dataclass(frozen=True)
class Tile:
    """One task: a tile of the last map and the regions that it depends on.

    Attributes
    ----------
    row, column : int
        Place in the grid.
    regions : tuple of Region
        ``regions[0]`` of the raw input, ``regions[l]`` of the output of stage ``l`` (the input of the next), the last
        one the tile of the grid itself.
    """

    row: int
    column: int
    regions: tuple[Region, ...]

    @property
    def input(self) -> Region:
        """Region of the raw input that the task needs."""
        return self.regions[0]

    @property
    def output(self) -> Region:
        """Region of the last map that the task delivers."""
        return self.regions[-1]


def input_region(stage: Stage, output: Region, rule: InputRule = exact_input) -> Region:
    """Region of its input on which a region of a stage's output depends."""
    return Region.of(rule(stage.rows, output.rows), rule(stage.columns, output.columns))


def border_padding(stage: Stage, output: Region) -> tuple[int, int, int, int]:
    """Padding left, right, above and below that a region of a stage's output reads (the order of torch's ``pad``)."""
    return (*padding_of(stage.columns, output.columns), *padding_of(stage.rows, output.rows))


def walk_back(stages: Sequence[Stage], output: Region, rule: InputRule = exact_input) -> tuple[Region, ...]:
    """Regions of every map, the raw input first, on which a region of the last map depends."""
    regions = [output]
    for stage in reversed(stages):
        regions.append(input_region(stage, regions[-1], rule))
    return tuple(reversed(regions))


def tile_regions(
    layers: Layers,
    grid: Grid = (1, 1),
    *,
    until: str | None = None,
    cut: CutRule = ceil_intervals,
    rule: InputRule = exact_input,
) -> tuple[Tile, ...]:
    """Tiles of a grid, row by row, each with its region of every map.

    Parameters
    ----------
    layers : LayerGraph, layers or stages
        A chain of convolutions, pools and element-wise layers.
    grid : (int, int)
        Tiles along the height and along the width of the last map.
    until : str, optional
        Last layer of a graph that takes part.
    cut : function
        `ceil_intervals` (DeepThings) or `even_intervals`.
    rule : function
        `exact_input`, or `published_input` as DeepThings prints it.

    Raises
    ------
    GridTooFine
        A tile would be empty.
    NotTileable
        The layers branch or need the whole map.
    """
    stages = tile_stages(layers, until)
    rows, columns = grid_intervals(stages, grid, cut)
    return tuple(
        Tile(i, j, walk_back(stages, Region.of(row, column), rule))
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    )


def grid_intervals(
    stages: Sequence[Stage], grid: Grid, cut: CutRule = ceil_intervals
) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """Row and column intervals of a grid on the last map."""
    if len(grid) != 2:
        raise ValueError(f"grid {grid} must be (tiles along the height, tiles along the width)")
    _, height, width = stages[-1].output_shape
    return cut(height, grid[0]), cut(width, grid[1])


def map_channels(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Channels of every map, the raw input first."""
    return (stages[0].input_shape[0], *(stage.output_shape[0] for stage in stages))


def region_bytes(stages: Sequence[Stage], regions: Sequence[Region]) -> tuple[int, ...]:
    """Float32 bytes of each map's region, the raw input first."""
    channels = map_channels(stages)
    return tuple(BYTES_PER_ELEMENT * depth * region.pixels for depth, region in zip(channels, regions, strict=True))


def tile_peak_bytes(stages: Sequence[Stage], tile: Tile) -> int:
    """Largest input plus output of a stage while the tile runs, without weights."""
    sizes = region_bytes(stages, tile.regions)
    return max(before + after for before, after in zip(sizes, sizes[1:], strict=False))


def weight_bytes(stages: Sequence[Stage]) -> int:
    """Float32 bytes of all convolution weights."""
    return sum(stage.weight_bytes for stage in stages)


def computed_mac(stages: Sequence[Stage], outputs: Sequence[Region]) -> int:
    """Multiply-accumulates to compute a region of each stage's output."""
    return sum(stage.mac_per_pixel * region.pixels for stage, region in zip(stages, outputs, strict=True))


def tile_mac(stages: Sequence[Stage], tile: Tile) -> int:
    """Multiply-accumulates of a tile that runs alone."""
    return computed_mac(stages, tile.regions[1:])


def network_mac(stages: Sequence[Stage]) -> int:
    """Multiply-accumulates of the untiled network."""
    return sum(stage.layers[0].mac for stage in stages)


@dataclass(frozen=True)
class TilingCost:
    """What a grid costs when its tiles run alone.

    Attributes
    ----------
    peak_bytes : int
        Largest input plus output of any stage of any tile.
    weight_bytes : int
        Weights, which every device holds whole.
    mac, network_mac : int
        Multiply-accumulates of all tiles, and of the untiled network.
    input_bytes : int
        Summed input regions: what a source sends if it keeps no tile.
    halo_bytes : int
        Of these, bytes that more than one tile receives, each copy beyond the first counted.
    """

    grid: Grid
    peak_bytes: int
    weight_bytes: int
    mac: int
    network_mac: int
    input_bytes: int
    halo_bytes: int

    @property
    def memory(self) -> int:
        """Bytes that one device holds."""
        return self.peak_bytes + self.weight_bytes

    @property
    def work(self) -> float:
        """Multiply-accumulates relative to the untiled network."""
        return self.mac / self.network_mac


def tiling_cost(layers: Layers, grid: Grid, *, until: str | None = None, **rules) -> TilingCost:
    """Memory, work and bytes of a grid of independent tiles; ``rules`` as of `tile_regions`."""
    stages = tile_stages(layers, until)
    tiles = tile_regions(stages, grid, **rules)
    inputs = [region_bytes(stages, tile.regions)[0] for tile in tiles]
    return TilingCost(
        grid,
        max(tile_peak_bytes(stages, tile) for tile in tiles),
        weight_bytes(stages),
        sum(tile_mac(stages, tile) for tile in tiles),
        network_mac(stages),
        sum(inputs),
        sum(inputs) - _covered_bytes(stages, tiles),
    )


def _covered_bytes(stages: Sequence[Stage], tiles: Sequence[Tile]) -> int:
    """Bytes of the input that at least one tile reads; regions are products, so rows and columns count apart."""
    rows = set().union(*(range(*tile.input.rows) for tile in tiles))
    columns = set().union(*(range(*tile.input.columns) for tile in tiles))
    return BYTES_PER_ELEMENT * stages[0].input_shape[0] * len(rows) * len(columns)
