"""Devices whose data differ: a minority that follows another rule, and the synthetic set of the paper's code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData

MEDIAN_SIZE, SIZE_SPREAD, SMALLEST = 4.0, 1.0, 50  # of the lognormal sizes; the paper's code adds 50


@dataclass(frozen=True)
class Part:
    """Samples of all devices, one device after another.

    Attributes
    ----------
    inputs : ndarray, shape (n, f)
    labels : ndarray of int, shape (n,)
    sizes : ndarray of int, shape (K,)
    """

    inputs: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each device's samples begin."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def mean_per_device(self, values: np.ndarray) -> np.ndarray:
        """Mean of one number per sample over each device, shape (K,)."""
        return np.add.reduceat(values, self.starts) / self.sizes


@dataclass(frozen=True)
class Devices:
    """Training and test samples of K devices."""

    name: str
    train: Part
    test: Part
    classes: int

    def federated(self) -> FederatedData:
        """The same data for the engine; its test set is everybody's together."""
        inputs, labels = torch.from_numpy(self.train.inputs).float(), torch.from_numpy(self.train.labels)
        cuts = self.train.sizes.tolist()
        clients = tuple(Split(*pair) for pair in zip(inputs.split(cuts), labels.split(cuts), strict=True))
        test = Split(torch.from_numpy(self.test.inputs).float(), torch.from_numpy(self.test.labels))
        return FederatedData(self.name, clients, test, self.classes)


def minority(
    seed: int,
    devices: int = 23,
    odd: int = 4,
    features: int = 20,
    sizes: tuple[int, int] = (300, 100),
    sharp: float = 5.0,
) -> Devices:
    """Two classes, split by a linear rule with noise near it; `odd` devices follow a rule orthogonal to that.

    Parameters
    ----------
    sizes : tuple of int
        Training and test samples of each device.
    sharp : float
        Slope of the label's log odds along the rule; 5 leaves the best possible accuracy near 90 %.
    """
    if not 0 <= odd <= devices:
        raise ValueError(f"{odd} of {devices} devices cannot follow another rule")
    rng = np.random.default_rng([seed, 221])
    rules = np.linalg.qr(rng.normal(size=(features, 2)))[0].T  # two orthogonal unit vectors
    parts = []
    for size in sizes:
        inputs = rng.normal(size=(devices, size, features))
        rule = rules[(np.arange(devices) < odd).astype(int)]
        odds = sharp * np.einsum("ksf,kf->ks", inputs, rule)
        labels = (rng.random((devices, size)) < 1 / (1 + np.exp(-odds))).astype(np.int64)
        parts.append(Part(inputs.reshape(-1, features), labels.ravel(), np.full(devices, size)))
    return Devices("minority", *parts, classes=2)


def hybrid(seed: int, devices: int = 100, features: int = 60, classes: int = 10, alike: float = 0.5) -> Devices:
    """The synthetic set of fair_flearn, half of the devices alike (Li et al. 2020 [221]).

    W_k, b_k ~ N(u_k, 1), u_k ~ N(0, 1); x ~ N(v_k, diag(j^-1.2)), v_k ~ N(B_k, 1), B_k ~ N(0, 1); the label is the
    largest of W_k x + b_k.  The devices that are alike share W, b and v = 0.  Of a device's samples 80 % train, 10 %
    test.
    """
    rng = np.random.default_rng([seed, 100])
    spread = np.arange(1, features + 1) ** -0.6  # standard deviation of feature j
    common = rng.normal(size=(features, classes)), rng.normal(size=classes)
    counts = hybrid_sizes(seed, devices)
    samples = []
    for device, count in enumerate(counts):
        shared = device >= (1 - alike) * devices
        mean_weight, mean_input = rng.normal(size=2)
        own = rng.normal(mean_weight, 1, (features, classes)), rng.normal(mean_weight, 1, classes)
        centre = np.zeros(features) if shared else rng.normal(mean_input, 1, features)
        weight, bias = common if shared else own
        inputs = rng.normal(centre, spread, (count, features))
        samples.append((inputs, (inputs @ weight + bias).argmax(1)))
    return Devices("synthetic hybrid", _part(samples, 0.0, 0.8), _part(samples, 0.8, 0.9), classes)


def hybrid_sizes(seed: int, devices: int = 100) -> np.ndarray:
    """Samples of each device before the split, lognormal plus 50; shape (devices,)."""
    draws = np.random.default_rng([seed, 12]).lognormal(MEDIAN_SIZE, SIZE_SPREAD, devices)
    return draws.astype(int) + SMALLEST


def _part(samples: list[tuple[np.ndarray, np.ndarray]], first: float, last: float) -> Part:
    """The samples of every device between two shares of its own."""
    cut = [(int(first * len(y)), int(last * len(y))) for _, y in samples]
    inputs = np.concatenate([x[a:b] for (x, _), (a, b) in zip(samples, cut, strict=True)])
    labels = np.concatenate([y[a:b] for (_, y), (a, b) in zip(samples, cut, strict=True)])
    return Part(inputs, labels.astype(np.int64), np.array([b - a for a, b in cut]))
