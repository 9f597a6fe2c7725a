"""Compact filters as trainable modules: what MobileNet, SqueezeNet, ShuffleNet and ResNet put for a 3x3 convolution.

Each block is an ordinary module that ``layer_graph`` exports.  The digit networks below share one skeleton and differ
in their two blocks only, so that a difference in accuracy is the block's.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

#: Channels of the digit networks: after the stem and after the first and the second block.
WIDTHS = (16, 32, 64)

SQUEEZE_RATIO = 0.16  # squeezed channels over expanded ones; SqueezeNet takes 0.125 of much wider layers

Block = Callable[[int, int], nn.Module]


def conv_norm(channels: int, filters: int, kernel: int, groups: int = 1, active: bool = True) -> nn.Sequential:
    """Convolution that keeps the size, batch norm and, if ``active``, ReLU."""
    conv = nn.Conv2d(channels, filters, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), *([nn.ReLU()] if active else []))


def separable_block(channels: int, filters: int) -> nn.Sequential:
    """One 3x3 filter per channel, then 1x1 across the channels (MobileNets [135]).

    >>> sum(p.numel() for p in separable_block(16, 32).parameters() if p.ndim == 4)
    656
    """
    return nn.Sequential(*conv_norm(channels, channels, 3, groups=channels), *conv_norm(channels, filters, 1))


class FireModule(nn.Module):
    """Squeeze to few channels by 1x1, then expand by 1x1 and 3x3 side by side (SqueezeNet [134])."""

    def __init__(self, channels: int, filters: int, squeeze_ratio: float = SQUEEZE_RATIO) -> None:
        super().__init__()
        if not 0 < squeeze_ratio <= 1:
            raise ValueError(f"squeeze ratio {squeeze_ratio} lies outside (0, 1]")
        squeezed = max(1, round(squeeze_ratio * filters))
        self.squeeze = conv_norm(channels, squeezed, 1)
        self.expand1 = conv_norm(squeezed, filters // 2, 1)
        self.expand3 = conv_norm(squeezed, filters - filters // 2, 3)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps)
        return torch.cat([self.expand1(squeezed), self.expand3(squeezed)], dim=1)


class ShuffleUnit(nn.Module):
    """Grouped 1x1, shuffle, depth-wise 3x3, grouped 1x1; added to the input if the width stays (ShuffleNet [142]).

    ``shuffled=False`` leaves the shuffle out, at the same cost: the groups never meet.
    """

    def __init__(
        self, channels: int, filters: int, groups: int = 4, shuffled: bool = True, bottleneck: int = 1
    ) -> None:
        super().__init__()
        narrow = math.ceil(filters / bottleneck / groups) * groups
        self.compress = conv_norm(channels, narrow, 1, groups)
        self.shuffle = nn.ChannelShuffle(groups) if shuffled else nn.Identity()
        self.depthwise = conv_norm(narrow, narrow, 3, narrow, active=False)
        self.expand = conv_norm(narrow, filters, 1, groups, active=False)
        self.shortcut = channels == filters
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        made = self.expand(self.depthwise(self.shuffle(self.compress(maps))))
        return self.relu(maps + made if self.shortcut else made)


def block_network(block: Block, width: float = 1.0, classes: int = 10) -> nn.Sequential:
    """Digit network of 8x8 pixels: stem, pool, two blocks on 4x4 pixels, mean over the map, dense layer.

    Parameters
    ----------
    block : callable
        ``block(channels, filters)`` makes a module that maps (channels, 4, 4) to (filters, 4, 4).
    width : float
        MobileNet's multiplier of all channels; they are rounded to multiples of four, so that four groups fit.
    """
    if not width > 0:
        raise ValueError(f"width multiplier {width} must be positive")
    first, second, third = (max(4, 4 * round(channels * width / 4)) for channels in WIDTHS)
    modules = OrderedDict(
        stem=conv_norm(1, first, 3),  # (16, 8, 8)
        pool=nn.MaxPool2d(2),  # (16, 4, 4)
        block1=block(first, second),  # (32, 4, 4)
        block2=block(second, third),  # (64, 4, 4)
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dense=nn.Linear(third, classes),
    )
    return nn.Sequential(modules).to(memory_format=torch.channels_last)  # trains a fifth faster on a CPU


def plain_digit_network(width: float = 1.0, classes: int = 10) -> nn.Sequential:
    """The skeleton with a standard 3x3 convolution as block: what the compact ones are compared with."""
    return block_network(lambda channels, filters: conv_norm(channels, filters, 3), width, classes)


def separable_digit_network(width: float = 1.0, classes: int = 10) -> nn.Sequential:
    """The skeleton with depth-wise separable blocks."""
    return block_network(separable_block, width, classes)


def fire_digit_network(width: float = 1.0, classes: int = 10) -> nn.Sequential:
    """The skeleton with Fire modules."""
    return block_network(FireModule, width, classes)


def shuffle_digit_network(width: float = 1.0, classes: int = 10, groups: int = 4) -> nn.Sequential:
    """The skeleton with grouped 1x1 convolutions and shuffles."""
    return block_network(lambda channels, filters: ShuffleUnit(channels, filters, groups), width, classes)


def unshuffled_digit_network(width: float = 1.0, classes: int = 10, groups: int = 4) -> nn.Sequential:
    """The shuffle network without its shuffles: as many operations, groups that never meet."""
    return block_network(lambda channels, filters: ShuffleUnit(channels, filters, groups, False), width, classes)


#: Name -> network of a width multiplier, all on one skeleton.
DIGIT_NETWORKS: dict[str, Callable[..., nn.Sequential]] = {
    "plain 3×3": plain_digit_network,
    "separable": separable_digit_network,
    "Fire": fire_digit_network,
    "shuffle": shuffle_digit_network,
    "no shuffle": unshuffled_digit_network,
}
