"""A decision per kind of layer, as MAUI (Cuervo et al. 2010 [178]) would make it: Neurosurgeon's rival.

MAUI offloads *methods*: from past calls it knows how long a method takes here and there and how much state it ships.
In a network all layers of one kind are calls of one method, so they look alike to it and move together.
"""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts


@dataclass(frozen=True)
class KindPlan:
    """Kinds of layer that run on the server, and the latency that this really takes (s)."""

    offloaded: frozenset[str]
    latency: float


def placement_latency(costs: ChainCosts, on_server: np.ndarray, rate: float) -> float:
    """Latency of any placement of a chain's layers; data cross the link, either way, wherever the side changes.

    Parameters
    ----------
    on_server : (N,) bool
    rate : bit/s, in both directions

    Examples
    --------
    >>> costs = ChainCosts(("a", "b"), [1.0, 1.0], [0.25, 0.25], [1e6, 1e6, 0])
    >>> placement_latency(costs, np.array([False, True]), 8e6)
    2.25
    """
    side = np.concatenate([[False], on_server])  # the input is on the phone; the small result returns for free
    crossing = side[1:] != side[:-1]
    sent = costs.transfer_bytes[:-1][crossing].sum()
    computing = np.where(on_server, costs.server_latency, costs.device_latency).sum()
    return float(computing + (8 * sent / rate if sent else 0.0))


def maui_like_plan(costs: ChainCosts, kinds: tuple[str, ...], rate: float) -> KindPlan:
    """Offload each kind whose average call is faster remotely, its input and output shipped; cost that by real figures.

    Parameters
    ----------
    costs : real costs of the chain of N layers
    kinds : (N,) kind of each layer
    rate : bit/s, in both directions

    Raises
    ------
    ValueError
        If there is not one kind per layer.
    """
    if len(kinds) != len(costs.names):
        raise ValueError(f"{len(kinds)} kinds for {len(costs.names)} layers: give one kind per layer")
    labels = np.array(kinds)
    shipped = costs.transfer_bytes[:-1] + costs.transfer_bytes[1:]
    saved = costs.device_latency - costs.server_latency - 8 * shipped / rate
    offloaded = frozenset(kind for kind in set(kinds) if saved[labels == kind].mean() > 0)
    return KindPlan(offloaded, placement_latency(costs, np.isin(labels, list(offloaded)), rate))
