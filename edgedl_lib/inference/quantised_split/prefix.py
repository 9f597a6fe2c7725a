"""The part of the network that the edge holds: layers 1 to p with n-bit weights and activations.

Layers are grouped as integer kernels fuse them: a convolution with the normalisation and rectifier behind it is one
group, quantised at its end; pooling picks among values that are already on the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from torch import Tensor, nn

from edgedl_lib.inference.quantised_split.network import Split
from edgedl_lib.inference.quantised_split.quantise import IMAGE, Quantiser, fold_batch_norm
from edgedl_lib.inference.split.network import run_between
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.torch_model import TorchModel

Ranges = Mapping[str, tuple[float, float]]
FOLLOWERS = ("norm", "activation")


def fused_groups(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """Consecutive layers that one kernel computes: each weighted layer takes its norm and activation along.

    Examples
    --------
    >>> from edgedl_lib.inference.quantised_split.network import digits_graph
    >>> [len(group) for group in fused_groups(digits_graph().layers)]
    [3, 3, 1, 3, 3, 1, 2, 1]
    """
    groups: list[tuple[Layer, ...]] = []
    for layer in layers:
        if layer.kind in FOLLOWERS and groups and groups[-1][0].kind in ("conv", "dense"):
            groups[-1] += (layer,)
        else:
            groups.append((layer,))
    return groups


def calibrate(network: TorchModel, images: Tensor) -> dict[str, tuple[float, float]]:
    """Lowest and highest output of every layer over `images`, which must not be the test images."""
    ranges, values = {}, images
    for name in network.graph.layer_names:
        values = network.layers[name](values)
        ranges[name] = (float(values.min()), float(values.max()))
    return ranges


@dataclass(frozen=True)
class Stage:
    """One fused group: its modules, and the grid of its output (None where the values stay on the grid before)."""

    modules: tuple[nn.Module, ...]
    grid: Quantiser | None

    def __call__(self, values: Tensor) -> Tensor:
        for module in self.modules:
            values = module(values)
        return values if self.grid is None else self.grid.round_trip(values)


@dataclass(frozen=True)
class SplitNetwork:
    """A network cut at `cut`: quantised stages on the edge, the untouched float32 rest in the cloud."""

    network: TorchModel
    cut: int
    stages: tuple[Stage, ...]

    @property
    def boundary(self) -> Quantiser:
        """Grid of the tensor that crosses the link; at cut 0 the image's own."""
        grids = [stage.grid for stage in self.stages if stage.grid]
        return grids[-1] if grids else IMAGE

    def edge(self, images: Tensor) -> Tensor:
        """Output of layers 1 to `cut`, on the grid of `boundary`."""
        values = images
        for stage in self.stages:
            values = stage(values)
        return values

    def cloud(self, values: Tensor) -> Tensor:
        """Scores from the layers after `cut`, in float32."""
        return run_between(self.network, values, self.cut, len(self.network.graph))

    def accuracy(self, split: Split) -> float:
        """Share of right answers on `split`, in [0, 1]."""
        answers = self.cloud(self.edge(split.images)).argmax(1)
        return float((answers == split.labels).double().mean())


def split_at(network: TorchModel, cut: int, ranges: Ranges, bits: int = 8) -> SplitNetwork:
    """Quantise layers 1 to `cut` to `bits` bits.

    Raises
    ------
    ValueError
        If there is no such cut.
    """
    if not 0 <= cut <= len(network.graph):
        raise ValueError(f"cut {cut} does not exist; {network.graph.name} has the cuts 0 to {len(network.graph)}")
    groups = fused_groups(network.graph.layers[:cut])
    return SplitNetwork(network, cut, tuple(_stage(network, group, ranges, bits) for group in groups))


def _stage(network: TorchModel, group: tuple[Layer, ...], ranges: Ranges, bits: int) -> Stage:
    modules = [network.layers[layer.name] for layer in group]
    if group[0].kind == "pool":
        return Stage(tuple(modules), None)
    if len(group) > 1 and group[1].kind == "norm":
        modules[:2] = [fold_batch_norm(*modules[:2])]
    modules[0] = _on_grid(modules[0], bits)
    return Stage(tuple(modules), Quantiser.for_range(*ranges[group[-1].name], bits))


def _on_grid(module: nn.Module, bits: int) -> nn.Module:
    """A copy of a weighted layer whose weights lie on a grid of their own; biases stay wide, as in integer kernels."""
    rounded = deepcopy(module).requires_grad_(False)
    for layer in rounded.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data = Quantiser.for_tensor(layer.weight, bits).round_trip(layer.weight)
    return rounded
