"""Run a real network tile by tile: the merged output equals the untiled one.

A tile is cropped from real data, so its inner edges need no padding; zeros (or, for a maximum, minus infinity) are put
only where the tile lies at the border of the whole map, in every layer anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.inference.tiles.geometry import Grid, Region, Tile, border_padding, tile_regions
from edgedl_lib.inference.tiles.intervals import Axis, CutRule, Interval, ceil_intervals, reach
from edgedl_lib.inference.tiles.stages import NotTileable, Stage, tile_stages
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.shapes import Shape
from edgedl_lib.nets.torch_model import TorchModel


@dataclass(frozen=True)
class TileNetwork:
    """Stages and, for each, the modules that compute it: what a worker needs to run any tile."""

    stages: tuple[Stage, ...]
    modules: tuple[tuple[nn.Module, ...], ...]

    @property
    def output_shape(self) -> Shape:
        """(channels, height, width) of the last map."""
        return self.stages[-1].output_shape


def tile_network(model: nn.Module, input_shape: Shape | None = None, until: str | None = None) -> TileNetwork:
    """Stages and modules of a network, in evaluation mode.

    Parameters
    ----------
    model : TorchModel or nn.Sequential
        A ``Sequential`` may nest others.
    input_shape : shape, optional
        Of one input without the batch; a ``TorchModel`` knows its own.
    until : str, optional
        Last layer that takes part (its name in the layer graph).

    Raises
    ------
    NotTileable
        The network branches, needs the whole map, or is no ``Sequential``.
    ValueError
        A training network, a padding other than zeros, or no input shape.
    """
    if isinstance(model, TileNetwork):
        return model
    graph, modules = _graph_and_modules(model, input_shape)
    stages = tile_stages(graph, until)
    counts = [len(stage.layers) for stage in stages]
    starts = [sum(counts[:index]) for index in range(len(counts))]
    grouped = tuple(tuple(modules[start : start + count]) for start, count in zip(starts, counts, strict=True))
    for module in model.modules():
        _check_module(module)
    return TileNetwork(stages, grouped)


def crop(image: Tensor, region: Region) -> Tensor:
    """The region of a map (batch, channels, height, width), as a view."""
    return image[..., region.top : region.bottom, region.left : region.right]


def run_tile(model: nn.Module | TileNetwork, tensor_crop: Tensor, tile: Tile) -> Tensor:
    """Output of one tile from the crop of the input that it needs.

    Parameters
    ----------
    model : TileNetwork or TorchModel
    tensor_crop : Tensor
        (batch, channels, height, width) of ``tile.input``.
    tile : Tile
        One of `tile_regions` of the same network.

    Returns
    -------
    Tensor
        (batch, channels, height, width) of ``tile.output``.
    """
    network = tile_network(model)
    _check_crop(network, tensor_crop, tile)
    held = [tensor_crop]
    del tensor_crop  # a caller that gives the crop away pays for it only until the first layer has read it
    for index in range(len(network.stages)):
        held.append(run_stage(network, index, held.pop(), tile.regions[index + 1]))
    return held.pop()


def run_stage(network: TileNetwork, index: int, before: Tensor, output: Region) -> Tensor:
    """A region of one stage's output from exactly the region of its input that it depends on."""
    stage, (window, *followers) = network.stages[index], network.modules[index]
    if output.pixels == 0:
        return before.new_zeros(before.shape[0], stage.output_shape[0], output.height, output.width)
    with torch.no_grad():  # windows write into a given map, which autograd would not follow
        before = _padded(stage, before, output)
        after = _WINDOWS[stage.kind](stage, window, before, output) if stage.kind in _WINDOWS else window(before)
        owned = stage.kind in _WINDOWS  # a window writes a new map, which its followers may overwrite
        for module in followers:
            after = _in_place(module, after) if owned else module(after)
    return after


