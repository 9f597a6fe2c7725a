"""One cell of users and resource blocks: rates, delays, energies and lost packets of every pair [220].

The constants are those of the authors' program (mzchen0/Wireless-FL); Rayleigh fading and the power step, which it
leaves out, are those of the paper.  The program counts a model in megabits where its energy formula needs bits, so that
computing costs next to nothing; with bits no user could keep the energy limit, and we follow the program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.wireless import bit_rate, packet_error

MEGABIT = 1e6
MODEL_BITS = 39_760 * 16
UPLINK, DOWNLINK = 1e6, 20e6  # Hz
NOISE = 1e-14  # W, of a block
MAXIMUM_POWER, STATION_POWER = 0.01, 1.0  # W
DOWNLINK_INTERFERENCE = 0.06 * 3e-6  # W
INTERFERENCE = (0.01e-6, 0.11e-6)  # W, of the quietest and the loudest block
WATERFALL = 1.08
DELAY_LIMIT, ENERGY_LIMIT = 0.5, 3e-3  # s, J
COMPUTING_ENERGY = 1e-27 * 40 * 1e9**2 * MODEL_BITS / MEGABIT  # J
RADIUS = 500.0  # m
CLOSEST = 1.0  # m
BISECTIONS = 60


@dataclass(frozen=True)
class Pairs:
    """Every user on every block.

    Attributes
    ----------
    power : ndarray, shape (users, blocks)
        The largest that keeps the energy limit, watts.
    error : ndarray, shape (users, blocks)
        Packet error rate at that power.
    feasible : ndarray of bool, shape (users, blocks)
        Whether delay and energy hold.
    samples : ndarray, shape (users,)
    """

    power: np.ndarray
    error: np.ndarray
    feasible: np.ndarray
    samples: np.ndarray


def draw_distances(users: int, rng: np.random.Generator) -> np.ndarray:
    """Metres from the station, uniform in the radius (not in the area), as the program draws them."""
    return rng.uniform(CLOSEST, RADIUS, users)


def draw_samples(users: int, rng: np.random.Generator) -> np.ndarray:
    """Samples of each user: 100 to 600 in hundreds."""
    return 100 * rng.integers(1, 7, users)


def pairs(distance: np.ndarray, samples: np.ndarray, blocks: int, rng: np.random.Generator) -> Pairs:
    """Powers, errors and feasibility for freshly drawn fading.

    Parameters
    ----------
    distance : ndarray, shape (users,)
        Metres.
    samples : ndarray, shape (users,)
    blocks : int
        Resource blocks, with interference from the quietest to the loudest in equal steps.
    """
    if blocks < 1:
        raise ValueError(f"{blocks} resource blocks carry nothing; give at least one")
    gain = (rng.exponential(size=len(distance)) * distance**-2.0)[:, None]
    disturbance = (np.linspace(*INTERFERENCE, blocks) + NOISE)[None]
    power = energy_limited_power(gain, disturbance)
    upload = MODEL_BITS / bit_rate(UPLINK, power, gain, disturbance)
    download = MODEL_BITS / bit_rate(DOWNLINK, STATION_POWER, gain, DOWNLINK_INTERFERENCE + NOISE)
    in_time = upload + download <= DELAY_LIMIT
    within_energy = upload_energy(power, gain, disturbance) <= ENERGY_LIMIT * (1 + 1e-9)
    error = packet_error(power, gain, disturbance, WATERFALL)
    return Pairs(power, error, in_time & within_energy, np.asarray(samples))


def upload_energy(power: np.ndarray, gain: np.ndarray, disturbance: np.ndarray) -> np.ndarray:
    """Joules of computing and uploading at a power (W)."""
    return COMPUTING_ENERGY + power * MODEL_BITS / bit_rate(UPLINK, power, gain, disturbance)


def energy_limited_power(gain: np.ndarray, disturbance: np.ndarray) -> np.ndarray:
    """The smaller of the largest power and the one that spends the energy limit exactly, by bisection.

    An upload's energy grows with its power, since the rate grows only with the logarithm; where even the smallest power
    breaks the limit the pair is infeasible and the bisection ends near zero.
    """
    low = np.full(np.broadcast_shapes(gain.shape, disturbance.shape), 1e-9)
    high = np.full(low.shape, MAXIMUM_POWER)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        fits = upload_energy(middle, gain, disturbance) <= ENERGY_LIMIT
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    full = upload_energy(np.full(low.shape, MAXIMUM_POWER), gain, disturbance) <= ENERGY_LIMIT
    return np.where(full, MAXIMUM_POWER, low)
