"""Something that carries bytes between two levels.

Rates are bit/s and sizes are bytes everywhere in the library: the factor eight between them stands here alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.device import not_negative
from edgedl_lib.system.specification import MissingSpecification

BITS_PER_BYTE = 8


def bits(size_bytes: ArrayLike) -> np.ndarray:
    """Number of bits in `size_bytes` bytes, as floats of the same shape.

    Raises
    ------
    ValueError
        If a size is negative or NaN.

    Examples
    --------
    >>> bits([1, 152_000]).tolist()
    [8.0, 1216000.0]
    """
    return BITS_PER_BYTE * not_negative("size_bytes", size_bytes)


@dataclass(frozen=True)
class Link:
    """A link of constant rate.

    Attributes
    ----------
    name : str
    rate : float
        bit/s; 0 is a broken link and infinity a free one.
    rtt : float
        Round-trip time in seconds, paid once per transfer (request up, answer down).
    energy_per_bit : float or None
        Joules that the sender's radio spends per bit put on the air; None when unknown.
    loss : float
        Fraction of bits that are lost and sent again.
    source, evidence : str
        Where the rate comes from.

    Examples
    --------
    >>> wifi = Link("home Wi-Fi", rate=12.8e6, energy_per_bit=3e-7)
    >>> wifi.transfer_time(152_000)  # the photograph of Kang et al. 2017 [12]
    0.095
    >>> round(wifi.transfer_energy(152_000), 4)
    0.3648
    """

    name: str
    rate: float
    rtt: float = 0.0
    energy_per_bit: float | None = 0.0
    loss: float = 0.0
    source: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        not_negative(f"rate of link {self.name!r} in bit/s", self.rate)
        for label in ("rtt", "energy_per_bit"):
            value = getattr(self, label)
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{label} of link {self.name!r} must be zero or a positive number, not {value}")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss of link {self.name!r} is a fraction in [0, 1], not {self.loss}")

    @property
    def goodput(self) -> float:
        """Rate (bit/s) at which bits arrive for good, after retransmission."""
        return self.rate * (1 - self.loss) if self.loss else self.rate

    def transfer_time(self, size_bytes: ArrayLike) -> np.ndarray | float:
        """Seconds until `size_bytes` bytes have arrived; nothing to send takes no time, not even the round trip.

        Parameters
        ----------
        size_bytes : array_like
            Bytes, any shape.

        Returns
        -------
        numpy.ndarray or float
            Seconds; infinite on a link of rate 0.

        Raises
        ------
        ValueError
            If a size is negative or NaN.
        """
        payload = bits(size_bytes)
        with np.errstate(divide="ignore", invalid="ignore"):
            time = np.where(payload > 0, payload / self.goodput + self.rtt, 0.0)
        return time if time.ndim else float(time)

    def transfer_energy(self, size_bytes: ArrayLike) -> np.ndarray | float:
        """Joules that the sender's radio spends on `size_bytes` bytes, retransmissions included.

        Raises
        ------
        MissingSpecification
            If the link's energy per bit is unknown.
        ValueError
            If a size is negative or NaN.
        """
        if self.energy_per_bit is None:
            raise MissingSpecification(
                f"the energy per bit of link {self.name!r} is unknown: "
                "pass dataclasses.replace(link, energy_per_bit=...) in J/bit"
            )
        payload = bits(size_bytes)
        with np.errstate(divide="ignore", invalid="ignore"):
            energy = np.where(payload > 0, payload * self.energy_per_bit / (1 - self.loss), 0.0)
        return energy if energy.ndim else float(energy)
