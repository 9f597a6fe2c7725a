"""Edgent's evaluation: two views of its Raspberry Pi, the sweeps of bandwidth and deadline, and the published points.

The published regressions sum to 0.107 s for the whole network on the device, yet the paper reports more than 2 s.  Both
views are kept: ``"lines"`` takes the regressions as printed, ``"total"`` scales the device's so that they sum to 2 s.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.edgent.baselines import BASELINES, POLICIES, policy_choices
from edgedl_lib.inference.early_exit.edgent.networks import branchy_alexnet, weight_bytes
from edgedl_lib.inference.early_exit.edgent.optimiser import NONE, Choices, ExitCosts
from edgedl_lib.inference.early_exit.edgent.regressions import EdgentRegressions, published_regressions
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.system.trace import Trace, load_trace, synthetic_trace, trace_names

REPORTED_DEVICE_ONLY = 2.0  # s, "more than"
REPORTED_EDGE_ONLY = {50e3: 2.317, 1e6: 0.123}  # bit/s: s
RATES = np.arange(50e3, 1501e3, 25e3)
DEADLINES = np.arange(100, 1001, 10) / 1000
SWEEP_RATE, SWEEP_DEADLINE = 500e3, 1.0  # what stays fixed while the other is swept
STREAM_SECONDS, SHORTEST_RECORDING = 1200.0, 120.0
RANKS = (0.2, 0.4, 0.6, 0.8, 1.0)  # stand-ins for accuracies where only their order counts


@dataclass(frozen=True)
class PublishedSums:
    """What the published regressions add up to for the whole network, s."""

    device: float
    server: float
    device_load: float
    server_load: float


def published_sums() -> PublishedSums:
    """Sums of layer latencies and the loading of the model, for the 22 layers."""
    network = branchy_alexnet()[-1]
    device, server = published_regressions("device"), published_regressions("server")
    size = weight_bytes(network)
    layers = [float(side.layer_latency(network).sum()) for side in (device, server)]
    return PublishedSums(*layers, device.load_time(size), server.load_time(size))


def device_view(view: str) -> EdgentRegressions:
    """The device's regressions "lines" as printed, or "total": scaled so that the whole network takes 2 s.

    Raises
    ------
    ValueError
        If the view is neither.
    """
    device = published_regressions("device")
    if view == "lines":
        return device
    if view == "total":
        return device.scaled(REPORTED_DEVICE_ONLY / published_sums().device, "Raspberry Pi 3 at the reported 2 s")
    raise ValueError(f"view {view!r} is unknown: use 'lines' or 'total'")


def exit_costs(
    graphs: Sequence[LayerGraph], device: EdgentRegressions, server: EdgentRegressions, accuracies: Sequence[float]
) -> list[ExitCosts]:
    """Costs of every exit from the regressions of both sides; one chain and one accuracy per exit.

    Raises
    ------
    ValueError
        If the numbers of graphs and accuracies differ.
    """
    if len(graphs) != len(accuracies):
        raise ValueError(f"{len(graphs)} exits but {len(accuracies)} accuracies: give one for each")
    return [
        ExitCosts(chain_costs(graph, device.layer_latency(graph), server.layer_latency(graph)), float(accuracy))
        for graph, accuracy in zip(graphs, accuracies, strict=True)
    ]


def published_exits(view: str, accuracies: Sequence[float] = RANKS) -> list[ExitCosts]:
    """The five exits of the paper's network on its two computers, the device as `view` has it."""
    return exit_costs(branchy_alexnet(), device_view(view), published_regressions("server"), accuracies)


def edge_only_prediction(known_rate: float, rate: float, server_seconds: float) -> float:
    """Edge-only latency at `rate`, from the reported one at `known_rate`: ``S / B + c`` with c from the regressions.

    Parameters
    ----------
    known_rate : 50e3 or 1e6 bit/s, a point that the paper reports
    server_seconds : c, s
    """
    sent_bits = (REPORTED_EDGE_ONLY[known_rate] - server_seconds) * known_rate
    return sent_bits / rate + server_seconds


def moved_later(exits: Sequence[int]) -> int:
    """Exits by which a sweep's choice moves later; if it ever moves back, minus the number of such steps.

    Leading cells without an answer do not count; a gap after the first answer is a step back.

    >>> moved_later([-1, 0, 0, 2, 4]), moved_later([-1, 3, 1, 4]), moved_later([-1, -1])
    (4, -1, 0)
    """
    exits = np.asarray(exits)
    answered = np.flatnonzero(exits != NONE)
    if answered.size == 0:
        return 0
    rest = exits[answered[0] :]
    back = int(np.sum(np.diff(rest) < 0))
    return -back if back else int(rest[-1] - rest[0])


def feasibility(exits: Sequence[ExitCosts], rates=RATES, deadlines=DEADLINES, **options) -> dict[str, Choices]:
    """Choices of Edgent and its baselines over the whole grid, by policy."""
    return {policy: policy_choices(policy, exits, rates, deadlines, **options) for policy in POLICIES}


def union_of_baselines(choices: dict[str, Choices]) -> np.ndarray:
    """Cells (R, L) that at least one baseline answers."""
    return np.any([choices[policy].feasible for policy in BASELINES], axis=0)


def extra_cells(choices: dict[str, Choices]) -> int:
    """Cells that Edgent alone answers; a cell that it loses to a baseline counts -1000."""
    edgent, union = choices["Edgent"].feasible, union_of_baselines(choices)
    return int(np.sum(edgent & ~union)) - 1000 * int(np.sum(union & ~edgent))


def gain_over_best_baseline(choices: dict[str, Choices]) -> float:
    """Cells that Edgent answers over those of the baseline that answers most."""
    return float(choices["Edgent"].feasible.sum() / max(choices[policy].feasible.sum() for policy in BASELINES))


def accuracy_gain(choices: dict[str, Choices], policy: str = "right-sizing only") -> np.ndarray:
    """Edgent's accuracy minus that of a baseline in every cell that the baseline answers, (cells,)."""
    cells = choices[policy].feasible
    return choices["Edgent"].accuracy[cells] - choices[policy].accuracy[cells]


def stream_trace(seed: int) -> Trace:
    """Twenty minutes of a link that wanders over the paper's range of bandwidths."""
    return synthetic_trace(seed, low=float(RATES[0]), high=float(RATES[-1]), duration=STREAM_SECONDS)


def recorded_traces(path: str | os.PathLike, count: int, share: float = 0.1) -> list[Trace]:
    """The first `count` recordings of a trace file that last at least two minutes.

    Each device gets a `share` of the recorded rate, as one of ten in the same cell: that is the paper's range.

    Raises
    ------
    ValueError
        If the file holds fewer.
    """
    names = iter(trace_names(path))
    recordings = (load_trace(name, path) for name in names)
    long = [trace for trace in itertools.islice(recordings, 4 * count) if trace.duration >= SHORTEST_RECORDING]
    if len(long) < count:
        raise ValueError(f"{os.fspath(path)} begins with {len(long)} recordings of two minutes, {count} are needed")
    return [Trace(trace.name, trace.time, share * trace.rate) for trace in long[:count]]
