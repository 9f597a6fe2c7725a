"""The devices of one cell: what they compute, what they send, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from edgedl_lib.training.wireless import power_for_nats

BANDWIDTH = 1e6  # Hz
NOISE = 1e-10  # W
REFERENCE_GAIN = 1e-4  # -40 dB at one metre
PATH_EXPONENT = 4.0
CAPACITANCE = 2e-28
MINIMUM_CLOCK = 0.3e9  # Hz
NATS = 25_000.0
BITS_PER_BYTE = 8
MEAN_BYTES, MEAN_DISTANCE = 7.5e6, 26.0  # of the studies of heterogeneity


@dataclass(frozen=True)
class FedlCell:
    """Devices as arrays of shape (n,).

    Attributes
    ----------
    bits : ndarray
        Of local data, D_n.
    cycles_per_bit : ndarray
    maximum_clock : ndarray
        Hertz.
    noise_over_gain : ndarray
        N0 / h_n, watts.
    minimum_clock, capacitance, nats, bandwidth, minimum_power, maximum_power : float
        The same for all; hertz, -, nats of an update, hertz, watts.
    """

    bits: np.ndarray
    cycles_per_bit: np.ndarray
    maximum_clock: np.ndarray
    noise_over_gain: np.ndarray
    minimum_clock: float = MINIMUM_CLOCK
    capacitance: float = CAPACITANCE
    nats: float = NATS
    bandwidth: float = BANDWIDTH
    minimum_power: float = 0.2
    maximum_power: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = np.asarray(getattr(self, field.name), float)
            if not (np.isfinite(value).all() and (value > 0).all()):
                raise ValueError(f"{field.name} must be positive and finite, got {getattr(self, field.name)}")
        if (self.maximum_clock < self.minimum_clock).any() or self.maximum_power < self.minimum_power:
            raise ValueError("a device's largest clock or power lies below its smallest; swap them")

    @property
    def cycles(self) -> np.ndarray:
        """Cycles of one local pass, c_n D_n."""
        return self.cycles_per_bit * self.bits

    @property
    def slot_limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Shortest and longest time slot: at the largest and at the smallest power."""
        limits = (self.maximum_power, self.minimum_power)
        return tuple(self.nats / self.bandwidth / np.log1p(power / self.noise_over_gain) for power in limits)

    def power(self, slot: np.ndarray) -> np.ndarray:
        """Watts that send the update within the slot (s)."""
        return power_for_nats(self.nats, slot, self.bandwidth, self.noise_over_gain)


def stored_instance() -> FedlCell:
    """The five devices that the authors' program stores (nhatminh/FEDL-INFOCOM, figs/Heterogeneous)."""
    return FedlCell(
        bits=np.array([42285183.15469645, 55696563.57284338, 44570296.30513169, 54280258.95238087, 56162908.648379594]),
        cycles_per_bit=np.array([28.0, 24.0, 15.0, 17.0, 10.0]),
        maximum_clock=np.array(
            [1156872474.4088008, 1490714198.594833, 1669664435.935213, 1009746510.53431, 1710620294.277803]
        ),
        noise_over_gain=np.array(
            [5.554525706081673, 1.7677095289429257, 0.9527686139745678, 0.37525753116319077, 0.1460953347234873]
        ),
    )


def size_study(ratio: float, seed: int, devices: int = 50) -> FedlCell:
    """Equal processors near 26 m (drawn from 24 to 28), sizes evenly spaced around 7.5 MB, as in the authors' program.

    Parameters
    ----------
    ratio : float
        About the smallest size over the largest; 1 makes all sizes equal.
    """
    distance = np.random.default_rng(seed).uniform(MEAN_DISTANCE - 2, MEAN_DISTANCE + 2, devices)
    return _equal_processors(_even(MEAN_BYTES, ratio, devices), distance)


def distance_study(ratio: float, devices: int = 50) -> FedlCell:
    """Equal processors, sizes from 5 to 10 MB, distances evenly spaced around 26 m; nothing is random."""
    return _equal_processors(np.linspace(5e6, 10e6, devices), _even(MEAN_DISTANCE, ratio, devices))


def drawn_cell(seed: int, devices: int = 50, *, size_spread: float = 1.0, distance_spread: float = 1.0) -> FedlCell:
    """Equal processors under fading, sizes or distances spread and dealt out at random.

    Parameters
    ----------
    size_spread, distance_spread : float
        Smallest over largest, in (0, 1]; the mean size (7.5 MB) and the mean distance (26 m) stay the same.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.permutation(_even(MEAN_BYTES, size_spread, devices))
    distance = rng.permutation(_even(MEAN_DISTANCE, distance_spread, devices))
    return _equal_processors(sizes, np.maximum(distance, 1.0), rng.exponential(size=devices))


def _equal_processors(sizes: np.ndarray, distance: np.ndarray, fading: np.ndarray | float = 1.0) -> FedlCell:
    """Sizes in bytes, distances in metres; 20 cycles per bit, 2 GHz."""
    gain = REFERENCE_GAIN * distance**-PATH_EXPONENT * fading
    same = np.ones(len(sizes))
    return FedlCell(BITS_PER_BYTE * sizes, 20 * same, 2e9 * same, NOISE / gain)


def _even(mean: float, ratio: float, devices: int) -> np.ndarray:
    """Values around the mean at equal steps, the middle step left out twice, as the program spaces them."""
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio {ratio} must lie in (0, 1]: it is smallest over largest")
    half = devices // 2
    offsets = np.concatenate([np.arange(-half, 0), np.arange(devices % 2 == 0, devices - half + (devices % 2 == 0))])
    return mean * (1 + (1 - ratio) / (1 + ratio) * offsets / half)
