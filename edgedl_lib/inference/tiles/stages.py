"""The part of a network that can run tile by tile, as stages: a sliding window and what follows element by element.

A convolution, its normalisation and its rectifier are one stage: the followers run in place and hold no map of their
own, as in Darknet, so memory counts the input and the output of the window alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgedl_lib.inference.tiles.intervals import Axis
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import BYTES_PER_ELEMENT, Layer
from edgedl_lib.nets.shapes import Shape, check_map

WINDOW_KINDS = ("conv", "pool")
POINT_KINDS = ("activation", "norm", "dropout", "shuffle", "pad")  # output at a pixel reads that pixel alone

_REMEDIES = {
    "local": "its weights belong to positions of the whole map",
    "dense": "it reads the whole map",
    "flatten": "it ends the map",
    "reshape": "it ends the map",
    "softmax": "it reads the whole map",
    "concat": "it joins branches",
    "add": "it joins branches",
}


class NotTileable(ValueError):
    """A layer or graph that cannot be cut into tiles; the message names it and says where to stop."""


@dataclass(frozen=True)
class Stage:
    """A window over a map and the element-wise layers behind it.

    Attributes
    ----------
    layers : tuple of Layer
        In execution order; only the first may be a convolution or a pool.
    """

    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
        """Name of the first layer."""
        return self.layers[0].name

    @property
    def kind(self) -> str:
        """Kind of the first layer: "conv", "pool" or an element-wise one."""
        return self.layers[0].kind

    @property
    def input_shape(self) -> Shape:
        """(channels, height, width) that the stage reads."""
        return self.layers[0].input_shapes[0]

    @property
    def output_shape(self) -> Shape:
        """(channels, height, width) that the stage writes."""
        return self.layers[-1].output_shape

    @property
    def rows(self) -> Axis:
        """The window along the height."""
        return self._axis(0)

    @property
    def columns(self) -> Axis:
        """The window along the width."""
        return self._axis(1)

    @property
    def weight_bytes(self) -> int:
        """Float32 bytes of the convolution's weights; biases and normalisation are left out, as papers do."""
        window = self.layers[0]
        return BYTES_PER_ELEMENT * window.weight_count if window.kind == "conv" else 0

    @property
    def mac_per_pixel(self) -> int:
        """Multiply-accumulates of one output pixel over all channels."""
        _, height, width = self.output_shape
        return self.layers[0].mac // (height * width)

    def _axis(self, index: int) -> Axis:
        config, size = self.layers[0].config, self.input_shape[1 + index]
        if self.kind not in WINDOW_KINDS:
            return Axis(size, 1, 1, 0)
        return Axis(
            size, config["kernel"][index], config["stride"][index], config["padding"][index], self.kind == "pool"
        )


def tile_stages(layers: LayerGraph | Sequence[Layer] | Sequence[Stage], until: str | None = None) -> tuple[Stage, ...]:
    """Stages of a chain, whole or up to and including the layer ``until``.

    Raises
    ------
    NotTileable
        A branching graph, no layers, or a layer that needs the whole map (dense, flatten, ...).
    KeyError
        ``until`` names no layer.
    """
    if isinstance(layers, LayerGraph):
        layers = _chain_prefix(layers, until)
    elif layers and isinstance(layers[0], Stage):
        return tuple(layers)
    elif until is not None:
        raise ValueError(f"until={until!r} needs a LayerGraph; cut the sequence of layers yourself")
    if not layers:
        raise NotTileable("no layers to cut into tiles; give at least one convolution or pool")
    return tuple(Stage(tuple(group)) for group in _groups(layers))


def _chain_prefix(graph: LayerGraph, until: str | None) -> tuple[Layer, ...]:
    names = graph.layer_names
    end = names.index(graph[until].name) + 1 if until is not None else len(names)
    prefix = names[:end]
    inner = [edge for edge in graph.edges if edge[1] in prefix]
    if inner != list(zip(prefix, prefix[1:], strict=False)):
        raise NotTileable(
            f"{graph.name} branches before {prefix[-1]}; tiles need a chain, give `until` before a branch"
        )
    return graph.layers[:end]


def _groups(layers: Iterable[Layer]) -> list[list[Layer]]:
    groups: list[list[Layer]] = []
    for layer in layers:
        _check_tileable(layer)
        follows = groups and layer.kind in POINT_KINDS and groups[-1][-1].output_shape == layer.input_shapes[0]
        if follows and layer.output_shape == layer.input_shapes[0]:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _check_tileable(layer: Layer) -> None:
    if layer.kind not in WINDOW_KINDS + POINT_KINDS:
        why = _REMEDIES.get(layer.kind, "its inputs at a pixel are unknown")
        raise NotTileable(f"layer {layer.name} of kind {layer.kind} cannot run on a tile: {why}; stop before it")
    for shape in (*layer.input_shapes, layer.output_shape):
        check_map(layer.name, shape)
