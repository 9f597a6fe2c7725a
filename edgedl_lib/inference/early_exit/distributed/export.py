"""A DDNN for the partitioning methods: its layer graph, with the bits that really cross a link."""

from dataclasses import replace

import numpy as np

from edgedl_lib.inference.early_exit.distributed.communication import BITS_PER_PACKED_BYTE
from edgedl_lib.inference.early_exit.distributed.network import Design, ddnn
from edgedl_lib.inference.partition.costs import dag_costs
from edgedl_lib.inference.partition.dag_plan import DagCosts
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph


def ddnn_graph(design: Design) -> LayerGraph:
    """Segments and exits as blocks: devices, their exit, edges, their exit, cloud, its exit; FLOP of all cameras."""
    return layer_graph(ddnn(design).eval(), (design.cameras, *design.view), name="DDNN")


def partition_costs(design: Design, device_latency: np.ndarray, server_latency: np.ndarray) -> DagCosts:
    """Costs of the trunk and its exits for ``min_cut_partition``; binary maps count one bit an element.

    Parameters
    ----------
    device_latency, server_latency : (N,) s
        Of the blocks in the order of :func:`ddnn_graph`.
    """
    graph = ddnn_graph(design)
    costs = dag_costs(graph, device_latency, server_latency)
    sizes = costs.output_bytes.copy()
    trunk = [index for index, layer in enumerate(graph.layers) if len(layer.output_shape) == 3]
    for index in trunk[:-1]:  # all segments but the cloud's end in a sign
        sizes[1 + index] = graph.layers[index].output_elements / BITS_PER_PACKED_BYTE
    return replace(costs, output_bytes=sizes)
