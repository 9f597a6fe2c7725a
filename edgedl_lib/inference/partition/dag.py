"""Where to cut a network with branches: DADS, a minimum cut (Hu et al., INFOCOM 2019).

The source of the graph stands for the device, the sink for the server, and a cut leaves the nodes of the source's side
on the device.  Arcs: source to layer, capacity the time on the server; layer to sink, the time on the device; layer to
successor, the time to send its output; successor back to layer, infinite, so that the server never feeds the device.
"""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.dag_plan import DagCosts, DagPlan, evaluate_plan, plan_of
from edgedl_lib.inference.partition.flow import minimum_cut
from edgedl_lib.inference.partition.transfer import sending_energy, transfer_time
from edgedl_lib.inference.partition.validation import checked_scalar, checked_setting


def surgery_graph(costs: DagCosts, device, link, server, *, auxiliary_nodes=True, reverse_links=True):
    """Capacity matrix whose minimum cut is the cheapest plan: node 0 is the pinned input and the source.

    Parameters
    ----------
    device, link, server : (M,) cost of a node on the device, of sending its output once, and of it on the server
    auxiliary_nodes : give a layer with several successors a helper node, so that its output is paid for once
    reverse_links : forbid that a layer on the server feeds one on the device; the paper's printed graph lacks them

    Returns
    -------
    ndarray, (A, A)
        Nodes 0..M-1 are the costs' nodes, the last one is the sink, auxiliary nodes lie between.
    """
    branching = [v for v, successors in enumerate(costs.successors) if len(successors) > 1 and auxiliary_nodes]
    size = len(costs.names) + len(branching) + 1
    capacity = np.zeros((size, size))
    capacity[0, 1 : len(costs.names)] = server[1:]
    capacity[: len(costs.names), -1] = device
    helper = {v: len(costs.names) + position for position, v in enumerate(branching)}
    for v, successors in enumerate(costs.successors):
        if v in helper:
            capacity[v, helper[v]] = link[v]
        for successor in successors:
            capacity[helper.get(v, v), successor] += np.inf if v in helper else link[v]
            if reverse_links and v > 0:
                capacity[successor, v] = np.inf
    return capacity


def min_cut_partition(
    costs: DagCosts, rate, *, rtt=0.0, server_load=1.0, objective="latency", auxiliary_nodes=True, reverse_links=True
) -> DagPlan:
    """Find the plan of least latency (or device energy) for one frame: DSL, DADS's algorithm for light load.

    Parameters
    ----------
    rate : bit/s; at 0 everything stays on the device, at ``inf`` transfers are free
    rtt : s, paid once if the server takes part
    server_load : how many times slower the loaded server is
    objective : "latency" or "energy"
    auxiliary_nodes, reverse_links : see `surgery_graph`; without them the plan may be dear or impossible

    Raises
    ------
    ValueError
        If the rate, the load or the objective is no such thing, or "energy" lacks a power.

    Examples
    --------
    >>> edges = [("input", "conv"), ("conv", "left"), ("conv", "right"), ("left", "add"), ("right", "add")]
    >>> costs = DagCosts(("input", "conv", "left", "right", "add"), edges,
    ...                  [0, 0.1, 0.4, 0.4, 0.1], [0, 0.1, 0.1, 0.1, 0.1], [2e5, 5e4, 5e4, 5e4, 0])
    >>> plan = min_cut_partition(costs, rate=1e6)
    >>> sorted(plan.device_layers), sorted(plan.sent), round(plan.latency, 3)
    (['conv'], ['conv'], 0.8)
    """
    rate, rtt, server_load = checked_setting(rate, rtt, server_load)
    graph = surgery_graph(
        costs,
        *_node_costs(costs, rate, server_load, objective),
        auxiliary_nodes=auxiliary_nodes,
        reverse_links=reverse_links,
    )
    plan = plan_of(costs, _device_side(costs, graph), rate, rtt=rtt, server_load=server_load)
    if objective == "latency" and rtt > 0:
        # The cut does not know the round trip: it is the same for all plans but one.
        on_device = plan_of(costs, np.ones(len(costs.names)), rate, rtt=rtt, server_load=server_load)
        return min(plan, on_device, key=lambda candidate: candidate.latency)
    return plan


def printed_construction(costs: DagCosts, rate, *, server_load=1.0) -> DagPlan:
    """Cut the graph as the paper prints it, without reverse links: ``is_closed`` may be False.

    Such a plan looks cheap because a layer on the server feeds one on the device and the download costs nothing.
    """
    return min_cut_partition(costs, rate, server_load=server_load, reverse_links=False)


def topological_neurosurgeon(costs: DagCosts, rate, *, rtt=0.0, server_load=1.0) -> DagPlan:
    """Least latency among the cuts of one topological order, the order of ``costs.names``: DADS's baseline.

    This is what a chain method can do with a DAG.  It is never better than `min_cut_partition`.
    """
    rate, rtt, server_load = checked_setting(rate, rtt, server_load)
    order = np.arange(len(costs.names))
    plans = [plan_of(costs, order <= cut, rate, rtt=rtt, server_load=server_load) for cut in order]
    return min(plans, key=lambda plan: plan.latency)


