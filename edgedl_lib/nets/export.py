"""From a PyTorch module to a layer graph: whatever has been trained or compressed can be partitioned and placed.

The module is traced symbolically (``torch.fx``); each operation becomes a layer by the rules of ``nets.layers``.  A
module that PyTorch does not know (a hashed or binary layer, say) takes part by a method
``as_layer(name, input_shape) -> Layer`` that states its own parameters and operations.
"""

import operator
from collections.abc import Callable

import torch
from torch import fx, nn
from torch.nn import functional

from edgedl_lib.nets import layers, torch_model
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape


class NotExportable(ValueError):
    """An operation without a layer rule; the message names it and says what to do."""


def layer_graph(module: nn.Module, input_shape: Shape, name: str | None = None, **options) -> LayerGraph:
    """Layer graph of a module, with several results if it has several exits.

    Parameters
    ----------
    module : nn.Module
        Takes one tensor; returns a tensor or an iterable of tensors (exits).
    input_shape : shape
        Of one input, without the batch.
    name : str, optional
        Of the graph; the class's name if not given.
    options
        ``input_bytes`` and ``batch`` of :class:`LayerGraph`; one byte per input element unless given.

    Raises
    ------
    NotExportable
        An operation that has no layer rule.
    ValueError
        Shapes that do not fit.
    """
    if isinstance(module, torch_model.TorchModel):
        return module.graph
    tracer = _Tracer()
    traced = tracer.trace(_AllExits(module))
    collected = _Collector(tuple(input_shape), dict(tracer.root.named_modules()))
    for node in traced.nodes:
        collected.add(node)
    options.setdefault("input_bytes", torch.Size(input_shape).numel() * options.get("batch", 1))
    return LayerGraph(
        name or type(module).__name__,
        tuple(input_shape),
        tuple(collected.layers.values()),
        tuple(collected.edges),
        **options,
    )


class _AllExits(nn.Module):
    """Asks a network with lazy exits for all of them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs):
        result = self.network(inputs)
        return result if isinstance(result, fx.Proxy) else tuple(result)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        known = hasattr(module, "as_layer") or isinstance(module, _LEAVES)
        return known or super().is_leaf_module(module, qualified_name)


class _Collector:
    """Turns traced operations into layers and edges, in execution order."""

    def __init__(self, input_shape: Shape, modules: dict[str, nn.Module]) -> None:
        self.input_shape, self.modules = input_shape, modules
        self.layers: dict[str, Layer] = {}
        self.edges: list[tuple[str, str]] = []
        self.produced_by: dict[fx.Node, str] = {}  # the layer whose output a node stands for

    def add(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.produced_by[node] = "input"
        elif node.op != "output":
            self._add_operation(node)

    def _add_operation(self, node: fx.Node) -> None:
        module = self.modules[node.target] if node.op == "call_module" else None
        sources = [self.produced_by[source] for source in _tensors(node)]
        if isinstance(module, nn.Identity):
            self.produced_by[node] = sources[0]
            return
        if len(sources) > 1:
            sources = [self._copy_of_input() if source == "input" else source for source in sources]
        name = self._unused(_readable(node))
        shapes = [self._shape(source) for source in sources]
        self._append(self._layer(node, module, name, shapes), sources)
        self.produced_by[node] = name

    def _layer(self, node: fx.Node, module: nn.Module | None, name: str, shapes: list[Shape]) -> Layer:
        if hasattr(module, "as_layer"):
            return module.as_layer(name, shapes[0])
        rule = _module_rule(module) if module is not None else OPERATION_RULES.get(node.target)
        if rule is None:
            raise NotExportable(
                f"{name}: no layer rule for {_described(node, module)}; use a module that torch.nn has, or give yours "
                "a method as_layer(name, input_shape)"
            )
        return rule(name, shapes, module if module is not None else node)

    def _append(self, layer: Layer, sources: list[str]) -> None:
        self.layers[layer.name] = layer
        self.edges += [(source, layer.name) for source in sources if source != "input"]

    def _copy_of_input(self) -> str:
        """A layer that hands on the raw input, since only layers can be joined."""
        if "input_copy" not in self.layers:
            self._append(layers.reshape("input_copy", self.input_shape, self.input_shape), [])
        return "input_copy"

    def _shape(self, source: str) -> Shape:
        return self.input_shape if source == "input" else self.layers[source].output_shape

    def _unused(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self.layers or candidate == "input":
            count += 1
            candidate = f"{name}_{count}"
        return candidate


def _tensors(node: fx.Node) -> list[fx.Node]:
    """Nodes that an operation reads, in the order of its arguments; a list argument (concatenation) counts in order."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), found.append)
    return found


