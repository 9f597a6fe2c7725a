"""Real runs of tiles: how far the merged output is from the plain one, what was computed, moved and held."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgedl_lib.inference.tiles.execution import TileNetwork, crop, merge, run_tile, run_tiled, tile_network
from edgedl_lib.inference.tiles.fused import FusedRun, run_fused
from edgedl_lib.inference.tiles.geometry import Grid, network_mac, tile_mac, tile_regions, tiling_cost
from edgedl_lib.inference.tiles.memory import LiveTensors
from edgedl_lib.inference.tiles.stages import Stage, tile_stages
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.graph import LayerGraph, chain
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.training import build, train
from edgedl_lib.nets.zoo.vgg import vgg19
from edgedl_lib.nets.zoo.yolo import yolov2_prefix

GRIDS: tuple[Grid, ...] = tuple(itertools.product(range(1, 6), repeat=2))
VGG_END = "relu3_1"  # conv1_1 to conv3_1: five convolutions and two pools


def vgg_prefix() -> tuple[Stage, ...]:
    """The seven stages of VGGNet-E that are fused."""
    return tile_stages(vgg19(), VGG_END)


def small_vgg(size: int = 48) -> LayerGraph:
    """The same stack at an eighth of the width."""
    net = ModelBuilder("small_vgg", (3, size, size))
    for stage, width in enumerate((8, 16), start=1):
        for index in (1, 2):
            net.conv(f"conv{stage}_{index}", width, kernel=3, padding=1, activation="relu")
        net.max_pool(f"pool{stage}", kernel=2)
    net.conv("conv3_1", 32, kernel=3, padding=1, activation="relu")
    return net.graph()


def small_yolo() -> LayerGraph:
    """The 16 layers of DeepThings at an eighth of the width on a quarter of the side."""
    return yolov2_prefix(width=1 / 8, resolution=152)


@dataclass(frozen=True)
class Case:
    """A network that can run tile by tile, an input, and what the plain network makes of it."""

    network: TileNetwork
    image: Tensor
    plain: Tensor

    def error(self, output: Tensor) -> float:
        """Largest difference, as a share of the largest value."""
        return float((output - self.plain).abs().max() / self.plain.abs().max())


def case(graph: LayerGraph, seed: int = 0, precision: torch.dtype = torch.float32) -> Case:
    """Random weights and a random picture; in double precision a wrong row cannot pass for rounding."""
    model = to_torch(graph, seed).to(precision)
    image = torch.rand(1, *graph.input_shape, generator=torch.Generator().manual_seed(seed)).to(precision)
    return Case(tile_network(model), image, model(image))


def tiled_error(given: Case, grids: Iterable[Grid] = GRIDS) -> float:
    """Largest error over grids, each with and without reuse."""
    return max(
        given.error(run_tiled(given.network, given.image, grid, reuse=reuse))
        for grid in grids
        for reuse in (False, True)
    )


def fused_error(given: Case, grids: Iterable[Grid]) -> float:
    """Largest error of fused evaluation over grids, each with and without reuse."""
    return max(
        given.error(run_fused(given.network, given.image, grid, reuse=reuse).output)
        for grid in grids
        for reuse in (True, False)
    )


@dataclass(frozen=True)
class FusedRuns:
    """A fused evaluation with reuse and one without, and the multiply-accumulates that PyTorch counted in them."""

    reused: FusedRun
    reused_mac: int
    recomputed: FusedRun
    recomputed_mac: int


def fused_runs(given: Case, grid: Grid) -> FusedRuns:
    """Both ways to evaluate a fused stack."""
    reused = _counted(lambda: run_fused(given.network, given.image, grid))
    recomputed = _counted(lambda: run_fused(given.network, given.image, grid, reuse=False))
    return FusedRuns(*reused, *recomputed)


def predicted_recompute(given: Case, grid: Grid) -> int:
    """Multiply-accumulates of all pyramids, cut off at the borders of the maps."""
    return sum(tile_mac(given.network.stages, tile) for tile in tile_regions(given.network.stages, grid))


def plain_mac(given: Case) -> int:
    """Multiply-accumulates of the plain network."""
    return network_mac(given.network.stages)


def run_full_vgg(tips: int = 56, seed: int = 0) -> tuple[Case, FusedRun]:
    """The fused VGGNet-E layers at full size, ``tips`` pyramids along each side."""
    whole = vgg19()
    end = whole.layer_names.index(VGG_END) + 1
    given = case(chain("vgg_prefix", whole.input_shape, whole.layers[:end]), seed)
    return given, run_fused(given.network, given.image, (tips, tips))


@dataclass(frozen=True)
class PeakMemory:
    """Peak bytes of live tensors while tiles run one after the other, and what the geometry says.

    Attributes
    ----------
    measured : tuple of int
        One per tile, without weights.
    predicted : int
        Of the worst tile.
    error : float
        Of the merged output.
    """

    measured: tuple[int, ...]
    predicted: int
    error: float


def peak_memory(given: Case, grid: Grid) -> PeakMemory:
    """Run every tile as a device would, which holds its crop and nothing else, and track the bytes alive."""
    peaks, outputs = [], []
    for tile in tile_regions(given.network.stages, grid):
        held = [crop(given.image, tile.input).clone()]
        with LiveTensors(held) as live:
            outputs.append((tile, run_tile(given.network, held.pop(), tile)))
        peaks.append(live.peak_bytes)
    merged = merge(outputs, given.network.output_shape)
    return PeakMemory(tuple(peaks), tiling_cost(given.network.stages, grid).peak_bytes, given.error(merged))


@dataclass(frozen=True)
class AccuracyLoss:
    """Accuracy of one trained classifier, its convolutions run whole and in tiles; shares of the test set."""

    plain: float
    tiled: float
    reused: float

    @property
    def points(self) -> float:
        """Percentage points lost, the worse of both ways."""
        return 100 * (self.plain - min(self.tiled, self.reused))


def trained_classifier(data: Dataset, seed: int, epochs: int = 4) -> nn.Sequential:
    """Two convolutions and a pool, then one dense layer."""
    channels, side, _ = data.input_shape

    def make() -> nn.Module:
        first = (nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        body = nn.Sequential(*first, nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        return nn.Sequential(body, nn.Sequential(nn.Flatten(), nn.Linear(16 * (side // 2) ** 2, data.classes)))

    model = build(make, seed)
    train(model, data.train, epochs=epochs, seed=seed)
    return model


@torch.no_grad()
def accuracy_loss(data: Dataset, seed: int, grid: Grid = (3, 3)) -> AccuracyLoss:
    """Train a small classifier, then classify with its convolutions run tile by tile."""
    with torch.enable_grad():
        body, head = trained_classifier(data, seed)
    network, images = tile_network(body, data.input_shape), data.test.inputs
    maps = (body(images), *(run_tiled(network, images, grid, reuse=reuse) for reuse in (False, True)))
    return AccuracyLoss(*(_share_right(head(each), data.test.targets) for each in maps))


def _share_right(scores: Tensor, targets: Tensor) -> float:
    return float((scores.argmax(dim=1) == targets).double().mean())


def _counted(action: Callable[[], FusedRun]) -> tuple[FusedRun, int]:
    with FlopCounterMode(display=False) as counter:
        run = action()
    return run, counter.get_total_flops() // 2


def weights_removed(given: Case) -> float:
    """Share of the network's weights that its stages do not hold: 0, since fusion is a schedule."""
    held = sum(module.weight.numel() for group in given.network.modules for module in _weighted(group))
    counted = sum(stage.layers[0].weight_count for stage in given.network.stages)
    return 1 - held / counted


def _weighted(group: Iterable[nn.Module]) -> list[nn.Module]:
    return [part for module in group for part in module.modules() if isinstance(part, nn.Conv2d)]
