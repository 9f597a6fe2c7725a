"""DeepWear on nine networks of the zoo: how short the line is, how good its cut, and what that buys in each context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.inference.partition.dag import min_cut_partition
from edgedl_lib.inference.partition.random_costs import random_dag_costs
from edgedl_lib.nets import zoo
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.units import sum_per_unit
from edgedl_lib.offloading.partial.deepwear.cuts import CutTable, all_cuts, graph_costs, line_costs, scan_line
from edgedl_lib.offloading.partial.deepwear.devices import PHONE_LOADS, Context, contexts, modelled_times
from edgedl_lib.offloading.partial.deepwear.networks import BRANCHED, WearableCase
from edgedl_lib.offloading.partial.deepwear.pipeline import stream_throughput
from edgedl_lib.offloading.partial.deepwear.reduction import Reduction, block_classes, reduce

WIDE_RATES = tuple(float(rate) for rate in np.geomspace(1e5, 1e8, 31))  # bit/s


@dataclass(frozen=True, eq=False)
class Comparison:
    """The best cut against both simple answers for every network (rows) and context (columns), shape (M, C)."""

    names: tuple[str, ...]
    contexts: tuple[Context, ...]
    best: np.ndarray
    wearable: np.ndarray
    handheld: np.ndarray

    @property
    def over_wearable(self) -> np.ndarray:
        """How many times better than wearable-only."""
        return self.wearable / self.best

    @property
    def over_handheld(self) -> np.ndarray:
        """How many times better than handheld-only."""
        return self.handheld / self.best

    @property
    def excess(self) -> float:
        """Percent by which the choice is ever worse than the better simple answer."""
        return float(100 * (self.best / np.minimum(self.wearable, self.handheld) - 1).max())


def compare(networks: tuple[WearableCase, ...], goal: str = "latency", situations=None) -> Comparison:
    """Latency (s) or energy (J), as the goal is, of the best cut and of both simple answers."""
    situations = contexts() if situations is None else situations
    values = np.array([[_outcome(case.table(context), goal) for context in situations] for case in networks])
    return Comparison(tuple(case.name for case in networks), situations, *np.moveaxis(values, -1, 0))


def saved_percent(ratios: np.ndarray) -> np.ndarray:
    """Percent saved, from how many times less.

    >>> saved_percent(np.array([1.0, 2.0]))
    array([ 0., 50.])
    """
    return 100 * (1 - 1 / ratios)


def wide_contexts() -> tuple[Context, ...]:
    """Links from 0.1 to 100 Mb/s with every load of the phone, far beyond Bluetooth."""
    return tuple(Context(rate, phone_load=load) for rate in WIDE_RATES for load in PHONE_LOADS)


def line_gaps(networks: tuple[WearableCase, ...]) -> dict[str, np.ndarray]:
    """Gap of the line to the original graph, percent, by network: its own input and a photograph, wide contexts."""
    situations = wide_contexts()
    return {
        case.name: 100 * np.array([each.gap(c) for each in (case, case.with_photo()) for c in situations])
        for case in networks
    }


def share_inside(networks: tuple[WearableCase, ...]) -> float:
    """Percent of networks (with a photograph for input) and wide contexts whose best cut lies inside."""
    photos = [case.with_photo() for case in networks]
    return float(100 * np.mean([case.cuts_inside(context) for case in photos for context in wide_contexts()]))


def linear_gap(networks: tuple[WearableCase, ...]) -> float:
    """Largest gap of the line to the *pruned* graph among networks that are lines from the start, percent."""
    gaps = []
    for case in networks:
        if case.reduction.graph.is_chain:
            pruned = replace(case.reduction, graph=case.reduction.pruned)
            cuts = all_cuts(graph_costs(pruned, *(_per_pruned(case, side) for side in (case.watch, case.phone))))
            gaps += [case.table(c).latency.min() / cuts.table(c).latency.min() - 1 for c in wide_contexts()]
    return float(100 * max(gaps))


def min_cut_agreement(networks: tuple[WearableCase, ...], seed: int, graphs: int = 100) -> float:
    """Percent of cases in which trying all cuts finds the latency of a minimum cut: networks, then random graphs."""
    context, rng = Context(latency=0.0), np.random.default_rng(seed)
    graphs_of = [case.with_photo().original for case in networks if case.name in BRANCHED]
    graphs_of += [random_dag_costs(rng, 9) for _ in range(graphs)]
    equal = [
        np.isclose(all_cuts(each).table(context).latency.min(), min_cut_partition(each, context.rate).latency)
        for each in graphs_of
    ]
    return float(100 * np.mean(equal))


def largest_share(reductions: Mapping[str, Reduction]) -> float:
    """Largest share of the layers that is left as a line, percent."""
    return 100 * max(each.share for each in reductions.values())


def block_time_spread(reduction: Reduction) -> float:
    """Longest over shortest time on the watch among the line's blocks: what one measurement for all would hide."""
    seconds = dict(zip(reduction.chain.layer_names, reduction.times(modelled_times(reduction.graph)[0]), strict=True))
    blocks = [seconds[name] for names in block_classes(reduction) for name in names]
    return float(max(blocks) / min(blocks))


