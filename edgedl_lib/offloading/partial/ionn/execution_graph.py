"""IONN's execution graph: every way for one query to run, its data crossing the link as often as it pays.

Node 0 is the input.  Unit i has three nodes: ``3i + 1`` on the client, ``3i + 2`` on the server before the unit has
run, ``3i + 3`` on the server behind it.  A path from node 0 to the client node behind the last unit is one way to run
the query, and its length is what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import networkx
import numpy as np

from edgedl_lib.inference.partition.transfer import sending_energy, transfer_time
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile


@dataclass(frozen=True)
class ClientPower:
    """Power of the client, W; the defaults are the authors' constants for the Odroid XU4."""

    idle: float = 3.977
    transmit: float = 6.611
    compute: float = 7.239


ODROID = ClientPower()


@dataclass(frozen=True, eq=False)
class EdgeWeights:
    """Lengths of the edges of each unit, shape (..., n) for as many graphs at once as there are discounts or rates.

    Attributes
    ----------
    local : the unit runs on the client
    upload : its input goes up
    remote : it runs on the server, with what is still charged of its own upload
    download : its output comes down
    """

    local: np.ndarray
    upload: np.ndarray
    remote: np.ndarray
    download: np.ndarray

    def without(self, missing: np.ndarray) -> EdgeWeights:
        """The same graph when the server lacks some units, (n,) bool: they cannot run there."""
        return replace(self, remote=np.where(missing, np.inf, self.remote))


def time_weights(profile: UnitProfile, rate, discount=1.0) -> EdgeWeights:
    """Edge lengths in s.

    Parameters
    ----------
    rate : bit/s, (...); 0 is a dead link, ``inf`` a free one
    discount : k in [0, 1], (...); of a unit's upload and loading the share 1 - k is charged to this query

    Examples
    --------
    >>> two = UnitProfile(("a", "b"), [4, 4], [1, 1], [0, 0], [1e6, 1e6], [2e6, 4e6], input_bytes=1e6)
    >>> time_weights(two, 8e6, discount=0.5).remote
    array([2., 3.])
    """
    moving, model, input_time = _link_seconds(profile, rate)
    charged = _charged(discount)
    remote = profile.server_time + _times(charged, model + profile.load_time)
    return EdgeWeights(profile.client_time, _uploads(profile, input_time, moving), remote, moving)


def energy_weights(profile: UnitProfile, rate, discount=1.0, power: ClientPower = ODROID) -> EdgeWeights:
    """Edge lengths in J of the client, which idles while the server computes and loads; arguments as `time_weights`."""
    moving, model, input_time = _link_seconds(profile, rate)
    charged = _charged(discount)
    idle = power.idle * (profile.server_time + charged * profile.load_time)
    sent = sending_energy(moving, power.transmit)
    remote = idle + _times(charged, sending_energy(model, power.transmit))
    first = sending_energy(input_time, power.transmit)
    return EdgeWeights(power.compute * profile.client_time, _uploads(profile, first, sent), remote, sent)


@dataclass(frozen=True, eq=False)
class Paths:
    """Shortest paths of one graph, or of several at once.

    Attributes
    ----------
    on_server : (..., n) bool
    cost : (...), length of the path
    """

    on_server: np.ndarray
    cost: np.ndarray


def shortest_paths(weights: EdgeWeights) -> Paths:
    """Shortest path of every graph: the graph is layered, so one sweep over the units does what Dijkstra does.

    Among equally short paths the one that stays on the client.

    Examples
    --------
    >>> two = UnitProfile(("a", "b"), [4, 4], [1, 1], [0, 0], [1e6, 1e6], [2e6, 4e6], input_bytes=9e6)
    >>> shortest_paths(time_weights(two, 8e6)).on_server
    array([False,  True])
    """
    local, upload, remote, download = np.broadcast_arrays(
        weights.local, weights.upload, weights.remote, weights.download
    )
    units = local.shape[-1]
    goes_up, comes_down = np.empty(local.shape, bool), np.empty(local.shape, bool)
    client, server = np.zeros(local.shape[:-1]), np.full(local.shape[:-1], np.inf)
    for i in range(units):
        goes_up[..., i] = client + upload[..., i] < server
        server = np.where(goes_up[..., i], client + upload[..., i], server) + remote[..., i]
        stays = client + local[..., i]
        comes_down[..., i] = server + download[..., i] < stays
        client = np.where(comes_down[..., i], server + download[..., i], stays)
    return Paths(_walk_back(goes_up, comes_down), client)


