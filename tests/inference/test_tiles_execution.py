"""Tiled execution equals the untiled network, for every grid and every window; bad input is refused with a reason."""

import itertools

import pytest
import torch
from torch import nn

from edgedl_lib.inference.tiles.execution import crop, merge, run_tile, run_tiled, tile_network
from edgedl_lib.inference.tiles.geometry import tile_regions
from edgedl_lib.inference.tiles.intervals import GridTooFine, even_intervals
from edgedl_lib.inference.tiles.stages import NotTileable
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


def image_of(*shape, seed=0):
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed))


def close(tiled, whole):
    share = 1e-12 if whole.dtype == torch.float64 else 1e-6
    return torch.allclose(tiled, whole, rtol=0, atol=share * max(1.0, float(whole.abs().max())))


@pytest.fixture(scope="module")
def yolo():
    model = to_torch(yolov2_prefix(width=1 / 8, resolution=152)).double()
    image = torch.rand(1, 3, 152, 152, generator=torch.Generator().manual_seed(1)).double()
    return model, image, model(image)


@pytest.mark.parametrize("grid", GRIDS)
def test_yolo_prefix_on_a_map_of_ten_that_three_and_four_do_not_divide(yolo, grid):
    model, image, whole = yolo
    assert close(run_tiled(model, image, grid), whole)


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
def test_every_grid_on_a_sequential_with_odd_sizes(grid):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 5, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 3, (3, 2), padding=(0, 1))),
        nn.AvgPool2d(2, 1, 1),
    ).eval()
    image = image_of(2, 83, 79)
    assert close(run_tiled(network, image, grid), network(image))


def test_single_precision_differs_by_its_rounding():
    model = to_torch(yolov2_prefix(width=1 / 8, resolution=152))
    image = torch.rand(1, 3, 152, 152, generator=torch.Generator().manual_seed(1))
    whole = model(image)
    for grid in ((2, 2), (5, 5)):
        assert float((run_tiled(model, image, grid) - whole).abs().max() / whole.abs().max()) < 4e-6


WINDOWS = [
    (kernel, stride, padding) for kernel, stride, padding in itertools.product(range(1, 6), range(1, 4), range(4))
]


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "stride", "padding"), WINDOWS)
def test_every_window_even_ones_and_padding_beyond_the_kernel(kernel, stride, padding):
    torch.manual_seed(0)
    first = nn.Conv2d(1, 2, kernel, stride, padding)
    network = nn.Sequential(first, nn.Tanh(), nn.Conv2d(2, 2, 2, 1, 1), nn.Sigmoid())
    image = image_of(1, 17, 14)
    for grid in ((2, 3), (4, 1)):
        assert close(run_tiled(network, image, grid, cut=even_intervals), network(image))


@torch.no_grad()
@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 3, 1), (2, 3, 1), (4, 2, 2)]
)
def test_every_pool_with_partial_windows(kind, ceil, kernel, stride, padding):
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), kind(kernel, stride, padding, ceil_mode=ceil))
    image = image_of(1, 16, 19) - 3  # all negative: a maximum padded with zeros would show
    assert close(run_tiled(network, image, (2, 3)), network(image))


@torch.no_grad()
def test_an_average_that_leaves_padding_out():
    network = nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False))
    image = image_of(1, 9, 9)
    assert close(run_tiled(network, image, (2, 2)), network(image))


def test_layers_before_the_first_window_do_not_overwrite_the_input():
    network = nn.Sequential(nn.ReLU(), nn.Dropout(0.5), nn.Tanh(), nn.MaxPool2d(2)).eval()
    image = image_of(1, 8, 8)
    before = image.clone()
    assert close(run_tiled(network, image, (2, 2)), network(image))
    assert torch.equal(image, before)


def test_a_prefix_of_a_classifier():
    net = ModelBuilder("classifier", (3, 20, 20))
    net.conv("conv", 4, kernel=3, padding=1)
    net.relu("relu")
    net.max_pool("pool", kernel=2)
    net.dense("fc", 10)
    model = to_torch(net.graph())
    image = torch.rand(1, 3, 20, 20)
    whole = model.run_layers({"input": image}, ("conv", "relu", "pool"))["pool"]
    assert close(run_tiled(model, image, (3, 2), until="pool"), whole)
    with pytest.raises(NotTileable, match="fc of kind dense"):
        run_tiled(model, image, (2, 2))


def test_merge_in_any_order_and_never_twice(yolo):
    model, image, whole = yolo
    network = tile_network(model)
    tiles = tile_regions(network.stages, (2, 2))
    results = [(tile, run_tile(network, crop(image, tile.input), tile)) for tile in reversed(tiles)]
    assert close(merge(results, network.output_shape), whole)
    with pytest.raises(ValueError, match="twice"):
        merge([*results, results[0]], network.output_shape)
    with pytest.raises(ValueError, match="have no tile"):
        merge(results[1:], network.output_shape)
    with pytest.raises(ValueError, match="with shape"):
        merge([(results[0][0], results[0][1][..., 1:])], network.output_shape)


def test_bad_input_names_the_value_and_the_remedy(yolo):
    model, image, _ = yolo
    with pytest.raises(GridTooFine, match="use at most"):
        run_tiled(model, image, (12, 1))
    network = tile_network(model)
    tile = tile_regions(network.stages, (2, 2))[0]
    with pytest.raises(ValueError, match="needs a batch of"):
        run_tile(network, image, tile)
    with pytest.raises(ValueError, match="only zeros"):
        tile_network(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), (1, 8, 8))
    with pytest.raises(ValueError, match="eval"):
        tile_network(nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)), (1, 8, 8))
    with pytest.raises(ValueError, match="input_shape"):
        tile_network(nn.Sequential(nn.Conv2d(1, 1, 3)))
    with pytest.raises(NotTileable, match="Sequential"):
        tile_network(nn.Conv2d(1, 1, 3), (1, 8, 8))
