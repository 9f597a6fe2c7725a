"""GoogLeNet: nine Inception blocks."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

# Block -> filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection (Szegedy et al. 2015, Table 1).
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet() -> LayerGraph:
    """GoogLeNet (Szegedy et al. 2015 [126]) for inference, Caffe's version without the auxiliary classifiers.

    142 layers; IONN [175] counts 152 with Caffe's data layer and nine automatic split layers.

    >>> net = googlenet()
    >>> len(net), net.parameter_count
    (142, 6998552)
    """
    net = ModelBuilder("googlenet", (3, 224, 224))
    _conv_relu(net, "conv1", 64, kernel=7, stride=2, padding=3)
    net.max_pool("pool1", kernel=3, stride=2)
    net.lrn("norm1")
    _conv_relu(net, "conv2_reduce", 64, kernel=1)
    _conv_relu(net, "conv2", 192, kernel=3, padding=1)
    net.lrn("norm2")
    net.max_pool("pool2", kernel=3, stride=2)
    for block, filters in INCEPTION.items():
        inception(net, f"inception_{block}", filters)
        if block in ("3b", "4e"):
            net.max_pool(f"pool{block[0]}", kernel=3, stride=2)
    net.average_pool("pool5")
    net.dropout("drop", rate=0.4)
    net.dense("fc", 1000)
    net.softmax("prob")
    return net.graph()


def inception(net: ModelBuilder, name: str, filters: tuple[int, int, int, int, int, int]) -> str:
    """Four parallel branches (1x1; 3x3; 5x5; pooled), the larger kernels behind 1x1 reductions, concatenated."""
    source = net.last
    plain, reduce3, wide3, reduce5, wide5, projected = filters
    one = _conv_relu(net, f"{name}_1x1", plain, kernel=1, after=source)
    _conv_relu(net, f"{name}_3x3_reduce", reduce3, kernel=1, after=source)
    three = _conv_relu(net, f"{name}_3x3", wide3, kernel=3, padding=1)
    _conv_relu(net, f"{name}_5x5_reduce", reduce5, kernel=1, after=source)
    five = _conv_relu(net, f"{name}_5x5", wide5, kernel=5, padding=2)
    net.max_pool(f"{name}_pool", kernel=3, stride=1, padding=1, after=source)
    pooled = _conv_relu(net, f"{name}_pool_proj", projected, kernel=1)
    return net.concat(f"{name}_output", after=(one, three, five, pooled))


def _conv_relu(net: ModelBuilder, name: str, filters: int, kernel: int, **options) -> str:
    net.conv(name, filters, kernel, **options)
    return net.relu(f"{name}_relu")
