"""The one network of the comparison: a trunk over three levels, with an answer at the end of each.

It sees a digit of 24x24 pixels, one byte each.  The camera's part is the lightest and the cloud's the heaviest; between
two levels travel at most 288 bytes, half a picture.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph

PIXELS = 24
LEVELS = ("end", "edge", "cloud")


def three_level_network(classes: int = 10) -> MultiExitNetwork:
    """Six convolutions and two dense layers, cut after the second and the fourth convolution; three exits."""
    end = _blocks({"conv1": (1, 4), "pool1": None, "conv2": (4, 8), "pool2": None})
    edge = _blocks({"conv3": (8, 32), "conv4": (32, 32), "pool3": None})
    cloud = _blocks({"conv5": (32, 64), "conv6": (64, 64)})
    cloud.add_module("flatten", nn.Flatten())
    cloud.add_module("dense1", nn.Linear(64 * 3 * 3, 64))
    cloud.add_module("relu7", nn.ReLU())
    branches = [_early_answer(8 * 3 * 3, classes), _early_answer(32 * 1 * 1, classes), nn.Linear(64, classes)]
    return MultiExitNetwork([end, edge, cloud], branches)


def trunk(network: MultiExitNetwork) -> nn.Sequential:
    """The network without its early answers: one chain of named layers, sharing all weights."""
    layers = OrderedDict()
    for segment in network.segments:
        layers.update(segment.named_children())
    return nn.Sequential(layers | {"dense2": network.branches[-1]})


def trunk_graph(network: MultiExitNetwork) -> LayerGraph:
    """Layer graph of the trunk for one picture."""
    return layer_graph(trunk(network), (1, PIXELS, PIXELS), name="three-level network")


def segment_graphs(network: MultiExitNetwork) -> tuple[LayerGraph, ...]:
    """Layer graphs of what each level computes for one picture, its own answer included."""
    graphs, shape = [], (1, PIXELS, PIXELS)
    for level, segment, branch in zip(LEVELS, network.segments, network.branches, strict=True):
        graphs.append(layer_graph(nn.Sequential(segment, branch), shape, name=f"{level} part"))
        shape = layer_graph(segment, shape).layers[-1].output_shape
    return tuple(graphs)


def _blocks(layers: dict[str, tuple[int, int] | None]) -> nn.Sequential:
    block = nn.Sequential()
    for name, channels in layers.items():
        if channels is None:
            block.add_module(name, nn.MaxPool2d(2))
        else:
            block.add_module(name, nn.Conv2d(*channels, 3, padding=1))
            block.add_module(f"relu{name[4:]}", nn.ReLU())
    return block


def _early_answer(features: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(features, classes))
