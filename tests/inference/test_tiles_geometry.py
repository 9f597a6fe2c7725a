"""Regions against brute-force dependency tracing, golden figures of two papers, and refusals."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from edgedl_lib.inference.tiles.geometry import Region, computed_mac, tile_regions, tiling_cost
from edgedl_lib.inference.tiles.intervals import (
    Axis,
    GridTooFine,
    Interval,
    ceil_intervals,
    even_intervals,
    exact_input,
    padding_of,
    published_input,
)
from edgedl_lib.inference.tiles.pyramid import (
    fused_traffic,
    fusion_front,
    fusion_points,
    grouped_traffic,
    least_reuse_buffers,
    pyramid_widths,
    recompute_mac,
    reuse_buffers,
    unfused_traffic,
)
from edgedl_lib.inference.tiles.reuse_plan import checkerboard_plan, donations, plan_mac, raster_plan
from edgedl_lib.inference.tiles.stages import NotTileable, tile_stages
from edgedl_lib.nets import ModelBuilder, model
from edgedl_lib.nets.zoo.yolo import yolov2_prefix

MEBIBYTE = 2**20
WINDOWS = list(itertools.product(range(1, 6), range(1, 4), range(4)))


@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
def test_an_exact_interval_is_what_the_windows_touch(kernel, stride, padding):
    size = 13
    outputs = (size + 2 * padding - kernel) // stride + 1
    for start, stop in itertools.combinations(range(outputs + 1), 2):
        axis, interval = Axis(size, kernel, stride, padding), Interval(start, stop)
        touched = [row * stride - padding + tap for row in range(start, stop) for tap in range(kernel)]
        inside = [row for row in touched if 0 <= row < size]
        found = exact_input(axis, interval)
        if inside:
            assert found == Interval(min(inside), max(inside) + 1)
        else:
            assert found.length == 0
        before, after = padding_of(axis, interval)
        span = max(touched) - min(touched) + 1
        assert before + found.length + after == span


def test_the_published_rule_is_right_only_for_odd_same_windows_and_plain_pools():
    for kernel, stride, padding, pools in itertools.product(range(1, 6), (1, 2), range(3), (False, True)):
        axis = Axis(24, kernel, stride, padding, pools)
        exact = all(
            exact_input(axis, Interval(a, b)) == published_input(axis, Interval(a, b))
            for a, b in itertools.combinations(range(1, 9), 2)
        )
        if pools:
            assert exact == (kernel == stride and padding == 0)
        else:
            assert exact == (kernel % 2 == 1 and padding == kernel // 2)


@pytest.mark.parametrize("cut", [ceil_intervals, even_intervals])
def test_a_cut_covers_every_row_once(cut):
    for size, parts in itertools.product(range(1, 40), range(1, 9)):
        try:
            pieces = cut(size, parts)
        except GridTooFine:
            assert parts > size or (cut is ceil_intervals and (parts - 1) * math.ceil(size / parts) >= size)
            continue
        assert [row for piece in pieces for row in range(*piece)] == list(range(size))
        assert min(piece.length for piece in pieces) >= 1


# Bytes and multiply-accumulates worked out with a separate script from the printed layer list.
GOLDEN = {1: (59146240, 72822144), 2: (20967040, 34642944), 3: (16796160, 30472064)}
GOLDEN |= {4: (12188160, 25864064), 5: (9525760, 23201664)}
TABLE = {1: (56.41, 1, 1, 4.23), 2: (20.00, 1.247, 1.017, 6.03), 3: (16.02, 1.529, 1.069, 8.15)}
TABLE |= {4: (11.62, 1.845, 1.155, 10.59), 5: (9.08, 2.196, 1.276, 13.35)}


@pytest.mark.parametrize("side", TABLE)
def test_the_table_of_deepthings(side):
    stages = tile_stages(yolov2_prefix())
    cost = tiling_cost(stages, (side, side))
    works = checkerboard_plan(stages, (side, side))
    found = (
        cost.peak_bytes / MEBIBYTE,
        cost.work,
        plan_mac(stages, works) / cost.network_mac,
        cost.input_bytes / MEBIBYTE,
    )
    assert found == pytest.approx(TABLE[side], rel=1e-3)
    assert (cost.peak_bytes, cost.memory) == GOLDEN[side]
    assert cost == tiling_cost(stages, (side, side), rule=published_input)


def test_the_headline_of_deepthings():
    whole, tiled = (tiling_cost(yolov2_prefix(), (side, side)) for side in (1, 5))
    assert whole.network_mac == 13_000_343_552
    assert 1 - tiled.memory / whole.memory == pytest.approx(0.681, abs=5e-4)
    assert tiled.memory / MEBIBYTE == pytest.approx(22.13, abs=5e-3)
    assert [tiling_cost(yolov2_prefix(depth), (5, 5)).work for depth in (4, 8)] == pytest.approx(
        [1.008, 1.12], abs=1e-3
    )


def test_bytes_against_a_plain_walk_over_the_printed_layer_list():
    """A separate, one-dimensional calculation with the printed inclusive rules."""
    layers = [(3, 3, 32), 2, (3, 32, 64), 2, (3, 64, 128), (1, 128, 64), (3, 64, 128), 2]
    layers += [
        (3, 128, 256),
        (1, 256, 128),
        (3, 128, 256),
        2,
        (3, 256, 512),
        (1, 512, 256),
        (3, 256, 512),
        (1, 512, 256),
    ]
    largest = 0
    for first, last in [(8 * n, min(8 * n + 7, 37)) for n in range(5)]:
        spans, width = [last - first + 1], 38
        for layer in reversed(layers):
            width = 2 * width if layer == 2 else width
            half = 0 if layer == 2 else layer[0] // 2
            first, last = (
                (2 * first, 2 * last + 1) if layer == 2 else (max(0, first - half), min(width - 1, last + half))
            )
            spans.append(last - first + 1)
        spans.reverse()
        depth = 3
        for layer, before, after in zip(layers, spans, spans[1:], strict=False):
            out = depth if layer == 2 else layer[2]
            largest = max(largest, 4 * (depth * before**2 + out * after**2))
            depth = out
    assert largest == GOLDEN[5][0]


def test_fused_vgg_figures():
    stages = tile_stages(model("vgg19"), "relu3_1")
    assert pyramid_widths(stages) == (24, 22, 20, 10, 8, 6, 3, 1)
    buffers = reuse_buffers(stages)
    assert (buffers.rows, buffers.columns, buffers.total) == (336 * 1024, 27 * 1024, 363 * 1024)
    assert least_reuse_buffers(stages).total == 348 * 1024
    assert fused_traffic(stages) == 4 * (3 * 224**2 + 256 * 56**2) == 3_813_376
    assert unfused_traffic(stages) / MEBIBYTE == pytest.approx(86.32, abs=0.01)
    assert unfused_traffic(stages, merge_pools=True) / MEBIBYTE == pytest.approx(49.57, abs=0.01)
    assert recompute_mac(stages) / 1e9 == pytest.approx(81.2, abs=0.05)
    assert tiling_cost(stages, (56, 56)).mac < recompute_mac(stages), "pyramids at the border are smaller"


def test_one_layer_pools_and_a_tip_as_wide_as_the_map():
    vgg = tile_stages(model("vgg19"), "relu3_1")
    assert fused_traffic(vgg[:1]) == unfused_traffic(vgg[:1]) and reuse_buffers(vgg[:1]).total == 0
    assert reuse_buffers(vgg[1:3]).total == 0, "a pool with kernel = stride keeps nothing"
    assert reuse_buffers(vgg, tip=56).total == 0
    with pytest.raises(ValueError, match="tip of 57"):
        pyramid_widths(vgg, 57)


def test_the_front_holds_no_beaten_point():
    stages = tile_stages(model("vgg19"), "relu3_1")
    points, front = list(fusion_points(stages)), fusion_front(stages)
    for point in front:
        assert not any(o.traffic <= point.traffic and o.storage < point.storage for o in points)
    assert (front[0].traffic, front[-1].traffic) == (unfused_traffic(stages, True), fused_traffic(stages))
    with pytest.raises(ValueError, match="must rise"):
        grouped_traffic(stages, (3, 2, 7))


def coverage(region, shape):
    mask = np.zeros(shape, int)
    mask[region.top : region.bottom, region.left : region.right] = 1
    return mask


@pytest.mark.parametrize("grid", [(2, 2), (3, 5), (5, 5), (1, 4)])
def test_what_an_odd_tile_computes_and_receives_covers_its_need_once(grid):
    stages = tile_stages(yolov2_prefix(resolution=304))
    works = checkerboard_plan(stages, grid)
    tiles, gifts = {work.place: work.tile for work in works}, donations(works)
    for work in works:
        for index in range(1, len(stages)):
            shape = stages[index].input_shape[1:]
            mine = [gift for gift in gifts if gift.receiver == work.place and gift.map_index == index]
            total = coverage(work.computed[index], shape) + sum(coverage(gift.region, shape) for gift in mine)
            assert np.array_equal(total, coverage(work.needed[index], shape))
            assert all(tiles[gift.donor].regions[index].contains(gift.region) for gift in mine)


@pytest.mark.parametrize("grid", [(1, 1), (3, 2), (5, 4)])
def test_the_raster_schedule_computes_every_value_once(grid):
    stages = tile_stages(yolov2_prefix(resolution=160))
    works = raster_plan(stages, grid)
    for index, shape in enumerate([stage.input_shape[1:] for stage in stages]):
        assert (sum(coverage(work.computed[index], shape) for work in works) == 1).all()
    assert sum(computed_mac(stages, work.computed[1:]) for work in works) == yolov2_prefix(resolution=160).mac


def test_bad_geometry_is_refused():
    with pytest.raises(GridTooFine, match="38 rows before the last of 12"):
        tile_regions(yolov2_prefix(), (12, 5))
    with pytest.raises(GridTooFine, match="at most 38"):
        tile_regions(yolov2_prefix(), (39, 5), cut=even_intervals)
    for grid in ((0, 1), (2.0, 2), (math.nan, 2), (True, 2)):
        with pytest.raises(ValueError, match="positive whole number"):
            tile_regions(yolov2_prefix(), grid)
    with pytest.raises(ValueError, match="height, tiles along the width"):
        tile_regions(yolov2_prefix(), (2, 2, 2))
    with pytest.raises(NotTileable, match="branches"):
        tile_regions(model("resnet18"), (2, 2))
    with pytest.raises(NotTileable, match="fc6 of kind dense"):
        tile_regions(model("vgg19"), (2, 2))
    with pytest.raises(NotTileable, match="L4 of kind local"):
        tile_regions(model("deepface"), (2, 2))
    with pytest.raises(NotTileable, match="no layers"):
        tile_stages(())
    with pytest.raises(KeyError, match="nowhere"):
        tile_stages(model("vgg19"), "nowhere")
    with pytest.raises(ValueError, match="whole number from 0"):
        Region(0, math.nan, 0, 4)
    layer = yolov2_prefix(1).layers[0]
    broken = dataclasses.replace(layer, output_shape=(32, math.nan, 608))
    with pytest.raises(ValueError, match="positive integers"):
        tile_regions((broken,), (2, 2))


def test_a_branch_after_the_last_fused_layer_does_not_matter():
    net = ModelBuilder("fork", (1, 8, 8))
    trunk = net.conv("trunk", 2, kernel=3, padding=1)
    arms = [net.conv(name, 2, kernel=1, after=trunk) for name in ("left", "right")]
    net.add("sum", after=arms)
    assert len(tile_regions(net.graph(), (2, 2), until="trunk")) == 4
