"""From a layer graph and per-layer times to the costs that the partition methods read."""

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts


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