def search(graph: LayerGraph, context: Context) -> CutTable:
    """The whole search: prune, group, time, every cut."""
    return scan_line(line_costs(reduce(graph), *modelled_times(graph)), context)


def degenerate_cases() -> list[bool]:
    """Whether four cases come out as they must: dead link, free link to a huge phone, one layer, no faster phone."""
    net = ModelBuilder("one layer", (8,))
    net.dense("only", 4)
    lenet, one = reduce(zoo.lenet5()), reduce(net.graph())

    def chosen(reduction: Reduction, context: Context, factor: float) -> tuple[int, int]:
        table = scan_line(line_costs(reduction, *modelled_times(reduction.graph, factor)), context)
        return table.best(), len(table.names) - 1

    dead, last = chosen(lenet, Context(rate=0.0), 10)
    free, _ = chosen(lenet, Context(rate=np.inf, latency=0.0), 1_000)
    _, cuts = chosen(one, Context(), 10)
    equal, last_equal = chosen(lenet, Context(), 1)
    return [dead == last, free == 0, cuts == 1, equal == last_equal]


def _outcome(table: CutTable, goal: str) -> tuple[float, float, float]:
    values = getattr(table, goal)
    return values[table.best(goal)], values[-1], values[0]


def _per_pruned(case: WearableCase, seconds: np.ndarray) -> np.ndarray:
    return sum_per_unit(case.reduction.pruned, case.reduction.graph, seconds)


@dataclass(frozen=True)
class StreamPoint:
    """Frames per second of a stream at one Bluetooth rate (bit/s).

    Attributes
    ----------
    promised : 1 over the longest stage of the best cut for throughput
    simulated : what the simulator makes of that cut, pipelined
    one_by_one : simulated, the next frame waiting for this one, with the best cut for latency
    """

    rate: float
    promised: float
    simulated: float
    one_by_one: float


def stream(case: WearableCase, rates: Sequence[float]) -> tuple[StreamPoint, ...]:
    """Throughput of a stream over Bluetooth rates, pipelined and not."""
    return tuple(_stream_point(case, Context(rate=rate)) for rate in rates)


def _stream_point(case: WearableCase, context: Context) -> StreamPoint:
    table = case.table(context)
    best, quick = table.best("throughput"), table.best("latency")
    stages = [
        (table.stages.device[cut], case.line.transfer_bytes[cut], table.stages.server[cut]) for cut in (best, quick)
    ]
    return StreamPoint(
        context.rate,
        float(1 / table.stages.longest[best]),
        stream_throughput(*stages[0], context),
        stream_throughput(*stages[1], context, pipelined=False),
    )
