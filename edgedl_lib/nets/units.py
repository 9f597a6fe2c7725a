"""Merge layers of a graph into units, so that methods for chains or for coarse graphs run on any model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import networkx
import numpy as np

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer


def collapse_to_chain(graph: LayerGraph) -> LayerGraph:
    """Chain of the graph's dominator units: what lies between two dominators of the output becomes one "block".

    A dominator is a layer that every path from the input to the output passes, so the tensor behind it is all that
    later layers need.  IONN [175] makes its units so; ``config["members"]`` of a unit names its layers.

    Raises
    ------
    ValueError
        The graph has several results, or a block would need several tensors (then no chain of layers exists).
    """
    if graph.is_chain:
        return graph
    if len(graph.exits) > 1:
        raise ValueError(f"{graph.name} has several results ({', '.join(graph.exits)}); a chain needs exactly one")
    dominators = _dominators(graph)
    unit_of, waiting = {}, []
    for name in graph.layer_names:
        waiting.append(name)
        if name in dominators:
            unit_of |= dict.fromkeys(waiting, name)
            waiting = []
    return merge_layers(graph, unit_of)


def merge_elementwise(graph: LayerGraph) -> LayerGraph:
    """Merge activations, batch norms and dropout into the layer they follow, as inference engines fuse them.

    A layer is merged only if it is the sole reader of its producer.
    """
    unit_of: dict[str, str] = {}
    for layer in graph:
        before = graph.predecessors(layer.name)
        fusible = _is_elementwise(layer) and len(before) == 1 and graph.successors(before[0]) == (layer.name,)
        unit_of[layer.name] = unit_of[before[0]] if fusible else layer.name
    return merge_layers(graph, unit_of)


def merge_layers(graph: LayerGraph, unit_of: Mapping[str, str]) -> LayerGraph:
    """Quotient graph in which the layers of equal unit name form one layer of kind "block".

    A unit of a single layer stays that layer.  A block's FLOP and parameters are the sums over its members, its output
    is that of the one member which others read, its inputs are the distinct tensors that arrive.

    Raises
    ------
    ValueError
        A layer without unit, or a unit with more than one output (units that wait for each other are a case of it).
    """
    missing = set(graph.layer_names) - unit_of.keys()
    if missing:
        raise ValueError(f"{graph.name}: no unit given for {', '.join(sorted(missing))}; assign every layer to one")
    members: dict[str, list[Layer]] = {}
    for layer in graph:
        members.setdefault(unit_of[layer.name], []).append(layer)
    crossing = [(unit_of[a], unit_of[b]) for a, b in graph.edges if unit_of[a] != unit_of[b]]
    edges = tuple(dict.fromkeys(crossing))
    outputs = {unit: _output_of(graph, unit, layers) for unit, layers in members.items()}
    sources: dict[str, list[Layer]] = {}
    for producer, consumer in edges:
        sources.setdefault(consumer, []).append(outputs[producer])
    units = {unit: _unit(graph, unit, layers, sources.get(unit, ()), outputs[unit]) for unit, layers in members.items()}
    order = _execution_order(tuple(units), edges)
    return replace(graph, layers=tuple(units[unit] for unit in order), edges=edges)


def members_of(unit: Layer) -> tuple[str, ...]:
    """Names of the original layers in a unit, in execution order; its own name if it is a single layer."""
    return unit.config.get("members", (unit.name,))


def sum_per_unit(units: LayerGraph, graph: LayerGraph, values: Sequence[float]) -> np.ndarray:
    """Sum per-layer values (for instance latencies) of the original graph over each unit, shape (units,).

    >>> from edgedl_lib.nets.zoo import resnet18
    >>> graph = resnet18()
    >>> units = collapse_to_chain(graph)
    >>> bool(sum_per_unit(units, graph, graph.flop_per_layer()).sum() == graph.flop)
    True
    """
    if len(values) != len(graph):
        raise ValueError(f"{graph.name} has {len(graph)} layers but {len(values)} values were given")
    value_of = dict(zip(graph.layer_names, values, strict=True))
    return np.array([sum(value_of[name] for name in members_of(unit)) for unit in units])


def _dominators(graph: LayerGraph) -> set[str]:
    immediate = networkx.immediate_dominators(graph.to_networkx(with_input=True), "input")
    found, name = set(), graph.exits[0]
    while name != "input":
        found.add(name)
        name = immediate[name]
    return found


def _is_elementwise(layer: Layer) -> bool:
    batch_norm = layer.kind == "norm" and layer.config["function"] == "batch"
    return batch_norm or layer.kind in ("activation", "dropout")


def _output_of(graph: LayerGraph, unit: str, layers: list[Layer]) -> Layer:
    inside = {layer.name for layer in layers}
    readers = {layer.name: set(graph.successors(layer.name)) for layer in layers}
    results = [layer for layer in layers if not readers[layer.name] or readers[layer.name] - inside]
    if len(results) > 1:
        names = ", ".join(layer.name for layer in results)
        raise ValueError(f"unit {unit} of {graph.name} has several outputs ({names}); split it or merge what reads it")
    return results[0]


def _unit(graph: LayerGraph, unit: str, layers: list[Layer], sources: Sequence[Layer], output: Layer) -> Layer:
    if len(layers) == 1:
        return replace(layers[0], name=unit)
    arriving = tuple(source.output_shape for source in sources)
    config = {
        "members": tuple(layer.name for layer in layers),
        "mac": sum(layer.mac for layer in layers),
        "bias_count": sum(layer.parameter_count - layer.weight_count for layer in layers),
    }
    parameters = sum(layer.parameter_count for layer in layers)
    flop = sum(layer.flop for layer in layers)
    shapes = arriving or (graph.input_shape,)
    return Layer(unit, "block", shapes, output.output_shape, parameters, flop, config)


def _execution_order(units: tuple[str, ...], edges: tuple[tuple[str, str], ...]) -> list[str]:
    quotient = networkx.DiGraph(edges)
    quotient.add_nodes_from(units)
    position = {unit: index for index, unit in enumerate(units)}
    return list(networkx.lexicographical_topological_sort(quotient, key=position.__getitem__))
