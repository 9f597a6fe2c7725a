"""Depth-wise separable convolutions: MobileNet-v1 and MLPerf Tiny's keyword and person detectors."""

import math
from dataclasses import replace

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

# (output channels, stride of the depth-wise convolution); the printed stride 2 of the last block is 1 in practice.
MOBILENET_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenet_v1(width: float = 1.0, resolution: int = 224, classes: int = 1000, bias: bool = False) -> LayerGraph:
    """MobileNet-v1 (Howard et al. 2017 [135]) with width and resolution multipliers.

    Parameters
    ----------
    width : float
        Fraction of the channels, in (0, 1] for the published models.
    resolution : int
        Height and width of the input image, pixels.
    classes : int
    bias : bool
        Convolutions have a bias beside their batch norm, as in MLPerf Tiny's reference.

    >>> net = mobilenet_v1()
    >>> net.mac, net.parameter_count
    (568740352, 4231976)
    """
    if not (math.isfinite(width) and 32 * width >= 1):
        raise ValueError(f"width multiplier {width} leaves no channel in the first layer, use at least {1 / 32}")
    net = ModelBuilder("mobilenet_v1", (3, resolution, resolution))
    net.conv_norm("conv1", int(32 * width), kernel=3, stride=2, padding=1, bias=bias)
    channels = int(32 * width)
    for number, (filters, stride) in enumerate(MOBILENET_BLOCKS, start=1):
        _separable(net, number, channels, int(filters * width), stride, bias)
        channels = int(filters * width)
    net.average_pool("pool")
    net.dense("fc", classes)
    net.softmax("prob")
    return net.graph()


def mobilenet_v1_vww() -> LayerGraph:
    """MLPerf Tiny's visual wake words: MobileNet-v1 of width 0.25 on 96x96, two classes.

    >>> mobilenet_v1_vww().mac
    7489664
    """
    return replace(mobilenet_v1(width=0.25, resolution=96, classes=2, bias=True), name="mobilenet_v1_vww")


def ds_cnn_kws() -> LayerGraph:
    """MLPerf Tiny's keyword spotter: DS-CNN on 49 frames of 10 MFCCs (one byte each), 12 words.

    >>> ds_cnn_kws().mac
    2656768
    """
    net = ModelBuilder("ds_cnn_kws", (1, 49, 10))
    net.conv_norm("conv1", 64, kernel=(10, 4), stride=2, padding=(5, 1), bias=True)
    net.dropout("drop1", rate=0.2)
    for number in range(1, 5):
        _separable(net, number, 64, 64, stride=1, bias=True)
    net.dropout("drop2", rate=0.4)
    net.average_pool("pool")
    net.dense("fc", 12)
    net.softmax("prob")
    return net.graph()


def _separable(net: ModelBuilder, number: int, channels: int, filters: int, stride: int, bias: bool) -> None:
    net.conv_norm(f"dw{number}", channels, kernel=3, stride=stride, padding=1, groups=channels, bias=bias)
    net.conv_norm(f"pw{number}", filters, kernel=1, bias=bias)
