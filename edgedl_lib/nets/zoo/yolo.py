"""YOLOv2: the tiny network whole, of the full one the layers before its first branch."""

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


_TRUNK = ((32, 3), "max", (64, 3), "max", (128, 3), (64, 1), (128, 3), "max", (256, 3), (128, 1), (256, 3), "max")
_TRUNK += ((512, 3), (256, 1), (512, 3), (256, 1))


def yolov2_prefix(layers: int = 16, width: float = 1.0, resolution: int = 608) -> LayerGraph:
    """The first layers of YOLOv2 (Redmon and Farhadi 2017), at most the 16 that DeepThings [156] cuts into tiles.

    Batch normalisation is folded into weights and biases, as it is at inference, so a convolution with its leaky
    rectifier is one layer and the count is Darknet's.  ``width`` scales the channels, for runs on a small machine.

    >>> yolov2_prefix().layers[-1].output_shape
    (256, 38, 38)
    """
    if not 1 <= layers <= len(_TRUNK):
        raise ValueError(f"yolov2_prefix: layers is {layers}, choose 1 to {len(_TRUNK)}")
    net = ModelBuilder("yolov2_prefix", (3, resolution, resolution))
    for number, entry in enumerate(_TRUNK[:layers], start=1):
        if entry == "max":
            net.max_pool(f"layer{number}_max", kernel=2)
        else:
            filters, kernel = entry
            window = {"kernel": kernel, "padding": kernel // 2, "activation": "leaky_relu"}
            net.conv(f"layer{number}_conv", max(1, round(width * filters)), **window)
    return net.graph()
