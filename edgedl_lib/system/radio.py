"""Power of a phone's radio: the model of Huang et al. 2012 that Kang et al. 2017 [12] use for upload energy.

While it transfers, the radio draws ``alpha_u * uplink + alpha_d * downlink + beta``; after the last bit it stays awake
for a tail.  The constants are recalled from the paper, not seen: show them, do not test a result against them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.device import not_negative

SOURCE = "Huang et al., MobiSys 2012"
EVIDENCE = "memory"


@dataclass(frozen=True)
class Radio:
    """Constants of one radio technology.

    Attributes
    ----------
    technology : str
    uplink_energy_per_bit, downlink_energy_per_bit : float
        J/bit (a milliwatt per Mb/s is a nanojoule per bit).
    base_power : float
        Watts while transferring.
    tail_power, tail_time : float
        Watts and seconds after the last bit.
    """

    technology: str
    uplink_energy_per_bit: float
    downlink_energy_per_bit: float
    base_power: float
    tail_power: float
    tail_time: float


RADIOS = {
    radio.technology: radio
    for radio in (
        Radio("lte", 438.39e-9, 51.97e-9, 1.28804, tail_power=1.060, tail_time=11.576),
        Radio("3g", 868.98e-9, 122.12e-9, 0.81788, tail_power=0.601, tail_time=8.088),
        Radio("wifi", 283.17e-9, 137.01e-9, 0.13286, tail_power=0.119, tail_time=0.238),
    )
}


def radio(technology: str) -> Radio:
    """Constants of a technology: ``lte``, ``3g`` or ``wifi`` (case and hyphens do not matter).

    Raises
    ------
    ValueError
        If the technology is unknown.
    """
    key = technology.lower().replace("-", "").replace(" ", "")
    if key not in RADIOS:
        raise ValueError(f"radio technology {technology!r} is unknown: use one of {', '.join(RADIOS)}")
    return RADIOS[key]


def radio_power(
    technology: str, uplink_bit_per_s: ArrayLike, downlink_bit_per_s: ArrayLike = 0.0
) -> np.ndarray | float:
    """Power (W) of a radio that transfers at the given rates.

    Parameters
    ----------
    technology : str
        ``lte``, ``3g`` or ``wifi``.
    uplink_bit_per_s, downlink_bit_per_s : array_like
        bit/s; shapes broadcast.

    Returns
    -------
    numpy.ndarray or float
        Watts.

    Raises
    ------
    ValueError
        If the technology is unknown, or a rate negative or NaN.

    Examples
    --------
    >>> round(radio_power("lte", 6.76e6), 2), round(radio_power("3g", 1.40e6), 2), round(radio_power("wifi", 12.8e6), 2)
    (4.25, 2.03, 3.76)
    """
    constants = radio(technology)
    up = constants.uplink_energy_per_bit * not_negative("uplink_bit_per_s", uplink_bit_per_s)
    down = constants.downlink_energy_per_bit * not_negative("downlink_bit_per_s", downlink_bit_per_s)
    power = up + down + constants.base_power
    return power if np.ndim(power) else float(power)


def tail_energy(technology: str) -> float:
    """Energy (J) that the radio spends awake after a transfer.

    Examples
    --------
    >>> round(tail_energy("lte"), 2), round(tail_energy("wifi"), 3)
    (12.27, 0.028)
    """
    constants = radio(technology)
    return constants.tail_power * constants.tail_time
