"""The networks that are compressed: the two LeNets of the pruning papers and one for 8x8 digits."""

from collections import OrderedDict

from torch import nn

DENSE_UNITS = 128  # of the digit network: 50 maps of 2x2 pixels meet this many units


def lenet_300_100(input_features: int = 784, classes: int = 10) -> nn.Sequential:
    """Dense network with 300 and 100 hidden units (LeCun et al. 1998): 266,200 weights for MNIST."""
    return _named(
        dense1=nn.Linear(input_features, 300),
        relu1=nn.ReLU(),
        dense2=nn.Linear(300, 100),
        relu2=nn.ReLU(),
        dense3=nn.Linear(100, classes),
    )


def lenet5(input_shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> nn.Sequential:
    """The LeNet-5 variant of Caffe, which Han et al. 2015 [129] prune: 430,500 weights and 580 biases for MNIST."""
    channels, height, width = input_shape
    maps = 50 * _after_two_stages(height) * _after_two_stages(width)
    return _named(
        conv1=nn.Conv2d(channels, 20, 5),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(20, 50, 5),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        dense1=nn.Linear(maps, 500),
        relu1=nn.ReLU(),
        dense2=nn.Linear(500, classes),
    )


def digit_network(classes: int = 10) -> nn.Sequential:
    """Convolutional network for 8x8 digits: LeNet-5's shape with 3x3 filters, 36,268 parameters."""
    return _named(
        conv1=nn.Conv2d(1, 20, 3, padding=1),  # (20, 8, 8)
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),  # (20, 4, 4)
        conv2=nn.Conv2d(20, 50, 3, padding=1),  # (50, 4, 4)
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),  # (50, 2, 2)
        flatten=nn.Flatten(),
        dense1=nn.Linear(200, DENSE_UNITS),
        relu3=nn.ReLU(),
        dense2=nn.Linear(DENSE_UNITS, classes),
    )


def _named(**modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))


def _after_two_stages(size: int) -> int:
    """Pixels per side after two 5x5 convolutions without padding, each followed by pooling of two."""
    pixels = ((size - 4) // 2 - 4) // 2
    if pixels < 1:
        raise ValueError(f"{size} pixels are too few for LeNet-5; it needs at least 16 per side")
    return pixels
