"""How long an answer takes at each of the three levels, over slow links."""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.distributed.communication import BITS_PER_PACKED_BYTE, SCORE_BYTES
from edgedl_lib.inference.early_exit.distributed.network import Design, ddnn
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link


@dataclass(frozen=True)
class Levels:
    """Who computes at each level and what carries bytes between them.

    Attributes
    ----------
    end, edge, cloud : Device
    radio : Link
        Each device to its edge server; all devices send at once, on channels of their own.
    backhaul : Link
        Edge server to cloud.
    """

    end: Device
    edge: Device
    cloud: Device
    radio: Link
    backhaul: Link


def exit_latencies(design: Design, levels: Levels) -> np.ndarray:
    """Seconds until an answer leaves at the devices, the edge and the cloud, shape (3,).

    What a sample has paid on its way counts: the scores are sent before anyone knows that they will not do.
    """
    if not design.edges:
        raise ValueError("latencies of three levels need a design with edges")
    graph = layer_graph(ddnn(design).eval(), (design.cameras, *design.view))
    flop = graph.flop_per_layer()  # devices, local exit, edges, edge exit, cloud, cloud exit
    share = 1 / design.cameras  # the devices compute in parallel
    end = levels.end.latency(share * (flop[0] + flop[1]), 0.0) + levels.radio.transfer_time(
        SCORE_BYTES * design.classes
    )
    maps = design.filters * design.map_bits / BITS_PER_PACKED_BYTE
    edge = levels.radio.transfer_time(maps) + levels.edge.latency((flop[2] + flop[3]) / len(design.edges), 0.0)
    sent_on = design.edge_filters * design.map_bits / BITS_PER_PACKED_BYTE
    cloud = levels.backhaul.transfer_time(sent_on) + levels.cloud.latency(flop[4] + flop[5], 0.0)
    return np.cumsum([end, edge, cloud])


def raw_latency(design: Design, levels: Levels) -> float:
    """Seconds when every device sends its picture, one byte a pixel, to the cloud and the cloud runs the network."""
    graph = layer_graph(ddnn(design).eval(), (design.cameras, *design.view))
    picture = float(np.prod(design.view))
    of_an_edge = picture * max(len(edge) for edge in design.edges)  # its cameras share the backhaul
    sent = levels.radio.transfer_time(picture) + levels.backhaul.transfer_time(of_an_edge)
    return float(sent + levels.cloud.latency(graph.flop, 0.0))
