"""Linear regression on devices with SVRG (stochastic variance-reduced gradients), as the letter trains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEATURES = 10
STEP = 0.02


@dataclass(frozen=True)
class Samples:
    """Samples of one device: features (n, d) and targets (n,)."""

    features: np.ndarray
    targets: np.ndarray

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """Sum over the samples of the gradient of half the squared error."""
        return self.features.T @ (self.features @ weights - self.targets)


def draw_samples(counts: Sequence[int], seed: int, noise: float = 0.1) -> tuple[Samples, ...]:
    """Normal features and targets of one hidden linear law, for each device."""
    generator = np.random.default_rng(seed)
    law = generator.normal(size=FEATURES)
    devices = []
    for count in counts:
        features = generator.normal(size=(count, FEATURES))
        devices.append(Samples(features, features @ law + noise * generator.normal(size=count)))
    return tuple(devices)


def least_squares(devices: Sequence[Samples]) -> np.ndarray:
    """The solution over all samples, to which training should come."""
    features = np.concatenate([device.features for device in devices])
    targets = np.concatenate([device.targets for device in devices])
    return np.linalg.lstsq(features, targets, rcond=None)[0]


def svrg(
    samples: Samples, start: np.ndarray, mean_gradient: np.ndarray, generator: np.random.Generator, step: float = STEP
) -> np.ndarray:
    """One pass of SVRG from the global weights.

    Each step takes one sample's gradient, less what it was at the start, plus the mean gradient over *all* devices at
    the start: unbiased, and less and less noisy as the weights settle.
    """
    weights = start.copy()
    for index in generator.permutation(len(samples.targets)):
        row = samples.features[index]
        difference = row * (row @ (weights - start))  # the target drops out of the difference of both gradients
        weights -= step * (difference + mean_gradient)
    return weights
