"""What a round of FedPAQ costs: messages one after the other, computation as long as the slowest node's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

FLOAT_BITS = 32


@dataclass(frozen=True)
class CostModel:
    """Time per round (Reisizadeh et al. 2020, section 5), in units of one mean gradient computation.

    Attributes
    ----------
    shift, scale : float
        A node needs ``shift`` per sample for certain, and an exponential time with mean ``1 / scale`` per sample.
    ratio : float
        Communication to computation: time to send all coordinates as floats, over the mean time of one gradient.
    """

    shift: float = 0.5
    scale: float = 2.0
    ratio: float = 100.0

    def communication(self, coordinates: int, levels: int | None, nodes: int) -> float:
        """r |Q(p, s)| / BW: the nodes share one uplink."""
        bandwidth = coordinates * FLOAT_BITS / (self.ratio * (self.shift + 1 / self.scale))
        return nodes * message_bits(coordinates, levels) / bandwidth

    def computation(self, period: int, nodes: int, batch: int, rng: np.random.Generator) -> float:
        """The slowest of the nodes."""
        samples = period * batch
        return float((samples * self.shift + rng.exponential(samples / self.scale, nodes)).max())

    def ends(self, rounds: int, *, coordinates, period, nodes, levels, batch, seed) -> np.ndarray:
        """When each round ends, the start first, shape (rounds + 1,)."""
        rng = np.random.default_rng([seed, period, nodes])
        talk = self.communication(coordinates, levels, nodes)
        return np.cumsum([0.0] + [talk + self.computation(period, nodes, batch, rng) for _ in range(rounds)])


def message_bits(coordinates: int, levels: int | None) -> int:
    """Bits of one message: a norm, and a sign and a level of each coordinate; floats without a quantiser.

    >>> message_bits(65, 1), message_bits(65, None)
    (162, 2080)
    """
    if levels is None:
        return FLOAT_BITS * coordinates
    return FLOAT_BITS + coordinates * (1 + math.ceil(math.log2(levels + 1)))
