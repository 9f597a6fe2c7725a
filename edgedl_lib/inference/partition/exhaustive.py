"""Try every partition with plain loops: slow, obvious, and the measure of the fast methods."""

import math

from edgedl_lib.inference.partition.chain import ChainCosts
from edgedl_lib.inference.partition.dag_plan import DagCosts

LARGEST_DAG = 14


def exhaustive_cuts(costs: ChainCosts, rates, *, rtt=0.0, server_load=1.0, objective="latency"):
    """Best cut of a chain at each rate by evaluating all of them (twin of `scan_cuts`).

    Returns
    -------
    list of (int, float)
        Cut with the fewest layers on the device among those of least cost, and its cost, for every rate.
    """
    best = []
    for rate in rates:
        candidates = [cut_cost(costs, cut, rate, rtt, server_load, objective) for cut in range(len(costs.names) + 1)]
        least = min(candidates)
        cut = next(
            cut for cut, cost in enumerate(candidates) if cost == least or math.isclose(cost, least, rel_tol=1e-12)
        )
        best.append((cut, candidates[cut]))
    return best


def cut_cost(costs: ChainCosts, cut: int, rate: float, rtt=0.0, server_load=1.0, objective="latency") -> float:
    """Cost of one cut, straight from the equation."""
    device = server = computing = sending = 0.0
    for layer in range(len(costs.names)):
        if layer < cut:
            device += costs.device_latency[layer]
        else:
            server += server_load * costs.server_latency[layer]
    uses_server = cut < len(costs.names)
    if uses_server:
        sending = seconds_on_link(costs.transfer_bytes[cut], rate)
    if objective == "latency":
        return device + sending + server + (rtt if uses_server else 0.0)
    if objective == "throughput":
        return max(device, sending, server)
    computing = device * costs.device_power
    return computing + (sending if math.isinf(sending) else sending * costs.radio_power)


def exhaustive_partition(costs: DagCosts, rate: float, *, rtt=0.0, server_load=1.0, objective="latency"):
    """Best plan of a graph among all sets of device layers that contain their predecessors.

    Returns
    -------
    (frozenset of str, float)
        Layers on the device (fewest among equals) and the cost: "latency" (s), "energy" (J) or "throughput"
        (s, the longest stage).

    Raises
    ------
    ValueError
        If the graph has more than 14 nodes, too many for all subsets.
    """
    if len(costs.names) > LARGEST_DAG:
        raise ValueError(f"{len(costs.names)} nodes are too many to try all sets: use min_cut_partition above 14")
    best_set, best_cost = None, math.inf
    for device_set in sorted(closed_sets(costs), key=len):
        cost = set_cost(costs, device_set, rate, rtt, server_load, objective)
        if best_set is None or cost < best_cost:
            best_set, best_cost = device_set, cost
    return best_set - {costs.names[0]}, best_cost


def closed_sets(costs: DagCosts) -> list[frozenset[str]]:
    """All sets of nodes that contain the input and, with every node, its predecessors."""
    sets = [frozenset([costs.names[0]])]
    for name in costs.names[1:]:
        needed = {tail for tail, head in costs.edges if head == name}
        sets += [chosen | {name} for chosen in sets if needed <= chosen]
    return sets


def set_cost(costs: DagCosts, device_set, rate: float, rtt=0.0, server_load=1.0, objective="latency") -> float:
    """Cost of one set of device nodes, straight from the definition: an output is sent once, however many need it."""
    device = link = server = 0.0
    for node, name in enumerate(costs.names):
        if name not in device_set:
            server += server_load * costs.server_latency[node]
            continue
        device += costs.device_latency[node]
        if any(tail == name and head not in device_set for tail, head in costs.edges):
            link += seconds_on_link(costs.output_bytes[node], rate)
    if objective == "latency":
        return device + link + server + (rtt if len(device_set) < len(costs.names) else 0.0)
    if objective == "throughput":
        return max(device, link, server)
    return device * costs.device_power + (link if math.isinf(link) else link * costs.radio_power)


def seconds_on_link(size_bytes: float, rate: float) -> float:
    """Transfer time of one message; on a link that is down nothing arrives."""
    return math.inf if rate == 0 else 8 * size_bytes / rate
