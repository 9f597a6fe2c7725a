"""Wrong versions of DeepThings: no overlap, other units, thieves without luck, sources without memory."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgedl_lib.inference.tiles import study as tiles
from edgedl_lib.inference.tiles.geometry import (
    input_region,
    network_mac,
    region_bytes,
    tile_regions,
    tiling_cost,
)
from edgedl_lib.inference.tiles.intervals import Axis, Interval
from edgedl_lib.inference.tiles.reuse_plan import checkerboard_plan
from edgedl_lib.inference.tiles.stages import tile_stages
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.zoo.yolo import yolov2_prefix
from edgedl_lib.offloading.horizontal.deepthings import study
from edgedl_lib.offloading.horizontal.deepthings.gateway import Gateway
from edgedl_lib.offloading.horizontal.deepthings.sharing import run_sharing
from edgedl_lib.offloading.horizontal.deepthings.stealing import StealingCluster, run_stealing
from edgedl_lib.reproduce.sabotage import sabotage
from tests.sabotage.tile_borders import padded_at_every_border

MILLION = 1e6


def no_overlap(axis: Axis, output: Interval) -> Interval:
    """A window that only scales: what a tile would need if kernels had one pixel."""
    return Interval(output.start * axis.stride, min(axis.size, output.stop * axis.stride))


@sabotage("deepthings.memory_reduction", "deepthings.golden_memory", "deepthings.golden_work")
def tiles_without_overlap():
    """Cutting the input evenly: less memory and no extra work, and the output is wrong."""
    graph = yolov2_prefix()
    whole, tiled = tiling_cost(graph, (1, 1)), tiling_cost(graph, (5, 5), rule=no_overlap)
    expected = {name: values[-1] for name, values in study.EXPECTED.items()}
    return {
        "deepthings.memory_reduction": 100 * (1 - tiled.memory / whole.memory),
        "deepthings.golden_memory": 100 * abs(tiled.peak_bytes / study.MEBIBYTE / expected["memory"] - 1),
        "deepthings.golden_work": 100 * abs(tiled.work / expected["work"] - 1),
    }


@sabotage("deepthings.golden_reuse_work")
def two_neighbours_instead_of_four():
    """Odd tiles that take overlap only from above and from the left, as in reading order."""
    stages = tile_stages(yolov2_prefix())
    works = checkerboard_plan(stages, study.GRID)
    even = {work.place: work.tile for work in works}
    total = 0
    for work in works:
        outputs, region = [], work.tile.output
        for index in range(len(stages) - 1, -1, -1):
            outputs.append(stages[index].mac_per_pixel * region.pixels)
            region = input_region(stages[index], region)
            for place, edge in (((-1, 0), "top"), ((0, -1), "left")):
                donor = even.get((work.tile.row + place[0], work.tile.column + place[1]))
                if donor is not None and sum(work.place) % 2 and index:
                    limit = donor.regions[index].bottom if edge == "top" else donor.regions[index].right
                    far = region.bottom if edge == "top" else region.right
                    region = replace(region, **{edge: min(max(limit, getattr(region, edge)), far)})
        total += sum(outputs)
    return 100 * abs(total / network_mac(stages) / study.EXPECTED["reuse_work"][-1] - 1)


@sabotage("deepthings.golden_input", "deepthings.memory_per_device", "deepthings.peak_unpartitioned")
def megabytes_of_a_million():
    """Powers of ten for powers of two."""
    rows = study.grid_table(sides=(1, 5))
    expected = study.EXPECTED["input"][-1]
    return {
        "deepthings.golden_input": 100 * (rows[1].cost.input_bytes / MILLION / expected - 1),
        "deepthings.memory_per_device": rows[1].cost.memory / MILLION,
        "deepthings.peak_unpartitioned": rows[0].cost.memory / MILLION,
    }


@sabotage("deepthings.io_share", "deepthings.footprint_regardless")
def weights_held_in_part():
    """Counting the weights of all layers twice, and maps of one size for every grid but the first."""
    whole, two = (tiling_cost(yolov2_prefix(), (side, side)) for side in (1, 2))
    return {
        "deepthings.io_share": 100 * whole.peak_bytes / (whole.peak_bytes + 2 * whole.weight_bytes),
        "deepthings.footprint_regardless": whole.memory / two.memory,
    }


@sabotage("deepthings.tiled_error")
def zero_padding_at_tile_borders():
    """Tiles treated as small pictures of their own."""
    graph = yolov2_prefix(width=1 / 8, resolution=160)
    return padded_at_every_border(tiles.case(graph), (2, 2))


@sabotage("deepthings.accuracy_loss")
def inner_tiles_are_lost():
    """Six tiles of nine never arrive and count as zeros."""
    data = digits(0, 16)
    body, head = tiles.trained_classifier(data, 0, epochs=1)
    maps = body(data.test.inputs).detach()
    right = []
    for each in (maps, maps * torch.zeros_like(maps).index_fill(2, torch.tensor([6, 7]), 1.0)):
        right.append(float((head(each).argmax(1) == data.test.targets).double().mean()))
    return 100 * (right[0] - right[1])


@sabotage("deepthings.peak_measured")
def every_map_kept():
    """A worker that keeps the maps of all layers until its tile is done."""
    stages = tile_stages(yolov2_prefix())
    cost = tiling_cost(stages, study.GRID)
    kept = max(sum(region_bytes(stages, tile.regions)) for tile in tile_regions(stages, study.GRID))
    return kept / cost.peak_bytes


class NobodyToRob(Gateway):
    """A gateway that never names a victim."""

    def next_victim(self, thief):
        return None


class AlwaysTheFirst(Gateway):
    """A gateway that names the first device with work in its table, always."""

    def next_victim(self, thief):
        return min((source for source in self.sources if source != thief), default=None)


def stolen_with(gateway, streams, setting=study.SETTING):
    """Stealing with another gateway."""
    cluster = StealingCluster(study.tasks(), streams, setting)
    cluster.gateway.__class__ = gateway
    return cluster.run()


@sabotage("deepthings.speedup", "deepthings.speedup.two", "deepthings.speedup_monotone")
def nobody_is_robbed():
    """Without thieves every cluster is as fast as one device."""
    alone = study.frame_seconds(1)
    ratio = [
        alone / stolen_with(NobodyToRob, {0: (0.0,)}, replace(study.SETTING, devices=count)).latency[0]
        for count in (2, 6)
    ]
    return {
        "deepthings.speedup": ratio[1],
        "deepthings.speedup.two": ratio[0],
        "deepthings.speedup_monotone": ratio[1] / ratio[0],
    }


@sabotage("deepthings.speedup_over_plain", "deepthings.two_against_plain")
def doubling_left_out():
    """Comparing with the same tiles on one device and calling that the plain network."""
    two, six = study.speed_ups((2, 6))
    return {"deepthings.speedup_over_plain": six, "deepthings.two_against_plain": two}


@sabotage("deepthings.throughput_gain")
def transfers_are_free():
    """On a radio that takes no time both ways to spread tasks are alike: the gain lies in the bytes."""
    free = replace(study.SETTING, rate=1e12, latency=0.0)
    return study.gain_over_sharing(study.dynamic_streams(0), setting=free)


@sabotage("deepthings.single_source_gain", "deepthings.push_gain")
def no_thieves():
    """A gateway that never names a victim: the source is alone with its frames."""
    run = stolen_with(NobodyToRob, study.SINGLE_SOURCE)
    shared = [
        run_sharing(study.tasks(), study.SINGLE_SOURCE, study.SETTING, through_gateway=through)
        for through in (True, False)
    ]
    return {
        "deepthings.single_source_gain": run.throughput / shared[0].throughput,
        "deepthings.push_gain": run.throughput / shared[1].throughput,
    }


@sabotage("deepthings.even_load_gain", "deepthings.stolen_when_even")
def thieves_first():
    """Devices that steal before they look at their own queue: everything moves."""

    class ThievesFirst(StealingCluster):
        def _live(self, device):
            while not self.gateway.is_done:
                mine = self._own(device)
                if mine is not None:  # hand it back and take another's
                    self.queues[device].appendleft(mine)
                    yield from self._announce(device)
                job = (yield from self._steal(device)) or self._take(device)
                if job is not None:
                    yield from self.work(device, job)
                elif not self.gateway.is_done:
                    yield self.environment.timeout(self.setting.retry)

    run = ThievesFirst(study.tasks(), study.EVEN_LOAD, study.SETTING).run()
    pushed = run_sharing(study.tasks(), study.EVEN_LOAD, replace(study.SETTING, rate=1e12, latency=0.0))
    return {
        "deepthings.even_load_gain": run.throughput / pushed.throughput,
        "deepthings.stolen_when_even": 100 * run.moved / run.executed.sum(),
    }


@sabotage("deepthings.fairness")
def always_the_first_source():
    """A gateway without round robin lets the others wait."""
    return study.source_fairness(stolen_with(AlwaysTheFirst, study.THREE_SOURCES))


class Forgetful(StealingCluster):
    """A source that never looks after what was stolen."""

    def _watch(self, victim, job):
        yield self.environment.timeout(self.setting.patience)
        yield self.environment.timeout(50)
        self.gateway.lose(victim)


@sabotage("deepthings.departure_lost", "deepthings.departure_tasks")
def stolen_tasks_are_forgotten():
    """Nobody takes the task of a thief back; or the whole frame is done again."""
    run = Forgetful(study.tasks(), {0: (0.0,)}, study.SETTING, departures={3: 2.0}).run()
    return {
        "deepthings.departure_lost": int((~run.done).sum()),
        "deepthings.departure_tasks": len(study.tasks()),
    }


@sabotage("deepthings.reuse_gain")
def overlap_never_arrives():
    """Reuse whose neighbours are never ready is no reuse."""
    run = run_stealing(study.tasks(), study.SINGLE_SOURCE, study.SETTING)
    return run.throughput / run_stealing(study.tasks(), study.SINGLE_SOURCE, study.SETTING).throughput
