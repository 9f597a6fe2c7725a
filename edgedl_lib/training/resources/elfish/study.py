"""Four devices, two of them slow: five ways to live with it, on the simulated clock.

The stragglers hold what the others lack, otherwise dropping them would cost nothing.  All devices of a round are
trained at once on a leading axis, with the batches that the engine would draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.training.clock import ClientClock, play_round
from edgedl_lib.training.data import digits_pool
from edgedl_lib.training.local import LocalTraining, batches
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.elfish.masks import Rotation, contribution
from edgedl_lib.training.resources.elfish.merging import merge
from edgedl_lib.training.resources.elfish.volume import cost_share
from edgedl_lib.training.resources.perceptron import Layers

WIDTHS = (64, 64, 10)
TRAINING = LocalTraining(learning_rate=0.1, epochs=1, batch_size=10)
TARGET = 0.85
UNITS = 60.0  # of time; a whole cycle takes a fast device one


@dataclass(frozen=True)
class Fleet:
    """Data and clocks of K devices.

    Attributes
    ----------
    inputs, labels : ndarray, shape (K, n, 64) and (K, n)
    test_inputs, test_labels : ndarray
    cycle_times : tuple of float
        Units that a whole cycle takes each device.
    """

    inputs: np.ndarray
    labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    cycle_times: tuple[float, ...]
    seed: int

    @property
    def clocks(self) -> list[ClientClock]:
        """One clock per device; a step is a whole cycle."""
        return [ClientClock(each) for each in self.cycle_times]

    def accuracy(self, layers: Layers) -> float:
        """On the common test set, in [0, 1]."""
        return float(perceptron.accuracy(layers, self.test_inputs, self.test_labels))


def fleet(seed: int, skew: float = 0.85, slowness: float = 2.0) -> Fleet:
    """Digits for two fast and two slow devices; `skew` of a device's samples come from its own half of the classes."""
    train, test = digits_pool(seed)
    labels = train.targets.numpy()
    order = np.random.default_rng([seed, 5]).permutation(len(labels))
    low, high = (order[(labels[order] < 5) == first] for first in (True, False))
    size = min(len(low), len(high)) // 2  # of each device
    major = round(skew * size)
    minor = size - major
    rows = [np.concatenate([low[k * major :][:major], high[2 * major + k * minor :][:minor]]) for k in range(2)]
    rows += [np.concatenate([high[k * major :][:major], low[2 * major + k * minor :][:minor]]) for k in range(2)]
    chosen = np.stack(rows)
    return Fleet(
        train.inputs.numpy()[chosen],
        labels[chosen],
        test.inputs.numpy(),
        test.targets.numpy(),
        (1.0, 1.0, slowness, slowness),
        seed,
    )


@dataclass(frozen=True)
class Curve:
    """Accuracy over simulated time: units and shares, shape (rounds + 1,) each."""

    times: np.ndarray
    accuracy: np.ndarray

    @property
    def final(self) -> float:
        """Mean accuracy over the last ten units: a model that swings from round to round has no last value."""
        return float(self.accuracy[self.times > self.times[-1] - 10].mean())

    def time_to(self, target: float = TARGET) -> float:
        """Units until the running maximum crosses the target, interpolated; infinity if it never does."""
        best = np.maximum.accumulate(self.accuracy)
        if best[-1] < target:
            return float("inf")
        after = int(np.argmax(best >= target))
        if after == 0:
            return 0.0
        share = (target - best[after - 1]) / (best[after] - best[after - 1])
        return float(self.times[after - 1] + share * (self.times[after] - self.times[after - 1]))


@dataclass(frozen=True)
class Scheme:
    """How a synchronous round is lived with.

    Attributes
    ----------
    volume : float
        Share of the neurons that the slow devices train.
    members : tuple of int
        Devices that take part.
    rotate : bool
        Whether the masks move.
    rescale : bool
        Whether active neurons are scaled by 1/P while training, as with dropout.
    by_neuron : bool
        Whether each neuron is averaged over those who trained it; otherwise untouched copies count as well.
    by_share : bool
        Whether a device's weight is also multiplied by the share of the model that it trained.
    """

    volume: float = 1.0
    members: tuple[int, ...] = (0, 1, 2, 3)
    rotate: bool = True
    kept: float = 0.0
    rescale: bool = True
    by_neuron: bool = True
    by_share: bool = False


SYNCHRONOUS = Scheme()
DROPPED = Scheme(members=(0, 1))
SOFT = Scheme(volume=0.5)
FIXED_MASK = replace(SOFT, rotate=False)


