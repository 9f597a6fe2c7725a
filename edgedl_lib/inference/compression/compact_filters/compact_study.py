"""What compact filters keep of the accuracy, how a shuffle connects groups, and what the saving is worth in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.compact_filters.compact import DIGIT_NETWORKS
from edgedl_lib.inference.compression.compact_filters.compact_counts import gain_per_fourfold_cut, inception_block
from edgedl_lib.nets import layers
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph, chain
from edgedl_lib.nets.profile import LayerProfile, measure_layers, single_thread
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.training import accuracy, build, train
from edgedl_lib.nets.zoo import shufflenet
from edgedl_lib.nets.zoo.googlenet import INCEPTION
from edgedl_lib.system.estimate import Estimate, paired
from edgedl_lib.system.timing import measure_in_turn

LEARNING_RATE = 0.02  # falls to zero along half a cosine; chosen on the validation split, with seeds of its own
BATCH = 32


@dataclass(frozen=True)
class BlockResult:
    """One digit network, trained once per seed.

    Attributes
    ----------
    name : str
    graph : LayerGraph
    accuracies : tuple of float
        On the test split, percent, one per seed.
    """

    name: str
    graph: LayerGraph
    accuracies: tuple[float, ...]

    def loss_against(self, other: BlockResult) -> Estimate:
        """Points of accuracy lost against another network, seed by seed."""
        return paired(other.accuracies, self.accuracies)


def train_blocks(
    data: Dataset, seeds: Sequence[int], epochs: int, makers: dict[str, Callable[[], nn.Module]] = DIGIT_NETWORKS
) -> dict[str, BlockResult]:
    """Train every network of one skeleton for every seed, all with the same steps and learning rates."""
    results = {}
    for name, make in makers.items():
        accuracies = tuple(100 * accuracy(_trained(make, data, seed, epochs), data.test) for seed in seeds)
        results[name] = BlockResult(name, layer_graph(make(), data.input_shape, name), accuracies)
    return results


def limited(data: Dataset, samples: int) -> Dataset:
    """The data set with only the first training samples."""
    return replace(data, train=data.train.subset(samples))


def _trained(make: Callable[[], nn.Module], data: Dataset, seed: int, epochs: int) -> nn.Module:
    model = build(make, seed)
    options = {"learning_rate": LEARNING_RATE, "batch_size": BATCH, "schedule": half_cosine}
    train(model, data.train, epochs=epochs, seed=seed, **options)
    return model


def half_cosine(progress: float) -> float:
    """Factor of the learning rate: one at the start, zero at the end."""
    return 0.5 * (1 + float(np.cos(np.pi * progress)))


def separable_deviation(standard: LayerGraph, separable: LayerGraph) -> float:
    """Largest relative deviation, percent, of a separable block's cost from 1/N + 1/9 of the standard block's."""
    deviations = []
    for block in ("block1", "block2"):
        plain = [layer for layer in standard if layer.name.startswith(block) and layer.mac]
        split = [layer for layer in separable if layer.name.startswith(block) and layer.mac]
        predicted = 1 / plain[0].output_shape[0] + 1 / np.prod(plain[0].config["kernel"])
        ratio = sum(layer.mac for layer in split) / sum(layer.mac for layer in plain)
        deviations.append(100 * abs(ratio / predicted - 1))
    return float(max(deviations))


def two_grouped_layers(channels: int, groups: int, shuffled: bool, seed: int = 0) -> nn.Sequential:
    """Two grouped 1x1 convolutions, a shuffle between them or not."""
    if channels % groups:
        raise ValueError(f"{groups} groups must divide {channels} channels evenly")

    def make() -> nn.Sequential:
        first, second = (nn.Conv2d(channels, channels, 1, groups=groups) for _ in range(2))
        return nn.Sequential(first, nn.ChannelShuffle(groups) if shuffled else nn.Identity(), second)

    return build(make, seed)


def channel_jacobian(model: nn.Module, channels: int) -> Tensor:
    """Derivative of every output channel by every input channel at one pixel, shape (outputs, inputs)."""
    pixel = torch.ones(1, channels, 1, 1)
    return torch.autograd.functional.jacobian(model, pixel).reshape(-1, channels)


def group_influence(jacobian: Tensor, groups: int) -> np.ndarray:
    """Largest absolute derivative between every output and every input group, shape (groups, groups)."""
    rows, columns = (size // groups for size in jacobian.shape)
    return jacobian.abs().reshape(groups, rows, groups, columns).amax(dim=(1, 3)).numpy()


def connected_share(influence: np.ndarray) -> float:
    """Share of the pairs of groups of which one influences the other."""
    return float((influence > 0).mean())


def depthwise_excess(profile: LayerProfile) -> float:
    """Share of the convolutions' and dense layers' time that depth-wise layers take, over their share of the work."""
    weighted = np.array([layer.mac > 0 for layer in profile.graph])
    depthwise = np.array([layer.name.startswith("dw") for layer in profile.graph]) & weighted
    work = np.array([layer.mac for layer in profile.graph], dtype=float)
    time_share = profile.latency[depthwise].sum() / profile.latency[weighted].sum()
    return float(time_share / (work[depthwise].sum() / work[weighted].sum()))


def shares_by_kind(profile: LayerProfile) -> dict[str, tuple[float, float]]:
    """Percent of multiply-adds and of measured time of point-wise, depth-wise and other layers of a MobileNet."""
    groups: dict[str, list[int]] = {"1×1": [], "depth-wise": [], "first and last": [], "norm, ReLU, pool": []}
    for index, layer in enumerate(profile.graph):
        kind = {"pw": "1×1", "dw": "depth-wise"}.get(layer.name[:2], "first and last")
        groups[kind if layer.mac else "norm, ReLU, pool"].append(index)
    work = np.array([layer.mac for layer in profile.graph])
    return {
        kind: (
            100 * float(work[rows].sum() / work.sum()),
            100 * float(profile.latency[rows].sum() / profile.latency.sum()),
        )
        for kind, rows in groups.items()
    }


def measure_mobilenet(graph: LayerGraph, budget: float) -> LayerProfile:
    """Layer times of a MobileNet on this machine."""
    return measure_layers(graph, budget=budget)


@dataclass(frozen=True)
class ScaleTimes:
    """Whole networks of one family, timed in turn.

    Attributes
    ----------
    multiply_adds : tuple of float
    seconds : tuple of float
        Smallest window, one image, one thread.
    """

    multiply_adds: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Gain in time of a fourfold cut in multiply-adds."""
        return gain_per_fourfold_cut(self.multiply_adds, self.seconds)