def heavy_load_partition(
    costs: DagCosts, rate, *, server_load=1.0, widest=4.0, first_step=1.0, tolerance=1e-3
) -> DagPlan:
    """Find a plan whose longest pipelined stage is short: DSH, DADS's heuristic for heavy load.

    Minimum cuts of the graph with the device's times scaled by ``alpha`` and the server's by ``gamma``.  The grid is
    logarithmic, from ``2**-widest`` to ``2**widest``, and its step is halved around the best point until that improves
    the longest stage by less than `tolerance`.  As (1, 1) is in the grid, the longest stage is at most that of
    `min_cut_partition`, and at most three times the optimum (Hu et al. 2019, Theorem on DSH).

    What the paper does not say: a weighted sum can only reach plans on the convex hull of (device, link, server)
    times.  Two equal layers, for instance, are never split, although one on each side is the best pipeline.

    Parameters
    ----------
    widest, first_step : exponents of two; a finer grid finds shorter stages, at one minimum cut per point
    tolerance : fraction of the longest stage
    """
    rate, _, server_load = checked_setting(rate, 0.0, server_load)
    stage_costs = _node_costs(costs, rate, server_load, "latency")
    plans = {}

    def best_of(exponents):
        for alpha, gamma in exponents:
            if (alpha, gamma) not in plans:
                plans[alpha, gamma] = _scaled_plan(costs, stage_costs, alpha, gamma, rate, server_load)
        # Many weights give the same plan; among them refine around those closest to the unweighted sum.
        return min(plans, key=lambda at: (plans[at].stages.longest, plans[at].latency, abs(at[0]) + abs(at[1])))

    steps = int(widest // first_step)
    best = best_of(_square((0.0, 0.0), first_step, steps))
    step, improvement = first_step, np.inf
    while improvement > tolerance:
        before, step = plans[best].stages.longest, step / 2
        best = best_of(_square(best, step, 1))
        improvement = 1 - plans[best].stages.longest / before if before > 0 else 0.0
    return plans[best]


@dataclass(frozen=True, eq=False)
class DadsDecision:
    """Plan for a frame rate and the mode that made it.

    Attributes
    ----------
    mode : "light" (least latency keeps up), "heavy" (only the balanced pipeline keeps up) or "infeasible" (neither
        does: lower the frame rate to `highest_frame_rate`)
    plan : DagPlan
    frame_rate : frames/s asked for
    """

    mode: str
    plan: DagPlan
    frame_rate: float

    @property
    def highest_frame_rate(self) -> float:
        """Frames per second at which the plan's longest stage is busy all the time."""
        return self.plan.stages.throughput


def dads(costs: DagCosts, rate, frame_rate, *, rtt=0.0, server_load=1.0) -> DadsDecision:
    """Choose between least latency and highest throughput for `frame_rate` (frames/s), as DADS does.

    A plan keeps up if its longest stage is shorter than ``1 / frame_rate``.

    Raises
    ------
    ValueError
        If the frame rate is not a positive number.
    """
    period = 1.0 / checked_scalar("frame_rate", frame_rate, positive=True)
    light = min_cut_partition(costs, rate, rtt=rtt, server_load=server_load)
    if light.stages.longest < period:
        return DadsDecision("light", light, frame_rate)
    heavy = heavy_load_partition(costs, rate, server_load=server_load)
    heavy = evaluate_plan(costs, heavy.device_layers, rate, rtt=rtt, server_load=server_load)
    return DadsDecision("heavy" if heavy.stages.longest < period else "infeasible", heavy, frame_rate)


def _node_costs(costs, rate, server_load, objective):
    link = transfer_time(costs.output_bytes, rate)
    if objective == "latency":
        return costs.device_latency, link, server_load * costs.server_latency
    if objective != "energy":
        raise ValueError(f"objective {objective!r} is unknown: choose 'latency' or 'energy'")
    for name in ("device_power", "radio_power"):
        if getattr(costs, name) is None:
            raise ValueError(f"{name} is None: the objective 'energy' needs it in watts")
    computing = costs.device_power * costs.device_latency
    return computing, sending_energy(link, costs.radio_power), np.zeros_like(computing)


def _device_side(costs, graph):
    return minimum_cut(graph, source=0, sink=len(graph) - 1).source_side[: len(costs.names)]


def _scaled_plan(costs, stage_costs, alpha, gamma, rate, server_load):
    device, link, server = stage_costs
    graph = surgery_graph(costs, 2.0**alpha * device, link, 2.0**gamma * server)
    return plan_of(costs, _device_side(costs, graph), rate, server_load=server_load)


def _square(centre, step, reach):
    offsets = step * np.arange(-reach, reach + 1)
    return [(float(centre[0] + a), float(centre[1] + b)) for a in offsets for b in offsets]
