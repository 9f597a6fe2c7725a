"""Seven hexagons, their users, and how fast bits travel: the cellular network of Abad et al. 2020 [202].

The constants are recalled, not read from the paper.  Rates are those of truncated channel inversion with M-QAM.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

CLUSTERS = 7
NEAREST = 1.0  # metres: a user cannot stand inside the antenna
REUSE = ("a third each", "all, no interference", "all, with interference")


@dataclass(frozen=True)
class Cells:
    """Constants of the radio network (SI units; the exponent has none)."""

    radius: float = 750.0
    sub_carriers: int = 600
    sub_carrier_width: float = 30e3
    macro_power: float = 20.0
    small_power: float = 6.3
    user_power: float = 0.2
    exponent: float = 2.8
    noise_density: float = 10**-20.4  # -174 dBm/Hz
    bit_error: float = 1e-3

    @property
    def stations(self) -> np.ndarray:
        """Small stations: one in the middle, six around it, shape (7, 2) in metres."""
        angles = np.arange(6) * np.pi / 3
        around = 2 / 3 * self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.vstack([np.zeros((1, 2)), around])

    def users(self, seed: int, per_cluster: int = 4) -> np.ndarray:
        """Users drawn uniformly in each hexagon, shape (7, users, 2) in metres."""
        rng = np.random.default_rng(seed)
        return np.stack([station + self._in_hexagon(rng, per_cluster) for station in self.stations])

    def _in_hexagon(self, rng: np.random.Generator, count: int) -> np.ndarray:
        inner = self.radius / 3  # half the distance between two stations
        angles = np.arange(6) * np.pi / 3
        normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = rng.uniform(-2 * inner / 3**0.5, 2 * inner / 3**0.5, (40 * count + 40, 2))
        return points[(points @ normals.T <= inner).all(axis=1)][:count]

    def gain(self, users: np.ndarray, station: np.ndarray) -> np.ndarray:
        """Power that arrives for each watt sent, shape of the users without the last axis."""
        distance = np.maximum(np.linalg.norm(users - station, axis=-1), NEAREST)
        return distance**-self.exponent

    def rate(self, carriers, power_received, interference=0.0) -> np.ndarray:
        """Bit/s over so many sub-carriers that share the power received (W); interference is per sub-carrier (W)."""
        noise = self.noise_density * self.sub_carrier_width + interference
        margin = 1.5 / -np.log(5 * self.bit_error)
        return carriers * self.sub_carrier_width * np.log2(1 + margin * power_received / (carriers * noise))


def max_min_carriers(cells: Cells, received: np.ndarray, carriers: int, interference: float = 0.0) -> np.ndarray:
    """Sub-carriers of each user, shape (K,): one each, then always one more to the slowest.

    The rate grows with every sub-carrier, so this greedy rule maximises the slowest user's rate.

    Raises
    ------
    ValueError
        There are no users, or fewer sub-carriers than users.
    """
    if not 0 < len(received) <= carriers:
        raise ValueError(f"{carriers} sub-carriers cannot serve {len(received)} users; every user needs one")
    given = np.ones(len(received), dtype=int)
    rates = _rates_by_count(cells, received, carriers, interference)
    queue = [(row[1], user) for user, row in enumerate(rates)]
    heapq.heapify(queue)
    for _ in range(carriers - len(received)):
        _, user = queue[0]
        given[user] += 1
        heapq.heapreplace(queue, (rates[user][given[user]], user))
    return given


def _rates_by_count(cells: Cells, received: np.ndarray, carriers: int, interference: float) -> list[list[float]]:
    counts = np.arange(1, carriers + 1)
    table = cells.rate(counts, received[:, None], interference)
    return [[0.0, *row] for row in table.tolist()]


def uplink(cells: Cells, received: np.ndarray, carriers: int, interference: float = 0.0) -> float:
    """Bit/s of the slowest user when sub-carriers are shared out fairly."""
    given = max_min_carriers(cells, received, carriers, interference)
    return float(cells.rate(given, received, interference).min())


def downlink(cells: Cells, received: np.ndarray, carriers: int, interference=0.0) -> float:
    """Bit/s of a broadcast over all sub-carriers that the slowest user can follow."""
    return float(cells.rate(carriers, received, interference).min())