def measure_scales(scales: Sequence[float], resolution: int, windows: int, groups: int = 3) -> ScaleTimes:
    """Time ShuffleNets of several scales in turn."""
    graphs = [shufflenet(groups, scale, resolution) for scale in scales]
    times = _time_graphs(graphs, windows)
    return ScaleTimes(tuple(float(graph.mac) for graph in graphs), times)


def inception_against_plain(windows: int) -> tuple[float, float]:
    """Time, and multiply-adds, of Inception block 3a over those of one 3x3 convolution with about as many."""
    channels, pixels = 192, 28
    block = inception_block("3a", channels, pixels, INCEPTION["3a"])
    filters = round(block.mac / (9 * channels * pixels**2))
    conv = layers.conv("conv", (channels, pixels, pixels), filters, 3, padding=1)
    plain = chain("plain", conv.input_shapes[0], (conv, layers.activation("relu", conv.output_shape)))
    times = _time_graphs([block, plain], windows)
    return times[0] / times[1], block.mac / plain.mac


def _time_graphs(graphs: Sequence[LayerGraph], windows: int) -> tuple[float, ...]:
    calls = {}
    for number, graph in enumerate(graphs):
        model, image = to_torch(graph), torch.rand(1, *graph.input_shape)
        calls[str(number)] = lambda model=model, image=image: model(image)
    with single_thread():
        return tuple(timing.minimum for timing in measure_in_turn(calls, windows=windows).values())
