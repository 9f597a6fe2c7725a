"""The networks that DeepWear is tried on: nine of the zoo, reduced and timed, and two of equal blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts
from edgedl_lib.inference.partition.dag_plan import DagCosts
from edgedl_lib.nets import zoo
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.zoo.googlenet import inception
from edgedl_lib.nets.zoo.resnet import basic_block
from edgedl_lib.offloading.partial.deepwear.cuts import (
    CutTable,
    ValidCuts,
    all_cuts,
    graph_costs,
    line_costs,
    scan_line,
)
from edgedl_lib.offloading.partial.deepwear.devices import Context, modelled_times
from edgedl_lib.offloading.partial.deepwear.reduction import Reduction, reduce

MODELS: dict[str, Callable[[], LayerGraph]] = {
    "LeNet-5": zoo.lenet5,
    "DS-CNN": zoo.ds_cnn_kws,
    "SENNA": zoo.senna,
    "acoustic model": zoo.kaldi_asr,
    "MobileNet": zoo.mobilenet_v1,
    "GoogLeNet": zoo.googlenet,
    "ResNet-18": zoo.resnet18,
    "tiny YOLO": zoo.tiny_yolov2,
    "VGG-16": zoo.vgg16,
}
PHOTO_BYTES = 1_000_000  # a compressed photograph, as a camera delivers it
BRANCHED = ("GoogLeNet", "ResNet-18")
EQUAL_FILTERS = (64, 96, 128, 16, 32, 32)  # 256 channels in the end
TimeModel = Callable[[LayerGraph], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class WearableCase:
    """One network on watch and phone.

    Attributes
    ----------
    watch, phone : (N,) s of its layers
    """

    name: str
    reduction: Reduction
    watch: np.ndarray
    phone: np.ndarray

    @cached_property
    def line(self) -> ChainCosts:
        """Costs of the line."""
        return line_costs(self.reduction, self.watch, self.phone)

    @cached_property
    def original(self) -> DagCosts:
        """Costs of the original graph."""
        return graph_costs(self.reduction, self.watch, self.phone)

    @cached_property
    def cuts(self) -> ValidCuts:
        """Every valid cut of the original graph."""
        return all_cuts(self.original)

    def table(self, context: Context) -> CutTable:
        """All cuts of the line in a context."""
        return scan_line(self.line, context)

    def gap(self, context: Context) -> float:
        """Latency of the line's best cut over that of the best of all cuts of the original graph, minus 1."""
        return float(self.table(context).latency.min() / self.cuts.table(context).latency.min() - 1)

    def with_photo(self, size_bytes: int = PHOTO_BYTES) -> WearableCase:
        """The same network fed from a camera: the raw input is a photograph."""
        graph, pruned, chain = (
            each.with_input_bytes(size_bytes)
            for each in (self.reduction.graph, self.reduction.pruned, self.reduction.chain)
        )
        return replace(self, reduction=Reduction(graph, pruned, chain))

    def cuts_inside(self, context: Context) -> bool:
        """Whether the best cut of the line is neither of its ends."""
        table = self.table(context)
        return 0 < table.best() < len(table.names) - 1


def cases(times: TimeModel = modelled_times, names=tuple(MODELS)) -> tuple[WearableCase, ...]:
    """The networks, reduced and timed."""
    reductions = {name: reduce(MODELS[name]()) for name in names}
    return tuple(WearableCase(name, each, *times(each.graph)) for name, each in reductions.items())


def repeated_blocks(kind: str, blocks: int) -> LayerGraph:
    """A network of `blocks` equal Inception blocks ("inception") or residual blocks ("residual").

    Raises
    ------
    ValueError
        If the kind is neither.
    """
    net = ModelBuilder(f"{blocks} {kind} blocks", (3, 32, 32))
    net.conv_norm("stem", 256 if kind == "inception" else 64, kernel=3, padding=1)
    for number in range(blocks):
        if kind == "inception":
            inception(net, f"block{number}", EQUAL_FILTERS)
        elif kind == "residual":
            basic_block(net, f"block{number}", 64, 1, bias=False)
        else:
            raise ValueError(f"kind {kind!r} is unknown: use 'inception' or 'residual'")
    net.average_pool("pool")
    net.dense("fc", 10)
    return net.graph()


def reductions() -> dict[str, Reduction]:
    """The two branched networks of the zoo, and two with equal blocks."""
    graphs = {name: MODELS[name]() for name in BRANCHED}
    graphs |= {"nine equal Inception blocks": repeated_blocks("inception", 9)}
    graphs |= {"eight equal residual blocks": repeated_blocks("residual", 8)}
    return {name: reduce(graph) for name, graph in graphs.items()}
