"""Run a layer graph with PyTorch, whole or in parts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.shapes import Shape

ACTIVATION_MODULES: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "hardtanh": nn.Hardtanh,
}


class TorchModel(nn.Module):
    """A layer graph that runs, in evaluation mode, float32, without gradients (switch them on to train).

    Tensors carry the batch first.  ``forward`` gives the result of the graph (a tuple if it has several).
    """

    def __init__(self, graph: LayerGraph) -> None:
        super().__init__()
        self.graph = graph
        self.layers = nn.ModuleDict({_key(layer.name): _module(layer) for layer in graph})
        self._plans: dict[frozenset[str], tuple[_Step, ...]] = {}

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the whole graph on a batch of raw inputs."""
        results = self.run_layers({"input": image}, self.graph.layer_names)
        return results[self.graph.exits[0]] if len(results) == 1 else tuple(results.values())

    def run_layers(
        self, tensors: Mapping[str, Tensor], names: Iterable[str], keep_all: bool = False
    ) -> dict[str, Tensor]:
        """Run some layers of the graph, in its order.

        Parameters
        ----------
        tensors : mapping
            What is known already: layer name (or "input") to tensor.
        names : iterable of str
            Layers to run; their inputs must be in ``tensors`` or among ``names``.
        keep_all : bool
            Return the output of every layer that ran.

        Returns
        -------
        dict
            Outputs that other layers of the graph, or nobody, read: exactly the tensors that cross a link after a
            partial run, and the results after a complete one.

        Raises
        ------
        ValueError
            A missing input, or an input of the wrong shape.
        """
        known = dict(tensors)
        plan = self._plan(frozenset(names))
        for step in plan:
            known[step.name] = self._run(step, [_given(known, source, step.name) for source in step.sources])
            for source in () if keep_all else step.used_up:
                del known[source]
        return {step.name: known[step.name] for step in plan if step.name in known}

    def run_layer(self, name: str, *inputs: Tensor) -> Tensor:
        """Run one layer on its inputs."""
        return self._run(self._plan(frozenset([name]))[0], inputs)

    def _run(self, step: "_Step", inputs: Sequence[Tensor]) -> Tensor:
        arrived = tuple(tuple(tensor.shape[1:]) for tensor in inputs)
        if arrived != step.input_shapes:
            raise ValueError(f"layer {step.name} expects inputs {step.input_shapes} after the batch, but got {arrived}")
        return step.module(*inputs)

    def _plan(self, names: frozenset[str]) -> tuple["_Step", ...]:
        """Steps for these layers, remembered: planning takes longer than a small layer runs."""
        if names not in self._plans:
            for name in names:
                self.graph[name]
            order = [name for name in self.graph.layer_names if name in names]
            self._plans[names] = tuple(self._step(name, order) for name in order)
        return self._plans[names]

    def _step(self, name: str, order: list[str]) -> "_Step":
        sources = self.graph.predecessors(name) or ("input",)
        used_up = tuple(
            source for source in set(sources) if source in order and self._last_reader(source, order) == name
        )
        return _Step(name, self.layers[_key(name)], self.graph[name].input_shapes, sources, used_up)

    def _last_reader(self, name: str, order: list[str]) -> str | None:
        """Layer of the plan after which a tensor is needed no more; None if layers beyond the plan read it."""
        readers = self.graph.successors(name)
        return max(readers, key=order.index) if set(readers) <= set(order) else None


@dataclass(frozen=True)
class _Step:
    name: str
    module: nn.Module
    input_shapes: tuple[Shape, ...]
    sources: tuple[str, ...]
    used_up: tuple[str, ...]


def to_torch(graph: LayerGraph, seed: int = 0, device: str = "cpu") -> TorchModel:
    """Build the model with random weights that depend on ``seed`` alone.

    Weights are uniform with the variance of He et al. 2015 (2 / fan-in), biases uniform within 1/sqrt(fan-in).  On the
    "meta" device no weight is stored: shapes and FLOPs of any model can be examined.

    Raises
    ------
    ValueError
        The graph holds merged units; build the original graph and run a unit's members.
    """
    blocks = [layer.name for layer in graph if layer.kind == "block"]
    if blocks:
        raise ValueError(f"{graph.name} holds merged units ({blocks[0]}, ...); build the graph they were merged from")
    with torch.device("meta"):
        model = TorchModel(graph)
    if device != "meta":
        model = model.to_empty(device="cpu")
        _initialise(model, torch.Generator().manual_seed(seed))
    return model.to(device).requires_grad_(False).eval()