def _readable(node: fx.Node) -> str:
    target = node.target if isinstance(node.target, str) else node.name
    return target.removeprefix("network.")


def _described(node: fx.Node, module: nn.Module | None) -> str:
    return type(module).__name__ if module is not None else f"the operation {node.name!r}"


def _module_rule(module: nn.Module) -> Callable | None:
    return next((MODULE_RULES[kind] for kind in type(module).__mro__ if kind in MODULE_RULES), None)


def _conv(name: str, shapes: list[Shape], module: nn.Conv2d) -> Layer:
    if isinstance(module.padding, str) or module.dilation != (1, 1):
        raise NotExportable(
            f"{name}: padding {module.padding!r} with dilation {module.dilation}; use numbers, dilation 1"
        )
    if shapes[0][0] != module.in_channels:
        raise ValueError(f"{name} expects {module.in_channels} channels, its input has shape {shapes[0]}")
    window = (module.kernel_size, module.stride, module.padding)
    return layers.conv(name, shapes[0], module.out_channels, *window, module.groups, module.bias is not None)


def _dense(name: str, shapes: list[Shape], module: nn.Linear) -> Layer:
    if shapes[0] != (module.in_features,):
        raise ValueError(f"{name} expects a vector of {module.in_features} features, its input has shape {shapes[0]}")
    return layers.dense(name, shapes[0], module.out_features, module.bias is not None)


def _pool(function: str) -> Callable:
    def rule(name: str, shapes: list[Shape], module: nn.MaxPool2d | nn.AvgPool2d) -> Layer:
        stride = module.kernel_size if module.stride is None else module.stride
        return layers.pool(name, shapes[0], module.kernel_size, stride, module.padding, function, module.ceil_mode)

    return rule


def _whole_pool(name: str, shapes: list[Shape], module: nn.AdaptiveAvgPool2d) -> Layer:
    if module.output_size not in (1, (1, 1)):
        raise NotExportable(f"{name}: adaptive pooling to {module.output_size}; use AvgPool2d with its kernel")
    return layers.pool(name, shapes[0], function="average")


def _activation(function: str) -> Callable:
    return lambda name, shapes, _: layers.activation(name, shapes[0], function)


def _concat(name: str, shapes: list[Shape], _) -> Layer:
    return layers.concat(name, shapes)


def _add(name: str, shapes: list[Shape], _) -> Layer:
    return layers.add(name, shapes)


def _flatten(name: str, shapes: list[Shape], _) -> Layer:
    return layers.flatten(name, shapes[0])


def _norm(name: str, shapes: list[Shape], module: nn.Module) -> Layer:
    if isinstance(module, nn.LocalResponseNorm):
        return layers.norm(name, shapes[0], "lrn", module.size)
    return layers.norm(name, shapes[0], "batch")


MODULE_RULES: dict[type, Callable[..., Layer]] = {
    nn.Conv2d: _conv,
    nn.Linear: _dense,
    nn.MaxPool2d: _pool("max"),
    nn.AvgPool2d: _pool("average"),
    nn.AdaptiveAvgPool2d: _whole_pool,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.LocalResponseNorm: _norm,
    nn.Dropout: lambda name, shapes, module: layers.dropout(name, shapes[0], module.p),
    nn.Flatten: _flatten,
    nn.Unflatten: lambda name, shapes, module: layers.reshape(name, shapes[0], tuple(module.unflattened_size)),
    nn.ChannelShuffle: lambda name, shapes, module: layers.shuffle(name, shapes[0], module.groups),
    nn.Softmax: lambda name, shapes, _: layers.softmax(name, shapes[0]),
    nn.ReLU: _activation("relu"),
    nn.ReLU6: _activation("relu6"),
    nn.LeakyReLU: _activation("leaky_relu"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.Hardtanh: _activation("hardtanh"),
    torch_model.Concat: _concat,
    torch_model.Add: _add,
}
"""What each module becomes; a subclass takes the rule of its parent."""

OPERATION_RULES: dict[object, Callable[..., Layer]] = {
    operator.add: _add,
    torch.add: _add,
    torch.cat: _concat,
    torch.flatten: _flatten,
    "flatten": _flatten,
    torch.relu: _activation("relu"),
    functional.relu: _activation("relu"),
    "relu": _activation("relu"),
    torch.sigmoid: _activation("sigmoid"),
    torch.tanh: _activation("tanh"),
}
"""What functions and tensor methods become."""

_LEAVES = (*MODULE_RULES, nn.Identity)
