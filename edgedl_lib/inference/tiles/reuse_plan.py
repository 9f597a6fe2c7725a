"""Which tile computes what when neighbours share their overlap: two schedules, from the shapes alone.

*Checkerboard* (DeepThings [156]): tiles with an even row + column run first and whole; the others then take from their
four neighbours what those computed.  *Raster* (fused layers [130]): tiles run in reading order and each computes only
what none before it did, so that every value is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.geometry import (
    Grid,
    Region,
    Tile,
    computed_mac,
    grid_intervals,
    input_region,
    map_channels,
    region_bytes,
    tile_mac,
    tile_regions,
)
from edgedl_lib.inference.tiles.intervals import Axis, CutRule, Interval, ceil_intervals, exact_input
from edgedl_lib.inference.tiles.stages import Stage
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT

Place = tuple[int, int]


@dataclass(frozen=True)
class TileWork:
    """A tile under a schedule that shares.

    Attributes
    ----------
    tile : Tile
        With the regions it would need alone.
    needed : tuple of Region
        Of every map, the raw input first: what the next stage reads here.
    computed : tuple of Region
        Of every map: the part of ``needed`` that this tile computes (of the raw input: reads); the rest is there.
    """

    tile: Tile
    needed: tuple[Region, ...]
    computed: tuple[Region, ...]

    @property
    def place(self) -> Place:
        """Row and column in the grid."""
        return self.tile.row, self.tile.column


@dataclass(frozen=True)
class Donation:
    """A region of one map that a tile receives from a neighbour."""

    donor: Place
    receiver: Place
    map_index: int
    region: Region


def checkerboard_plan(stages: Sequence[Stage], grid: Grid, cut: CutRule = ceil_intervals) -> tuple[TileWork, ...]:
    """Work of every tile, in the order of the schedule: even tiles first."""
    tiles = tile_regions(stages, grid, cut=cut)
    by_place = {(tile.row, tile.column): tile for tile in tiles}
    even = [TileWork(tile, tile.regions, tile.regions) for tile in tiles if not _is_odd(tile)]
    odd = [_odd_work(stages, tile, by_place) for tile in tiles if _is_odd(tile)]
    return (*even, *odd)


def _is_odd(tile: Tile) -> bool:
    return (tile.row + tile.column) % 2 == 1


def _odd_work(stages: Sequence[Stage], tile: Tile, tiles: Mapping[Place, Tile]) -> TileWork:
    needed, computed = [tile.output], [tile.output]
    for index in range(len(stages) - 1, -1, -1):
        needed.append(input_region(stages[index], computed[-1]))
        computed.append(_trimmed(needed[-1], _around(tile, tiles, index)) if index else needed[-1])
    return TileWork(tile, tuple(reversed(needed)), tuple(reversed(computed)))


def _around(tile: Tile, tiles: Mapping[Place, Tile], map_index: int) -> dict[str, tuple[Place, Region]]:
    """Regions of one map that the neighbours hold, by side."""
    sides = {"above": (-1, 0), "below": (1, 0), "left": (0, -1), "right": (0, 1)}
    places = {side: (tile.row + down, tile.column + across) for side, (down, across) in sides.items()}
    return {side: (place, tiles[place].regions[map_index]) for side, place in places.items() if place in tiles}


def _trimmed(needed: Region, around: Mapping[str, tuple[Place, Region]]) -> Region:
    """What remains of a region when each neighbour's is cut off at its side."""
    held = {side: region for side, (_, region) in around.items()}
    rows = _between(needed.rows, held["above"].bottom if "above" in held else 0, held.get("below"), "top")
    columns = _between(needed.columns, held["left"].right if "left" in held else 0, held.get("right"), "left")
    return Region.of(rows, columns)


def _between(needed: Interval, before: int, after: Region | None, edge: str) -> Interval:
    start = min(max(needed.start, before), needed.stop)
    stop = needed.stop if after is None else min(needed.stop, getattr(after, edge))
    return Interval(start, max(start, stop))


