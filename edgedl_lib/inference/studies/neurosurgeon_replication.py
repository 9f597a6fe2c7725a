"""An outside check: predict a cut sweep that others measured between a phone and a server.

An independent replication (njcpe/neurosurgeon 94805ea) logged AlexNet's end-to-end latency for four cuts and for the
phone alone.  We read the two ends of that sweep, spread them over the layers by the profile of
`neurosurgeon_alexnet`, and predict what lies between.
"""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, CutScan, scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.inference.studies.neurosurgeon_alexnet import PROCESSORS, LayerShares, calibrated_latency

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Sweep:
    """What the replication measured, in s.

    Attributes
    ----------
    preparation : phone time before the first layer
    upload : transfer time of the network's float32 input
    server : server time for the whole network
    phone : end-to-end time of the whole network on the phone, preparation included
    measured : end-to-end time by cut, as published
    """

    preparation: float
    upload: float
    server: float
    phone: float
    measured: tuple[tuple[str, float], ...]


PHONE_SWEEP = Sweep(
    preparation=0.015,
    upload=0.111,
    server=0.029,
    phone=0.222,
    measured=(("all-server", 0.155), ("pool1", 0.093), ("pool5", 0.073), ("fc6", 0.176), ("all-device", 0.222)),
)
"""File suffix ``pxl3``.  The uploads of the input and of pool5's output (36,864 bytes in 7 ms) agree on 42 to 45 Mb/s
only if the input is sent as float32, 618 KB, so that is what we assume."""


def input_size(graph) -> int:
    """Bytes of the network's input as float32.

    >>> from edgedl_lib.nets.zoo.alexnet import alexnet
    >>> input_size(alexnet())
    618348
    """
    return FLOAT32_BYTES * int(np.prod(graph.input_shape))


def link_rate(graph, sweep: Sweep = PHONE_SWEEP) -> float:
    """Link rate (bit/s) that the measured upload implies."""
    return 8 * input_size(graph) / sweep.upload


def sweep_costs(graph, sweep: Sweep = PHONE_SWEEP, *, profile=calibrated_latency) -> ChainCosts:
    """Costs of the replication's phone and server: its totals, spread over the layers by `profile`.

    Parameters
    ----------
    graph : LayerGraph of the AlexNet chain
    profile : function of a graph and `LayerShares` that returns (N,) s
    """
    phone = LayerShares(sweep.phone - sweep.preparation, PROCESSORS["phone GPU"].fc6_share)
    server = LayerShares(sweep.server, PROCESSORS["cloud GPU"].fc6_share)
    return chain_costs(graph, profile(graph, phone), profile(graph, server), input_bytes=input_size(graph))


def predict_sweep(graph, sweep: Sweep = PHONE_SWEEP, *, profile=calibrated_latency) -> CutScan:
    """Latency of every cut at the replication's link rate; the phone's preparation is added to each cut."""
    scan = scan_cuts(sweep_costs(graph, sweep, profile=profile), link_rate(graph, sweep))
    table, values = scan.table + sweep.preparation, scan.values + sweep.preparation
    return CutScan(scan.names, scan.rates, scan.objective, table, scan.cuts, values)
