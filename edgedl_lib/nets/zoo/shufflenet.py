"""ShuffleNet: point-wise group convolutions with a channel shuffle between them."""

import math

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

# Groups -> output channels of stage 2; every later stage doubles them (Zhang et al. 2018 [142], Table 1).
STAGE_WIDTH = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}

STAGE_UNITS = {2: 4, 3: 8, 4: 4}
FIRST_FILTERS = 24


def shufflenet(groups: int = 3, scale: float = 1.0, resolution: int = 224, classes: int = 1000) -> LayerGraph:
    """ShuffleNet-v1 (Zhang et al. 2018 [142]) for a number of groups and a scale of the channels.

    Parameters
    ----------
    groups : int
        One of 1, 2, 3, 4 and 8, with the stage widths of the paper's Table 1.
    scale : float
        Factor of all channels, conv1 included ("ShuffleNet 0.5x"); for the published models in 0.25 to 2.
    resolution : int
        Height and width of the input image, pixels.

    >>> net = shufflenet(groups=3)
    >>> net["stage2_1_output"].output_shape, net["stage4_4_output"].output_shape
    ((240, 28, 28), (960, 7, 7))
    """
    if groups not in STAGE_WIDTH:
        raise ValueError(f"ShuffleNet is not defined for {groups} groups; choose among {list(STAGE_WIDTH)}")
    if not scale > 0:
        raise ValueError(f"scale {scale} of the channels must be positive")
    net = ModelBuilder("shufflenet", (3, resolution, resolution))
    net.conv_norm("conv1", _divisible(FIRST_FILTERS * scale, groups), kernel=3, stride=2, padding=1)
    net.max_pool("pool1", kernel=3, stride=2, padding=1, ceil=False)
    for stage, units in STAGE_UNITS.items():
        width = _divisible(STAGE_WIDTH[groups] * scale, groups) * 2 ** (stage - 2)
        for index in range(1, units + 1):
            first = 1 if stage == 2 and index == 1 else groups
            shuffle_unit(net, f"stage{stage}_{index}", width, groups, first_groups=first, down=index == 1)
    net.average_pool("pool5")
    net.dense("fc", classes)
    net.softmax("prob")
    return net.graph()


def shuffle_unit(net: ModelBuilder, name: str, width: int, groups: int, *, first_groups: int, down: bool) -> str:
    """Grouped 1x1 to a quarter of the width, shuffle, depth-wise 3x3, grouped 1x1; added to the shortcut.

    With ``down`` the unit strides: its shortcut is a 3x3 average pool, joined by concatenation, so the last
    convolution makes only the channels that the shortcut does not bring.
    """
    source = net.last
    bottleneck = _divisible(width / 4, groups)
    made = width - net.channels(source) if down else width
    net.conv_norm(f"{name}_compress", bottleneck, kernel=1, groups=first_groups)
    if groups > 1:
        net.shuffle(f"{name}_shuffle", groups)
    stride = 2 if down else 1
    depthwise = {"kernel": 3, "stride": stride, "padding": 1, "groups": bottleneck, "function": None}
    net.conv_norm(f"{name}_depthwise", bottleneck, **depthwise)
    main = net.conv_norm(f"{name}_expand", made, kernel=1, groups=groups, function=None)
    if down:
        shortcut = net.average_pool(f"{name}_pool", kernel=3, stride=2, padding=1, ceil=False, after=source)
        net.concat(f"{name}_output", after=(shortcut, main))
    else:
        net.add(f"{name}_output", after=(main, source))
    return net.relu(f"{name}_act")


def _divisible(channels: float, groups: int) -> int:
    """Channels rounded up to a multiple of the groups; the paper does not say how it rounds."""
    return math.ceil(channels / groups) * groups
