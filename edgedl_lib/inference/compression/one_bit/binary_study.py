"""What one bit a weight costs: BinaryConnect, XNOR-Net and ternary weights beside full precision, over several seeds.

All seeds of a method train side by side; every method of a comparison sees the same samples in the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.compression.one_bit.binary import (
    Sign,
    StochasticSign,
    clip_weights,
    coded_layers,
    dense_network,
    forget_real_weights,
)
from edgedl_lib.inference.compression.one_bit.embedded_binary import embedded_network
from edgedl_lib.inference.compression.one_bit.side_by_side import train_side_by_side
from edgedl_lib.inference.compression.one_bit.ternary import Ternary
from edgedl_lib.inference.compression.one_bit.xnor import ScaledSign, xnor_network
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import build, error, predict, train

LEARNING_RATE = 3e-3  # of Adam, as in the authors' program for the same kind of network
GLOROT = 1.5  # the same program divides the rate of binary weights by sqrt(GLOROT / (inputs + units))

ORDER_RATE = 0.01  # of the small convolutional networks in which the order of a block is compared

Step = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Trained:
    """One method over several seeds.

    Attributes
    ----------
    networks : tuple of nn.Sequential
        One per seed, in evaluation mode.
    errors : tuple of float
        Test errors in percent.
    """

    networks: tuple[nn.Sequential, ...]
    errors: tuple[float, ...]

    @property
    def mean_error(self) -> float:
        """Mean test error, percent."""
        return sum(self.errors) / len(self.errors)


def train_method(
    make: Callable[[], nn.Sequential],
    data: Sequence[Dataset],
    seeds: Sequence[int],
    epochs: int,
    after_step: Step | None = None,
    scaled_rate: bool = False,
) -> Trained:
    """Train ``make()`` once per seed on its own data set and test it.

    Parameters
    ----------
    data : sequence of Dataset
        One per seed, flat, equally large.
    scaled_rate : bool
        Raise the learning rate as BinaryConnect does.
    """
    networks = [build(make, seed) for seed in seeds]
    rate = binary_rate(networks[0]) if scaled_rate else LEARNING_RATE
    options = {"epochs": epochs, "seed": seeds[0], "learning_rate": rate, "after_step": after_step}
    train_side_by_side(networks, [each.train for each in data], **options)
    for network, each in zip(networks, data, strict=True):
        if any(isinstance(layer.code, StochasticSign) for layer in coded_layers(network)):
            renew_norms(network, each.train)
    errors = tuple(error(network, each.test) for network, each in zip(networks, data, strict=True))
    return Trained(tuple(networks), errors)


def binary_rate(network: nn.Sequential) -> float:
    """BinaryConnect's rate: divided by the narrowest layer's Glorot coefficient, so that signs can flip."""
    sizes = [layer.in_features + layer.out_features for layer in coded_layers(network)]
    return LEARNING_RATE / math.sqrt(GLOROT / min(sizes))


@torch.no_grad()
def renew_norms(network: nn.Sequential, split: Split) -> None:
    """Take the statistics of every batch norm anew, with the weights of use, over a whole split.

    Coins spread the sums of a layer; real weights do not, and statistics that were taken with coins would not fit them
    until the weights have moved to -1 and +1, which takes the authors a thousand epochs.
    """
    values = split.inputs
    for stage in network.eval():
        if isinstance(stage, nn.BatchNorm1d):
            stage.running_mean.copy_(values.mean(dim=0))
            stage.running_var.copy_(values.var(dim=0))
        values = stage(values)


def connect_study(
    data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], epochs: int
) -> dict[str, Trained]:
    """BinaryConnect beside full precision and beside three ways to get it wrong.

    The two methods with a fixed norm have batch norms without scale and shift: there, nothing but the weights learns.
    """
    methods = {
        "float32": (None, None, True),
        "BinaryConnect": (Sign(), clip_weights, True),
        "BinaryConnect, coins": (StochasticSign(), clip_weights, True),
        "no clip": (Sign(), None, True),
        "BinaryConnect, fixed norm": (Sign(), clip_weights, False),
        "signs only, fixed norm": (Sign(), forget_real_weights, False),
    }

    def train_one(code, step, learns) -> Trained:
        return train_method(
            lambda: dense_network(widths, code, learns), data, seeds, epochs, step, scaled_rate=code is not None
        )

    return {name: train_one(*method) for name, method in methods.items()}


def xnor_study(
    data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], epochs: int
) -> dict[str, Trained]:
    """Binary weights with scale, binary inputs on top, the paper's ablations, and ternary weights."""
    methods = {
        "BWN": lambda: dense_network(widths, ScaledSign()),
        "ternary": lambda: dense_network(widths, Ternary()),
        "XNOR": lambda: xnor_network(widths),
        "XNOR, no norm": lambda: xnor_network(widths, norm_before_sign=False),
        "XNOR, no K": lambda: xnor_network(widths, input_scale=False),
        "XNOR, learned scale": lambda: xnor_network(widths, Sign(), learned_scale=True),
    }
    return {name: train_method(make, data, seeds, epochs, clip_weights) for name, make in methods.items()}


