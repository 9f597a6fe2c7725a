"""From a layer graph and per-layer times to the costs that the partition methods read."""

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts
from edgedl_lib.inference.partition.dag_plan import DagCosts

INPUT = "input"


def chain_costs(
    graph, device_latency, server_latency, *, input_bytes=None, device_power=None, radio_power=None
) -> ChainCosts:
    """Costs of a chain-structured `LayerGraph`.

    Parameters
    ----------
    graph : LayerGraph whose layers form a chain
    device_latency, server_latency : (N,) s, for the graph's whole batch
    input_bytes : bytes, the raw input as transmitted; by default ``graph.input_bytes``
    device_power, radio_power : W, for the objective "energy"

    Raises
    ------
    ValueError
        If the graph has branches.
    """
    if not graph.is_chain:
        raise ValueError(f"{graph.name} has branches: use dag_costs and min_cut_partition for it")
    transfer_bytes = np.empty(len(graph.layers) + 1)
    transfer_bytes[0] = graph.input_bytes if input_bytes is None else input_bytes
    transfer_bytes[1:] = graph.output_bytes_per_layer()
    transfer_bytes[-1] = 0
    names = tuple(layer.name for layer in graph.layers)
    return ChainCosts(names, device_latency, server_latency, transfer_bytes, device_power, radio_power)


def dag_costs(
    graph, device_latency, server_latency, *, input_bytes=None, device_power=None, radio_power=None
) -> DagCosts:
    """Costs of any `LayerGraph`; the raw input becomes the pinned node "input" before the layers.

    Parameters
    ----------
    graph : LayerGraph of N layers
    device_latency, server_latency : (N,) s, for the graph's whole batch
    input_bytes : bytes, the raw input as transmitted; by default ``graph.input_bytes``
    device_power, radio_power : W, for the objective "energy"

    Returns
    -------
    DagCosts
        N + 1 nodes.
    """
    names = (INPUT, *(layer.name for layer in graph.layers))
    entries = tuple((INPUT, layer.name) for layer in graph.layers if not graph.predecessors(layer.name))
    sent_bytes = graph.input_bytes if input_bytes is None else input_bytes
    return DagCosts(
        names=names,
        edges=entries + tuple(graph.edges),
        device_latency=np.concatenate([[0.0], np.asarray(device_latency, float)]),
        server_latency=np.concatenate([[0.0], np.asarray(server_latency, float)]),
        output_bytes=np.concatenate([[sent_bytes], graph.output_bytes_per_layer()]),
        device_power=device_power,
        radio_power=radio_power,
    )


def chain_as_dag(costs: ChainCosts) -> DagCosts:
    """The same chain as a graph with a pinned input, to let a method for graphs answer for a chain."""
    names = (INPUT, *costs.names)
    return DagCosts(
        names=names,
        edges=tuple(zip(names, names[1:], strict=False)),
        device_latency=np.concatenate([[0.0], costs.device_latency]),
        server_latency=np.concatenate([[0.0], costs.server_latency]),
        output_bytes=costs.transfer_bytes,
        device_power=costs.device_power,
        radio_power=costs.radio_power,
    )
