"""DeepIns' network: what is wrong, and how badly; answered on the fog node if it is sure, else on the server.

Both exits give the defect's type and its degree at once.  What travels from fog to server is a feature map of one byte
per element, narrowed to few channels first: the full map would be as large as the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.early_exit.inspection.images import OK, RAW_BYTES, SIDE, TYPES, Tiles
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, train

SENT_CHANNELS = 4
MAP_SIDE = SIDE // 4
LEVELS = 255
SCALE_BYTES = 8  # the range of an 8-bit map: two float32
RESULT_BYTES = 8  # type and degree of one image
DEGREE_WEIGHT = 4.0  # lambda of the loss: degrees differ by tenths, cross entropies by units


class TwoHeads(nn.Module):
    """From a feature map to the scores of the five types and one degree, side by side."""

    def __init__(self, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        features = channels * (MAP_SIDE // 2) ** 2
        layers: list[nn.Module] = [nn.MaxPool2d(2), nn.Flatten()]
        if hidden:
            layers += [nn.Linear(features, hidden), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.types = nn.Linear(hidden or features, len(TYPES))
        self.degree = nn.Linear(hidden or features, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (n, 5) and degree (n, 1) joined, (n, 6)."""
        shared = self.features(inputs)
        return torch.cat([self.types(shared), self.degree(shared)], dim=1)


class InspectionNetwork(nn.Module):
    """Fog part, fog exit, the map that is sent, server part; ``forward`` yields the two exits lazily.

    >>> [tuple(outputs.shape) for outputs in InspectionNetwork()(torch.zeros(2, 1, 32, 32))]
    [(2, 6), (2, 6)]
    """

    def __init__(self) -> None:
        super().__init__()
        self.fog = nn.Sequential(*_convolution(1, 8, pooled=True), *_convolution(8, 16, pooled=True))
        self.fog_exit = TwoHeads(16)
        self.narrow = nn.Conv2d(16, SENT_CHANNELS, 1)  # linear: of four rectified channels some die in training
        self.server = nn.Sequential(*_convolution(SENT_CHANNELS, 32), *_convolution(32, 32))
        self.server_exit = TwoHeads(32, hidden=32)

    def forward(self, inputs: Tensor) -> Iterator[Tensor]:
        """Outputs (n, 6) of the fog exit, then of the server; the server's part runs only if asked for."""
        features = self.fog(inputs)
        yield self.fog_exit(features)
        yield self.server_exit(self.server(self.narrow(features)))


def heads(network: InspectionNetwork) -> list[str]:
    """Names of the layers that give an answer at one exit: the outputs that an image gets at once."""
    return [name for name, module in network.fog_exit.named_children() if isinstance(module, nn.Linear)]


def _convolution(channels: int, filters: int, pooled: bool = False) -> list[nn.Module]:
    pool = [nn.MaxPool2d(2)] if pooled else []  # before the normalisation, which then has a quarter of the work
    return [nn.Conv2d(channels, filters, 3, padding=1, bias=False), *pool, nn.BatchNorm2d(filters), nn.ReLU()]


def quantise(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of feature maps in one byte per element: codes (uint8), and lowest value and step of each map.

    >>> codes, lowest, step = quantise(torch.tensor([[0.0, 0.6, 1.0]]))
    >>> codes.tolist()
    [[0, 153, 255]]
    """
    flat = features.flatten(1)
    lowest, highest = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    step = (highest - lowest).clamp(min=1e-12) / LEVELS
    codes = ((flat - lowest) / step).round().to(torch.uint8)
    return codes.view_as(features), lowest, step


def restore(codes: Tensor, lowest: Tensor, step: Tensor) -> Tensor:
    """The feature maps that the server computes with."""
    return (codes.flatten(1).float() * step + lowest).view(codes.shape)


def feature_bytes() -> int:
    """Bytes of one map on the link: a byte per element and the map's range.

    Raises
    ------
    ValueError
        If that is no less than the raw picture: then the split would cost traffic.
    """
    size = SENT_CHANNELS * MAP_SIDE**2 + SCALE_BYTES
    if size >= RAW_BYTES:
        raise ValueError(f"a feature map of {size} bytes is no smaller than the picture of {RAW_BYTES}: narrow it")
    return size


def inspection_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of the type plus squared error of the degree, summed over both exits; "ok" has no degree."""
    kinds, degrees = targets[:, 0].long(), targets[:, 1]
    broken = (kinds != OK).float()
    loss = torch.zeros(())
    for outputs in model(inputs):
        squares = broken * (outputs[:, -1] - degrees) ** 2
        loss = loss + functional.cross_entropy(outputs[:, :-1], kinds)
        loss = loss + DEGREE_WEIGHT * squares.sum() / broken.sum().clamp(min=1)
    return loss


def train_inspection(tiles: Tiles, seed: int, epochs: int, network: nn.Module | None = None, **options):
    """Train a network (a new one, unless given) on tiles; options as of ``nets.training.train``."""
    network = build(InspectionNetwork, seed) if network is None else network
    network.to(memory_format=torch.channels_last)  # the same numbers, half the time
    settings = {"learning_rate": 1e-2, "batch_size": 32, "objective": inspection_loss, "schedule": _warm_and_fall}
    settings |= options
    train(network, Split(tiles.images, tiles.targets), epochs=epochs, seed=seed, **settings)
    return network


def _warm_and_fall(share: float) -> float:
    """Learning rate's factor: up in the first fifth, then linearly down, for a training of few epochs."""
    return share / 0.2 if share < 0.2 else (1 - share) / 0.8


@dataclass(frozen=True)
class ExitOutputs:
    """What the exits say of n tiles.

    Attributes
    ----------
    fog, server : Tensor, shape (n, 6)
        Scores of the types and the degree; the server's computed from 8-bit maps.
    whole : Tensor, shape (n, 6)
        The server's on the raw picture, nothing quantised: server-only.
    """

    fog: Tensor
    server: Tensor
    whole: Tensor


@torch.no_grad()
def exit_outputs(network: InspectionNetwork, images: Tensor) -> ExitOutputs:
    """Run both exits over all images, the server's with and without the 8-bit link.

    Raises
    ------
    ValueError
        If an image holds NaN.
    """
    if torch.isnan(images).any():
        raise ValueError("the images hold NaN: a camera that fails must be caught before the network")
    network.eval()
    features = network.fog(images)
    narrow = network.narrow(features)
    received = restore(*quantise(narrow))
    finish = nn.Sequential(network.server, network.server_exit)
    return ExitOutputs(network.fog_exit(features), finish(received), finish(narrow))
