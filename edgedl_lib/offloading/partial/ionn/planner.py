"""IONN's plans: what to upload first, next and last, and what never.

The first plan is the shortest path of a query that pays for the whole upload of what it uses.  With every level less of
that upload is charged, as if it were shared with later queries, until the last plan pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgedl_lib.offloading.partial.ionn.execution_graph import (
    ODROID,
    ClientPower,
    EdgeWeights,
    energy_weights,
    placement_cost,
    shortest_paths,
    time_weights,
)
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile

BASE = 0.8  # K of the authors' example
FREE = 0.999  # a discount above it counts as 1
MOST_LEVELS = 10_000
WeightRule = Callable[[UnitProfile, float, np.ndarray | float], EdgeWeights]


@dataclass(frozen=True, eq=False)
class Partition:
    """One step of the upload.

    Attributes
    ----------
    level : which discount found it
    on_server : (n,) bool, the plan that runs once the partition has arrived
    new : (n,) bool, the units that this step uploads: those of the plan that no earlier step has uploaded
    """

    level: int
    on_server: np.ndarray
    new: np.ndarray


def discounts(base: float = BASE) -> np.ndarray:
    """Discounts k = 1 - base ** level for level 0, 1, 2, ..., the last one exactly 1.

    Raises
    ------
    ValueError
        If the base is not in [0, 1), or so close to 1 that the levels would never end.

    >>> discounts(0.1)
    array([0.   , 0.9  , 0.99 , 0.999, 1.   ])
    """
    if not 0 <= base < 1:
        raise ValueError(f"base {base} must lie in [0, 1): with 1 no upload ever becomes cheaper")
    last = 1 if base == 0 else int(np.ceil(np.log(1 - FREE) / np.log(base))) + 1
    if last > MOST_LEVELS:
        raise ValueError(f"base {base} needs {last} levels: give a base below 0.999")
    ladder = 1.0 - np.power(float(base), np.arange(last + 1))
    free = np.flatnonzero(ladder > FREE + 1e-12)
    return np.append(ladder[: free[0]], 1.0) if free.size else np.append(ladder, 1.0)


def plan(profile: UnitProfile, rate: float, *, base: float = BASE, weights: WeightRule = time_weights):
    """Partitions in the order of their upload, for a link of `rate` bit/s.

    Parameters
    ----------
    base : K
    weights : `time_weights`, or another rule of the same arguments; see `energy_rule`

    Returns
    -------
    tuple of Partition
        Empty if nothing is worth uploading.

    Examples
    --------
    >>> from edgedl_lib.offloading.partial.ionn.profile import alexnet_profile
    >>> alexnet = alexnet_profile()
    >>> [unit_range(alexnet, step.on_server) for step in plan(alexnet, 80 * 2**20)]
    ['conv1..pool2', 'conv1..pool5', 'conv1..prob']
    """
    ladder = discounts(base)
    chosen = shortest_paths(weights(profile, np.full(ladder.shape, float(rate)), ladder)).on_server
    partitions, uploaded, before = [], np.zeros(len(profile), bool), np.zeros(len(profile), bool)
    for level, on_server in enumerate(chosen):
        if on_server.any() and not np.array_equal(on_server, before):
            partitions.append(Partition(level, on_server, on_server & ~uploaded))
            uploaded, before = uploaded | on_server, on_server
    return tuple(partitions)


def energy_rule(power: ClientPower = ODROID) -> WeightRule:
    """Rule for `plan` that saves the client's energy instead of time."""
    return partial(energy_weights, power=power)


def query_time(profile: UnitProfile, rate: float, on_server: np.ndarray) -> float:
    """Seconds of one query under a plan whose units have all arrived."""
    return float(placement_cost(time_weights(profile, rate), on_server))


def everything(profile: UnitProfile) -> np.ndarray:
    """The plan that leaves nothing to the client that can move, (n,) bool."""
    return np.arange(len(profile)) >= profile.pinned


def unit_range(profile: UnitProfile, chosen: np.ndarray) -> str:
    """The chosen units as ``first..last``, several stretches joined by commas; "nothing" if there is none.

    >>> from edgedl_lib.offloading.partial.ionn.profile import alexnet_profile
    >>> alexnet = alexnet_profile()
    >>> unit_range(alexnet, np.isin(alexnet.names, ["conv1", "relu1", "fc6"]))
    'conv1..relu1, fc6'
    """
    chosen = np.asarray(chosen, dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(int), [0]])))
    stretches = [(profile.names[a], profile.names[b - 1]) for a, b in edges.reshape(-1, 2)]
    return ", ".join(a if a == b else f"{a}..{b}" for a, b in stretches) or "nothing"
