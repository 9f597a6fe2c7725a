"""Encoder at the edge, classifier in the cloud, and the network on raw pixels that they stand against."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgedl_lib.inference.quantised_split.quantise import Quantiser
from edgedl_lib.nets.layers import Layer

LEVELS = 255  # codes are eight bits wide
CODES = Quantiser(scale=1 / 64, zero_point=127)  # the sigmoid of a standard normal value spreads over about 54 levels
LSTM_GATES = 4
CLASSES = 10


@dataclass(frozen=True)
class Design:
    """Sizes that both variants share.

    Attributes
    ----------
    side : int
        Pixels per side of the grey image.
    code : int
        Bytes that the edge sends per image.
    rows_per_step : int
        Image rows that make one step of the recurrent variant; code must be divisible by the number of steps.
    channels : tuple of int
        Filters of the edge's two convolutions.
    hidden : int
        Units of the hidden layer, or of the LSTM, in the cloud.
    """

    side: int = 8
    code: int = 12
    rows_per_step: int = 2
    channels: tuple[int, int] = (8, 16)
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.side % self.rows_per_step:
            raise ValueError(f"{self.side} rows cannot be read {self.rows_per_step} at a time; choose a divisor")
        if self.code < 1:
            raise ValueError(f"a code of {self.code} bytes carries nothing; send at least one")

    @property
    def steps(self) -> int:
        """Steps of the sequence."""
        return self.side // self.rows_per_step

    @property
    def features(self) -> int:
        """Outputs of the two convolutions."""
        return self.channels[1] * (-(-self.side // 4)) ** 2


def design_for(side: int) -> Design:
    """The design of the chapter: 12 bytes for digits of 8x8, 56 bytes for MNIST's 28x28.

    >>> design_for(8).code / 8**2, design_for(28).code / 28**2
    (0.1875, 0.07142857142857142)
    """
    return Design() if side == 8 else Design(side=side, code=56, rows_per_step=2, channels=(8, 16), hidden=128)


class ToCode(nn.Module):
    """Squash and round to the grid of a byte; the gradient passes the rounding unchanged (straight through)."""

    def forward(self, values: Tensor) -> Tensor:
        """Values on the grid `CODES`, any shape; their spread is about one, which helps the classifier."""
        smooth = LEVELS * torch.sigmoid(values)
        return CODES.scale * (smooth + (torch.round(smooth) - smooth).detach() - CODES.zero_point)

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """One operation per element."""
        return Layer(name, "activation", (input_shape,), input_shape, 0, input_shape[0], {"function": "sigmoid"})


class RowProjection(nn.Module):
    """The same small network for every step of a sequence of rows: what the edge sends of each."""

    def __init__(self, design: Design, hidden: int = 24) -> None:
        super().__init__()
        if design.code % design.steps:
            raise ValueError(f"{design.code} bytes do not divide over {design.steps} steps; choose a multiple")
        self.design = design
        width = design.rows_per_step * design.side
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, design.code // design.steps))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, side, side) to (n, code)."""
        return self.layers(rows(images, self.design)).flatten(1)

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """Parameters once, operations for every step."""
        parameters = sum(parameter.numel() for parameter in self.parameters())
        return Layer(name, "dense", (input_shape,), (self.design.code,), parameters, 2 * parameters * self.design.steps)


class Recurrent(nn.Module):
    """An LSTM over the steps, read after the last one."""

    def __init__(self, steps: int, width: int, hidden: int) -> None:
        super().__init__()
        self.steps, self.hidden = steps, hidden
        self.lstm = nn.LSTM(width, hidden, batch_first=True)

    def forward(self, sequence: Tensor) -> Tensor:
        """(n, steps x width) to (n, hidden)."""
        outputs, _ = self.lstm(sequence.unflatten(1, (self.steps, -1)))
        return outputs[:, -1]

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """Four gates for every step."""
        width = input_shape[0] // self.steps
        flop = 2 * LSTM_GATES * self.hidden * (width + self.hidden) * self.steps
        parameters = sum(parameter.numel() for parameter in self.parameters())
        return Layer(name, "dense", (input_shape,), (self.hidden,), parameters, flop)


def rows(images: Tensor, design: Design) -> Tensor:
    """Sequence of groups of rows, (n, steps, rows_per_step x side)."""
    return images.reshape(len(images), design.steps, -1)


def encoder(design: Design, variant: str = "cnn") -> nn.Sequential:
    """The edge's part: raw image to `design.code` values on the grid of a byte.

    Each value is standardised before it is squashed, so that an encoder uses its bytes whether trained or not.
    """
    if variant == "lstm":
        return nn.Sequential(RowProjection(design), *_to_bytes(design))
    return nn.Sequential(*_convolutions(design), nn.Linear(design.features, design.code), *_to_bytes(design))


def classifier(design: Design, variant: str = "cnn") -> nn.Sequential:
    """The cloud's part: codes to logits."""
    if variant == "lstm":
        return nn.Sequential(
            Recurrent(design.steps, design.code // design.steps, design.hidden),
            nn.Linear(design.hidden, CLASSES),
        )
    return nn.Sequential(nn.Linear(design.code, design.hidden), nn.ReLU(), nn.Linear(design.hidden, CLASSES))


def raw_network(design: Design, variant: str = "cnn") -> nn.Sequential:
    """What the cloud would train on raw pixels: the same layers without the bottleneck."""
    if variant == "lstm":
        width = design.rows_per_step * design.side
        recurrent = Recurrent(design.steps, width, design.hidden)
        return nn.Sequential(nn.Flatten(), recurrent, nn.Linear(design.hidden, CLASSES))
    head = (nn.Linear(design.features, design.hidden), nn.ReLU(), nn.Linear(design.hidden, CLASSES))
    return nn.Sequential(*_convolutions(design), *head)


def _to_bytes(design: Design) -> tuple[nn.Module, ...]:
    return nn.BatchNorm1d(design.code, affine=False), ToCode()


def _convolutions(design: Design) -> tuple[nn.Module, ...]:
    """Down-sampling by stride: (n, 1, side, side) to (n, features)."""
    first, second = design.channels
    return (
        nn.Conv2d(1, first, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
    )
