"""One frame as tasks: what each tile costs in operations and bytes, alone or on its neighbours' overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.geometry import Grid, Layers, computed_mac, map_channels, region_bytes, tile_mac
from edgedl_lib.inference.tiles.reuse_plan import Donation, Place, TileWork, checkerboard_plan, donations
from edgedl_lib.inference.tiles.stages import Stage, tile_stages
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT


@dataclass(frozen=True)
class TileTask:
    """One tile of a frame.

    Attributes
    ----------
    place : (int, int)
        Row and column in the grid.
    mac, input_bytes : int
        Run alone.
    shared_mac, shared_input_bytes : int
        Run on what the neighbours computed; equal to the above for the tiles that go first.
    output_bytes : int
        Result, to the gateway.
    given_bytes, received_bytes : int
        Overlap that it hands to the gateway, and that it gets from there.
    donors : tuple of (int, int)
        Tiles that must be done before it can share; empty for the tiles that go first.
    """

    place: Place
    mac: int
    input_bytes: int
    shared_mac: int
    shared_input_bytes: int
    output_bytes: int
    given_bytes: int
    received_bytes: int
    donors: tuple[Place, ...]


def frame_tasks(layers: Layers, grid: Grid) -> tuple[TileTask, ...]:
    """Tasks of one frame in the order of its queue: the tiles that share nothing first, as the reuse schedule asks.

    >>> from edgedl_lib.nets.zoo.yolo import yolov2_prefix
    >>> tasks = frame_tasks(yolov2_prefix(), (5, 5))
    >>> len(tasks), sum(task.donors == () for task in tasks)
    (25, 13)
    """
    stages = tile_stages(layers)
    works = checkerboard_plan(stages, grid)
    gifts = donations(works)
    given, received, donors = _bytes_by_place(stages, gifts)
    return tuple(_task(stages, work, given, received, donors) for work in works)


def _task(stages: Sequence[Stage], work: TileWork, given, received, donors) -> TileTask:
    sizes = region_bytes(stages, work.tile.regions)
    shared_input = region_bytes(stages, work.computed)[0]
    shared_mac = computed_mac(stages, work.computed[1:])
    place = work.place
    exchanged = (given[place], received[place], tuple(sorted(donors[place])))
    return TileTask(place, tile_mac(stages, work.tile), sizes[0], shared_mac, shared_input, sizes[-1], *exchanged)


def _bytes_by_place(stages: Sequence[Stage], gifts: Sequence[Donation]):
    """Bytes given (each strip once), bytes received, and donors, by place."""
    channels = map_channels(stages)
    given, received, donors = defaultdict(int), defaultdict(int), defaultdict(set)
    for gift in gifts:
        size = BYTES_PER_ELEMENT * channels[gift.map_index] * gift.region.pixels
        given[gift.donor] += size
        received[gift.receiver] += size
        donors[gift.receiver].add(gift.donor)
    return given, received, donors
