"""The three networks of BranchyNet, layer by layer as in the authors' code (Teerapittayanon et al. 2016 [160]).

Paper and code differ: the paper puts the branches of B-AlexNet after its first two convolutions and the first branch of
B-ResNet after the second one; the code, which made the published figures, puts them one convolution later and one
earlier.  Max pooling keeps a last partial window.  Networks return logits; the trunk ends in the last exit.
"""

import copy

from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets import layers
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

CLASSES = 10
RESNET_BLOCKS = 18  # per stage; 3 stages of 18 blocks of 2 convolutions, the first convolution and the classifier: 110


def b_lenet(size: int = 28, width: float = 1.0) -> MultiExitNetwork:
    """B-LeNet for one-channel images of ``size`` x ``size`` pixels, two exits; the paper's has 28 (MNIST).

    ``width`` scales the channels of all convolutions, at least one stays: the narrower networks of a comparison.

    >>> [branch[-1].in_features for branch in b_lenet().branches[:1]], b_lenet().segments[1][-2].in_features
    ([640], 720)
    """
    if size < 4:
        raise ValueError(f"B-LeNet needs images of at least 4x4 pixels, got {size}x{size}")
    if not width > 0:
        raise ValueError(f"width {width} must be above 0; 1 is the paper's")
    first = size + 2  # kernel 5, padding 3
    second = _halved(first) + 2
    third = _halved(second) + 2
    narrow, middle, wide, hidden = (max(1, round(width * count)) for count in (5, 10, 20, 84))
    branch = [_halving(), nn.ReLU(), nn.Conv2d(narrow, middle, 3, padding=1), _halving(), nn.ReLU(), nn.Flatten()]
    branch.append(nn.Linear(middle * _halved(_halved(first)) ** 2, CLASSES))
    rest = [_halving(), nn.ReLU(), nn.Conv2d(narrow, middle, 5, padding=3), _halving(), nn.ReLU()]
    rest += [nn.Conv2d(middle, wide, 5, padding=3), _halving(), nn.ReLU(), nn.Flatten()]
    rest += [nn.Linear(wide * _halved(third) ** 2, hidden), nn.Linear(hidden, CLASSES)]  # nothing between, as coded
    segments = [nn.Conv2d(1, narrow, 5, padding=3), nn.Sequential(*rest)]
    return MultiExitNetwork(segments, [nn.Sequential(*branch), nn.Identity()])


def b_alexnet() -> MultiExitNetwork:
    """B-AlexNet for CIFAR-10 (3x32x32), three exits."""
    start = [nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), *_pooled_and_normalised(), nn.Conv2d(32, 64, 5, padding=2)]
    middle = [nn.ReLU(), *_pooled_and_normalised(), nn.Conv2d(64, 96, 3, padding=1)]
    end = [nn.ReLU(), nn.Conv2d(96, 96, 3, padding=1), nn.ReLU(), nn.Conv2d(96, 64, 3, padding=1), nn.ReLU()]
    end += [_overlapping(), nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(), nn.Dropout(0.5)]
    end += [nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES)]
    first = [nn.ReLU(), *_pooled_and_normalised(), nn.Conv2d(64, 32, 3, padding=1), nn.ReLU()]
    first += [nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), _overlapping(), nn.Flatten(), nn.Linear(512, CLASSES)]
    second = [nn.ReLU(), *_pooled_and_normalised(), nn.Conv2d(96, 32, 3, padding=1), nn.ReLU()]
    second += [_overlapping(), nn.Flatten(), nn.Linear(128, CLASSES)]
    segments = [nn.Sequential(*part) for part in (start, middle, end)]
    return MultiExitNetwork(segments, [nn.Sequential(*first), nn.Sequential(*second), nn.Identity()])


def b_resnet110() -> MultiExitNetwork:
    """B-ResNet-110 for CIFAR-10 (3x32x32), three exits; the first convolution has no padding, maps start at 30x30."""
    start = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    middle = nn.Sequential(*(ResidualBlock(16, 16) for _ in range(RESNET_BLOCKS)))
    end = nn.Sequential(*_stage(16, 32), *_stage(32, 64), nn.AvgPool2d(6, 1), nn.Flatten(), nn.Linear(576, CLASSES))
    first = nn.Sequential(
        *(nn.Conv2d(16, 64, 5, padding=2), nn.ReLU(), _local_normalisation()),
        *(nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(28800, CLASSES)),
    )
    second = nn.Sequential(ResidualBlock(16, 16), nn.Flatten(), nn.Linear(14400, CLASSES))
    return MultiExitNetwork([start, middle, end], [first, second, nn.Identity()])


NETWORKS = {
    "B-LeNet": (b_lenet, (1, 28, 28)),
    "B-AlexNet": (b_alexnet, (3, 32, 32)),
    "B-ResNet-110": (b_resnet110, (3, 32, 32)),
}
"""Constructor and input shape of each network, by the paper's name."""


def trunk(network: MultiExitNetwork) -> nn.Sequential:
    """The same network without its early exits, weights copied: what the paper calls the baseline."""
    return copy.deepcopy(nn.Sequential(*network.segments, network.branches[-1]))


def start_from(network: MultiExitNetwork, baseline: nn.Sequential) -> None:
    """Copy the weights of a trained baseline into the trunk; the early branches keep their random ones.

    Raises
    ------
    ValueError
        The baseline is not the trunk of such a network.
    """
    parts = [*network.segments, network.branches[-1]]
    if len(parts) != len(baseline):
        raise ValueError(f"the baseline has {len(baseline)} parts, the trunk {len(parts)}; make it with trunk(network)")
    for part, trained in zip(parts, baseline, strict=True):
        part.load_state_dict(trained.state_dict())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters: subsampled, then widened by zeros (He et al. [127])."""

    def __init__(self, inputs: int, filters: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()),
            *(nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)),
        )
        narrow = stride == 1 and inputs == filters
        self.shortcut = nn.Identity() if narrow else nn.Sequential(nn.AvgPool2d(1, stride), ZeroChannels(filters))
        self.end = nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.end(self.body(inputs) + self.shortcut(inputs))


class ZeroChannels(nn.Module):
    """Appends channels of zeros until there are ``channels``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.pad(inputs, (0, 0, 0, 0, 0, self.channels - inputs.shape[1]))

    def as_layer(self, name: str, input_shape: Shape) -> Layer:
        """The layer of the graph that ``nets.export`` writes."""
        return layers.pad(name, input_shape, self.channels)


def _stage(inputs: int, filters: int) -> list[ResidualBlock]:
    return [ResidualBlock(inputs, filters, 2), *(ResidualBlock(filters, filters) for _ in range(RESNET_BLOCKS - 1))]


def _halved(size: int) -> int:
    return -(-size // 2)


def _halving() -> nn.MaxPool2d:
    return nn.MaxPool2d(2, 2, ceil_mode=True)


def _overlapping() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def _local_normalisation() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(3, alpha=3 * 5e-5, beta=0.75, k=2.0)  # Chainer does not divide alpha by the window


def _pooled_and_normalised() -> list[nn.Module]:
    return [_overlapping(), _local_normalisation()]
