"""Sharing the overlap for real: outputs, counted operations, counted bytes, measured memory."""

import gc

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgedl_lib.inference.tiles.execution import crop, run_tile, run_tiled, tile_network
from edgedl_lib.inference.tiles.fused import run_fused
from edgedl_lib.inference.tiles.geometry import network_mac, tile_mac, tile_regions, tiling_cost
from edgedl_lib.inference.tiles.memory import LiveTensors
from edgedl_lib.inference.tiles.pyramid import fused_traffic, least_reuse_buffers, reuse_buffers
from edgedl_lib.inference.tiles.reuse import run_checkerboard
from edgedl_lib.inference.tiles.reuse_plan import checkerboard_plan, donated_bytes, donations, plan_mac
from edgedl_lib.nets import ModelBuilder
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo.yolo import yolov2_prefix

GRIDS = [(n, m) for n in range(1, 6) for m in range(1, 6)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def close(tiled, whole):
    share = 1e-12 if whole.dtype == torch.float64 else 4e-6  # sixteen layers of single precision
    return torch.allclose(tiled, whole, rtol=0, atol=share * max(1.0, float(whole.abs().max())))


def counted(action):
    with FlopCounterMode(display=False) as counter:
        result = action()
    return result, counter.get_total_flops() // 2


@pytest.fixture(scope="module")
def yolo():
    model = to_torch(yolov2_prefix(width=1 / 8, resolution=152))
    image = torch.rand(1, 3, 152, 152, generator=torch.Generator().manual_seed(1))
    return tile_network(model), image, model(image)


@pytest.fixture(scope="module")
def yolo_double():
    model = to_torch(yolov2_prefix(width=1 / 8, resolution=152)).double()
    image = torch.rand(1, 3, 152, 152, generator=torch.Generator().manual_seed(1)).double()
    return tile_network(model), image, model(image)


@pytest.fixture(scope="module")
def vgg_like():
    net = ModelBuilder("vgg_like", (3, 64, 64))
    for stage, (width, depth) in enumerate(((8, 2), (16, 2)), start=1):
        for index in range(1, depth + 1):
            net.conv(f"conv{stage}_{index}", width, kernel=3, padding=1, activation="relu")
        net.max_pool(f"pool{stage}", kernel=2)
    net.conv("conv3_1", 32, kernel=3, padding=1, activation="relu")
    model = to_torch(net.graph())
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    return tile_network(model), image, model(image)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_checkerboard_equals_the_whole_and_counts_as_planned(yolo, grid):
    network, image, whole = yolo
    run, mac = counted(lambda: run_checkerboard(network, image, grid))
    works = checkerboard_plan(network.stages, grid)
    assert close(run.output, whole)
    assert mac == plan_mac(network.stages, works)
    assert run.exchanged_bytes == donated_bytes(network.stages, donations(works))
    assert mac <= tiling_cost(network.stages, grid).mac


def test_late_neighbours_cost_work_and_nothing_else(yolo):
    network, image, whole = yolo
    works = checkerboard_plan(network.stages, (3, 3))
    for late in ([(0, 1)], [(0, 1), (1, 0), (1, 2), (2, 1)]):
        run, mac = counted(lambda late=late: run_checkerboard(network, image, (3, 3), late=late))
        assert close(run.output, whole)
        assert mac == plan_mac(network.stages, works, late)
    assert mac == tiling_cost(network.stages, (3, 3)).mac and run.exchanged_bytes == 0


@pytest.mark.parametrize("grid", GRIDS)
def test_the_checkerboard_is_the_same_function(grid, yolo_double):
    network, image, whole = yolo_double
    assert close(run_checkerboard(network, image, grid).output, whole)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_both_schedules_for_windows_that_the_published_rule_gets_wrong(grid):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 4, stride=2, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.Conv2d(4, 3, (3, 2), padding=(0, 1)),
        nn.AvgPool2d(2, 3),
        nn.Conv2d(3, 2, 1),
    ).eval()
    image = torch.randn(2, 2, 211, 197, generator=torch.Generator().manual_seed(3))
    whole = network(image)
    assert close(run_tiled(network, image, grid, reuse=True), whole)
    assert close(run_fused(network, image, grid).output, whole)
    assert close(run_fused(network, image, grid, buffer_input=False).output, whole)


@pytest.mark.parametrize("grid", [(16, 16), (4, 4), (3, 4), (1, 1)])
def test_fused_layers_read_and_write_their_ends_once(vgg_like, grid):
    network, image, whole = vgg_like
    run, mac = counted(lambda: run_fused(network, image, grid))
    assert close(run.output, whole)
    assert run.traffic == fused_traffic(network.stages)
    assert mac == network_mac(network.stages)


def test_measured_buffers_equal_the_formula(vgg_like):
    network, image, _ = vgg_like
    run = run_fused(network, image, (16, 16))
    least, published = least_reuse_buffers(network.stages).total, reuse_buffers(network.stages).total
    assert least <= run.buffer_bytes <= published, "the first row of pyramids keeps taller columns than the others"
    assert run_fused(network, image, (1, 1)).buffer_bytes == 0
    again = run_fused(network, image, (16, 16), buffer_input=False)
    assert again.input_buffer_bytes == 0 and again.read_bytes > run.read_bytes


def test_recomputing_pyramids_costs_what_the_geometry_says(vgg_like):
    network, image, whole = vgg_like
    run, mac = counted(lambda: run_fused(network, image, (16, 16), reuse=False))
    tiles = tile_regions(network.stages, (16, 16))
    assert close(run.output, whole)
    assert mac == sum(tile_mac(network.stages, tile) for tile in tiles) > 2 * network_mac(network.stages)
    assert run.read_bytes == tiling_cost(network.stages, (16, 16)).input_bytes


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_measured_peak_memory_is_the_geometry_plus_border_padding(yolo, side):
    network, image, _ = yolo
    peaks = []
    for tile in tile_regions(network.stages, (side, side)):
        held = [crop(image, tile.input).clone()]
        with LiveTensors(held) as live:
            run_tile(network, held.pop(), tile)
        peaks.append(live.peak_bytes)
    expected = tiling_cost(network.stages, (side, side)).peak_bytes
    assert expected <= max(peaks) <= 1.02 * expected


def test_the_tracker_counts_views_once_and_forgets_the_dead():
    with LiveTensors() as live:
        first = torch.zeros(1000)
        view = first[:10]
        assert live.bytes_now() == 4000
        second = first + 1
        del first
        gc.collect()
        assert live.bytes_now() == 8000, "the view keeps the storage"
        del view
        assert live.bytes_now() == 4000
    assert live.peak_bytes == 8000 and second.numel() == 1000
