"""Write a model layer by layer; every shape is checked as soon as the layer is added."""

import math
from collections.abc import Callable, Sequence

from edgedl_lib.nets import layers
from edgedl_lib.nets.graph import LayerGraph, UnknownName
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Pair, Shape


class ModelBuilder:
    """Collects layers and edges; each method adds one layer and returns its name.

    A layer reads the one added before it, or those named by ``after`` ("input" is the raw input).

    >>> net = ModelBuilder("tiny", (1, 8, 8))
    >>> trunk = net.conv("conv1", 4, kernel=3, padding=1)
    >>> branch = net.conv("conv2", 4, kernel=3, padding=1)
    >>> _ = net.add("sum", after=(trunk, branch))
    >>> net.graph().predecessors("sum")
    ('conv1', 'conv2')
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        self.name = name
        self.input_shape = tuple(input_shape)
        self._layers: dict[str, Layer] = {}
        self._edges: list[tuple[str, str]] = []
        self.last = "input"

    def conv(self, name: str, filters: int, kernel: Pair, *, after: str | None = None, **options) -> str:
        """Convolution; options: stride, padding, groups, bias, activation."""
        return self._one(layers.conv, name, after, filters, kernel, **options)

    def conv_norm(self, name: str, filters: int, kernel: Pair, *, function: str | None = "relu", **options) -> str:
        """Convolution (no bias unless asked), ``<name>_bn`` and, unless ``function`` is None, ``<name>_act``."""
        self.conv(name, filters, kernel, **{"bias": False, **options})
        self.batch_norm(f"{name}_bn")
        return self.activation(f"{name}_act", function) if function else self.last

    def local(self, name: str, filters: int, kernel: Pair, *, after: str | None = None, **options) -> str:
        """Locally connected layer; options: stride, padding, bias, activation."""
        return self._one(layers.local, name, after, filters, kernel, **options)

    def dense(self, name: str, units: int, *, after: str | None = None, **options) -> str:
        """Fully connected layer; options: bias, activation."""
        return self._one(layers.dense, name, after, units, **options)

    def max_pool(self, name: str, kernel: Pair | None = None, *, after: str | None = None, **options) -> str:
        """Max pooling; options: stride, padding, ceil."""
        return self._one(layers.pool, name, after, kernel, function="max", **options)

    def average_pool(self, name: str, kernel: Pair | None = None, *, after: str | None = None, **options) -> str:
        """Average pooling, of the whole map without ``kernel``; options: stride, padding, ceil."""
        return self._one(layers.pool, name, after, kernel, function="average", **options)

    def activation(self, name: str, function: str = "relu", *, after: str | None = None) -> str:
        """Element-wise non-linearity."""
        return self._one(layers.activation, name, after, function)

    def relu(self, name: str, *, after: str | None = None) -> str:
        """Rectifier."""
        return self._one(layers.activation, name, after, "relu")

    def lrn(self, name: str, size: int = 5, *, after: str | None = None) -> str:
        """Local response normalisation."""
        return self._one(layers.norm, name, after, "lrn", size)

    def batch_norm(self, name: str, *, after: str | None = None) -> str:
        """Batch normalisation."""
        return self._one(layers.norm, name, after, "batch")

    def dropout(self, name: str, rate: float = 0.5, *, after: str | None = None) -> str:
        """Dropout (identity at inference)."""
        return self._one(layers.dropout, name, after, rate)

    def flatten(self, name: str, *, after: str | None = None) -> str:
        """Map to vector."""
        return self._one(layers.flatten, name, after)

    def reshape(self, name: str, output_shape: Shape, *, after: str | None = None) -> str:
        """Another shape of the same elements."""
        return self._one(layers.reshape, name, after, tuple(output_shape))

    def shuffle(self, name: str, groups: int, *, after: str | None = None) -> str:
        """Channels of all groups interleaved."""
        return self._one(layers.shuffle, name, after, groups)

    def pad(self, name: str, channels: int, *, after: str | None = None) -> str:
        """Channels of zeros appended."""
        return self._one(layers.pad, name, after, channels)

    def softmax(self, name: str, *, after: str | None = None) -> str:
        """Softmax over channels or features."""
        return self._one(layers.softmax, name, after)

    def argmax(self, name: str, *, after: str | None = None) -> str:
        """Label of the largest score."""
        return self._one(layers.argmax, name, after)

    def concat(self, name: str, *, after: Sequence[str]) -> str:
        """Concatenation along the channels."""
        return self._join(layers.concat, name, after)

    def add(self, name: str, *, after: Sequence[str]) -> str:
        """Element-wise sum."""
        return self._join(layers.add, name, after)

    def channels(self, name: str) -> int:
        """Channels (or features) that a layer added before puts out."""
        return self._shape_of(name)[0]

    def graph(self, *, input_bytes: int | None = None, batch: int = 1) -> LayerGraph:
        """The finished model; a query transmits one byte per element unless ``input_bytes`` is given."""
        size = batch * math.prod(self.input_shape) if input_bytes is None else input_bytes
        return LayerGraph(self.name, self.input_shape, tuple(self._layers.values()), tuple(self._edges), size, batch)

    def _one(self, rule: Callable[..., Layer], name: str, after: str | None, *arguments, **options) -> str:
        source = self.last if after is None else after
        return self._append(rule(name, self._shape_of(source), *arguments, **options), (source,))

    def _join(self, rule: Callable[..., Layer], name: str, after: Sequence[str]) -> str:
        if "input" in after:
            raise ValueError(f"{name}: cannot join the raw input directly; add an identity reshape and join that")
        return self._append(rule(name, [self._shape_of(source) for source in after]), after)

    def _append(self, layer: Layer, sources: Sequence[str]) -> str:
        if layer.name in self._layers:
            raise ValueError(f"{self.name}: a layer named {layer.name!r} exists already, choose another name")
        self._layers[layer.name] = layer
        self._edges += [(source, layer.name) for source in sources if source != "input"]
        self.last = layer.name
        return layer.name

    def _shape_of(self, source: str) -> Shape:
        if source == "input":
            return self.input_shape
        if source not in self._layers:
            raise UnknownName(
                f"{self.name}: no layer {source!r} to read from; so far: {', '.join(self._layers) or 'none'}"
            )
        return self._layers[source].output_shape
