"""VGG-16 and VGG-19 (Simonyan and Zisserman 2015), Caffe's layer names."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

WIDTHS = (64, 128, 256, 512, 512)


def vgg16(argmax: bool = False) -> LayerGraph:
    """VGG-16: 13 convolutions in five stages, 138.36 M parameters, 15.47 G multiply-accumulates."""
    return _vgg("vgg16", (2, 2, 3, 3, 3), argmax)


def vgg19(argmax: bool = False) -> LayerGraph:
    """VGG-19: 16 convolutions, 143.67 M parameters; with ``argmax`` the 46 layers that Neurosurgeon [12] counts."""
    return _vgg("vgg19", (2, 2, 4, 4, 4), argmax)


def _vgg(name: str, depths: tuple[int, ...], argmax: bool) -> LayerGraph:
    net = ModelBuilder(name, (3, 224, 224))
    for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True), start=1):
        for index in range(1, depth + 1):
            net.conv(f"conv{stage}_{index}", width, kernel=3, padding=1)
            net.relu(f"relu{stage}_{index}")
        net.max_pool(f"pool{stage}", kernel=2)
    for number in (6, 7):
        net.dense(f"fc{number}", 4096)
        net.relu(f"relu{number}")
        net.dropout(f"drop{number}")
    net.dense("fc8", 1000)
    net.softmax("prob")
    if argmax:
        net.argmax("argmax")
    return net.graph()
