"""DeepDecision [172] with two networks that are really trained: accuracies are measured, not written down.

A large and a small classifier of digits stand for YOLO and tiny YOLO.  Resolution is that of the digits, and a low
bitrate adds noise.  Tables measured on validation images decide; pictures of the test set are then shown one after the
other, and an answer counts only if it is right about the picture in view when it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Dataset, Split, digits
from edgedl_lib.nets.training import accuracy, build, predict, train
from edgedl_lib.offloading.integral.deepdecision.decision import Plans
from edgedl_lib.offloading.integral.deepdecision.profile import (
    LOCAL_LATENCY,
    MEGABIT,
    PIXELS,
    REMOTE_LATENCY,
    Detector,
    Profile,
)

SIDES = (3, 4, 8)  # pixels per side of a digit, in place of the profile's three resolutions
FULL_NOISE = 0.8  # standard deviation at bitrate 0, pixels lie in [0, 1]
NOISE_SCALE = 0.5 * MEGABIT  # bit/s that halve the noise: one bit more per sample
TABLE_BITRATES = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0]) * MEGABIT
COPIES, EPOCHS = 4, 6  # of the training images, each copy with its own noise
FRAMES = 100  # shown per interval


def noise_level(bitrate) -> np.ndarray:
    """Standard deviation of the noise that encoding at `bitrate` (bit/s) leaves.

    >>> noise_level([0.0, 0.5e6, np.inf]).tolist()
    [0.8, 0.4, 0.0]
    """
    return FULL_NOISE * 2.0 ** -(np.asarray(bitrate) / NOISE_SCALE)


def degrade(images: Tensor, side: int, noise: float | Tensor, generator: torch.Generator) -> Tensor:
    """Images (n, 1, 8, 8) at `side` pixels, enlarged again, with Gaussian noise of standard deviation `noise`."""
    small = functional.adaptive_avg_pool2d(images, side)
    noisy = small + noise * torch.randn(small.shape, generator=generator)
    return functional.interpolate(noisy, size=images.shape[-2:], mode="nearest")


def degraded(split: Split, seed: int) -> Split:
    """Every image `COPIES` times at every resolution, at bitrates drawn from the table."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor(noise_level(TABLE_BITRATES), dtype=torch.float32)
    parts = []
    for side in SIDES * COPIES:
        drawn = levels[torch.randint(len(levels), (len(split), 1, 1, 1), generator=generator)]
        parts.append(degrade(split.inputs, side, drawn, generator))
    return Split(torch.cat(parts), split.targets.repeat(len(parts)))


def small_network() -> nn.Module:
    """650 weights: the phone's."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def large_network() -> nn.Module:
    """The edge server's."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 192), nn.ReLU(), nn.Linear(192, 96), nn.ReLU(), nn.Linear(96, 10))


@dataclass(frozen=True)
class Classifiers:
    """Both networks, trained on the same degraded images, and the data."""

    large: nn.Module
    small: nn.Module
    data: Dataset


def train_classifiers(seed: int) -> Classifiers:
    """Train both; about a second."""
    data = digits(seed)
    images = degraded(data.train, seed)
    networks = [build(make, seed) for make in (large_network, small_network)]
    for network in networks:
        train(network, images, epochs=EPOCHS, seed=seed, learning_rate=3e-3, batch_size=128)
    return Classifiers(*networks, data)


def accuracy_table(network: nn.Module, split: Split, seed: int) -> np.ndarray:
    """Accuracy at every resolution and bitrate, shape (resolutions, bitrates + 1); the last column is free of noise."""
    generator = torch.Generator().manual_seed(seed)
    noises = [*noise_level(TABLE_BITRATES), 0.0]
    views = ([degrade(split.inputs, side, noise, generator) for noise in noises] for side in SIDES)
    return np.array([[accuracy(network, Split(view, split.targets)) for view in row] for row in views])


@dataclass(frozen=True)
class TableQuality:
    """Measured accuracy, interpolated between bitrates; :data:`~.profile.PIXELS` name the rows."""

    table: np.ndarray  # (resolutions, bitrates + 1)

    def __call__(self, pixels, bitrate) -> np.ndarray:
        row = self.table[PIXELS.index(int(pixels))]
        coded = np.interp(bitrate, TABLE_BITRATES, row[:-1])
        return np.where(np.isinf(bitrate), row[-1], coded)


def measured_profile(classifiers: Classifiers, seed: int) -> Profile:
    """The stated profile with accuracies measured on validation images."""
    tables = [
        TableQuality(accuracy_table(network, classifiers.data.validation, seed))
        for network in (classifiers.large, classifiers.small)
    ]
    large = Detector("large classifier, edge", True, REMOTE_LATENCY, tables[0])
    small = Detector("small classifier, phone", False, LOCAL_LATENCY, tables[1])
    return Profile((large, small))


def large_over_small(classifiers: Classifiers, seed: int) -> float:
    """Percentage points by which the large network is better on test images, over all resolutions and bitrates."""
    networks = (classifiers.large, classifiers.small)
    tables = [accuracy_table(network, classifiers.data.test, seed) for network in networks]
    return 100 * float(np.mean(tables[0] - tables[1]))


def watch(classifiers: Classifiers, plans: Plans, profile: Profile, seed: int) -> Plans:
    """The same plans, their accuracy counted on a stream of test digits.

    Pictures last an exponential time of mean ``profile.delay_scale``; an answer is right if its digit is the one in
    view when the answer arrives.
    """
    generator = torch.Generator().manual_seed(seed)
    accuracies = np.zeros(len(plans.feasible))
    for index in np.flatnonzero(plans.feasible):
        accuracies[index] = _watch_interval(classifiers, plans, index, profile.delay_scale, generator)
    return replace(plans, accuracy=accuracies)


def _watch_interval(classifiers, plans: Plans, index: int, delay_scale: float, generator: torch.Generator) -> float:
    test = classifiers.data.test
    shown, later = torch.randint(len(test), (2, FRAMES), generator=generator)
    lasts = -delay_scale * torch.log(torch.rand(FRAMES, generator=generator))
    in_view = torch.where(lasts > plans.latency[index], shown, later)
    remote = bool(plans.remote[index])
    noise = float(noise_level(plans.bitrate[index])) if remote else 0.0
    side = SIDES[PIXELS.index(int(plans.pixels[index]))]
    network = classifiers.large if remote else classifiers.small
    answers = predict(network, degrade(test.inputs[shown], side, noise, generator)).argmax(dim=1)
    return float((answers == test.targets[in_view]).double().mean())