def donations(works: Sequence[TileWork]) -> tuple[Donation, ...]:
    """What every odd tile receives, map by map: together with what it computes it covers what it needs, once."""
    tiles = {work.place: work.tile for work in works}
    return tuple(
        donation
        for work in works
        if _is_odd(work.tile)
        for index in range(1, len(work.needed) - 1)
        for donation in _received(work, index, tiles)
        if donation.region.pixels
    )


def _received(work: TileWork, index: int, tiles: Mapping[Place, Tile]) -> list[Donation]:
    needed, own = work.needed[index], work.computed[index]
    strips = {
        "above": Region(needed.top, own.top, needed.left, needed.right),
        "below": Region(own.bottom, needed.bottom, needed.left, needed.right),
        "left": Region(own.top, own.bottom, needed.left, own.left),
        "right": Region(own.top, own.bottom, own.right, needed.right),
    }
    around = _around(work.tile, tiles, index)
    return [Donation(around[side][0], work.place, index, strips[side]) for side in around]


def donated_bytes(stages: Sequence[Stage], gifts: Sequence[Donation]) -> int:
    """Float32 bytes that cross the network between tiles."""
    channels = map_channels(stages)
    return BYTES_PER_ELEMENT * sum(channels[gift.map_index] * gift.region.pixels for gift in gifts)


def plan_mac(stages: Sequence[Stage], works: Sequence[TileWork], late: Sequence[Place] = ()) -> int:
    """Multiply-accumulates of a schedule; tiles whose neighbours were ``late`` run alone."""
    return sum(
        tile_mac(stages, work.tile) if work.place in late else computed_mac(stages, work.computed[1:]) for work in works
    )


def plan_input_bytes(stages: Sequence[Stage], works: Sequence[TileWork]) -> int:
    """Float32 bytes of the raw input that all tiles together read."""
    return sum(region_bytes(stages, work.computed)[0] for work in works)


def raster_plan(
    stages: Sequence[Stage], grid: Grid, cut: CutRule = ceil_intervals, *, buffer_input: bool = True
) -> tuple[TileWork, ...]:
    """Work of every tile in reading order when all that was computed before is kept.

    With ``buffer_input`` the overlap of the raw input is kept as well, so that each of its pixels is read once.
    """
    rows, columns = grid_intervals(stages, grid, cut)
    axes = [_raster_axis([stage.rows for stage in stages], rows, buffer_input)]
    axes.append(_raster_axis([stage.columns for stage in stages], columns, buffer_input))
    tiles = tile_regions(stages, grid, cut=cut)
    return tuple(_raster_work(tile, axes[0][tile.row], axes[1][tile.column]) for tile in tiles)


def _raster_work(tile: Tile, rows: _AxisWork, columns: _AxisWork) -> TileWork:
    regions = [
        tuple(Region.of(*pair) for pair in zip(*parts, strict=True)) for parts in zip(rows, columns, strict=True)
    ]
    return TileWork(tile, *regions)


_AxisWork = tuple[tuple[Interval, ...], tuple[Interval, ...]]  # needed and computed, of every map


def _raster_axis(windows: Sequence[Axis], tiles: Sequence[Interval], buffer_input: bool) -> list[_AxisWork]:
    """Needed and computed intervals of every tile along one axis."""
    done = [0] * (len(windows) + 1)  # of every map: rows before this one are computed
    works = []
    for tile in tiles:
        needed, computed = [tile], [tile]
        for index in range(len(windows) - 1, -1, -1):
            wanted = exact_input(windows[index], computed[-1])
            start = min(max(wanted.start, done[index]), wanted.stop) if index or buffer_input else wanted.start
            needed.append(wanted)
            computed.append(Interval(start, wanted.stop))
            done[index] = max(done[index], wanted.stop)
        works.append((tuple(reversed(needed)), tuple(reversed(computed))))
    return works
