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
    blocks = [(int(filters * width), stride) for filters, stride in MOBILENET_BLOCKS]
    return _mobilenet("mobilenet_v1", blocks, int(32 * width), resolution, classes, bias, _separable)


def mobilenet_v1_full() -> LayerGraph:
    """MobileNet-v1 with a standard 3x3 convolution in place of every separable block (its Table 4, "Conv MobileNet").

    >>> mobilenet_v1_full().mac
    4867293184
    """
    return _mobilenet("mobilenet_v1_full", MOBILENET_BLOCKS, 32, 224, 1000, False, _standard)


def mobilenet_v1_shallow() -> LayerGraph:
    """MobileNet-v1 without its five blocks of 14x14x512 (its Table 5): as cheap as width 0.75, and less accurate.

    >>> mobilenet_v1_shallow().mac
    307323392
    """
    repeated = [position for position, block in enumerate(MOBILENET_BLOCKS) if block == (512, 1)]
    blocks = [block for position, block in enumerate(MOBILENET_BLOCKS) if position not in repeated]
    return _mobilenet("mobilenet_v1_shallow", blocks, 32, 224, 1000, False, _separable)


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


def _mobilenet(name, blocks, first_filters, resolution, classes, bias, block) -> LayerGraph:
    net = ModelBuilder(name, (3, resolution, resolution))
    net.conv_norm("conv1", first_filters, kernel=3, stride=2, padding=1, bias=bias)
    for number, (filters, stride) in enumerate(blocks, start=1):
        block(net, number, net.channels(net.last), filters, stride, bias)
    net.average_pool("pool")
    net.dense("fc", classes)
    net.softmax("prob")
    return net.graph()


def _standard(net: ModelBuilder, number: int, channels: int, filters: int, stride: int, bias: bool) -> None:
    net.conv_norm(f"conv{number + 1}", filters, kernel=3, stride=stride, padding=1, bias=bias)


def _separable(net: ModelBuilder, number: int, channels: int, filters: int, stride: int, bias: bool) -> None:
    net.conv_norm(f"dw{number}", channels, kernel=3, stride=stride, padding=1, groups=channels, bias=bias)
    net.conv_norm(f"pw{number}", filters, kernel=1, bias=bias)
