"""Learning with a chain and with a server, either of which may hand out a wrong aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.blockchain import chain
from edgedl_lib.training.security.blockchain.regression import FEATURES, Samples, least_squares, svrg
from edgedl_lib.training.security.blockchain.setting import Setting

FAULT_PROBABILITY = 0.5  # the letter's
NOISE = 0.1  # standard deviation of what a fault adds to each weight


@dataclass(frozen=True)
class Training:
    """Result of a run.

    Attributes
    ----------
    errors : numpy.ndarray, shape (E, D)
        Distance of each device's weights from the least-squares solution after each epoch.
    weights : numpy.ndarray, shape (D, d)
    blocks : tuple of Block
        Empty with a server.
    """

    errors: np.ndarray
    weights: np.ndarray
    blocks: tuple[chain.Block, ...] = ()

    def median_error(self, last: int = 10) -> float:
        """Error of the median device, mean over the last epochs."""
        return float(np.median(self.errors[-last:], axis=1).mean())


def local_updates(
    setting: Setting, devices: Sequence[Samples], weights: np.ndarray, gradients: np.ndarray, seed: Sequence[int]
) -> tuple[chain.Update, ...]:
    """Updates that reach a miner in time; each device starts from its own copy of the global weights."""
    updates = []
    for number in np.flatnonzero(setting.in_time).tolist():
        samples, generator = devices[number], np.random.default_rng([*seed, number])
        trained = svrg(samples, weights[number], gradients[number], generator)
        gradient = samples.gradient(trained)
        seconds = float(setting.local_seconds[number])
        updates.append(chain.Update(number, len(samples.targets), seconds, trained.tobytes(), gradient.tobytes()))
    return tuple(updates)


def combine(updates: Sequence[chain.Update]) -> tuple[np.ndarray, np.ndarray]:
    """Global weights and mean gradient, from the updates in a block: ``sum N_i w_i / N_S``, on every device."""
    samples = np.array([update.samples for update in updates])
    weights = np.stack([np.frombuffer(update.weights) for update in updates])
    gradient = np.stack([np.frombuffer(update.gradient) for update in updates])
    return samples @ weights / samples.sum(), gradient.sum(axis=0) / samples.sum()


def train_with_server(
    setting: Setting,
    devices: Sequence[Samples],
    epochs: int,
    seed: int,
    fault_probability: float = FAULT_PROBABILITY,
    noise: float = NOISE,
) -> Training:
    """Every device gets the server's aggregate, noise included."""
    state, solution, errors = _start(devices), least_squares(devices), []
    faults = np.random.default_rng([seed, 1])
    for epoch in range(epochs):
        updates = local_updates(setting, devices, *state, (seed, epoch))
        weights, gradient = combine(updates)
        wrong = noise * faults.normal(size=FEATURES) * (faults.random() < fault_probability)
        state = _for_all(weights + wrong, gradient, len(devices))
        errors.append(np.linalg.norm(state[0] - solution, axis=1))
    return Training(np.array(errors), state[0])


def train_with_chain(
    setting: Setting,
    devices: Sequence[Samples],
    epochs: int,
    seed: int,
    faulty_miners: Sequence[int] = (0,),
    *,
    verifying: bool = False,
    fault_probability: float = FAULT_PROBABILITY,
    noise: float = NOISE,
) -> Training:
    """Every device aggregates by itself what stands in the block that its miner hands out.

    Device ``i`` belongs to miner ``i % miners``.  A verifying device refuses a block that does not fit its digest and
    takes it from another miner.
    """
    state, solution, errors, blocks = _start(devices), least_squares(devices), [], []
    faults = np.random.default_rng([seed, 1])
    for epoch in range(epochs):
        updates = local_updates(setting, devices, *state, (seed, epoch))
        previous = blocks[-1].digest if blocks else chain.GENESIS
        blocks.append(chain.mine(previous, epoch % setting.miners, updates))
        served = _serve(blocks[-1], setting.miners, faulty_miners, fault_probability, noise, faults)
        copies = [_taken(served[number % setting.miners], blocks[-1], verifying) for number in range(len(devices))]
        state = tuple(np.stack(part) for part in zip(*(combine(copy.updates) for copy in copies), strict=True))
        errors.append(np.linalg.norm(state[0] - solution, axis=1))
    return Training(np.array(errors), state[0], tuple(blocks))


def _start(devices: Sequence[Samples]) -> tuple[np.ndarray, np.ndarray]:
    """Zero weights, and the mean gradient there."""
    zero = np.zeros(FEATURES)
    count = sum(len(device.targets) for device in devices)
    return _for_all(zero, sum(device.gradient(zero) for device in devices) / count, len(devices))


def _for_all(weights: np.ndarray, gradient: np.ndarray, devices: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(weights, (devices, 1)), np.tile(gradient, (devices, 1))


def _serve(block, miners, faulty_miners, probability, noise, generator) -> list[chain.Block]:
    """The block as each miner hands it out; the draws do not depend on who is faulty."""
    failing, drawn = generator.random(miners) < probability, noise * generator.normal(size=(miners, FEATURES))
    return [
        chain.add_noise(block, drawn[miner]) if miner in faulty_miners and failing[miner] else block
        for miner in range(miners)
    ]


def _taken(served: chain.Block, honest: chain.Block, verifying: bool) -> chain.Block:
    """What the device uses: a refused block is fetched again, from a miner whose copy is sound."""
    return honest if verifying and served.sealed != served.digest else served
