"""One layer of a neural network: its shapes, parameters and floating-point operations, without any weights.

Each function below states the shape and cost rule of one kind of layer and returns a :class:`Layer`.  Shapes leave out
the batch: ``(channels, height, width)`` for maps, ``(features,)`` for vectors.

FLOP rule, per sample; a multiply-add is two, biases are not counted (as in ``torch.utils.flop_counter``):

===========  =================================================================
conv, local  2 x output elements x (input channels / groups) x kernel area
dense        2 x inputs x outputs
pool         output elements x kernel area
norm         batch: 2 per element; LRN over n channels: 2 n + 3 per element
activation   1 per element; softmax 3, argmax 1 per element
add          (number of inputs - 1) x elements
others       0 (dropout at inference, flatten, reshape, shuffle, pad, concat)
===========  =================================================================
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgedl_lib.nets.shapes import (
    Pair,
    Shape,
    check_map,
    check_several,
    check_shape,
    require_positive,
    window,
    window_positions,
)

BYTES_PER_ELEMENT = 4  # float32

WEIGHTED_KINDS = ("conv", "local", "dense")
JOINING_KINDS = ("concat", "add")
MOVING_KINDS = ("flatten", "reshape", "shuffle", "pad")
OTHER_KINDS = ("pool", "activation", "norm", "dropout", "softmax", *JOINING_KINDS, *MOVING_KINDS, "block")
KINDS = WEIGHTED_KINDS + OTHER_KINDS
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "hardtanh")


@dataclass(frozen=True)
class Layer:
    """One node of a layer graph.

    Attributes
    ----------
    name : str
        Unique within its graph.
    kind : str
        One of :data:`KINDS`; "block" is a merged unit of several layers (see ``units``).
    input_shapes : tuple of shapes
        One shape per input, without the batch.
    output_shape : shape
        Without the batch.
    parameter_count : int
        Weights and biases (batch norm: scale and shift; running statistics are not parameters).
    flop : int
        Operations per sample, a multiply-add is two.
    config : mapping
        What the kind needs: ``filters``, ``kernel``, ``stride``, ``padding``, ``groups``, ``function``; weighted
        layers may hold an ``activation`` that runs fused with them and costs nothing extra here.
    """

    name: str
    kind: str
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    parameter_count: int = 0
    flop: int = 0
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def input_elements(self) -> int:
        """Elements of all inputs together, per sample."""
        return sum(math.prod(shape) for shape in self.input_shapes)

    @property
    def output_elements(self) -> int:
        """Elements of the output, per sample."""
        return math.prod(self.output_shape)

    @property
    def input_bytes(self) -> int:
        """Bytes of all inputs together as float32, per sample."""
        return BYTES_PER_ELEMENT * self.input_elements

    @property
    def output_bytes(self) -> int:
        """Bytes of the output as float32, per sample: what crosses the link when the model is cut here."""
        return BYTES_PER_ELEMENT * self.output_elements

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the parameters as float32."""
        return BYTES_PER_ELEMENT * self.parameter_count

    @property
    def weight_count(self) -> int:
        """Parameters without biases."""
        return self.parameter_count - self.config.get("bias_count", 0)

    @property
    def mac(self) -> int:
        """Multiply-accumulates per sample of conv, local and dense layers (papers count these); 0 for other kinds."""
        return self.config.get("mac", self.flop // 2 if self.kind in WEIGHTED_KINDS else 0)


def conv(
    name: str,
    input_shape: Shape,
    filters: int,
    kernel: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    groups: int = 1,
    bias: bool = True,
    activation: str | None = None,
) -> Layer:
    """Convolution; ``groups`` = input channels makes it depth-wise.

    >>> conv("conv1", (3, 227, 227), 96, kernel=11, stride=4).output_shape
    (96, 55, 55)
    """
    sliding, channels, area = window(name, input_shape, kernel, stride, padding)
    require_positive(name, filters=filters, groups=groups)
    if channels % groups or filters % groups:
        raise ValueError(f"{name}: {groups} groups must divide {channels} input channels and {filters} filters evenly")
    fan_in = channels // groups * area
    output = (filters, *window_positions(name, input_shape, sliding))
    config = sliding | {"filters": filters, "groups": groups, "bias_count": filters * bias}
    config |= _fused(name, activation, bias)
    parameters = filters * fan_in + filters * bias
    return Layer(name, "conv", (input_shape,), output, parameters, 2 * math.prod(output) * fan_in, config)


def local(
    name: str,
    input_shape: Shape,
    filters: int,
    kernel: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    bias: bool = True,
    activation: str | None = None,
) -> Layer:
    """Locally connected layer: a convolution whose filters differ at every output position (Taigman et al. 2014).

    >>> layer = local("L4", (16, 63, 63), 16, kernel=9)
    >>> layer.output_shape, layer.weight_count
    ((16, 55, 55), 62726400)
    """
    sliding, channels, area = window(name, input_shape, kernel, stride, padding)
    require_positive(name, filters=filters)
    output = (filters, *window_positions(name, input_shape, sliding))
    elements = math.prod(output)
    config = sliding | {"filters": filters, "bias_count": elements * bias}
    config |= _fused(name, activation, bias)
    parameters = elements * channels * area + elements * bias
    return Layer(name, "local", (input_shape,), output, parameters, 2 * elements * channels * area, config)


def dense(name: str, input_shape: Shape, units: int, bias: bool = True, activation: str | None = None) -> Layer:
    """Fully connected layer; a map is flattened first, as Caffe's InnerProduct does.

    >>> dense("fc6", (256, 6, 6), 4096).parameter_count
    37752832
    """
    inputs = math.prod(check_shape(name, input_shape))
    require_positive(name, units=units)
    config = {"units": units, "bias_count": units * bias} | _fused(name, activation, bias)
    return Layer(name, "dense", (input_shape,), (units,), inputs * units + units * bias, 2 * inputs * units, config)


def pool(
    name: str,
    input_shape: Shape,
    kernel: Pair | None = None,
    stride: Pair | None = None,
    padding: Pair = 0,
    function: str = "max",
    ceil: bool = True,
) -> Layer:
    """Max or average pooling; ``kernel=None`` pools the whole map, ``stride=None`` equals the kernel.

    ``ceil=True`` keeps a last partial window, as Caffe does; a window that would start beyond the map is dropped.

    >>> pool("pool1", (96, 55, 55), kernel=3, stride=2).output_shape
    (96, 27, 27)
    """
    if function not in ("max", "average"):
        raise ValueError(f"{name}: unknown pooling function {function!r}, use 'max' or 'average'")
    kernel = check_map(name, input_shape)[1:] if kernel is None else kernel
    sliding, channels, area = window(name, input_shape, kernel, kernel if stride is None else stride, padding)
    if any(2 * pad > size for pad, size in zip(sliding["padding"], sliding["kernel"], strict=True)):
        raise ValueError(f"{name}: padding {sliding['padding']} exceeds half the pooling kernel {sliding['kernel']}")
    output = (channels, *window_positions(name, input_shape, sliding, ceil))
    config = sliding | {"function": function, "ceil": ceil}
    return Layer(name, "pool", (input_shape,), output, 0, math.prod(output) * area, config)


def activation(name: str, input_shape: Shape, function: str = "relu") -> Layer:
    """Element-wise non-linearity, one of :data:`ACTIVATIONS`."""
    _check_activation(name, function)
    return _elementwise(name, "activation", input_shape, 1, {"function": function})


def norm(name: str, input_shape: Shape, function: str = "batch", size: int = 5) -> Layer:
    """Batch normalisation ("batch") or local response normalisation over ``size`` channels ("lrn")."""
    require_positive(name, size=size)
    if function == "lrn":
        return _elementwise(name, "norm", check_map(name, input_shape), 2 * size + 3, {"function": "lrn", "size": size})
    if function != "batch":
        raise ValueError(f"{name}: unknown normalisation {function!r}, use 'batch' or 'lrn'")
    channels = check_shape(name, input_shape)[0]
    config = {"function": "batch", "bias_count": channels}
    return _elementwise(name, "norm", input_shape, 2, config, parameter_count=2 * channels)


def dropout(name: str, input_shape: Shape, rate: float = 0.5) -> Layer:
    """Dropout: the identity at inference; kept because papers count it as a layer."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name}: dropout rate {rate} lies outside [0, 1)")
    return _elementwise(name, "dropout", input_shape, 0, {"rate": rate})


def softmax(name: str, input_shape: Shape) -> Layer:
    """Softmax over the channels or features."""
    return _elementwise(name, "softmax", input_shape, 3, {"function": "softmax"})


def argmax(name: str, input_shape: Shape) -> Layer:
    """Index of the largest element: the label; of kind "softmax" because Neurosurgeon [12] models both as one type."""
    elements = math.prod(check_shape(name, input_shape))
    return Layer(name, "softmax", (input_shape,), (1,), 0, elements, {"function": "argmax"})


def flatten(name: str, input_shape: Shape) -> Layer:
    """Turn a map into a vector."""
    return Layer(name, "flatten", (input_shape,), (math.prod(check_shape(name, input_shape)),))


def reshape(name: str, input_shape: Shape, output_shape: Shape) -> Layer:
    """Give the same elements another shape; with the same shape it is the identity."""
    if math.prod(check_shape(name, input_shape)) != math.prod(check_shape(name, output_shape)):
        raise ValueError(f"{name}: cannot reshape {input_shape} to {output_shape}, the numbers of elements differ")
    return Layer(name, "reshape", (input_shape,), tuple(output_shape))


def shuffle(name: str, input_shape: Shape, groups: int) -> Layer:
    """Channel shuffle (ShuffleNet [142]): read (groups, n) channels as (n, groups), so that each next group sees all.

    >>> shuffle("mix", (6, 7, 7), groups=3).output_shape
    (6, 7, 7)
    """
    channels = check_map(name, input_shape)[0]
    require_positive(name, groups=groups)
    if channels % groups:
        raise ValueError(f"{name}: {groups} groups must divide {channels} channels evenly")
    return Layer(name, "shuffle", (input_shape,), input_shape, config={"groups": groups})


def pad(name: str, input_shape: Shape, channels: int) -> Layer:
    """Append channels of zeros until there are ``channels``: the shortcut without parameters of ResNet [127].

    >>> pad("widen", (16, 8, 8), channels=32).output_shape
    (32, 8, 8)
    """
    present, *area = check_map(name, input_shape)
    if channels < present:
        raise ValueError(f"{name}: {present} channels are more than the {channels} wanted; zeros can only be added")
    return Layer(name, "pad", (input_shape,), (channels, *area), config={"added": channels - present})


def concat(name: str, input_shapes: Sequence[Shape]) -> Layer:
    """Concatenate along the channels (or features)."""
    first, *others = check_several(name, input_shapes)
    for shape in others:
        if shape[1:] != first[1:]:
            raise ValueError(f"{name}: cannot concatenate {first} and {shape}, they differ beyond the channels")
    output = (sum(shape[0] for shape in input_shapes), *first[1:])
    return Layer(name, "concat", tuple(input_shapes), output)


def add(name: str, input_shapes: Sequence[Shape]) -> Layer:
    """Element-wise sum of two or more equal shapes: the end of a residual block."""
    first, *others = check_several(name, input_shapes)
    for shape in others:
        if shape != first:
            raise ValueError(f"{name}: cannot add {first} and {shape}, give the shortcut a projection of equal shape")
    return Layer(name, "add", tuple(input_shapes), first, 0, len(others) * math.prod(first))


def _fused(name: str, function: str | None, bias: bool) -> dict[str, Any]:
    if function is not None:
        _check_activation(name, function)
    return {"bias": bias, "activation": function}


def _check_activation(name: str, function: str) -> None:
    if function not in ACTIVATIONS:
        raise ValueError(f"{name}: unknown activation {function!r}, use one of {', '.join(ACTIVATIONS)}")


def _elementwise(name, kind, input_shape, flop_per_element, config, parameter_count=0) -> Layer:
    elements = math.prod(check_shape(name, input_shape))
    return Layer(name, kind, (input_shape,), input_shape, parameter_count, flop_per_element * elements, config)
