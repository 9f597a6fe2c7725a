"""What a server learns from the updates that it averages: read one by one, as a secure sum, and under Laplace noise.

Ten devices hold two neighbouring digits each.  They train a softmax regression together; the curious server looks at
one round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.inversion.protection import Softmax
from edgedl_lib.training.security.inversion.scores import TWO, classes_read

CLASSES = 10


@dataclass(frozen=True)
class Device:
    """Private data of one device: images (n, d) in [0, 1], labels (n,), and the two classes that occur."""

    images: np.ndarray
    labels: np.ndarray
    classes: frozenset[int]


def neighbouring_digits(images: np.ndarray, labels: np.ndarray, per_class: int) -> list[Device]:
    """Ten devices; device k holds ``per_class`` images of digit k and as many of digit k + 1 (9 and 0 for the last).

    Raises
    ------
    ValueError
        Too few images of a digit for the two devices that hold it.
    """
    rows = [np.flatnonzero(labels == label) for label in range(CLASSES)]
    short = [label for label, found in enumerate(rows) if len(found) < TWO * per_class]
    if short:
        raise ValueError(f"digits {short} have fewer than {TWO * per_class} images; lower per_class {per_class}")
    devices = []
    for number in range(CLASSES):
        following = (number + 1) % CLASSES
        own = np.concatenate([rows[number][:per_class], rows[following][per_class : TWO * per_class]])
        devices.append(Device(images[own], labels[own], frozenset((number, following))))
    return devices


def gradient_step(model: Softmax, device: Device, rate: float) -> Softmax:
    """The update of one full-batch step: what the device sends, as a change of weights and biases."""
    error = model(device.images)
    error[np.arange(len(device.labels)), device.labels] -= 1
    error /= len(device.labels)
    return Softmax(-rate * error.T @ device.images, -rate * error.sum(0))


def devices_identified(updates: list[Softmax], devices: list[Device]) -> int:
    """Devices whose two classes the server names from the update that it attributes to them."""
    return sum(classes_read(update.bias) == device.classes for update, device in zip(updates, devices, strict=True))


def summed(updates: list[Softmax]) -> list[Softmax]:
    """What is left for the server under secure aggregation: the same sum, whichever device it asks about."""
    total = Softmax(sum(update.weight for update in updates), sum(update.bias for update in updates))
    return [total] * len(updates)


def clipped(update: Softmax, bound: float) -> Softmax:
    """The update shrunk to an L1 norm of at most ``bound``: the sensitivity that Laplace noise needs [197]."""
    if not bound > 0:
        raise ValueError(f"bound {bound} must be positive: it is the largest L1 norm of an update")
    norm = np.abs(update.weight).sum() + np.abs(update.bias).sum()
    factor = min(1.0, bound / norm) if norm > 0 else 1.0
    return Softmax(factor * update.weight, factor * update.bias)


def train(
    devices: list[Device],
    rounds: int,
    rate: float,
    *,
    bound: float | None = None,
    epsilon: float | None = None,
    copies: int = 1,
    rng: np.random.Generator | None = None,
) -> Softmax:
    """Federated gradient descent, with clipped updates and Laplace noise of scale 2 bound / epsilon if asked for.

    Two updates of norm ``bound`` differ by at most twice that, which is the sensitivity.  ``epsilon`` is what one
    device spends in one round; over the run it adds up to ``rounds * epsilon``.

    Parameters
    ----------
    copies : int
        Devices that hold each of the given data sets, each with noise of its own.

    Raises
    ------
    ValueError
        Noise is asked for without a bound or without a generator.
    """
    if epsilon is not None and (bound is None or rng is None):
        raise ValueError("Laplace noise needs the bound of an update and a random generator")
    model = Softmax(np.zeros((CLASSES, devices[0].images.shape[1])), np.zeros(CLASSES))
    for _ in range(rounds):
        updates = [gradient_step(model, device, rate) for device in devices]
        updates = updates if bound is None else [clipped(update, bound) for update in updates]
        step = Softmax(*(np.mean([getattr(update, part) for update in updates], axis=0) for part in ("weight", "bias")))
        if epsilon is not None:
            step = noisy_mean(step, 2 * bound / epsilon, copies * len(devices), rng)
        model = Softmax(model.weight + step.weight, model.bias + step.bias)
    return model


def noisy_mean(mean: Softmax, scale: float, devices: int, rng: np.random.Generator) -> Softmax:
    """A mean to which each of ``devices`` has added Laplace noise of the given scale on every number.

    The sum of n Laplace variables is the difference of two Gamma variables of shape n: drawn at once, whatever n is.
    """

    def noise(shape: tuple[int, ...]) -> np.ndarray:
        return (rng.gamma(devices, scale, shape) - rng.gamma(devices, scale, shape)) / devices

    return Softmax(mean.weight + noise(mean.weight.shape), mean.bias + noise(mean.bias.shape))


def modular_sum(updates: list[Softmax], fraction_bits: int = 20, bits: int = 32) -> np.ndarray:
    """Sum of the weights as secure aggregation computes it: fixed point, modulo a power of two, shape (classes, d).

    Raises
    ------
    ValueError
        The sum could wrap around.
    """
    fixed = [np.round(update.weight * 2**fraction_bits).astype(np.int64) for update in updates]
    largest = max(np.abs(numbers).max() for numbers in fixed)
    if largest * len(updates) >= 2 ** (bits - 1):
        raise ValueError(f"{len(updates)} numbers of up to {largest} wrap around at 2^{bits}; use fewer fraction bits")
    wrapped = np.mod(sum(np.mod(numbers, 2**bits) for numbers in fixed), 2**bits)
    return np.where(wrapped < 2 ** (bits - 1), wrapped, wrapped - 2**bits) / 2**fraction_bits
