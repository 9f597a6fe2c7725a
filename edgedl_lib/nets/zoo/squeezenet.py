"""SqueezeNet: Fire modules, few channels before every 3x3 filter."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

# Filters of a Fire module: squeeze 1x1, expand 1x1, expand 3x3 (Iandola et al. 2016 [134], Table 1).
FIRE = {
    "fire2": (16, 64, 64),
    "fire3": (16, 64, 64),
    "fire4": (32, 128, 128),
    "fire5": (32, 128, 128),
    "fire6": (48, 192, 192),
    "fire7": (48, 192, 192),
    "fire8": (64, 256, 256),
    "fire9": (64, 256, 256),
}

# Version -> filters and kernel of conv1, modules behind which a max pool stands ("conv1" is the first of them).
VERSIONS = {
    "1.0": (96, 7, ("conv1", "fire4", "fire8")),
    "1.1": (64, 3, ("conv1", "fire3", "fire5")),
}


def squeezenet(version: str = "1.0", resolution: int = 227, classes: int = 1000) -> LayerGraph:
    """SqueezeNet (Iandola et al. 2016 [134]); version 1.1 pools earlier and starts with 64 filters of 3x3.

    The released Caffe model crops to 227 pixels, although the paper's table prints 224: only 227 gives the 111, 55, 27
    and 13 pixels of that table.

    >>> net = squeezenet()
    >>> net.parameter_count, net["fire9_output"].output_shape
    (1248424, (512, 13, 13))
    """
    if version not in VERSIONS:
        raise ValueError(f"SqueezeNet has no version {version!r}; choose one of {', '.join(VERSIONS)}")
    filters, kernel, pooled = VERSIONS[version]
    net = ModelBuilder("squeezenet", (3, resolution, resolution))
    net.conv("conv1", filters, kernel, stride=2)
    net.relu("relu_conv1")
    for module in ("conv1", *FIRE):
        if module in FIRE:
            fire(net, module, FIRE[module])
        if module in pooled:
            net.max_pool(f"pool_{module}", kernel=3, stride=2)
    net.dropout("drop9")
    net.conv("conv10", classes, kernel=1)
    net.relu("relu_conv10")
    net.average_pool("pool10")
    net.softmax("prob")
    return net.graph()


def fire(net: ModelBuilder, name: str, filters: tuple[int, int, int]) -> str:
    """Squeeze to few channels by 1x1, then expand by 1x1 and 3x3 side by side."""
    squeezed, one, three = filters
    net.conv(f"{name}_squeeze1x1", squeezed, kernel=1)
    source = net.relu(f"{name}_relu_squeeze1x1")
    branches = []
    for kernel, wide in ((1, one), (3, three)):
        net.conv(f"{name}_expand{kernel}x{kernel}", wide, kernel, padding=kernel // 2, after=source)
        branches.append(net.relu(f"{name}_relu_expand{kernel}x{kernel}"))
    return net.concat(f"{name}_output", after=branches)
