"""Residual networks: ResNet-18, MLPerf Tiny's image classifier and the CIFAR family."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def resnet18() -> LayerGraph:
    """ResNet-18 (He et al. 2016) as a DAG, 1x1 projections where the shape changes.

    DADS counts 20 layers: 17 convolutions and 2 pools on the main path and the dense layer.

    >>> resnet18().parameter_count
    11689512
    """
    net = ModelBuilder("resnet18", (3, 224, 224))
    net.conv_norm("conv1", 64, kernel=7, stride=2, padding=3)
    net.max_pool("pool1", kernel=3, stride=2, padding=1, ceil=False)
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for index in (1, 2):
            stride = 2 if stage > 1 and index == 1 else 1
            basic_block(net, f"block{stage}_{index}", width, stride, bias=False)
    net.average_pool("pool2")
    net.dense("fc", 1000)
    net.softmax("prob")
    return net.graph()


# Depth -> bottleneck blocks per stage (He et al. 2016 [127], Table 1).
BOTTLENECKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet_bottleneck(depth: int = 50) -> LayerGraph:
    """ResNet-50, -101 or -152 (He et al. 2016 [127]): blocks of 1x1, 3x3 and 1x1; the first 1x1 strides.

    >>> resnet_bottleneck(50).parameter_count
    25557032
    """
    if depth not in BOTTLENECKS:
        raise ValueError(f"no bottleneck network of depth {depth}; choose among {list(BOTTLENECKS)}")
    net = ModelBuilder("resnet_bottleneck", (3, 224, 224))
    net.conv_norm("conv1", 64, kernel=7, stride=2, padding=3)
    net.max_pool("pool1", kernel=3, stride=2, padding=1, ceil=False)
    for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), BOTTLENECKS[depth], strict=True), start=1):
        for index in range(1, blocks + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            bottleneck_block(net, f"block{stage}_{index}", width, stride, project=index == 1)
    net.average_pool("pool2")
    net.dense("fc", 1000)
    net.softmax("prob")
    return net.graph()


def bottleneck_block(net: ModelBuilder, name: str, width: int, stride: int, *, project: bool) -> str:
    """1x1 to ``width``, 3x3, 1x1 to four times that; the shortcut is projected by 1x1 where the shape changes."""
    source = net.last
    net.conv_norm(f"{name}_reduce", width, kernel=1, stride=stride)
    net.conv_norm(f"{name}_conv", width, kernel=3, padding=1)
    main = net.conv_norm(f"{name}_expand", 4 * width, kernel=1, function=None)
    if project:
        source = net.conv_norm(f"{name}_down", 4 * width, kernel=1, stride=stride, function=None, after=source)
    net.add(f"{name}_add", after=(main, source))
    return net.relu(f"{name}_act")


def resnet_ic() -> LayerGraph:
    """MLPerf Tiny's image classifier: three residual stacks on CIFAR-10, 12,501,632 multiply-accumulates.

    >>> resnet_ic().mac
    12501632
    """
    net = ModelBuilder("resnet_ic", (3, 32, 32))
    net.conv_norm("conv1", 16, kernel=3, padding=1, bias=True)
    for stack, width in enumerate((16, 32, 64), start=1):
        basic_block(net, f"stack{stack}", width, stride=1 if stack == 1 else 2, bias=True)
    net.average_pool("pool")
    net.dense("fc", 10)
    net.softmax("prob")
    return net.graph()


def resnet_cifar(blocks: int = 3) -> LayerGraph:
    """ResNet of depth 6n + 2 on 32x32 images (He et al. 2016 [127], section 4.2), shortcuts without parameters.

    Parameters
    ----------
    blocks : int
        Basic blocks per stage, the paper's n: 3, 5, 7, 9, 18 and 200 give 20, 32, 44, 56, 110 and 1202 layers.

    >>> resnet_cifar(3).parameter_count, resnet_cifar(9).parameter_count
    (269722, 853018)
    """
    if blocks < 1:
        raise ValueError(f"{blocks} blocks per stage make no residual network; give at least 1")
    net = ModelBuilder("resnet_cifar", (3, 32, 32))
    net.conv_norm("conv1", 16, kernel=3, padding=1)
    for stage, width in enumerate((16, 32, 64), start=1):
        for index in range(1, blocks + 1):
            padded_block(net, f"block{stage}_{index}", width, stride=2 if stage > 1 and index == 1 else 1)
    net.average_pool("pool")
    net.dense("fc", 10)
    net.softmax("prob")
    return net.graph()


def padded_block(net: ModelBuilder, name: str, width: int, stride: int) -> str:
    """Two 3x3 convolutions; a shortcut that strides drops every other pixel and pads zeros (option A)."""
    source = net.last
    net.conv_norm(f"{name}_conv1", width, kernel=3, stride=stride, padding=1)
    main = net.conv_norm(f"{name}_conv2", width, kernel=3, padding=1, function=None)
    if stride > 1:
        net.max_pool(f"{name}_thin", 1, stride=stride, ceil=False, after=source)
        source = net.pad(f"{name}_zeros", width)
    net.add(f"{name}_add", after=(main, source))
    return net.relu(f"{name}_act")


def basic_block(net: ModelBuilder, name: str, width: int, stride: int, *, bias: bool) -> str:
    """Two 3x3 convolutions and a shortcut: the identity, or a 1x1 projection if the block strides.

    With ``bias`` (MLPerf Tiny) convolutions keep their bias and the projection has no batch norm.
    """
    source = net.last
    net.conv_norm(f"{name}_conv1", width, kernel=3, stride=stride, padding=1, bias=bias)
    main = net.conv_norm(f"{name}_conv2", width, kernel=3, padding=1, bias=bias, function=None)
    shortcut = source if stride == 1 else net.conv(f"{name}_down", width, 1, stride=stride, bias=bias, after=source)
    if stride > 1 and not bias:
        shortcut = net.batch_norm(f"{name}_down_bn")
    net.add(f"{name}_add", after=(main, shortcut))
    return net.relu(f"{name}_act")
