"""What a federated run left: test accuracy per round, bytes, who took part, who was refused, the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.models import Arrays
from edgedl_lib.training.strategy import Rejection


@dataclass(frozen=True)
class History:
    """The record of one run.

    Attributes
    ----------
    accuracy, loss : ndarray, shape (rounds + 1,)
        On the server's test set, before the first round and after each; NaN where it was not tested.
    uplink_bytes, downlink_bytes : ndarray, shape (rounds,)
        Payload of all clients together.
    participants : tuple of tuples of int
        Clients whose updates were averaged, per round.
    rejected : tuple of Rejection
    abandoned : tuple of int
        Rounds with too few usable updates; the model stayed as it was.
    loss_before : ndarray, shape (rounds,)
        Mean loss of the received model on the participants' data.
    arrays : Arrays
        The model after the last round.
    """

    accuracy: np.ndarray
    loss: np.ndarray
    uplink_bytes: np.ndarray
    downlink_bytes: np.ndarray
    participants: tuple[tuple[int, ...], ...]
    rejected: tuple[Rejection, ...]
    abandoned: tuple[int, ...]
    loss_before: np.ndarray
    arrays: Arrays

    @property
    def rounds(self) -> int:
        """Number of rounds that were run."""
        return len(self.uplink_bytes)

    def rounds_to(self, target: float) -> float:
        """Rounds until the test accuracy reaches the target; infinite if it never does.

        As McMahan et al. 2017 [198] count: the curve is made monotone by a running maximum, and the crossing is
        interpolated linearly between the rounds around it.
        """
        return crossing(self.accuracy, target)

    def bytes_to(self, target: float, direction: str = "both") -> float:
        """Payload of all clients until the target is reached (``"up"``, ``"down"`` or ``"both"``), interpolated."""
        spent = {"up": self.uplink_bytes, "down": self.downlink_bytes, "both": self.uplink_bytes + self.downlink_bytes}
        if direction not in spent:
            raise ValueError(f"unknown direction {direction!r}; choose 'up', 'down' or 'both'")
        rounds = self.rounds_to(target)
        if not np.isfinite(rounds):
            return float("inf")
        return float(np.interp(rounds, np.arange(self.rounds + 1), np.concatenate([[0], np.cumsum(spent[direction])])))


def crossing(curve, target: float) -> float:
    """Where the running maximum of a curve first reaches the target, interpolated; NaN entries are passed over.

    Examples
    --------
    >>> crossing([0.1, 0.5, 0.4, 0.9], 0.7)
    2.5
    >>> crossing([0.1, 0.5], 0.7)
    inf
    """
    curve = np.asarray(curve, dtype=float)
    known = np.flatnonzero(~np.isnan(curve))
    best = np.maximum.accumulate(curve[known])
    reached = np.flatnonzero(best >= target)
    if reached.size == 0:
        return float("inf")
    first = reached[0]
    if first == 0:
        return float(known[0])
    share = (target - best[first - 1]) / (best[first] - best[first - 1])
    return float(known[first - 1] + share * (known[first] - known[first - 1]))
