"""What the tables of the compact networks print, counted again layer by layer.

Each function returns a mapping from a short name to a figure in the unit of the paper's table: million
multiply-adds ("macs"), million parameters ("params"), percent ("share").
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from edgedl_lib.nets import layers
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.zoo import (
    alexnet,
    googlenet,
    mobilenet_v1,
    resnet18,
    resnet_bottleneck,
    resnet_cifar,
    shufflenet,
    squeezenet,
    vgg16,
    vgg19,
)
from edgedl_lib.nets.zoo.googlenet import INCEPTION, inception
from edgedl_lib.nets.zoo.mobilenet import mobilenet_v1_full, mobilenet_v1_shallow
from edgedl_lib.nets.zoo.shufflenet import STAGE_WIDTH
from edgedl_lib.system.catalogue import DATA, read_rows

MILLION = 1e6
MEBIBYTE = 2**20

RESNET_BLOCKS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 1202: 200}  # depth 6n + 2 -> n
PRINTED_SHUFFLENET = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}  # groups -> M multiply-adds, Table 1
RESOLUTIONS = ("time_224x224", "time_480x640", "time_720x1280")


@lru_cache
def published() -> dict[tuple[str, str], float]:
    """Figures of ``data/compact_networks.csv`` by network and quantity, in SI units; errors in percent."""
    rows = read_rows(DATA / "compact_networks.csv", ("subject", "quantity", "value", "unit", "source", "evidence"))
    return {(row["subject"], row["quantity"]): float(row["value"]) for row in rows}


def landscape() -> dict[str, dict[str, LayerGraph]]:
    """Well-known networks by family and label, from the dense giants to the mobile ones."""
    modular = {"SqueezeNet 1.1": squeezenet("1.1", 224), "SqueezeNet": squeezenet(), "GoogLeNet": googlenet()}
    residual = {"ResNet-18": resnet18()} | {f"ResNet-{depth}": resnet_bottleneck(depth) for depth in (50, 152)}
    mobile = {f"{width}×": mobilenet_v1(width) for width in (0.25, 0.5, 0.75)}
    shuffled = {f"{scale:g}× ": shufflenet(3, scale) for scale in (0.5, 1.0, 1.5)}
    return {
        "dense": {"AlexNet": alexnet(), "VGG-16": vgg16(), "VGG-19": vgg19()},
        "modular": modular,
        "residual": residual,
        "mobile": mobile | {"MobileNet 1×": mobilenet_v1(), "with full convolutions": mobilenet_v1_full()},
        "shuffled": shuffled | {"ShuffleNet 2×": shufflenet(3, 2.0)},
    }


def multiplier_lines() -> dict[str, tuple[list[float], list[float], list[str]]]:
    """Counted million multiply-adds, published top-1 accuracy (percent) and labels along MobileNets' three knobs."""
    counts = mobilenet_counts()
    knobs = {
        "width": {"0.25": "alpha025_", "0.5": "alpha050_", "0.75": "alpha075_", "1.0": ""},
        "resolution": {"128": "res128_", "160": "res160_", "192": "res192_"},
        "depth": {"shallow": "shallow_"},
    }
    return {
        knob: (
            [counts[f"{key}macs"] for key in points.values()],
            [mobilenet_top1(name) for name in points],
            list(points),
        )
        for knob, points in knobs.items()
    }


def mobilenet_top1(variant: str) -> float:
    """Published top-1 accuracy of a MobileNet, percent: "0.75" (width), "160" (pixels), "shallow" or "full"."""
    return 100 - published()[f"MobileNet {variant}", "error_top1"]


def resnet_parameters() -> dict[int, int]:
    """Parameters of the CIFAR ResNets by depth.

    >>> resnet_parameters()[20]
    269722
    """
    return {depth: resnet_cifar(blocks).parameter_count for depth, blocks in RESNET_BLOCKS.items()}


def mobilenet_counts() -> dict[str, float]:
    """Multiply-adds and parameters, millions, of MobileNet's width, resolution, depth and full-convolution tables."""
    variants = {"": mobilenet_v1(), "full_": mobilenet_v1_full(), "shallow_": mobilenet_v1_shallow()}
    variants |= {f"alpha0{round(100 * width):02d}_": mobilenet_v1(width) for width in (0.75, 0.5, 0.25)}
    variants |= {f"res{pixels}_": mobilenet_v1(resolution=pixels) for pixels in (192, 160, 128)}
    counts = {f"{name}macs": graph.mac / MILLION for name, graph in variants.items()}
    return counts | {f"{name}params": graph.parameter_count / MILLION for name, graph in variants.items()}


