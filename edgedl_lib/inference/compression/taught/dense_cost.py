"""What a smaller dense network saves: multiply-accumulates, time on this machine, energy of what it reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.storage.published import fetch_energy
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.system.timing import measure_in_turn

READS_PER_MAC = 2  # a weight and an activation, from SRAM once they are there


def reduction(before: float, after: float) -> float:
    """Percent that is gone.

    >>> reduction(200, 50)
    75.0
    """
    if before <= 0:
        raise ValueError(f"the size before, {before}, must be positive")
    return 100 * (1 - after / before)


def dense_graph(network: nn.Sequential) -> LayerGraph:
    """Layer graph of a dense network: its parameters and operations as counted everywhere in the book."""
    return layer_graph(network, (network[0].in_features,), "dense network")


def read_energy(network: nn.Sequential) -> float:
    """Joules that one inference spends on reading in 45 nm CMOS: parameters from DRAM once, operands from SRAM."""
    graph = dense_graph(network)
    return graph.parameter_count * fetch_energy("dram") + graph.mac * READS_PER_MAC * fetch_energy("sram")


def time_reduction(dense: nn.Module, small: nn.Module, inputs: Tensor, windows: int = 9) -> float:
    """Percent of the median time that the small network saves on the same batch, measured in turn on this machine."""
    with torch.inference_mode():
        calls = {"dense": lambda: dense(inputs), "small": lambda: small(inputs)}
        times = measure_in_turn(calls, windows=windows)
    return reduction(times["dense"].median, times["small"].median)


def distinct_values(network: nn.Module) -> float:
    """Different values per weight (biases left out): near one for floats, near zero for shared or quantised weights."""
    weights = torch.cat([p.detach().flatten() for p in network.parameters() if p.dim() > 1])
    return weights.unique().numel() / weights.numel()
