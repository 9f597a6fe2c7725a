"""The chapter's runs of model inversion: one classifier under several defences, and updates one by one or summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.inversion import attack, protection, scores, updates

CLASSES = 10
ROUNDING = (0.0, 0.001, 0.01, 0.05, 0.1)  # 0 stands for confidences in full
SMALL_STEP, LARGE_STEP = 0.01, 0.3  # change of one pixel, of a range of 1


@dataclass(frozen=True)
class Outcome:
    """One attack on all classes, scored.

    Attributes
    ----------
    inversion : Inversion
    recovered : ndarray of bool, shape (classes,)
    resemblance : float
        Mean correlation of a reconstruction with its class's mean image.
    """

    inversion: attack.Inversion
    recovered: np.ndarray
    resemblance: float

    @property
    def hits(self) -> int:
        """Classes recovered."""
        return int(self.recovered.sum())


def white_box(model: protection.Softmax, means: np.ndarray) -> Outcome:
    """The attack of somebody who holds the weights."""
    return _scored(attack.invert(model, model.gradient, np.arange(len(means)), means.shape[1]), means)


def black_box(released, means: np.ndarray, step: float) -> Outcome:
    """The attack of somebody who may ask for confidences as they are released, with steps of ``step`` in one pixel."""
    slope = attack.FiniteDifferences(released, step)
    return _scored(attack.invert(released, slope, np.arange(len(means)), means.shape[1]), means)


def rounding_study(model: protection.Softmax, means: np.ndarray, step: float) -> list[Outcome]:
    """The black-box attack for every rounding of :data:`ROUNDING`."""
    released = [protection.rounded(model, rounding) if rounding else model for rounding in ROUNDING]
    return [black_box(classifier, means, step) for classifier in released]


def protective_rounding(outcomes: Sequence[Outcome], most: int = 2) -> float:
    """The smallest rounding from which no attack of the list recovers more than ``most`` classes; inf if none."""
    fails = [number for number, outcome in enumerate(outcomes) if outcome.hits > most]
    first = max(fails, default=-1) + 1
    return ROUNDING[first] if first < len(ROUNDING) else float("inf")


def random_images(means: np.ndarray, rng: np.random.Generator) -> float:
    """Mean correlation of uniform noise with the classes' mean images: what no attack at all would score."""
    noise = rng.uniform(size=means.shape)
    return float(np.diag(scores.correlations(noise, means)).mean())


@dataclass(frozen=True)
class Curious:
    """What a curious server names from one round: devices right, of their own updates and of the secure sum."""

    from_updates: int
    from_sum: int


def curious_server(devices: list[updates.Device], rounds: int, rate: float) -> Curious:
    """The server looks at the round after ``rounds`` rounds of training."""
    model = updates.train(devices, rounds, rate)
    sent = [updates.gradient_step(model, device, rate) for device in devices]
    return Curious(updates.devices_identified(sent, devices), updates.devices_identified(updates.summed(sent), devices))


def _scored(inversion: attack.Inversion, means: np.ndarray) -> Outcome:
    labels = np.arange(len(means))
    resemblance = np.diag(scores.correlations(inversion.images, means)).mean()
    return Outcome(inversion, scores.recovered(inversion.images, labels, means), float(resemblance))
