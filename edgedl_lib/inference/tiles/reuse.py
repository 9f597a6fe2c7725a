"""Tiles that hand each other their overlap, run for real: the checkerboard schedule of DeepThings [156]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor, nn

from edgedl_lib.inference.tiles.execution import TileNetwork, crop, merge, run_stage, run_tile, tile_network
from edgedl_lib.inference.tiles.geometry import Grid, Region
from edgedl_lib.inference.tiles.intervals import CutRule, ceil_intervals
from edgedl_lib.inference.tiles.reuse_plan import Donation, Place, TileWork, checkerboard_plan, donations


@dataclass(frozen=True)
class CheckerboardRun:
    """Merged output, and the float bytes that tiles really handed to neighbours."""

    output: Tensor
    exchanged_bytes: int


def run_checkerboard(
    model: nn.Module | TileNetwork,
    image: Tensor,
    grid: Grid,
    *,
    until: str | None = None,
    cut: CutRule = ceil_intervals,
    late: Collection[Place] = (),
) -> CheckerboardRun:
    """Run even tiles whole, then odd tiles on what they received.

    Parameters
    ----------
    model, image, grid, until, cut
        As of `run_tiled`.
    late : collection of (row, column)
        Odd tiles that find their neighbours' data missing and fall back to their full region.
    """
    network = tile_network(model, tuple(image.shape[1:]), until)
    works = checkerboard_plan(network.stages, grid, cut)
    gifts = [gift for gift in donations(works) if gift.receiver not in late]
    post, results = _Post(gifts), []
    for work in works:
        if work.place in late:
            results.append((work.tile, run_tile(network, crop(image, work.tile.input), work.tile)))
        else:
            results.append((work.tile, _run_sharing(network, crop(image, work.computed[0]), work, post)))
    return CheckerboardRun(merge(results, network.output_shape), post.carried_bytes)


def _run_sharing(network: TileNetwork, current: Tensor, work: TileWork, post: _Post) -> Tensor:
    """One tile: compute a part of each map, add what came by post, hand out what neighbours will ask for."""
    last = len(network.stages)
    for index in range(1, last + 1):
        own = run_stage(network, index - 1, current, work.computed[index])
        if index < last:
            post.hand_out(work.place, index, own, work.computed[index])
            current = assemble(own, work.computed[index], work.needed[index], post.collect(work.place, index))
    return own


def assemble(own: Tensor, computed: Region, needed: Region, received: list[tuple[Region, Tensor]]) -> Tensor:
    """The needed region of a map from the part computed here and the parts received."""
    if computed == needed:
        return own
    whole = own.new_zeros(*own.shape[:2], needed.height, needed.width)
    for region, part in [(computed, own), *received]:
        if region.pixels:
            crop(whole, within(region, needed)).copy_(part)
    return whole


def within(region: Region, frame: Region) -> Region:
    """The region in coordinates of a frame that holds it."""
    top, left = region.top - frame.top, region.left - frame.left
    return Region(top, top + region.height, left, left + region.width)


class _Post:
    """Strips of maps between the tile that computed them and the one that waits for them."""

    def __init__(self, gifts: list[Donation]) -> None:
        self.orders: dict[tuple[Place, int], list[Donation]] = defaultdict(list)
        for gift in gifts:
            self.orders[gift.donor, gift.map_index].append(gift)
        self.boxes: dict[tuple[Place, int], list[tuple[Region, Tensor]]] = defaultdict(list)
        self.carried_bytes = 0

    def hand_out(self, donor: Place, map_index: int, values: Tensor, region: Region) -> None:
        for gift in self.orders[donor, map_index]:
            strip = crop(values, within(gift.region, region)).clone()
            self.carried_bytes += strip.element_size() * strip.numel()
            self.boxes[gift.receiver, map_index].append((gift.region, strip))

    def collect(self, receiver: Place, map_index: int) -> list[tuple[Region, Tensor]]:
        return self.boxes.pop((receiver, map_index), [])