def train_rounds(data: Fleet, scheme: Scheme, units: float = UNITS, training: LocalTraining = TRAINING) -> Curve:
    """Synchronous rounds until that time: each lasts as long as its slowest member needs for its own volume."""
    members = list(scheme.members)
    slow = np.array([data.cycle_times[each] > 1 for each in members])
    volumes = np.where(slow, scheme.volume, 1.0)
    work = [cost_share(WIDTHS, each) for each in volumes]
    length = play_round([data.clocks[each] for each in members], work).duration
    rotations = [
        Rotation(WIDTHS[1], volume, np.random.default_rng([data.seed, each, 7]), kept=scheme.kept, rotate=scheme.rotate)
        for each, volume in zip(members, volumes, strict=True)
    ]
    layers = perceptron.initial_layers(WIDTHS, data.seed)
    scores = [data.accuracy(layers)]
    for number in range(1, int(units / length + 1e-9) + 1):
        layers = one_round(data, scheme, layers, rotations, number, training)
        scores.append(data.accuracy(layers))
    return Curve(length * np.arange(len(scores)), np.array(scores))


def one_round(
    data: Fleet, scheme: Scheme, layers: Layers, rotations: Sequence[Rotation], number: int, training: LocalTraining
) -> Layers:
    """Mask, train, merge."""
    size = contribution(layers)
    masks = np.stack([rotation.next_mask(size) for rotation in rotations])  # (K, h)
    trained = masks.mean(1)
    gates = masks / (trained[:, None] if scheme.rescale else 1)
    starts = perceptron.repeated(layers, len(masks))
    models = train_devices(data, scheme.members, starts, number, training, gates.astype(np.float32))
    counted = masks if scheme.by_neuron else np.ones_like(masks)
    return merge(layers, models, counted, data.labels.shape[1] * (trained if scheme.by_share else np.ones(len(masks))))


def train_devices(
    data: Fleet,
    members: Sequence[int],
    models: Layers,
    number: int,
    training: LocalTraining = TRAINING,
    gates: np.ndarray | None = None,
) -> Layers:
    """Local training of several devices at once, from their own models, in round `number`."""
    members = list(members)
    inputs, labels = data.inputs[members], data.labels[members]
    one_hot = np.eye(WIDTHS[-1], dtype=np.float32)
    plans = [
        list(batches(labels.shape[1], training, np.random.default_rng([data.seed, number, each]))) for each in members
    ]
    device = np.arange(len(members))[:, None]
    for rows in zip(*plans, strict=True):
        chosen = np.stack(rows)  # (K, B)
        slopes = perceptron.gradient(models, inputs[device, chosen], one_hot[labels[device, chosen]], gates)
        models = perceptron.descend(models, slopes, training.learning_rate)
    return models


def train_stale(data: Fleet, units: int = int(UNITS)) -> Curve:
    """Asynchronous: a round is a unit, and what the slow devices began a round earlier comes in when it is done."""
    layers = perceptron.initial_layers(WIDTHS, data.seed)
    scores, pending, late = [data.accuracy(layers)], None, int(max(data.cycle_times))
    for now in range(1, units + 1):
        if pending is None:
            pending = train_devices(data, (2, 3), perceptron.repeated(layers, 2), now), now + late - 1
        fresh = train_devices(data, (0, 1), perceptron.repeated(layers, 2), now)
        if now == pending[1]:
            fresh = tuple(np.concatenate(pair) for pair in zip(fresh, pending[0], strict=True))
            pending = None
        layers = tuple(each.mean(0) for each in fresh)
        scores.append(data.accuracy(layers))
    return Curve(np.arange(units + 1.0), np.array(scores))


def all_schemes(data: Fleet) -> dict[str, Curve]:
    """Accuracy over time of all five."""
    curves = {
        name: train_rounds(data, scheme)
        for name, scheme in (
            ("synchronous", SYNCHRONOUS),
            ("stragglers dropped", DROPPED),
            ("fixed mask", FIXED_MASK),
            ("soft training", SOFT),
        )
    }
    return curves | {"stale by a round": train_stale(data)}


def coverage(volumes: Sequence[float], neurons: int = WIDTHS[1], rotate: bool = True) -> float:
    """Share of the neurons trained within ceil(1/P) cycles, the least over the volumes."""
    shares = []
    for volume in volumes:
        rotation = Rotation(neurons, volume, np.random.default_rng(0), rotate=rotate)
        masks = [rotation.next_mask(np.zeros(neurons)) for _ in range(int(np.ceil(1 / volume - 1e-9)))]
        shares.append(np.any(masks, axis=0).mean())
    return float(min(shares))
