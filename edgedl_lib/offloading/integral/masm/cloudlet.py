"""A cloudlet whose virtual machines run different algorithms for the same task: its delay, its energy, its cost.

The paper's formulas were not readable; the cost here is a reconstruction from its abstract: M/M/1 delay at each
machine, energy that grows with the square of the clock, and a radio that sends the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.system.link import bits


@dataclass(frozen=True)
class Algorithms:
    """What n algorithms for one task need and give, arrays of shape (n,).

    Attributes
    ----------
    names : tuple of str
    cycles : ndarray
        Mean work per task (cycles).
    size_bytes : ndarray
        Input per task.
    quality : ndarray
        Quality of result in [0, 1], as known when work is assigned.
    """

    names: tuple[str, ...]
    cycles: np.ndarray
    size_bytes: np.ndarray
    quality: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.cycles), len(self.size_bytes), len(self.quality)}
        if len(lengths) != 1 or not len(self.names):
            raise ValueError(f"each algorithm needs a name, cycles, bytes and a quality; got lengths {sorted(lengths)}")
        if not (np.all(np.asarray(self.cycles) > 0) and np.all(np.asarray(self.size_bytes) >= 0)):
            raise ValueError("cycles must be positive and bytes not negative: an algorithm needs some work per task")

    def __len__(self) -> int:
        return len(self.names)

    def only(self, *indices: int) -> Algorithms:
        """These algorithms alone."""
        chosen = list(indices)
        arrays = (self.cycles[chosen], self.size_bytes[chosen], self.quality[chosen])
        return Algorithms(tuple(self.names[i] for i in chosen), *arrays)


@dataclass(frozen=True)
class Cloudlet:
    """The place, the load and what counts.

    Attributes
    ----------
    arrival_rate : float
        Tasks/s (lambda).
    capacity : float
        Cycles/s of all machines together (F).
    link_rate : float
        bit/s (B).
    delay_weight : float
        theta in [0, 1]: what a second counts; a joule counts 1 - theta.
    switched_capacitance : float
        kappa in J s^2 / cycle^3: energy per cycle over the square of the clock.
    radio_power : float
        Watts while sending.
    """

    arrival_rate: float = 20.0
    capacity: float = 2e9
    link_rate: float = 2e6
    delay_weight: float = 0.5
    switched_capacitance: float = 1e-27
    radio_power: float = 1.0

    def __post_init__(self) -> None:
        for name in ("arrival_rate", "capacity", "link_rate", "switched_capacitance"):
            if not (getattr(self, name) > 0 and np.isfinite(getattr(self, name))):
                raise ValueError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not 0 <= self.delay_weight <= 1:
            raise ValueError(f"delay_weight is a share in [0, 1], not {self.delay_weight}")

    def sending(self, algorithms: Algorithms) -> np.ndarray:
        """Seconds that each algorithm's input spends on the link, (n,)."""
        return bits(algorithms.size_bytes) / self.link_rate

    def limits(self, algorithms: Algorithms, weights: np.ndarray) -> np.ndarray:
        """Capacity (cycles/s) below which a machine's line grows without end, (..., n)."""
        return weights * self.arrival_rate * algorithms.cycles

    def computing(self, algorithms: Algorithms, weights: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """Mean seconds at each machine, line included: M/M/1, infinite where the line grows without end, (..., n)."""
        spare = capacities / algorithms.cycles - weights * self.arrival_rate  # tasks/s
        return np.divide(1.0, spare, out=np.full(np.shape(spare), np.inf), where=spare > 0)

    def delay(self, algorithms: Algorithms, weights: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """Mean seconds per *task*, sending included, (...)."""
        seconds = self.sending(algorithms) + self.computing(algorithms, weights, capacities)
        return _mean(weights, seconds)

    def energy(self, algorithms: Algorithms, weights: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """Mean joules per task: ``kappa f^2 c`` of computing and the radio's, (...)."""
        computing = self.switched_capacitance * capacities**2 * algorithms.cycles
        return _mean(weights, computing + self.radio_power * self.sending(algorithms))

    def cost(self, algorithms: Algorithms, weights: np.ndarray, capacities: np.ndarray) -> np.ndarray:
        """``theta * delay + (1 - theta) * energy``, (...)."""
        theta = self.delay_weight
        energy = (1 - theta) * self.energy(algorithms, weights, capacities)
        stable = np.all((weights == 0) | (capacities > self.limits(algorithms, weights)), axis=-1)
        seconds = self.delay(algorithms, weights, capacities) if theta else 0.0
        return np.where(stable, theta * seconds + energy, np.inf)


def _mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over tasks: machines without work do not count, whatever their value."""
    return np.sum(weights * np.where(weights > 0, values, 0.0), axis=-1)
