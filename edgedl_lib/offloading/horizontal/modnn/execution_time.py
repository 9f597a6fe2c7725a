"""How long a group of phones takes for one inference, by a model with every part named (times of one MapReduce chain).

Layers run one after the other: every worker computes its strip, then the halo rows go over the one shared channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT, Layer
from edgedl_lib.offloading.horizontal.modnn.borders import Ownership, map_stages, owned, staged_ownership
from edgedl_lib.offloading.horizontal.modnn.halo import Traffic, halo_traffic
from edgedl_lib.system.link import Link


@dataclass(frozen=True)
class Group:
    """Phones in one wireless network.

    Attributes
    ----------
    speeds : tuple of float
        Multiply-accumulates per second of each worker.
    link : Link
        The medium that all share: one message at a time.
    wake_up : float
        Seconds that each message waits for its receiver's radio.
    free_memory : float
        Bytes that a phone can give to weights; what does not fit is read from flash in every inference.
    flash_rate : float
        Bytes per second from flash.
    dense_density : float
        Share of the dense layers' weights that pruning left.
    """

    speeds: tuple[float, ...]
    link: Link
    wake_up: float = 0.0
    free_memory: float = float("inf")
    flash_rate: float = 50e6
    dense_density: float = 1.0

    def only(self, workers: int) -> Group:
        """The first so many of them."""
        if not 1 <= workers <= len(self.speeds):
            raise ValueError(f"cannot take {workers} of {len(self.speeds)} phones")
        return replace(self, speeds=self.speeds[:workers])


@dataclass(frozen=True)
class Seconds:
    """Parts of one inference (s)."""

    convolutions: float
    dense: float
    transmission: float
    wake_ups: float
    paging: float

    @property
    def total(self) -> float:
        """All parts, one after the other."""
        return sum(vars(self).values())


def execution_time(
    graph: LayerGraph, group: Group, own: Callable[[LayerGraph, Sequence[float]], Ownership] = staged_ownership
) -> Seconds:
    """One inference: the slowest strip of every layer, halo rows, image and result maps, dense layers, paging.

    Parameters
    ----------
    own : function
        How rows are given to workers of these speeds.
    """
    plan, dense = own(graph, group.speeds), dense_layers(graph)
    halo, rest = halo_traffic(plan), other_traffic(plan, dense)
    return Seconds(
        strip_seconds(plan, group.speeds),
        group.dense_density * sum(layer.mac for layer in dense) / sum(group.speeds),
        float(group.link.transfer_time(halo.size_bytes + rest.size_bytes)),
        (halo.messages + rest.messages) * group.wake_up,
        paging_seconds(graph, group),
    )


def strip_seconds(plan: Ownership, speeds: Sequence[float]) -> float:
    """Sum over the layers of the slowest strip, max_i MAC_i / c_i (s)."""
    return sum(
        max(
            rows.length / stage.output_shape[1] * sum(layer.mac for layer in stage.layers) / speed
            for rows, speed in zip(owned(after), speeds, strict=True)
        )
        for stage, after in zip(plan.stages, plan.after, strict=True)
    )


def dense_layers(graph: LayerGraph) -> tuple[Layer, ...]:
    """Layers behind the maps that hold weights."""
    inside = {layer.name for stage in map_stages(graph) for layer in stage.layers}
    return tuple(layer for layer in graph if layer.name not in inside and layer.mac)


def other_traffic(plan: Ownership, dense: Sequence[Layer]) -> Traffic:
    """Image (one byte per element) to the other workers, and every dense layer's input to all: worker 0 is the host."""
    others, first = plan.workers - 1, plan.stages[0].input_shape
    heights = [rows.length for rows in owned(plan.before[0])[1:]]
    image = sum(first[0] * first[2] * height for height in heights)
    gathered = sum(2 * others * layer.input_elements * BYTES_PER_ELEMENT for layer in dense)
    return Traffic(image + gathered, others * (1 + 2 * len(dense)))


def paging_seconds(graph: LayerGraph, group: Group) -> float:
    """Reading from flash what does not fit: convolutions on every worker, dense weights shared out."""
    dense = sum(layer.parameter_bytes for layer in dense_layers(graph))
    held = graph.parameter_bytes - dense + group.dense_density * dense / len(group.speeds)
    return max(0.0, held - group.free_memory) / group.flash_rate


def speed_up(graph: LayerGraph, group: Group, **options) -> float:
    """Time of the fastest phone alone over that of the group."""
    alone = replace(group, speeds=(max(group.speeds),))
    return execution_time(graph, alone, **options).total / execution_time(graph, group, **options).total


def slowdown_needed(graph: LayerGraph, group: Group, reported: float) -> float:
    """Seconds that one phone would have to lose, and the group not, for a reported speed-up."""
    alone = replace(group, speeds=(max(group.speeds),))
    return reported * execution_time(graph, group).total - execution_time(graph, alone).total