def run_tiled(
    model: nn.Module | TileNetwork,
    image: Tensor,
    grid: Grid,
    *,
    reuse: bool = False,
    until: str | None = None,
    cut: CutRule = ceil_intervals,
) -> Tensor:
    """Output of the network, computed tile by tile and merged.

    Parameters
    ----------
    model : TorchModel, nn.Sequential or TileNetwork
    image : Tensor
        (batch, channels, height, width) of the raw input.
    grid : (int, int)
        Tiles along the height and the width of the last map.
    reuse : bool
        Let every second tile take what its neighbours computed (DeepThings [156]) instead of computing it again.
    until : str, optional
        Last layer that takes part.
    cut : function
        Rule that cuts the last map.
    """
    network = tile_network(model, tuple(image.shape[1:]), until)
    if reuse:
        from edgedl_lib.inference.tiles.reuse import run_checkerboard

        return run_checkerboard(network, image, grid, cut=cut).output
    tiles = tile_regions(network.stages, grid, cut=cut)
    return merge(((tile, run_tile(network, crop(image, tile.input), tile)) for tile in tiles), network.output_shape)


def merge(outputs: Iterable[tuple[Tile, Tensor]], output_shape: Shape) -> Tensor:
    """The last map from its tiles, in any order.

    Raises
    ------
    ValueError
        A tile of the wrong shape, twice the same tile, or a hole.
    """
    merged, missing = None, output_shape[1] * output_shape[2]
    seen: set[tuple[int, int]] = set()
    for tile, part in outputs:
        place = (tile.row, tile.column)
        if tuple(part.shape[1:]) != (output_shape[0], tile.output.height, tile.output.width) or place in seen:
            fault = "twice" if place in seen else f"with shape {tuple(part.shape[1:])}"
            raise ValueError(f"tile {place} arrived {fault}; merge needs each tile of a {output_shape} map once")
        if merged is None:
            merged = part.new_zeros(part.shape[0], *output_shape)
        crop(merged, tile.output).copy_(part)
        missing -= tile.output.pixels
        seen.add(place)
    if merged is None or missing:
        raise ValueError(f"{missing} pixels of the {output_shape} map have no tile; give merge every tile of the grid")
    return merged


def _graph_and_modules(model: nn.Module, input_shape: Shape | None):
    if isinstance(model, TorchModel):
        return model.graph, list(model.layers.values())
    if not isinstance(model, nn.Sequential):
        kind = type(model).__name__
        raise NotTileable(f"cannot tell which modules of {kind} run in which order; give an nn.Sequential or to_torch")
    if input_shape is None:
        raise ValueError("the layers of an nn.Sequential need the shape of its input; pass input_shape=(C, H, W)")
    return layer_graph(model, input_shape), [part for part in _leaves(model) if not isinstance(part, nn.Identity)]


def _leaves(module: nn.Module) -> list[nn.Module]:
    if not isinstance(module, nn.Sequential):
        return [module]
    return [leaf for part in module for leaf in _leaves(part)]


def _check_module(module: nn.Module) -> None:
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise ValueError(
            f"padding mode {module.padding_mode!r} reads the far border of the map; only zeros can be tiled"
        )
    if module.training and isinstance(module, nn.Dropout | nn.BatchNorm2d):
        raise ValueError(
            f"{type(module).__name__} in training mode depends on the whole batch; call model.eval() first"
        )


def _check_crop(network: TileNetwork, tensor_crop: Tensor, tile: Tile) -> None:
    if len(tile.regions) != len(network.stages) + 1:
        stages = len(network.stages)
        raise ValueError(
            f"the tile has {len(tile.regions)} regions, {stages} stages need {stages + 1}; use its network"
        )
    expected = (network.stages[0].input_shape[0], tile.input.height, tile.input.width)
    if tensor_crop.dim() != 4 or tuple(tensor_crop.shape[1:]) != expected:
        raise ValueError(
            f"tile ({tile.row}, {tile.column}) needs a batch of {expected}, got {tuple(tensor_crop.shape)}"
        )


