"""Wrong counts and wrong blocks for MobileNets."""

from functools import lru_cache

import numpy as np
from torch import nn

from edgedl_lib.inference.compression.compact_filters import compact, compact_study
from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.profile import LayerProfile
from edgedl_lib.nets.zoo import mobilenet_v1
from edgedl_lib.reproduce.sabotage import sabotage

MACS = ("", "alpha075_", "alpha050_", "alpha025_", "res192_", "res160_", "res128_", "full_", "shallow_")
LAYERS = ("conv", "separable", "width", "resolution")
SHARES = ("1x1", "dw", "conv3", "fc")


@sabotage(*(f"mobilenets.{name}macs" for name in MACS), *(f"mobilenets.layer_{name}_macs" for name in LAYERS))
def a_multiply_add_is_two():
    """FLOP in the sense of other papers: everything doubles."""
    whole, layer = counts.mobilenet_counts(), counts.example_layer()
    wrong = {f"mobilenets.{name}macs": 2 * whole[f"{name}macs"] for name in MACS}
    return wrong | {f"mobilenets.layer_{name}_macs": 2 * layer[f"{name}_macs"] for name in LAYERS}


@sabotage(*(f"mobilenets.{name}params" for name in ("", "alpha075_", "alpha050_", "alpha025_", "full_")))
def parameters_fall_with_the_square():
    """The width multiplier applied to the classifier's classes too, or the classifier forgotten."""
    whole = counts.mobilenet_counts()
    wrong = {f"mobilenets.{name}params": whole["params"] * width**2 for name, width in _WIDTHS.items()}
    classifier = mobilenet_v1()["fc"].parameter_count / counts.MILLION
    return wrong | {f"mobilenets.{name}params": whole[f"{name}params"] - classifier for name in ("", "full_")}


_WIDTHS = {"alpha075_": 0.75, "alpha050_": 0.5, "alpha025_": 0.25}


@sabotage(*(f"mobilenets.layer_{name}_params" for name in LAYERS))
def activations_counted_as_parameters():
    """A map of 14x14x512 added to the weights."""
    layer = counts.example_layer()
    return {f"mobilenets.layer_{name}_params": layer[f"{name}_params"] + 14 * 14 * 512 / 1e6 for name in LAYERS}


@sabotage(*(f"mobilenets.share_{kind}_{of}" for kind in SHARES for of in ("macs", "params")))
def batch_norm_in_the_sums():
    """Operations and parameters of every layer, batch norm and ReLU included; two cells taken from the other column."""
    graph, starts = mobilenet_v1(), {"1x1": "pw", "dw": "dw", "conv3": "conv1", "fc": "fc"}
    wrong = {}
    for kind, start in starts.items():
        group = [layer for layer in graph if layer.name.startswith(start)]
        wrong[f"mobilenets.share_{kind}_macs"] = 100 * sum(layer.flop for layer in group) / graph.flop
        share = 100 * sum(layer.parameter_count for layer in group) / graph.parameter_count
        wrong[f"mobilenets.share_{kind}_params"] = share
    right = counts.mobilenet_shares()
    wrong["mobilenets.share_conv3_params"] = right["conv3_macs"]
    wrong["mobilenets.share_fc_macs"] = right["fc_params"]
    return wrong


@sabotage("mobilenets.separable_cut")
def point_wise_half_forgotten():
    """Only the depth-wise filter is counted: every channel alone, 512 times cheaper."""
    return counts.standard_layer().mac / counts.separable_layer()["depthwise"].mac


@sabotage("mobilenets.separable_ratio")
def grouped_in_four():
    """Four groups taken for a depth-wise separation."""

    def block(channels: int, filters: int) -> nn.Module:
        return compact.conv_norm(channels, filters, 3, groups=4)

    grouped = layer_graph(compact.block_network(block), (1, 8, 8))
    return compact_study.separable_deviation(layer_graph(compact.plain_digit_network(), (1, 8, 8)), grouped)


@sabotage("mobilenets.separable_loss")
def depthwise_without_points():
    """Depth-wise filters alone: channels never mix, so the block sees each by itself."""

    def block(channels: int, filters: int) -> nn.Module:
        return compact.conv_norm(channels, filters, 3, groups=channels)

    return _loss_of(block)


@lru_cache
def _loss_of(block) -> float:
    data = compact_study.limited(digits(0), 700)
    makers = {"wrong": lambda: compact.block_network(block, 0.5), "plain": compact.plain_digit_network}
    results = compact_study.train_blocks(data, (0,), 2, makers)
    return float(np.mean(results["plain"].accuracies) - np.mean(results["wrong"].accuracies))


@sabotage("mobilenets.narrow_vs_shallow")
def compared_with_half_width():
    """The narrow network of width 0.5, which costs half as much as the shallow one."""
    known = counts.published()
    return known["MobileNet shallow", "error_top1"] - known["MobileNet 0.5", "error_top1"]


@sabotage("mobilenets.depthwise_time")
def time_in_proportion_to_work():
    """A cost model that charges multiply-adds alone."""
    graph = mobilenet_v1(resolution=128)
    latency = np.array([float(layer.mac) for layer in graph]) * 1e-10
    return compact_study.depthwise_excess(LayerProfile(graph, latency, latency, 1, 1))