def mobilenet_shares() -> dict[str, float]:
    """Shares of multiply-adds and weights by kind of layer, percent of the whole network.

    Only weights count as parameters: with batch norm or the bias of the dense layer the published shares do not come
    out.

    >>> round(mobilenet_shares()["conv3_macs"], 2)
    1.91
    """
    kinds = {"1x1": "pw", "dw": "dw", "conv3": "conv1", "fc": "fc"}
    weighted = [layer for layer in mobilenet_v1() if layer.mac]
    shares = {}
    for kind, start in kinds.items():
        group = [layer for layer in weighted if layer.name.startswith(start)]
        shares[f"{kind}_macs"] = _percent(group, weighted, "mac")
        shares[f"{kind}_params"] = _percent(group, weighted, "weight_count")
    return shares


def _percent(group: list[Layer], whole: list[Layer], quantity: str) -> float:
    part, total = (sum(getattr(layer, quantity) for layer in layers_) for layers_ in (group, whole))
    return 100 * part / total


def separable_layer(pixels: int = 14, channels: int = 512, filters: int = 512, kernel: int = 3) -> LayerGraph:
    """Depth-wise and point-wise convolution without bias on a square map."""
    net = ModelBuilder("separable", (channels, pixels, pixels))
    net.conv("depthwise", channels, kernel, padding=kernel // 2, groups=channels, bias=False)
    net.conv("pointwise", filters, 1, bias=False)
    return net.graph()


def standard_layer(pixels: int = 14, channels: int = 512, filters: int = 512, kernel: int = 3) -> layers.Layer:
    """Standard convolution without bias on a square map."""
    return layers.conv("standard", (channels, pixels, pixels), filters, kernel, padding=kernel // 2, bias=False)


def example_layer() -> dict[str, float]:
    """One layer of 14x14x512 step by step (MobileNets' Table 3): standard, separable, width 0.75, resolution 0.714."""
    steps = {
        "conv": standard_layer(),
        "separable": separable_layer(),
        "width": separable_layer(channels=384, filters=384),
        "resolution": separable_layer(pixels=10, channels=384, filters=384),
    }
    counts = {f"{name}_macs": step.mac / MILLION for name, step in steps.items()}
    return counts | {f"{name}_params": step.parameter_count / MILLION for name, step in steps.items()}


def separable_cut(kernel: int = 3) -> float:
    """Multiply-adds of a standard over a separable layer of 14x14x512; 1 / (1/N + 1/k²).

    >>> round(separable_cut(), 2)
    8.84
    """
    return standard_layer(kernel=kernel).mac / separable_layer(kernel=kernel).mac


def shufflenet_counts(classifier: bool = True) -> dict[str, float]:
    """Million multiply-adds of ShuffleNet by groups ("g3") and by scale ("2x"), with or without the dense layer."""
    variants = {f"g{groups}": shufflenet(groups) for groups in STAGE_WIDTH}
    variants |= {"05x": shufflenet(4, 0.5), "15x": shufflenet(3, 1.5), "2x": shufflenet(3, 2.0)}
    return {name: (graph.mac - (0 if classifier else graph["fc"].mac)) / MILLION for name, graph in variants.items()}


def printed_without_classifier() -> int:
    """How many of ShuffleNet's five printed complexities the count without the classifier meets to the digit."""
    counts = shufflenet_counts(classifier=False)
    return sum(math.floor(counts[f"g{groups}"] + 0.5) == printed for groups, printed in PRINTED_SHUFFLENET.items())


def speedups_over_alexnet() -> list[float]:
    """Published time of AlexNet over that of ShuffleNet 0.5x at each of the three resolutions."""
    times = published()
    return [times["AlexNet", pixels] / times["ShuffleNet 0.5x g3", pixels] for pixels in RESOLUTIONS]


def gain_per_fourfold_cut(multiply_adds, seconds) -> float:
    """Gain in time of a fourfold cut in work: four to the exponent of time against multiply-adds, fitted in logarithms.

    >>> round(gain_per_fourfold_cut([1e6, 4e6, 16e6], [1.0, 2.0, 4.0]), 6)
    2.0
    """
    work, time = np.log(np.asarray(multiply_adds, dtype=float)), np.log(np.asarray(seconds, dtype=float))
    if len(work) < 2 or not (np.isfinite(work).all() and np.isfinite(time).all()):
        raise ValueError("a gain needs at least two points, all of them positive and finite")
    return float(4 ** np.polyfit(work, time, 1)[0])


def published_gain_per_fourfold_cut() -> float:
    """The same from the published times of ShuffleNet 0.5x, 1x and 2x, mean of the two complete resolutions."""
    work = [shufflenet(3, scale).mac for scale in (0.5, 1.0, 2.0)]
    names = [f"ShuffleNet {scale} g3" for scale in ("0.5x", "1x", "2x")]
    return float(
        np.mean([gain_per_fourfold_cut(work, [published()[n, pixels] for n in names]) for pixels in RESOLUTIONS[:2]])
    )


def squeezenet_size(bits: int, density: float | None = None, gap_bits: int | None = None) -> float:
    """Bytes of SqueezeNet after Deep Compression with fixed-length codes.

    A kept weight costs its code and the gap to the one before; each of the 26 layers has a codebook of 2**bits float32
    entries, and biases stay float32.

    Raises
    ------
    ValueError
        A density outside (0, 1].
    """
    density = published()["SqueezeNet compressed", "density"] if density is None else density
    if not 0 < density <= 1:
        raise ValueError(f"density {density} lies outside (0, 1]; it is the share of weights that stay")
    gap_bits = published()["SqueezeNet compressed", "gap_bits"] if gap_bits is None else gap_bits
    weights, _ = _squeezenet_parts()
    return density * weights * (bits + gap_bits) / 8 + _squeezenet_overhead(bits)


def squeezenet_ratio(bits: int, **options) -> float:
    """AlexNet's float32 bytes over those of the compressed SqueezeNet."""
    return alexnet().parameter_bytes / squeezenet_size(bits, **options)


def implied_density(bits: int = 8) -> float:
    """Density, in [0, 1], that the size of the released file implies for fixed-length codes."""
    weights, _ = _squeezenet_parts()
    known = published()
    payload = known["SqueezeNet compressed", "file_bytes"] - _squeezenet_overhead(bits)
    return 8 * payload / (weights * (bits + known["SqueezeNet compressed", "gap_bits"]))


def gap_saving(density: float) -> float:
    """Bits a kept weight that Huffman coding of the gaps can save at most: four less the entropy of geometric gaps."""
    if not 0 < density < 1:
        raise ValueError(f"density {density} lies outside (0, 1); at 1 there are no gaps to code")
    entropy = -density * math.log2(density) - (1 - density) * math.log2(1 - density)
    return published()["SqueezeNet compressed", "gap_bits"] - entropy / density


def _squeezenet_parts() -> tuple[int, int]:
    weighted = [layer for layer in squeezenet() if layer.mac]
    return sum(layer.weight_count for layer in weighted), len(weighted)


def _squeezenet_overhead(bits: int) -> float:
    weights, count = _squeezenet_parts()
    return 4 * (count * 2**bits + squeezenet().parameter_count - weights)


def block_without_reductions(name: str, channels: int, pixels: int, filters: tuple[int, ...]) -> LayerGraph:
    """An Inception block whose 3x3 and 5x5 filters read the full input; all outputs as before."""
    one, _, three, _, five, projected = filters
    net = ModelBuilder(name, (channels, pixels, pixels))
    source = net.reshape("copy", (channels, pixels, pixels))
    branches = [net.conv("1x1", one, 1, after=source)]
    branches.append(net.conv("3x3", three, 3, padding=1, after=source))
    branches.append(net.conv("5x5", five, 5, padding=2, after=source))
    net.max_pool("pool", kernel=3, stride=1, padding=1, after=source)
    branches.append(net.conv("pool_proj", projected, 1))
    net.concat("output", after=branches)
    return net.graph()


def inception_block(name: str, channels: int, pixels: int, filters: tuple[int, ...]) -> LayerGraph:
    """One Inception block as a graph of its own."""
    net = ModelBuilder(f"inception_{name}", (channels, pixels, pixels))
    net.reshape("copy", (channels, pixels, pixels))
    inception(net, name, filters)
    return net.graph()


def inception_costs() -> dict[str, tuple[int, int]]:
    """Multiply-adds of each of GoogLeNet's blocks with and without its 1x1 reductions."""
    graph, costs = googlenet(), {}
    for name, filters in INCEPTION.items():
        channels, pixels, _ = graph[f"inception_{name}_1x1"].input_shapes[0]
        both = (build(name, channels, pixels, filters).mac for build in (inception_block, block_without_reductions))
        costs[name] = tuple(both)
    return costs


def inception_share() -> float:
    """Multiply-adds of the nine blocks with reductions over those without."""
    reduced, full = np.array(list(inception_costs().values())).sum(axis=0)
    return float(reduced / full)
