"""The experiments on binary and ternary weights: one dense network, many codes, several seeds side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.inference.compression.binary import (
    Sign,
    StochasticSign,
    clip_weights,
    coded_layers,
    dense_network,
    forget_real_weights,
)
from edgedl_lib.inference.compression.side_by_side import train_side_by_side
from edgedl_lib.inference.compression.ternary import Ternary
from edgedl_lib.inference.compression.xnor import ScaledSign, xnor_network
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import build, error, predict

LEARNING_RATE = 0.1  # of Adam; about 0.003 over Glorot's bound, because real copies live in [-1, 1]
DECAY = 30.0  # the rate falls exponentially to a thirtieth


@dataclass(frozen=True)
class Method:
    """One method trained with every seed.

    Attributes
    ----------
    networks : tuple of nn.Sequential
        One per seed.
    errors : tuple of float
        Test error (percent), one per seed.
    """

    networks: tuple[nn.Sequential, ...]
    errors: tuple[float, ...]

    @property
    def mean_error(self) -> float:
        """Mean test error over the seeds (percent)."""
        return sum(self.errors) / len(self.errors)


def train_method(
    make: Callable[[], nn.Sequential],
    data: Sequence[Dataset],
    seeds: Sequence[int],
    epochs: int,
    after_step: Callable[[nn.Module], None] | None = clip_weights,
    learning_rate: float = LEARNING_RATE,
    decay: float = DECAY,
) -> Method:
    """Train one network per seed, each on its own data set of vectors, and test it.

    Parameters
    ----------
    make : callable
        Makes the untrained network.
    data : sequence of Dataset
        One per seed, inputs of shape (n, features).
    """
    networks = tuple(build(make, seed) for seed in seeds)
    train_side_by_side(
        networks,
        [one.train for one in data],
        epochs=epochs,
        seed=seeds[0],
        learning_rate=learning_rate,
        schedule=lambda done: decay**-done,
        after_step=after_step,
    )
    return Method(networks, tuple(error(net, one.test) for net, one in zip(networks, data, strict=True)))


def connect_study(data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], epochs: int) -> dict:
    """BinaryConnect and its broken variants, name to :class:`Method`.

    "signs only, fixed norm" and "BinaryConnect, fixed norm" have no scale and shift in their batch norms: with them, a
    network of random signs still learns to weigh its units, and random features go far on small images.
    """
    variants = {
        "float32": (None, True, None, 1),
        "BinaryConnect": (Sign(), True, clip_weights, 1),
        "stochastic": (StochasticSign(), True, clip_weights, 2),  # its coins need twice the steps to settle
        "no clip": (Sign(), True, None, 1),
        "BinaryConnect, fixed norm": (Sign(), False, clip_weights, 1),
        "signs only, fixed norm": (Sign(), False, forget_real_weights, 1),
    }
    return {
        name: train_method(lambda c=code, n=norm: dense_network(widths, c, n), data, seeds, rounds * epochs, after)
        for name, (code, norm, after, rounds) in variants.items()
    }


def xnor_study(data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], epochs: int) -> dict:
    """Binary-weight network, XNOR network and its ablations, ternary weights; name to :class:`Method`."""
    variants = {
        "BWN": lambda: dense_network(widths, ScaledSign()),
        "XNOR": lambda: xnor_network(widths),
        "no K": lambda: xnor_network(widths, input_scale=False),
        "learned scale": lambda: xnor_network(widths, Sign(), learned_scale=True),
        "no norm before sign": lambda: xnor_network(widths, norm_before_sign=False),
        "ternary": lambda: dense_network(widths, Ternary()),
    }
    return {name: train_method(make, data, seeds, epochs) for name, make in variants.items()}


@dataclass(frozen=True)
class FewImages:
    """Full precision and stochastic BinaryConnect on few training images.

    Attributes
    ----------
    test_error, training_loss : dict of str to tuple of float
        Per method ("float32", "stochastic") and seed; percent, and nats in training mode.
    """

    test_error: dict[str, tuple[float, ...]]
    training_loss: dict[str, tuple[float, ...]]


def few_images_study(
    data: Sequence[Dataset], seeds: Sequence[int], widths: tuple[int, ...], images: int, epochs: int
) -> FewImages:
    """Is a coin per weight a regulariser?  Train both on the first ``images`` of each training set."""
    small = [Dataset(one.name, one.train.subset(images), one.validation, one.test, one.classes) for one in data]
    codes = {"float32": None, "stochastic": StochasticSign()}
    rounds = {"float32": 1, "stochastic": 2}  # as in connect_study
    methods = {
        name: train_method(lambda c=code: dense_network(widths, c), small, seeds, rounds[name] * epochs)
        for name, code in codes.items()
    }
    losses = {
        name: tuple(training_loss(net, one.train, seeds[0]) for net, one in zip(method.networks, small, strict=True))
        for name, method in methods.items()
    }
    return FewImages({name: method.errors for name, method in methods.items()}, losses)


def training_loss(network: nn.Module, split: Split, seed: int) -> float:
    """Cross entropy (nats) as training sees it: batch statistics, coins where there are coins."""
    busy = copy.deepcopy(network).train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return float(functional.cross_entropy(busy(split.inputs), split.targets))


def binary_share(network: nn.Module) -> float:
    """Share of the weights in use that are exactly -1 or +1."""
    with torch.no_grad():
        weights = torch.cat([layer.coded_weight.flatten() for layer in coded_layers(network)])
    return float((weights.abs() == 1).float().mean())


def largest_weight(network: nn.Module) -> float:
    """Largest absolute real copy in the coded layers."""
    return max(float(layer.weight.detach().abs().max()) for layer in coded_layers(network))


def change_by_clipping(network: nn.Module, inputs: torch.Tensor) -> float:
    """Largest change of a logit when the real copies are clipped to [-1, 1] after training."""
    clipped = copy.deepcopy(network)
    clip_weights(clipped)
    return float((predict(network, inputs) - predict(clipped, inputs)).abs().max())
