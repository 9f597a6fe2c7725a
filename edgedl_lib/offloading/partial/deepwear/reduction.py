"""From a network with branches to a line: prune the light layers, then group what lies between two bottlenecks.

Light layers (pools, activations, norms, sums) join a neighbour, so that a cut comes *behind* them and sends what they
leave.  Blocks of the same structure and the same shapes form a class: one measurement serves them all.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import networkx
import numpy as np

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.units import collapse_to_chain, members_of, merge_layers, sum_per_unit

HEAVY_KINDS = ("conv", "local", "dense")


@dataclass(frozen=True, eq=False)
class Reduction:
    """A network, its pruned graph (members: layers) and its line of groups (members: pruned nodes)."""

    graph: LayerGraph
    pruned: LayerGraph
    chain: LayerGraph

    @property
    def share(self) -> float:
        """Nodes of the line over layers of the network."""
        return len(self.chain) / len(self.graph)

    def times(self, layer_times) -> np.ndarray:
        """Seconds of each group of the line from those of the layers, (N,) to (G,)."""
        return sum_per_unit(self.chain, self.pruned, sum_per_unit(self.pruned, self.graph, layer_times))


def reduce(graph: LayerGraph) -> Reduction:
    """Prune, then group (Xu et al. 2020 [174]).

    >>> from edgedl_lib.nets.zoo import googlenet
    >>> reduction = reduce(googlenet())
    >>> len(reduction.graph), len(reduction.pruned), len(reduction.chain)
    (142, 66, 12)
    """
    pruned = prune(graph)
    return Reduction(graph, pruned, collapse_to_chain(_without_members(pruned)))


def prune(graph: LayerGraph) -> LayerGraph:
    """Merge every light layer into its producer if it is the only reader, else into its only reader.

    What has neither, a sum or a concatenation between several layers, stays a node of its own.
    """
    unit_of: dict[str, str] = {}
    for layer in graph:
        before = graph.predecessors(layer.name)
        sole = len(before) == 1 and graph.successors(before[0]) == (layer.name,)
        light = layer.kind not in HEAVY_KINDS
        unit_of[layer.name] = unit_of[before[0]] if light and sole else layer.name
    return merge_layers(graph, _forward(graph, unit_of))


def block_classes(reduction: Reduction, *, shapes: bool = True) -> tuple[tuple[str, ...], ...]:
    """Groups of several pruned nodes, sorted into classes of isomorphic ones; names of the groups.

    Parameters
    ----------
    shapes : two nodes are alike only if their tensors and filters are; without, the kind of layer is enough

    >>> from edgedl_lib.nets.zoo import resnet18
    >>> classes = block_classes(reduce(resnet18()))
    >>> sum(map(len, classes)), len(classes)
    (8, 7)
    """
    classes: dict[Hashable, list[tuple[networkx.DiGraph, list[str]]]] = {}
    for unit in reduction.chain:
        if len(members_of(unit)) > 1:
            graph = _labelled(reduction, members_of(unit), shapes)
            bucket = classes.setdefault(_profile(graph), [])
            _file(bucket, graph, unit.name)
    return tuple(tuple(names) for bucket in classes.values() for _, names in bucket)


def _without_members(pruned: LayerGraph) -> LayerGraph:
    """Pruned nodes as if they were single layers, so that a group's members are pruned nodes."""
    return replace(pruned, layers=tuple(replace(unit, config={}) for unit in pruned))


def _forward(graph: LayerGraph, unit_of: dict[str, str]) -> dict[str, str]:
    """Units that are light as a whole join their only reader."""
    heavy = {unit_of[layer.name] for layer in graph if layer.kind in HEAVY_KINDS}
    last = {unit: name for name, unit in unit_of.items()}
    joins: dict[str, str] = {}
    for unit in reversed(list(dict.fromkeys(unit_of.values()))):
        readers = graph.successors(last[unit])
        forward = unit not in heavy and len(readers) == 1
        joins[unit] = joins[unit_of[readers[0]]] if forward else unit
    return {name: joins[unit] for name, unit in unit_of.items()}


def _labelled(reduction: Reduction, nodes: tuple[str, ...], shapes: bool) -> networkx.DiGraph:
    inside, graph = set(nodes), networkx.DiGraph()
    for name in nodes:
        layers = [reduction.graph[member] for member in members_of(reduction.pruned[name])]
        graph.add_node(name, label=tuple(_label(layer, shapes) for layer in layers))
        graph.add_edges_from((before, name) for before in reduction.pruned.predecessors(name) if before in inside)
    return graph


def _label(layer: Layer, shapes: bool) -> Hashable:
    if not shapes:
        return layer.kind
    return layer.kind, layer.input_shapes, layer.output_shape, repr(sorted(layer.config.items()))


def _profile(graph: networkx.DiGraph) -> Hashable:
    """What isomorphic graphs have in common, to compare only the candidates."""
    labels = sorted((repr(label), graph.in_degree(name)) for name, label in graph.nodes(data="label"))
    return tuple(labels)


def _file(bucket: list[tuple[networkx.DiGraph, list[str]]], graph: networkx.DiGraph, name: str) -> None:
    for known, names in bucket:
        if networkx.is_isomorphic(known, graph, node_match=lambda a, b: a["label"] == b["label"]):
            names.append(name)
            return
    bucket.append((graph, [name]))
