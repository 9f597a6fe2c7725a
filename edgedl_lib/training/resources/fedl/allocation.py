"""The three subproblems of FEDL in closed form: clocks, time slots, local accuracy [219].

Of a round's cost ``sum of energies + kappa * time`` the computing part depends on the clocks alone (SUB1), the sending
part on the slots alone (SUB2), and how often both are paid on the accuracy to which clients solve their local problem
(SUB3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import lambertw

from edgedl_lib.training.resources.fedl.cell import FedlCell
from edgedl_lib.training.wireless import computing_energy, computing_time


@dataclass(frozen=True)
class Allocation:
    """What one weight ``kappa`` leads to.

    Attributes
    ----------
    clock, slot : ndarray, shape (n,)
        Hertz and seconds.
    computing_time, computing_energy, sending_time, sending_energy : float
        Of one local pass and of one upload, seconds and joules.
    local_accuracy : float
        theta: the share to which a client brings down its surrogate's gradient.
    kappa : float
        Joules that a second is worth.
    """

    clock: np.ndarray
    slot: np.ndarray
    computing_time: float
    computing_energy: float
    sending_time: float
    sending_energy: float
    local_accuracy: float
    kappa: float

    @property
    def rounds(self) -> float:
        """Global rounds, 1 / (1 - theta), up to a factor that is the same for all."""
        return 1 / (1 - self.local_accuracy)

    @property
    def passes(self) -> float:
        """Local passes in a round, -ln theta."""
        return -np.log(self.local_accuracy)

    @property
    def energy(self) -> float:
        """Joules of the whole training."""
        return self.rounds * (self.sending_energy + self.passes * self.computing_energy)

    @property
    def time(self) -> float:
        """Seconds of the whole training."""
        return self.rounds * (self.sending_time + self.passes * self.computing_time)

    @property
    def cost(self) -> float:
        """The objective: energy + kappa * time."""
        return self.energy + self.kappa * self.time


def allocate(cell: FedlCell, kappa: float) -> Allocation:
    """The cheapest clocks, slots and local accuracy.

    Raises
    ------
    ValueError
        A weight that is not positive.
    """
    if not (np.isfinite(kappa) and kappa > 0):
        raise ValueError(f"kappa {kappa} must be positive: it is what a second is worth, in joules")
    clock, slot = optimal_clock(cell, kappa), optimal_slot(cell, kappa)
    parts = {
        "computing_time": float(computing_time(cell.cycles, clock).max()),
        "computing_energy": float(computing_energy(cell.cycles, clock, cell.capacitance).sum()),
        "sending_time": float(slot.sum()),
        "sending_energy": float((slot * cell.power(slot)).sum()),
    }
    computing = parts["computing_energy"] + kappa * parts["computing_time"]
    sending = parts["sending_energy"] + kappa * parts["sending_time"]
    return Allocation(clock, slot, **parts, local_accuracy=optimal_accuracy(computing, sending), kappa=kappa)


def optimal_clock(cell: FedlCell, kappa: float) -> np.ndarray:
    """SUB1: everybody just in time for the slowest, and the slowest as fast as a second is worth.

    The common time T has the slope ``kappa - sum alpha (c D)^3 / T^3``, the sum over the devices that still slow down
    with T, because they do not rest at their smallest clock yet.  The slope rises with T: its root, a kink where a
    device comes to rest, or the limit of the bottleneck device.
    """
    bottleneck = (cell.cycles / cell.maximum_clock).max()
    rests = np.sort(cell.cycles / cell.minimum_clock)
    cubes = cell.capacitance * np.sort(cell.cycles) ** 3
    time = bottleneck
    for number, rest in enumerate(rests):
        if rest <= bottleneck:
            continue
        root = (cubes[number:].sum() / kappa) ** (1 / 3)
        time = max(time, min(root, rest))
        if root <= rest:
            break
    return np.clip(cell.cycles / time, cell.minimum_clock, cell.maximum_clock)


def optimal_slot(cell: FedlCell, kappa: float) -> np.ndarray:
    """SUB2: ``(s / B) / (1 + W((kappa h / N0 - 1) / e))``, within the limits of the power."""
    lambert = lambertw((kappa / cell.noise_over_gain - 1) / np.e).real
    shortest, longest = cell.slot_limits
    with np.errstate(divide="ignore"):
        return np.clip(cell.nats / cell.bandwidth / (1 + lambert), shortest, longest)


def optimal_accuracy(computing: float, sending: float) -> float:
    """SUB3 of the conference version: the root of ``ln theta + 1 / theta = 1 / eta``, eta the share of computing.

    In closed form ``theta = -1 / W_{-1}(-exp(-1 / eta))``.  The dearer sending is, the more exactly a client computes.
    """
    inverse = (computing + sending) / computing
    if inverse > 700:  # exp would underflow; u - ln u = 1 / eta by iteration
        root = inverse
        for _ in range(50):
            root = inverse + np.log(root)
        return float(1 / root)
    return float(-1 / lambertw(-np.exp(-inverse), -1).real)


def progress(local_accuracy: float, rate: float, condition: float) -> float:
    """Theta of the journal's theorem (recalled): by which share a round shrinks the gap; negative where it does not.

    Parameters
    ----------
    local_accuracy, rate, condition : float
        theta, the hyper-learning rate eta, and rho = L / beta.
    """
    theta, eta, square = local_accuracy, rate, condition**2
    gain = 2 * (theta - 1) ** 2 - (theta + 1) * theta * (3 * eta + 2) * square - (theta + 1) * eta * square
    return eta * gain / (2 * condition * ((1 + theta) ** 2 * eta**2 * square + 1))


@dataclass(frozen=True)
class JournalOptimum:
    """SUB3 of the journal's version: local accuracy, hyper-learning rate, and the progress of a round."""

    local_accuracy: float
    rate: float
    progress: float


def journal_accuracy(allocation: Allocation, condition: float) -> JournalOptimum:
    """Minimise ``1 / Theta * [sending + K_l * computing]`` over theta and eta, ``K_l = 2 rho ln(rho / theta)``.

    The constants gamma = 1 / rho and C = rho of K_l are our reading: the paper leaves them open.
    """
    computing = allocation.computing_energy + allocation.kappa * allocation.computing_time
    sending = allocation.sending_energy + allocation.kappa * allocation.sending_time

    def cost(logarithms: np.ndarray) -> float:
        theta, eta = np.exp(logarithms)
        gain = progress(theta, eta, condition)
        if theta >= 1 or gain <= 0:
            return 1e9
        return (sending + 2 * condition * np.log(condition / theta) * computing) / gain

    grid = [(np.log(theta), np.log(eta)) for theta in np.geomspace(1e-4, 0.3, 40) for eta in np.geomspace(1e-3, 1, 40)]
    best = minimize(cost, min(grid, key=cost), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    theta, eta = (float(value) for value in np.exp(best.x))
    return JournalOptimum(theta, eta, progress(theta, eta, condition))
