"""The chapter's runs: learning on the air under noise, truncation and unequal paths; selections in random cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgedl_lib.training.communication.over_the_air import beamforming
from edgedl_lib.training.communication.over_the_air.aggregation import Air, OverTheAir
from edgedl_lib.training.communication.over_the_air.inversion import rayleigh
from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.lockstep import accuracy_side_by_side
from edgedl_lib.training.models import perceptron
from edgedl_lib.training.partition import shards
from edgedl_lib.training.task import Task

DEVICES, ROUNDS = 20, 60
TRAINING = LocalTraining(learning_rate=0.1, epochs=1, batch_size=10)
CELL_DEVICES, ANTENNAS, GAMMA = 12, 4, 0.5


def decibel(value: float) -> float:
    """A ratio in dB as a plain ratio."""
    return 10 ** (value / 10)


def air_task(seed: int) -> Task:
    """Digits on twenty devices of two classes each."""
    train, test = digits_pool(seed)
    data = federated(train, test, shards(train.targets.numpy(), DEVICES, seed), classes=10, name="digits")
    return Task("over the air", data, partial(perceptron, 64, 32, 10), TRAINING, seed=seed)


def path_gains(seed: int, exponent: float = 3.0) -> tuple[float, ...]:
    """Mean power gains of devices spread evenly over a disc (none closer than a tenth of it), of mean one."""
    distance = np.sqrt(np.random.default_rng([seed, 3]).uniform(0.01, 1, DEVICES))
    gains = distance**-exponent
    return tuple((gains / gains.mean()).tolist())


def final_accuracies(airs: Sequence[Air], seeds: Sequence[int], rounds: int = ROUNDS, last: int = 5) -> np.ndarray:
    """Mean accuracy of the last rounds for every air and seed, shape (airs, seeds)."""
    runs = [
        (air_task(seed), OverTheAir(air=_placed(air, seed), clients_per_round=DEVICES, seed=seed))
        for air in airs
        for seed in seeds
    ]
    return accuracy_side_by_side(runs, rounds)[:, -last:].mean(-1).reshape(len(airs), len(seeds))


def _placed(air: Air, seed: int) -> Air:
    """Without inversion the devices' distances matter; with it they do not."""
    if air.inverts:
        return air
    return Air(air.snr, air.threshold, air.sub_channels, False, path_gains(seed))


@dataclass(frozen=True)
class Selection:
    """How many devices each method takes in one cell, and whether a larger set exists than the first method's."""

    difference_of_convex: int
    relaxed: int
    strongest: int
    optimal: bool


def select(seed: int, cell: int, gamma: float = GAMMA) -> Selection:
    """All methods in one random cell, at the same error."""
    rng = np.random.default_rng([seed, cell, 214])
    channels = rayleigh((CELL_DEVICES, ANTENNAS), rng)
    chosen = len(beamforming.ky_fan_selection(channels, gamma, rng))
    relaxed = len(beamforming.relaxed_selection(channels, gamma, rng))
    order = beamforming.strongest_first(channels)
    strongest = len(beamforming.prefix_selection(order, channels, gamma, rng))
    better = beamforming.larger_feasible_set(channels, gamma, chosen + 1, rng)
    return Selection(chosen, relaxed, strongest, better is None)


def superposition_error(seed: int, antennas: int = 6, devices: int = 20, entries: int = 50) -> float:
    """Largest deviation of the superposed zero-forced signals from the weighted sum, over the largest entry.

    Without noise, and with weights (samples of a device) from 10 to 100.
    """
    rng = np.random.default_rng([seed, 6])
    channels, messages = rayleigh((devices, antennas), rng), rng.normal(size=(devices, entries))
    weights = rng.integers(10, 101, devices).astype(float)
    beam, _ = beamforming.best_beam(channels, rng)
    scalars = beamforming.zero_forcing(channels, beam, weights)
    received = ((channels @ beam.conj()) * scalars) @ messages
    wanted = weights @ messages
    return float(np.abs(received - wanted).max() / np.abs(wanted).max())
