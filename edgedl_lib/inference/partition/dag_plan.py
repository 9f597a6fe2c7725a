"""A network with branches, what it costs, and what a plan to split it costs."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgedl_lib.inference.partition.stages import StageTimes
from edgedl_lib.inference.partition.transfer import sending_energy, transfer_time
from edgedl_lib.inference.partition.validation import checked_names, checked_scalar, checked_setting, finite_vector


@dataclass(frozen=True, eq=False)
class DagCosts:
    """Per-node costs of a directed acyclic graph of layers; its first node is the input, pinned to the device.

    Parameters
    ----------
    names : M distinct names in topological order, the input first
    edges : pairs (from, to); every node but the input has a predecessor
    device_latency, server_latency : (M,) s; the input's server latency is not read
    output_bytes : (M,) bytes sent once if any successor runs elsewhere; entry 0 is the raw input as transmitted
    device_power, radio_power : W, needed for the objective "energy" only

    Raises
    ------
    ValueError
        If the input is the only node, an edge is unknown or goes backwards, a node hangs free, a name repeats, a length
        does not fit, or a number is NaN, infinite or negative.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    device_latency: np.ndarray
    server_latency: np.ndarray
    output_bytes: np.ndarray
    device_power: float | None = None
    radio_power: float | None = None

    def __post_init__(self):
        names = checked_names(self.names)
        if len(names) == 1:
            raise ValueError(f"the model has 0 layers: {names[0]!r} is the input, give at least one layer after it")
        server_latency = np.array(self.server_latency, dtype=float)
        if server_latency.size:
            server_latency[0] = 0.0  # papers set it to infinity to pin the input
        checked = {
            "names": names,
            "edges": _checked_edges(names, self.edges),
            "device_latency": finite_vector("device_latency", self.device_latency, len(names), "node"),
            "server_latency": finite_vector("server_latency", server_latency, len(names), "node"),
            "output_bytes": finite_vector("output_bytes", self.output_bytes, len(names), "node"),
        }
        for field in ("device_power", "radio_power"):
            if getattr(self, field) is not None:
                checked[field] = checked_scalar(field, getattr(self, field))
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the successors of each node."""
        return self._neighbours(0, 1)

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the predecessors of each node."""
        return self._neighbours(1, 0)

    def _neighbours(self, here, there):
        index = {name: position for position, name in enumerate(self.names)}
        lists = [[] for _ in self.names]
        for edge in self.edges:
            lists[index[edge[here]]].append(index[edge[there]])
        return tuple(tuple(sorted(neighbours)) for neighbours in lists)


@dataclass(frozen=True, eq=False)
class DagPlan:
    """Which layers stay on the device, and what that costs per frame.

    Attributes
    ----------
    device_layers : names of the layers on the device (the pinned input is understood)
    sent : names of the nodes whose output crosses the link, the input among them if it is sent
    stages : seconds on the device, on the link and on the server
    latency : s, the three stages one after the other, plus one round trip if the server takes part
    energy : J that the device spends on computing and sending; None if the powers are unknown
    is_closed : False if a layer on the server feeds one on the device, a download that nobody paid for
    """

    device_layers: frozenset[str]
    sent: frozenset[str]
    stages: StageTimes
    latency: float
    energy: float | None
    is_closed: bool


def evaluate_plan(costs: DagCosts, device_layers: Collection[str], rate, *, rtt=0.0, server_load=1.0) -> DagPlan:
    """Cost of running `device_layers` on the device and the rest on the server.

    Raises
    ------
    ValueError
        If a layer is unknown, a layer on the server feeds one on the device, or the setting is out of range.
    """
    rate, rtt, server_load = checked_setting(rate, rtt, server_load)
    unknown = sorted(set(device_layers) - set(costs.names))
    if unknown:
        raise ValueError(f"no layer {unknown[0]!r}: choose among {', '.join(costs.names[1:])}")
    on_device = np.array([name in device_layers for name in costs.names])
    plan = plan_of(costs, on_device, rate, rtt=rtt, server_load=server_load)
    if not plan.is_closed:
        raise ValueError(
            f"device layers {sorted(plan.device_layers)} need an output computed on the server: "
            "add all predecessors of every device layer"
        )
    return plan


def plan_of(costs: DagCosts, on_device, rate, *, rtt=0.0, server_load=1.0) -> DagPlan:
    """Cost of a plan given as a boolean per node, as the paper counts it: downloads are not charged."""
    on_device = np.array(on_device, dtype=bool)
    on_device[0] = True
    sends = np.array([on_device[v] and not all(on_device[list(costs.successors[v])]) for v in range(on_device.size)])
    link = transfer_time(costs.output_bytes, rate)[sends].sum()
    stages = StageTimes(
        device=float(costs.device_latency[on_device].sum()),
        link=float(link),
        server=float(server_load * costs.server_latency[~on_device].sum()),
    )
    is_closed = all(on_device[list(costs.predecessors[v])].all() for v in np.flatnonzero(on_device))
    return DagPlan(
        device_layers=frozenset(costs.names[v] for v in np.flatnonzero(on_device) if v),
        sent=frozenset(costs.names[v] for v in np.flatnonzero(sends)),
        stages=stages,
        latency=stages.total + (0.0 if on_device.all() else rtt),
        energy=_plan_energy(costs, stages),
        is_closed=bool(is_closed),
    )


def _plan_energy(costs, stages):
    if costs.device_power is None or costs.radio_power is None:
        return None
    return float(costs.device_power * stages.device + sending_energy(stages.link, costs.radio_power))


def _checked_edges(names, edges):
    position = {name: index for index, name in enumerate(names)}
    edges = tuple((tail, head) for tail, head in edges)
    for tail, head in edges:
        for name in (tail, head):
            if name not in position:
                raise ValueError(f"edge {(tail, head)} names the unknown layer {name!r}: add it to names")
        if position[tail] >= position[head]:
            raise ValueError(f"edge {(tail, head)} goes backwards: list the names in topological order, without cycles")
    if len(set(edges)) < len(edges):
        twice = next(edge for edge in edges if edges.count(edge) > 1)
        raise ValueError(f"edge {twice} occurs more than once: give every edge once")
    orphans = set(names[1:]) - {head for _, head in edges}
    if orphans:
        raise ValueError(f"layer {min(orphans)!r} has no predecessor: connect it, to {names[0]!r} if nothing else")
    return edges
