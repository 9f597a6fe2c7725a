"""A decision per kind of layer, as MAUI (Cuervo et al. 2010 [178]) would make it: Neurosurgeon's rival.

MAUI offloads *methods*: it knows how long a method takes here and there and how much state it ships, averaged over past
calls.  In a network all layers of one kind are calls of one method, so they move together and look alike to it.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts


@dataclass(frozen=True)
class KindPlan:
    """Kinds of layer that run on the server, and the latency that this really takes (s)."""

    offloaded: frozenset[str]
    latency: float


def averaged_by_kind(values: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Replace each entry by the mean of its kind: what a profiler of methods remembers.  Shapes (N,)."""
    averages = {kind: values[kinds == kind].mean() for kind in set(kinds)}
    return np.array([averages[kind] for kind in kinds])


def placement_latency(costs: ChainCosts, on_server: np.ndarray, rate: float) -> float:
    """Latency of any placement of a chain's layers; data cross the link, either way, wherever the side changes.

    Parameters
    ----------
    on_server : (N,) bool
    rate : bit/s, in both directions
    """
    side = np.concatenate([[False], on_server])  # the input is on the phone; the small result returns for free
    crossing = side[1:] != side[:-1]
    sent = costs.transfer_bytes[:-1][crossing].sum()
    computing = np.where(on_server, costs.server_latency, costs.device_latency).sum()
    return float(computing + (8 * sent / rate if sent else 0.0))


def maui_like_plan(costs: ChainCosts, kinds: tuple[str, ...], rate: float) -> KindPlan:
    """Choose, by averages, the kinds to offload (all subsets are tried), and cost that choice by the real figures.

    Parameters
    ----------
    costs : real costs of the chain of N layers
    kinds : (N,) kind of each layer
    rate : bit/s

    Raises
    ------
    ValueError
        If there is not one kind per layer.
    """
    if len(kinds) != len(costs.names):
        raise ValueError(f"{len(kinds)} kinds for {len(costs.names)} layers: give one kind per layer")
    labels = np.array(kinds)
    sizes = np.append(costs.transfer_bytes[0], averaged_by_kind(costs.transfer_bytes[1:], labels))
    believed = ChainCosts(
        costs.names,
        averaged_by_kind(costs.device_latency, labels),
        averaged_by_kind(costs.server_latency, labels),
        np.append(sizes[:-1], 0.0),
    )
    placements = [np.isin(labels, list(subset)) for subset in _subsets(sorted(set(kinds)))]
    chosen = min(placements, key=lambda on_server: placement_latency(believed, on_server, rate))
    return KindPlan(frozenset(labels[chosen].tolist()), placement_latency(costs, chosen, rate))


def _subsets(names: list[str]) -> list[tuple[str, ...]]:
    return [subset for size in range(len(names) + 1) for subset in combinations(names, size)]