def _padded(stage: Stage, before: Tensor, output: Region) -> Tensor:
    """The input with padding where the tile lies at a border of the map; a convolution pads equal sides itself."""
    padding = border_padding(stage, output)
    if not any(padding) or (stage.kind == "conv" and _is_symmetric(padding)):
        return before
    is_maximum = stage.kind == "pool" and stage.layers[0].config["function"] == "max"
    return functional.pad(before, padding, value=-torch.inf if is_maximum else 0.0)


def _is_symmetric(padding: tuple[int, int, int, int]) -> bool:
    left, right, top, bottom = padding
    return left == right and top == bottom


def _run_conv(stage: Stage, module: nn.Module, before: Tensor, output: Region) -> Tensor:
    conv, *fused = module if isinstance(module, nn.Sequential) else (module,)
    padding = border_padding(stage, output)
    own = (padding[2], padding[0]) if _is_symmetric(padding) else 0
    after = functional.conv2d(before, conv.weight, conv.bias, conv.stride, own, groups=conv.groups)
    for activation in fused:
        after = _in_place(activation, after)
    return after


def _run_pool(stage: Stage, module: nn.Module, before: Tensor, output: Region) -> Tensor:
    layer = stage.layers[0]
    window = (layer.config["kernel"], layer.config["stride"])
    if layer.config["function"] == "max":
        return _maximum(before, *window, output)
    total = functional.avg_pool2d(before, *window, divisor_override=1)
    return total / _divisor(stage, module, output).to(total)


def _maximum(before: Tensor, kernel: tuple[int, int], stride: tuple[int, int], output: Region) -> Tensor:
    """Largest of each window; torch's own pool also writes where it lay, eight bytes for each output."""
    spans = [step * (size - 1) + 1 for step, size in zip(stride, (output.height, output.width), strict=True)]
    taken = [
        before[..., i : i + spans[0] : stride[0], j : j + spans[1] : stride[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    largest = taken[0].clone(memory_format=torch.contiguous_format)
    for other in taken[1:]:
        torch.maximum(largest, other, out=largest)
    return largest


def _divisor(stage: Stage, module: nn.Module, output: Region) -> Tensor:
    """Elements that each average counts: padding belongs to it, what lies beyond the padding does not."""
    override = getattr(module, "divisor_override", None)
    if override:
        return torch.tensor(override)
    counted = getattr(module, "count_include_pad", True)
    axes = ((stage.rows, output.rows), (stage.columns, output.columns))
    rows, columns = (
        torch.tensor([_window_length(axis, index, counted) for index in range(*span)]) for axis, span in axes
    )
    return rows[:, None] * columns


def _window_length(axis: Axis, index: int, padding_counts: bool) -> int:
    start, stop = reach(axis, Interval(index, index + 1))
    border = axis.padding if padding_counts else 0
    return min(stop, axis.size + border) - max(start, -border)


_WINDOWS: dict[str, Callable[[Stage, nn.Module, Tensor, Region], Tensor]] = {"conv": _run_conv, "pool": _run_pool}

_IN_PLACE: dict[type, Callable[[nn.Module, Tensor], Tensor]] = {
    nn.ReLU: lambda module, map: functional.relu_(map),
    nn.ReLU6: lambda module, map: functional.hardtanh_(map, 0.0, 6.0),
    nn.LeakyReLU: lambda module, map: functional.leaky_relu_(map, module.negative_slope),
    nn.Hardtanh: lambda module, map: functional.hardtanh_(map, module.min_val, module.max_val),
    nn.Sigmoid: lambda module, map: torch.sigmoid_(map),
    nn.Tanh: lambda module, map: torch.tanh_(map),
}


def _in_place(module: nn.Module, values: Tensor) -> Tensor:
    """Element-wise module over a map that nobody else holds; kinds without an in-place form write a new map."""
    rule = _IN_PLACE.get(type(module))
    return rule(module, values) if rule else module(values)
