"""Network in Network."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def nin() -> LayerGraph:
    """Network in Network for ImageNet (Lin et al. 2014, Caffe's version): 1x1 convolutions instead of dense layers.

    >>> nin().parameter_count, nin()["pool4"].output_shape
    (7595176, (1000, 1, 1))
    """
    net = ModelBuilder("nin", (3, 224, 224))
    _mlp_conv(net, "conv1", (96, 96, 96), kernel=11, stride=4)
    net.max_pool("pool1", kernel=3, stride=2)
    _mlp_conv(net, "conv2", (256, 256, 256), kernel=5, padding=2)
    net.max_pool("pool2", kernel=3, stride=2)
    _mlp_conv(net, "conv3", (384, 384, 384), kernel=3, padding=1)
    net.max_pool("pool3", kernel=3, stride=2)
    net.dropout("drop3")
    _mlp_conv(net, "conv4", (1024, 1024, 1000), kernel=3, padding=1)
    net.average_pool("pool4")
    net.softmax("prob")
    return net.graph()


def _mlp_conv(net: ModelBuilder, name: str, widths: tuple[int, ...], kernel: int, **options) -> None:
    net.conv(name, widths[0], kernel, **options)
    net.relu(f"{name}_relu")
    for number, width in enumerate(widths[1:], start=1):
        net.conv(f"{name}_cccp{number}", width, kernel=1)
        net.relu(f"{name}_cccp{number}_relu")
