"""Fused layers [130] run for real: tiles in reading order, line buffers between layers, every access to memory counted.

"Off-chip" memory holds the raw input and the last map; what lies between lives in buffers of a few rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgedl_lib.inference.tiles.execution import TileNetwork, crop, run_stage, run_tile, tile_network
from edgedl_lib.inference.tiles.geometry import Grid, Region, grid_intervals, tile_regions
from edgedl_lib.inference.tiles.reuse import within
from edgedl_lib.inference.tiles.reuse_plan import TileWork, raster_plan


@dataclass(frozen=True)
class FusedRun:
    """What one fused evaluation did.

    Attributes
    ----------
    output : Tensor
        The last map.
    read_bytes, written_bytes : int
        Off-chip traffic: of the raw input, and of the last map.
    buffer_bytes : int
        Line buffers of the maps between the layers.
    input_buffer_bytes : int
        Line buffers of the raw input, 0 where its overlap is read again.
    """

    output: Tensor
    read_bytes: int
    written_bytes: int
    buffer_bytes: int = 0
    input_buffer_bytes: int = 0

    @property
    def traffic(self) -> int:
        """Bytes read and written off-chip."""
        return self.read_bytes + self.written_bytes


def run_fused(
    model: nn.Module | TileNetwork,
    image: Tensor,
    grid: Grid,
    *,
    reuse: bool = True,
    buffer_input: bool = True,
    until: str | None = None,
) -> FusedRun:
    """Evaluate fused layers pyramid by pyramid.

    Parameters
    ----------
    model, image, grid, until
        As of `run_tiled`; a grid as fine as the last map makes pyramids with a tip of one pixel.
    reuse : bool
        Keep overlaps in line buffers; otherwise each pyramid computes (and reads) everything again.
    buffer_input : bool
        Keep overlaps of the raw input too; otherwise they are read again.
    """
    network = tile_network(model, tuple(image.shape[1:]), until)
    memory = _OffChip(image, network)
    if not reuse:
        for tile in tile_regions(network.stages, grid):
            memory.write(run_tile(network, memory.read(tile.input), tile), tile.output)
        return FusedRun(memory.output, memory.read_bytes, memory.written_bytes)
    works = raster_plan(network.stages, grid, buffer_input=buffer_input)
    buffers = _line_buffers(image, network, grid, works)
    for work in works:
        memory.write(_run_buffered(network, memory.read(work.computed[0]), work, buffers), work.tile.output)
    sizes = [buffer.peak_bytes for buffer in buffers]
    return FusedRun(memory.output, memory.read_bytes, memory.written_bytes, sum(sizes[1:]), sizes[0])


def _run_buffered(network: TileNetwork, current: Tensor, work: TileWork, buffers: Sequence[LineBuffer]) -> Tensor:
    for index in range(len(network.stages)):
        whole = buffers[index].complete(current, work)
        current = run_stage(network, index, whole, work.computed[index + 1])
    return current


def _line_buffers(image: Tensor, network: TileNetwork, grid: Grid, works: Sequence[TileWork]) -> list[LineBuffer]:
    columns = len(grid_intervals(network.stages, grid)[1])
    table = [works[start : start + columns] for start in range(0, len(works), columns)]
    depths = [stage.input_shape[0] for stage in network.stages]
    return [
        LineBuffer(image.new_empty(image.shape[0], depth, 0, 0), table, index) for index, depth in enumerate(depths)
    ]


class LineBuffer:
    """Overlap of one map: the last rows across its width for the next row of tiles, the last columns for the next tile.

    A tile finds in it exactly what it needs and does not compute; then its own last rows and columns replace that.
    """

    def __init__(self, like: Tensor, table: Sequence[Sequence[TileWork]], map_index: int) -> None:
        self.index, self.table = map_index, table
        height = max(_kept(row[0], map_index).height for row in table)
        width = max(work.needed[map_index].right for work in table[0]) if height else 0
        self.rows = like.new_zeros(*like.shape[:2], height, width)
        self.columns = like
        self.peak_bytes = self._bytes()

    def complete(self, computed: Tensor, work: TileWork) -> Tensor:
        """The needed region, from what the tile computed and what is kept here."""
        needed, own = work.needed[self.index], work.computed[self.index]
        kept_rows = own.top - needed.top
        above = self.rows[..., :kept_rows, own.left : own.right]
        right = torch.cat((above, computed), dim=2) if kept_rows else computed
        whole = torch.cat((self.columns, right), dim=3) if own.left > needed.left else right
        self._keep(whole, work)
        return whole

    def _keep(self, whole: Tensor, work: TileWork) -> None:
        i, j = work.place
        needed, own = work.needed[self.index], work.computed[self.index]
        if i + 1 < len(self.table) and (rows := _kept(self.table[i + 1][j], self.index).height):
            strip = Region(needed.bottom - rows, needed.bottom, own.left, own.right)
            self.rows[..., :rows, own.left : own.right] = crop(whole, within(strip, needed))
        self.columns = whole[..., :0]
        if j + 1 < len(self.table[i]):
            beside = self.table[i][j + 1]
            columns = beside.computed[self.index].left - beside.needed[self.index].left
            self.columns = whole[..., whole.shape[-1] - columns :].clone()
        self.peak_bytes = max(self.peak_bytes, self._bytes())

    def _bytes(self) -> int:
        return sum(part.numel() * part.element_size() for part in (self.rows, self.columns)) // self.rows.shape[0]


def _kept(work: TileWork, index: int) -> Region:
    """Rows of a map that a tile finds kept from the row of tiles above."""
    needed, own = work.needed[index], work.computed[index]
    return Region(needed.top, own.top, needed.left, needed.right)


class _OffChip:
    """The raw input and the last map, with a counter on every access (bytes of one sample)."""

    def __init__(self, image: Tensor, network: TileNetwork) -> None:
        self.image, self.read_bytes, self.written_bytes = image, 0, 0
        self.output = image.new_zeros(image.shape[0], *network.output_shape)

    def read(self, region: Region) -> Tensor:
        values = crop(self.image, region)
        self.read_bytes += values[0].numel() * values.element_size()
        return values

    def write(self, values: Tensor, region: Region) -> None:
        crop(self.output, region).copy_(values)
        self.written_bytes += values[0].numel() * values.element_size()