def few_images(data: Sequence[Dataset], count: int) -> list[Dataset]:
    """The same data sets with ``count`` training images each."""
    return [replace(each, train=each.train.subset(count)) for each in data]


def training_losses(trained: Trained, data: Sequence[Dataset], coins: bool = False) -> list[float]:
    """Cross entropy (nats) on the training images, one per seed.

    Parameters
    ----------
    coins : bool
        Draw one more sample of stochastic weights, as every training step does; else the weights of use.
    """
    losses = []
    for place, (network, each) in enumerate(zip(trained.networks, data, strict=True)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(place)
            logits = _with_coins(network, each.train) if coins else predict(network, each.train.inputs)
        losses.append(float(functional.cross_entropy(logits, each.train.targets)))
    return losses


@torch.no_grad()
def _with_coins(network: nn.Sequential, split: Split) -> Tensor:
    """Logits with freshly drawn weights, everything else as in use."""
    network.eval()
    for layer in coded_layers(network):
        layer.train()
    logits = network(split.inputs)
    network.eval()
    return logits


def largest_weight(trained: Trained) -> float:
    """Largest absolute real copy of any network."""
    return max(
        float(layer.weight.detach().abs().max()) for network in trained.networks for layer in coded_layers(network)
    )


def binary_share(trained: Trained) -> float:
    """Share of the weights that a forward pass uses which are exactly -1 or +1."""
    used = torch.cat([layer.coded_weight.flatten() for network in trained.networks for layer in coded_layers(network)])
    return float((used.abs() == 1).double().mean())


def change_by_clipping(trained: Trained, data: Sequence[Dataset]) -> float:
    """Largest change of a test logit when the real copies are clipped after training; the copies stay clipped."""
    changes = []
    for network, each in zip(trained.networks, data, strict=True):
        before = predict(network, each.test.inputs)
        clip_weights(network)
        changes.append(float((predict(network, each.test.inputs) - before).abs().max()))
    return max(changes)


@dataclass(frozen=True)
class FewImages:
    """Coins as a regulariser: both methods on few training images; training losses in nats, one per seed."""

    full: Trained
    coins: Trained
    full_training_loss: list[float]
    coins_training_loss: list[float]


def few_images_study(data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], epochs: int) -> FewImages:
    """Full precision and stochastic signs; the training loss of the latter is what its steps see, with fresh coins."""
    full = train_method(lambda: dense_network(widths, None), data, seeds, epochs)
    coins = train_method(lambda: dense_network(widths, StochasticSign()), data, seeds, epochs, clip_weights, True)
    return FewImages(full, coins, training_losses(full, data), training_losses(coins, data, coins=True))


def order_study(data: Sequence[Dataset], seeds: Sequence[int], epochs: int) -> tuple[list[float], list[float]]:
    """Test errors with pooling after the sign (C-B-A-P), and with pooling before it (the paper's B-A-C-P)."""
    errors: dict[str, list[float]] = {"C-B-A-P": [], "C-P-B-A": []}
    for each, seed in zip(data, seeds, strict=True):
        side = each.input_shape[-1]
        for order, found in errors.items():
            network = build(functools.partial(embedded_network, side, order=order), seed)
            train(network, each.train, epochs=epochs, seed=seed, learning_rate=ORDER_RATE, after_step=clip_weights)
            found.append(error(network, each.test))
    return errors["C-B-A-P"], errors["C-P-B-A"]