class LocalConv2d(nn.Module):
    """Locally connected layer: unfold the windows, then one small matrix product per output position."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        filters, self.height, self.width = layer.output_shape
        self.window = {key: layer.config[name] for key, name in _UNFOLD_OPTIONS.items()}
        positions = self.height * self.width
        self.weight = nn.Parameter(torch.empty(positions, filters, layer.mac // layer.output_elements))
        self.bias = nn.Parameter(torch.empty(filters, positions)) if layer.config["bias"] else None

    def forward(self, image: Tensor) -> Tensor:
        windows = functional.unfold(image, **self.window)  # (batch, fan-in, positions)
        output = torch.einsum("pfk,bkp->bfp", self.weight, windows)  # (batch, filters, positions)
        if self.bias is not None:
            output = output + self.bias
        return output.unflatten(2, (self.height, self.width))


_UNFOLD_OPTIONS = {"kernel_size": "kernel", "stride": "stride", "padding": "padding"}


class Concat(nn.Module):
    """Concatenate along the channels."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, dim=1)


class Add(nn.Module):
    """Sum of the inputs."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = first + other
        return first


class ArgMax(nn.Module):
    """Index of the largest element, as float so that every tensor of a model has one type."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.flatten(1).argmax(dim=1, keepdim=True).to(scores.dtype)


def _key(name: str) -> str:
    return name.replace(".", "/")  # a module name may not hold a dot


def _given(known: Mapping[str, Tensor], source: str, reader: str) -> Tensor:
    if source not in known:
        raise ValueError(f"layer {reader} needs the output of {source}, which was neither given nor run")
    return known[source]


def _module(layer: Layer) -> nn.Module:
    module = MODULES[layer.kind](layer)
    fused = layer.config.get("activation")
    return nn.Sequential(module, ACTIVATION_MODULES[fused]()) if fused else module


def _conv(layer: Layer) -> nn.Module:
    config = layer.config
    channels = layer.input_shapes[0][0]
    window = (config["kernel"], config["stride"], config["padding"])
    return nn.Conv2d(channels, config["filters"], *window, groups=config["groups"], bias=config["bias"])


def _dense(layer: Layer) -> nn.Module:
    linear = nn.Linear(layer.input_elements, layer.config["units"], bias=layer.config["bias"])
    return linear if len(layer.input_shapes[0]) == 1 else nn.Sequential(nn.Flatten(), linear)


def _pool(layer: Layer) -> nn.Module:
    config = layer.config
    kind = nn.MaxPool2d if config["function"] == "max" else nn.AvgPool2d
    return kind(config["kernel"], config["stride"], config["padding"], ceil_mode=config["ceil"])


def _norm(layer: Layer) -> nn.Module:
    if layer.config["function"] == "lrn":
        return nn.LocalResponseNorm(layer.config["size"])
    shape = layer.input_shapes[0]
    return nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])


def _softmax(layer: Layer) -> nn.Module:
    return ArgMax() if layer.config["function"] == "argmax" else nn.Softmax(dim=1)


MODULES: dict[str, Callable[[Layer], nn.Module]] = {
    "conv": _conv,
    "local": LocalConv2d,
    "dense": _dense,
    "pool": _pool,
    "norm": _norm,
    "softmax": _softmax,
    "activation": lambda layer: ACTIVATION_MODULES[layer.config["function"]](),
    "dropout": lambda layer: nn.Dropout(layer.config["rate"]),
    "flatten": lambda layer: nn.Flatten(),
    "reshape": lambda layer: nn.Sequential(nn.Flatten(), nn.Unflatten(1, layer.output_shape)),
    "shuffle": lambda layer: nn.ChannelShuffle(layer.config["groups"]),
    "pad": lambda layer: nn.ZeroPad3d((0, 0, 0, 0, 0, layer.config["added"])),  # of four dimensions it pads the last 3
    "concat": lambda layer: Concat(),
    "add": lambda layer: Add(),
}


@torch.no_grad()
def _initialise(model: TorchModel, generator: torch.Generator) -> None:
    for layer in model.graph:
        for module in model.layers[_key(layer.name)].modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.reset_parameters()
            elif isinstance(getattr(module, "weight", None), Tensor):
                _randomise(module, layer.mac // layer.output_elements, generator)


def _randomise(module: nn.Module, fan_in: int, generator: torch.Generator) -> None:
    bound = (6 / fan_in) ** 0.5
    module.weight.uniform_(-bound, bound, generator=generator)
    if module.bias is not None:
        module.bias.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