def placement_cost(weights: EdgeWeights, on_server: np.ndarray) -> np.ndarray:
    """Cost (...) of running the units of `on_server`, (n,) bool, on the server and all others on the client.

    Examples
    --------
    >>> two = UnitProfile(("a", "b"), [4, 4], [1, 1], [0, 0], [1e6, 1e6], [2e6, 4e6], input_bytes=9e6)
    >>> float(placement_cost(time_weights(two, 8e6), [True, True]))
    12.0
    """
    on_server = np.asarray(on_server, dtype=bool)
    if not on_server.any():
        return weights.local.sum(axis=-1)
    enters = on_server & ~np.concatenate([[False], on_server[:-1]])
    leaves = on_server & ~np.concatenate([on_server[1:], [False]])
    parts = ((weights.local, ~on_server), (weights.remote, on_server))
    crossings = ((weights.upload, enters), (weights.download, leaves))
    return sum(values[..., chosen].sum(axis=-1) for values, chosen in parts + crossings)


def execution_graph(weights: EdgeWeights) -> networkx.DiGraph:
    """The graph node by node, as the authors' code builds it; nodes are numbered as in the module's text."""
    graph = networkx.DiGraph()
    graph.add_edge(0, 1, weight=0.0)
    for i in range(weights.local.size):
        client, before, after = 3 * i + 1, 3 * i + 2, 3 * i + 3
        graph.add_edge(client, before, weight=weights.upload[i])
        graph.add_edge(before, after, weight=weights.remote[i])
        graph.add_edge(after, client + 3, weight=weights.download[i])
        graph.add_edge(client, client + 3, weight=weights.local[i])
        if i:
            graph.add_edge(client - 1, before, weight=0.0)
    return graph


def dijkstra(weights: EdgeWeights) -> Paths:
    """The same shortest path by Dijkstra's algorithm on `execution_graph`: slow, and the measure of the sweep."""
    graph, units = execution_graph(weights), weights.local.size
    length, nodes = networkx.single_source_dijkstra(graph, 0, 3 * units + 1)
    on_server = np.zeros(units, bool)
    on_server[[(node - 3) // 3 for node in nodes if node and node % 3 == 0]] = True
    return Paths(on_server, np.float64(length))


def _walk_back(goes_up: np.ndarray, comes_down: np.ndarray) -> np.ndarray:
    on_server = np.empty(goes_up.shape, bool)
    behind = np.zeros(goes_up.shape[:-1], bool)  # is the data on the server behind the unit?
    for i in reversed(range(goes_up.shape[-1])):
        on_server[..., i] = behind | comes_down[..., i]
        behind = on_server[..., i] & ~goes_up[..., i]
    return on_server


def _link_seconds(profile: UnitProfile, rate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate = np.asarray(rate, dtype=float)[..., None]
    if not (rate >= 0).all():
        raise ValueError(f"rate {rate[~(rate >= 0)].flat[0]} is no link rate: give 0 (dead link) or more, in bit/s")
    sizes = (profile.output_bytes, profile.parameter_bytes, np.array([profile.input_bytes]))
    return tuple(transfer_time(size, rate) for size in sizes)


def _uploads(profile: UnitProfile, first: np.ndarray, moving: np.ndarray) -> np.ndarray:
    uploads = np.concatenate([first, moving[..., :-1]], axis=-1)
    uploads[..., : profile.pinned] = np.inf
    return uploads


def _charged(discount) -> np.ndarray:
    discount = np.asarray(discount, dtype=float)[..., None]
    if not ((discount >= 0) & (discount <= 1)).all():
        raise ValueError(f"discount {discount.ravel()} must lie in [0, 1]: the share of an upload that is not charged")
    return 1.0 - discount


def _times(share: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Share of a cost; nothing of an endless one is nothing."""
    with np.errstate(invalid="ignore"):
        return np.where(share > 0, share * cost, 0.0)
