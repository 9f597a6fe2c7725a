"""A neural network as a graph of layers: what partitioning, placement and latency models read."""

import functools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import networkx
import numpy as np

from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape


class UnknownName(KeyError):
    """A name that the graph or the zoo does not hold; the message lists the ones it does."""

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class LayerGraph:
    """Layers in topological order and the edges between them.

    Attributes
    ----------
    name : str
    input_shape : shape
        Without the batch.
    layers : tuple of Layer
        In execution order.
    edges : tuple of (str, str)
        Producer and consumer, both layers.  The raw input is no layer: a layer without predecessors reads it.  The
        order of the edges into a layer is the order of its inputs.
    input_bytes : int
        The raw input of one query (whole batch) as it is transmitted, for instance one byte per element for an image.
    batch : int
        Samples in one query.  The per-layer arrays count the whole batch; parameters do not.

    Raises
    ------
    ValueError
        No layers, a repeated name, an edge that is unknown or points backwards, or shapes that do not fit.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    edges: tuple[tuple[str, str], ...]
    input_bytes: int
    batch: int = 1

    def __post_init__(self) -> None:
        _check_names(self)
        _check_edges(self)
        _check_shapes(self)
        if self.batch < 1:
            raise ValueError(f"{self.name}: batch {self.batch} must be at least 1")
        if self.input_bytes < 0:
            raise ValueError(f"{self.name}: input_bytes {self.input_bytes} is negative, give the size of the raw input")

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Layer:
        if name not in self._by_name:
            raise UnknownName(f"{self.name} has no layer {name!r}; its layers are {', '.join(self.layer_names)}")
        return self._by_name[name]

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names in execution order."""
        return tuple(layer.name for layer in self.layers)

    @property
    def is_chain(self) -> bool:
        """True if each layer reads only the one before it."""
        return self.edges == tuple(zip(self.layer_names, self.layer_names[1:], strict=False))

    def predecessors(self, name: str) -> tuple[str, ...]:
        """Layers whose outputs this one reads, in input order; empty if it reads the raw input."""
        self[name]
        return self._neighbours[0].get(name, ())

    def successors(self, name: str) -> tuple[str, ...]:
        """Layers that read the output of this one."""
        self[name]
        return self._neighbours[1].get(name, ())

    @property
    def entries(self) -> tuple[str, ...]:
        """Layers that read the raw input."""
        return tuple(name for name in self.layer_names if not self.predecessors(name))

    @property
    def exits(self) -> tuple[str, ...]:
        """Layers whose output nobody reads: the results."""
        return tuple(name for name in self.layer_names if not self.successors(name))

    @property
    def flop(self) -> int:
        """FLOP of one query (whole batch)."""
        return self.batch * sum(layer.flop for layer in self.layers)

    @property
    def mac(self) -> int:
        """Multiply-accumulates of conv, local and dense layers in one query (whole batch)."""
        return self.batch * sum(layer.mac for layer in self.layers)

    @property
    def parameter_count(self) -> int:
        """Weights and biases of all layers."""
        return sum(layer.parameter_count for layer in self.layers)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the parameters as float32."""
        return sum(layer.parameter_bytes for layer in self.layers)

    def flop_per_layer(self) -> np.ndarray:
        """FLOP of each layer for the whole batch, shape (N,)."""
        return self.batch * np.array([layer.flop for layer in self.layers], dtype=float)

    def output_bytes_per_layer(self) -> np.ndarray:
        """Float32 bytes of each layer's output for the whole batch, shape (N,)."""
        return self.batch * np.array([layer.output_bytes for layer in self.layers], dtype=float)

    def input_bytes_per_layer(self) -> np.ndarray:
        """Float32 bytes that each layer reads (all inputs, whole batch, no weights), shape (N,)."""
        return self.batch * np.array([layer.input_bytes for layer in self.layers], dtype=float)

    def parameter_bytes_per_layer(self) -> np.ndarray:
        """Float32 bytes of each layer's parameters, shape (N,); independent of the batch."""
        return np.array([layer.parameter_bytes for layer in self.layers], dtype=float)

    def with_batch(self, batch: int) -> "LayerGraph":
        """The same model asked for ``batch`` samples at once; the raw input grows in proportion."""
        return replace(self, batch=batch, input_bytes=round(self.input_bytes / self.batch * batch))

    def with_input_bytes(self, input_bytes: int) -> "LayerGraph":
        """The same model with another size of the raw input as transmitted (bytes per query)."""
        return replace(self, input_bytes=input_bytes)

    def to_networkx(self, with_input: bool = False) -> networkx.DiGraph:
        """Directed graph with a ``layer`` attribute per node; optionally with a node "input" before the entries."""
        graph = networkx.DiGraph(name=self.name)
        if with_input:
            graph.add_node("input")
        graph.add_nodes_from((layer.name, {"layer": layer}) for layer in self.layers)
        graph.add_edges_from(self.edges)
        graph.add_edges_from(("input", name) for name in self.entries if with_input)
        return graph

    @functools.cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @functools.cached_property
    def _neighbours(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        before, after = {}, {}
        for producer, consumer in self.edges:
            before[consumer] = (*before.get(consumer, ()), producer)
            after[producer] = (*after.get(producer, ()), consumer)
        return before, after


def chain(name: str, input_shape: Shape, layers: tuple[Layer, ...], **options) -> LayerGraph:
    """Layer graph in which each layer reads the one before it; one byte per input element unless stated."""
    names = [layer.name for layer in layers]
    options.setdefault("input_bytes", math.prod(input_shape))
    return LayerGraph(name, tuple(input_shape), tuple(layers), tuple(zip(names, names[1:], strict=False)), **options)


def _check_names(graph: LayerGraph) -> None:
    if not graph.layers:
        raise ValueError(f"{graph.name}: a model needs at least one layer, this one has none")
    names = graph.layer_names
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{graph.name}: layer names must be unique, repeated: {', '.join(sorted(repeated))}")
    if "input" in names:
        raise ValueError(f"{graph.name}: 'input' names the raw input, give the layer another name")


def _check_edges(graph: LayerGraph) -> None:
    position = {name: index for index, name in enumerate(graph.layer_names)}
    for producer, consumer in graph.edges:
        unknown = [name for name in (producer, consumer) if name not in position]
        if unknown:
            raise ValueError(f"{graph.name}: edge {producer} -> {consumer} names the unknown layer {unknown[0]!r}")
        if position[producer] >= position[consumer]:
            raise ValueError(f"{graph.name}: edge {producer} -> {consumer} points backwards; list producers first")


def _check_shapes(graph: LayerGraph) -> None:
    for layer in graph.layers:
        before = graph.predecessors(layer.name)
        arriving = tuple(graph[name].output_shape for name in before) if before else (tuple(graph.input_shape),)
        if arriving != layer.input_shapes:
            raise ValueError(f"{graph.name}: {layer.name} expects inputs {layer.input_shapes} but receives {arriving}")
