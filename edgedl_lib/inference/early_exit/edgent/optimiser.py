"""Edgent's choice: the most accurate exit that some partition brings home in time (Li et al. 2018 [162], Algorithm 1).

As published the *edge server* runs the first ``s = p - 1`` layers and the device the rest: the input goes up, the
intermediate result comes down, and with ``s = 0`` nothing is sent at all:

``A(i, s) = sum(server[:s]) + sum(device[s:]) + [s > 0] * (D_0 + [s < N] * D_s) / B``

We add ``s = N``, everything on the server, which the printed loop leaves out; as everywhere in this book the label's
way home is not counted.  ``device-first`` is the usual direction (Neurosurgeon [12]), for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, first_minimum, scan_cuts
from edgedl_lib.inference.partition.transfer import transfer_time
from edgedl_lib.inference.partition.validation import checked_rates, checked_scalar

DIRECTIONS = ("server-first", "device-first")
NONE = -1  # no exit meets the deadline: the paper's NULL


@dataclass(frozen=True, eq=False)
class ExitCosts:
    """What one exit costs and gives.

    Attributes
    ----------
    chain : ChainCosts
        Its N layers on both sides; ``transfer_bytes[0]`` is the input as sent, entry j the output of layer j.
    accuracy : float
        Measured, in [0, 1].
    """

    chain: ChainCosts
    accuracy: float

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1:
            raise ValueError(f"accuracy {self.accuracy} must lie within 0 and 1")

    @property
    def layers(self) -> int:
        """Number of layers on the way to this exit."""
        return len(self.chain.names)


@dataclass(frozen=True, eq=False)
class Choices:
    """The choice in every cell of a grid of R rates and L deadlines; arrays (R, L).

    Attributes
    ----------
    rates, deadlines : (R,) bit/s, (L,) s
    exit : index of the exit, from 0, or -1 where none meets the deadline
    split : layers on the side that runs first, 0 to N of that exit; -1 where none
    latency : s, infinite where none
    accuracy : of the chosen exit, 0 where none
    """

    rates: np.ndarray
    deadlines: np.ndarray
    exit: np.ndarray
    split: np.ndarray
    latency: np.ndarray
    accuracy: np.ndarray

    @property
    def feasible(self) -> np.ndarray:
        """(R, L), whether there is an answer in time."""
        return self.exit != NONE


def split_latency(costs: ExitCosts, rates, direction: str = "server-first", server_load: float = 1.0) -> np.ndarray:
    """Latency of every split of one exit at every rate, (R, N + 1), s.

    Parameters
    ----------
    rates : bit/s, one or (R,); 0 is a link that is down, ``inf`` one that costs nothing
    direction : "server-first" (column s: the first s layers on the server) or "device-first" (on the device)
    server_load : how many times slower the busy server is

    Raises
    ------
    ValueError
        If the direction is unknown, a rate negative or NaN, or the load not positive.
    """
    rates, chain = checked_rates(rates), costs.chain
    if direction == "device-first":
        return scan_cuts(chain, rates, server_load=server_load).table
    if direction != "server-first":
        raise ValueError(f"direction {direction!r} is unknown: use one of {', '.join(DIRECTIONS)}")
    load = checked_scalar("server_load", server_load, positive=True)
    server = load * np.concatenate([[0.0], np.cumsum(chain.server_latency)])
    device = np.concatenate([np.cumsum(chain.device_latency[::-1])[::-1], [0.0]])
    moved = chain.transfer_bytes[0] + chain.transfer_bytes  # up, then down; the last entry sends nothing down
    link = transfer_time(moved, rates[:, None])
    link[:, 0] = 0.0
    return server + device + link


def optimise(exits: Sequence[ExitCosts], rates, deadlines, **options) -> Choices:
    """Edgent's joint choice for all rates and deadlines at once; options as of :func:`split_latency`.

    Parameters
    ----------
    exits : M exits
    rates : (R,) bit/s
    deadlines : (L,) s

    Examples
    --------
    >>> fast = ExitCosts(ChainCosts(("conv",), [0.2], [0.01], [1000, 0]), accuracy=0.8)
    >>> deep = ExitCosts(ChainCosts(("conv", "conv2"), [0.2, 0.4], [0.01, 0.02], [1000, 4000, 0]), accuracy=0.9)
    >>> choices = optimise([fast, deep], rates=[1e3, 1e6], deadlines=[0.1, 0.3, 1.0])
    >>> choices.exit.tolist(), choices.split.tolist()
    ([[-1, 0, 1], [1, 1, 1]], [[-1, 0, 0], [2, 2, 2]])
    """
    tables = [split_latency(each, rates, **options) for each in exits]
    return choose(tables, [each.accuracy for each in exits], rates, deadlines)


def choose(tables: Sequence[np.ndarray], accuracies: Sequence[float], rates, deadlines) -> Choices:
    """Most accurate exit whose best split meets the deadline; among equally accurate ones the fastest.

    Parameters
    ----------
    tables : M arrays (R, N_i + 1), s, infinite where a split is not allowed

    Raises
    ------
    ValueError
        If there is no exit, or a deadline is negative or NaN.
    """
    rates, deadlines = checked_rates(rates), _checked_deadlines(deadlines)
    if len(tables) == 0:
        raise ValueError("the list of exits is empty: give at least one")
    splits = np.stack([first_minimum(table) for table in tables])  # (M, R)
    latency = np.stack([table.min(axis=1) for table in tables])[:, :, None]  # (M, R, 1)
    fits = (latency <= deadlines) & np.isfinite(latency)  # (M, R, L)
    accuracy = np.where(fits, np.asarray(accuracies, float)[:, None, None], -np.inf)
    best = (accuracy == accuracy.max(axis=0)) & fits
    exit_index = np.where(best, latency, np.inf).argmin(axis=0)  # (R, L)
    found, rows = fits.any(axis=0), np.arange(rates.size)[:, None]
    return Choices(
        rates,
        deadlines,
        exit=np.where(found, exit_index, NONE),
        split=np.where(found, splits[exit_index, rows], NONE),
        latency=np.where(found, latency[exit_index, rows, 0], np.inf),
        accuracy=np.where(found, np.asarray(accuracies, float)[exit_index], 0.0),
    )


def plans_changed(exits: Sequence[ExitCosts], server_load: float, rates, deadlines) -> float:
    """Share of the cells, in percent, in which the other direction chooses another exit or other layers.

    Cells count that both directions answer.  Plans are equal if the exits are, and all layers run on the same side.

    Raises
    ------
    ValueError
        If no cell is answered in both directions.
    """
    published = optimise(exits, rates, deadlines, server_load=server_load)
    usual = optimise(exits, rates, deadlines, server_load=server_load, direction="device-first")
    both = published.feasible & usual.feasible
    if not both.any():
        raise ValueError("no cell is answered in both directions: relax the deadlines")
    depth = np.array([each.layers for each in exits])[published.exit]
    on_device = depth - published.split
    at_an_end = (on_device == 0) | (on_device == depth)
    same = (published.exit == usual.exit) & (on_device == usual.split) & at_an_end
    return float(100 * np.mean(~same[both]))


def _checked_deadlines(deadlines) -> np.ndarray:
    vector = np.atleast_1d(np.asarray(deadlines, dtype=float))
    if vector.ndim != 1 or vector.size == 0 or not (vector >= 0).all():
        raise ValueError(f"deadlines {deadlines} must be one or several numbers of seconds, none negative")
    return vector
