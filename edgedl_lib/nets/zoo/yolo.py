"""Tiny YOLOv2."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def tiny_yolov2(resolution: int = 416, classes: int = 20, anchors: int = 5) -> LayerGraph:
    """Tiny YOLOv2 for VOC (Redmon and Farhadi 2017): nine convolutions, six pools.

    DADS counts 17 layers: these 15, the input and the region layer.  The sizes that it prints (input 0.95 MB, max5 0.08
    MB) are those of ``resolution=288`` as float32 in MiB.  Darknet's last pool is 2x2 with one padded column; a 3x3
    window of equal output shape stands for it.

    >>> tiny_yolov2().layers[-1].output_shape
    (125, 13, 13)
    """
    net = ModelBuilder("tiny_yolov2", (3, resolution, resolution))
    for number, width in enumerate((16, 32, 64, 128, 256), start=1):
        net.conv_norm(f"conv{number}", width, kernel=3, padding=1, function="leaky_relu")
        net.max_pool(f"max{number}", kernel=2)
    net.conv_norm("conv6", 512, kernel=3, padding=1, function="leaky_relu")
    net.max_pool("max6", kernel=3, stride=1, padding=1)
    net.conv_norm("conv7", 1024, kernel=3, padding=1, function="leaky_relu")
    net.conv_norm("conv8", 1024, kernel=3, padding=1, function="leaky_relu")
    net.conv("conv9", anchors * (classes + 5), kernel=1)
    return net.graph()
