"""Which neurons a straggler trains in a cycle: those that matter most, and those that have waited longest."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.resources.elfish.volume import active_neurons
from edgedl_lib.training.resources.perceptron import Layers


class Rotation:
    """The masks of one device, cycle after cycle.

    Parameters
    ----------
    neurons : int
        Of the hidden layer.
    volume : float
        Share that is trained in a cycle.
    kept : float
        Share of the neurons that is chosen by contribution; the rest of the volume goes by age.
    rotate : bool
        False trains the first mask for ever.
    """

    def __init__(
        self, neurons: int, volume: float, rng: np.random.Generator, *, kept: float = 0.0, rotate: bool = True
    ):
        if not 0 <= kept <= volume:
            raise ValueError(f"kept {kept} must lie between 0 and the volume {volume}")
        self.count, self.kept, self.rotate = active_neurons(neurons, volume), int(kept * neurons), rotate
        self.ages = np.zeros(neurons, dtype=int)  # cycles since it was last trained
        self.order = rng.permutation(neurons)  # of neurons of the same age
        self.mask: np.ndarray | None = None

    def next_mask(self, contribution: np.ndarray) -> np.ndarray:
        """Booleans, shape (neurons,): the neurons of the coming cycle."""
        if self.rotate or self.mask is None:
            self.mask = self._choose(contribution)
        self.ages = np.where(self.mask, 0, self.ages + 1)
        return self.mask

    def _choose(self, contribution: np.ndarray) -> np.ndarray:
        mask = np.zeros(len(self.ages), dtype=bool)
        mask[np.argsort(-contribution, kind="stable")[: self.kept]] = True
        waiting = self.order[~mask[self.order]]
        oldest = waiting[np.argsort(-self.ages[waiting], kind="stable")]
        mask[oldest[: self.count - self.kept]] = True
        return mask


def contribution(layers: Layers) -> np.ndarray:
    """Size of what each hidden neuron receives times what it gives on, both in the sum of absolute weights."""
    first, _, second, _ = layers
    return np.abs(first).sum(1) * np.abs(second).sum(0)


def cycles_to_cover(rotation: Rotation, contributions: np.ndarray, most: int = 1000) -> int:
    """Cycles until every neuron has been trained once; the contributions stay as they are.

    Raises
    ------
    ValueError
        A neuron is still untouched after that many cycles.
    """
    trained = np.zeros(len(rotation.ages), dtype=bool)
    for cycle in range(1, most + 1):
        trained |= rotation.next_mask(contributions)
        if trained.all():
            return cycle
    raise ValueError(f"{int((~trained).sum())} neurons are never trained; rotate the mask")
