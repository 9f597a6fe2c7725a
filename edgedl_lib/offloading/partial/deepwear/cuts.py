"""Every cut of the line in one pass, and every valid cut of the original graph for comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, stage_times
from edgedl_lib.inference.partition.costs import chain_costs, dag_costs
from edgedl_lib.inference.partition.dag_plan import DagCosts
from edgedl_lib.inference.partition.stages import StageTimes
from edgedl_lib.inference.partition.transfer import sending_energy, transfer_time
from edgedl_lib.offloading.partial.deepwear.devices import Context
from edgedl_lib.offloading.partial.deepwear.reduction import Reduction

GOALS = ("latency", "energy", "throughput")
MOST_SETS = 200_000


@dataclass(frozen=True, eq=False)
class CutTable:
    """Costs of every cut; row 0 is handheld-only, the last one wearable-only.

    Attributes
    ----------
    names : C names
    stages : StageTimes of (C,), s: watch, Bluetooth, phone
    latency : (C,) s of one query
    energy : (C,) J of both devices
    """

    names: tuple[str, ...]
    stages: StageTimes
    latency: np.ndarray
    energy: np.ndarray

    def best(self, goal: str = "latency", latency_bound: float = np.inf) -> int:
        """Row of the best cut for a goal, among those within the bound (s); if none is, the fastest.

        Raises
        ------
        ValueError
            If the goal is unknown.
        """
        if goal not in GOALS:
            raise ValueError(f"goal {goal!r} is unknown: choose one of {', '.join(GOALS)}")
        values = self.stages.longest if goal == "throughput" else getattr(self, goal)
        within = self.latency <= latency_bound
        return int(np.argmin(np.where(within, values, np.inf)) if within.any() else np.argmin(self.latency))


def line_costs(reduction: Reduction, watch, phone) -> ChainCosts:
    """Costs of the line's groups from layer times on watch and phone, (N,) s each."""
    return chain_costs(reduction.chain, reduction.times(watch), reduction.times(phone))


def scan_line(costs: ChainCosts, context: Context) -> CutTable:
    """All G + 1 cuts of a line of G groups by prefix sums: O(G).

    Examples
    --------
    >>> costs = ChainCosts(("conv", "dense"), [0.2, 0.4], [0.02, 0.04], [1e5, 1e3, 0])
    >>> table = scan_line(costs, Context(rate=1e6, latency=0.0))
    >>> table.latency.round(3), table.names[table.best()]
    (array([0.86 , 0.248, 0.6  ]), 'conv')
    """
    stages = stage_times(costs, context.rate, server_load=context.phone_load)
    device, link, server = np.broadcast_arrays(stages.device[0], stages.link[0], stages.server[0])
    return _table(costs.cut_names, StageTimes(device, link, server), context)


@dataclass(frozen=True, eq=False)
class ValidCuts:
    """Every valid cut of a graph, whatever the context; the smallest set first, the whole network last.

    Attributes
    ----------
    layers : (C,) layers on the watch
    watch, phone : (C,) s
    sent_bytes : (C,) bytes over Bluetooth, an output counted once however many read it
    """

    layers: np.ndarray
    watch: np.ndarray
    phone: np.ndarray
    sent_bytes: np.ndarray

    def table(self, context: Context) -> CutTable:
        """Costs of every cut in a context."""
        names = tuple(f"{count} layers" for count in self.layers)
        link = transfer_time(self.sent_bytes, context.rate)
        return _table(names, StageTimes(self.watch, link, context.phone_load * self.phone), context)


def all_cuts(costs: DagCosts) -> ValidCuts:
    """Stages of every valid cut of the original graph: brute force, all sets of watch layers at once."""
    chosen = valid_sets(costs)
    sends = chosen & ~_all_readers(costs, chosen)
    watch, phone = chosen @ costs.device_latency, ~chosen @ costs.server_latency
    return ValidCuts(chosen.sum(axis=1) - 1, watch, phone, sends @ costs.output_bytes)


def valid_sets(costs: DagCosts) -> np.ndarray:
    """Every set of nodes that contains the input and, with each node, all that it reads: (C, M) bool, the input first.

    Raises
    ------
    ValueError
        If there are more than 200,000.

    Examples
    --------
    >>> edges = [("input", "a"), ("input", "b"), ("a", "c"), ("b", "c")]
    >>> len(valid_sets(DagCosts(("input", "a", "b", "c"), edges, [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1])))
    5
    """
    sets = [1]
    for node in range(1, len(costs.names)):
        needed = sum(1 << before for before in costs.predecessors[node])
        sets += [chosen | 1 << node for chosen in sets if chosen & needed == needed]
        if len(sets) > MOST_SETS:
            raise ValueError(f"{len(sets)} valid sets after {node} nodes are too many to try: use min_cut_partition")
    width = (len(costs.names) + 7) // 8
    packed = np.frombuffer(b"".join(chosen.to_bytes(width, "little") for chosen in sets), np.uint8)
    bits = np.unpackbits(packed.reshape(-1, width), axis=1, bitorder="little")
    return bits[:, : len(costs.names)].astype(bool)


def graph_costs(reduction: Reduction, watch, phone) -> DagCosts:
    """Costs of the original graph, the raw input first."""
    return dag_costs(reduction.graph, watch, phone)


def _all_readers(costs: DagCosts, chosen: np.ndarray) -> np.ndarray:
    """Whether every reader of a node is on the watch too, (C, M); True if nobody reads it."""
    inside = np.ones_like(chosen)
    for node, readers in enumerate(costs.successors):
        inside[:, node] = chosen[:, list(readers)].all(axis=1)
    return inside


def _table(names: tuple[str, ...], stages: StageTimes, context: Context) -> CutTable:
    offloads = np.ones(len(names), bool)
    offloads[-1] = False
    link = np.where(offloads, stages.link, 0.0)
    latency = stages.device + link + stages.server + np.where(offloads, context.latency, 0.0)
    # Other work slows the phone down, it does not make ours dearer: energy counts the unloaded seconds.
    phone = context.phone_power * stages.server / context.phone_load
    energy = context.watch_power * stages.device + sending_energy(link, context.radio_power) + phone
    return CutTable(names, StageTimes(stages.device, link, stages.server), latency, energy)
