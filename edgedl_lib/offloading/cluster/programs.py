"""What a worker can compute, by name: a program is built once from a few numbers and then called for each task.

Only names, numbers and lists cross the socket; code never does.  All workers build the same seeded weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from edgedl_lib.inference.split.network import GREY_LEVELS, ChainNetwork
from edgedl_lib.inference.tiles.execution import TileNetwork, crop, merge, run_tile, tile_network
from edgedl_lib.inference.tiles.geometry import Tile, tile_regions
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.offloading.cluster.networks import cluster_graph


class Program(Protocol):
    """Computes one task."""

    def __call__(self, task: int, values: np.ndarray) -> np.ndarray:
        """Output of task number `task` on `values`; raises ValueError if they do not fit."""

    def example(self, task: int) -> np.ndarray:
        """An input that fits a task, for warming up and profiling."""


@dataclass
class Layers:
    """Layers ``begin + 1 .. end`` of a chain; cut 0 takes an image of bytes.

    Parameters
    ----------
    network : str
        A chain, as `cluster_graph` takes it.
    begin, end : int
        Cuts; by default the whole network.
    seed : int
        Of the weights.

    Examples
    --------
    >>> front = Layers("lenet5", end=2)
    >>> front(0, front.example()).shape
    (1, 20, 12, 12)
    """

    network: str
    begin: int = 0
    end: int | None = None
    seed: int = 0
    chain: ChainNetwork = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.chain = ChainNetwork(cluster_graph(self.network), self.seed)
        self.begin = self.chain.checked(self.begin)
        self.end = self.chain.layer_count if self.end is None else self.chain.checked(self.end)
        if self.end < self.begin:
            raise ValueError(f"layers {self.begin} to {self.end} run backwards; give begin <= end")

    def __call__(self, task: int, values: np.ndarray) -> np.ndarray:
        return self.chain.run(values, self.begin, self.end)

    def example(self, task: int = 0) -> np.ndarray:
        """Noise: bytes at cut 0, float32 behind it."""
        shape = self.chain.boundary_shape(self.begin)
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return noise if self.begin == 0 else noise.astype(np.float32) / 255

    def output_shape(self) -> tuple[int, ...]:
        """Shape of each result, batch first."""
        return self.chain.boundary_shape(self.end)


@dataclass
class Tiles:
    """One tile of the last map of fused layers, from the crop of the image that it depends on; the task is its number.

    Parameters
    ----------
    network : str
        A chain of convolutions, pools and element-wise layers, as `cluster_graph` takes it.
    grid : (int, int)
        Tiles along height and width of the last map, numbered row by row.
    seed : int
        Of the weights.

    Examples
    --------
    >>> program = Tiles("tile-net", grid=(2, 2))
    >>> program(0, program.example(0)).shape
    (1, 8, 16, 16)
    """

    network: str
    grid: tuple[int, int]
    seed: int = 0
    tiles: tuple[Tile, ...] = field(init=False, repr=False)
    fused: TileNetwork = field(init=False, repr=False)

    def __post_init__(self) -> None:
        model = to_torch(cluster_graph(self.network), self.seed)
        self.fused = tile_network(model)
        self.tiles = tile_regions(self.fused.stages, tuple(self.grid))

    def __call__(self, task: int, values: np.ndarray) -> np.ndarray:
        if task >= len(self.tiles):
            raise ValueError(f"tile {task} does not exist; the grid has {len(self.tiles)}")
        if values.dtype != np.uint8:
            raise ValueError(f"a tile is cropped from an image of bytes, not of {values.dtype}")
        with torch.inference_mode():
            return run_tile(self.fused, _grey(values), self.tiles[task]).numpy()

    def example(self, task: int = 0) -> np.ndarray:
        """A crop of noise."""
        region, channels = self.tiles[task].input, self.fused.stages[0].input_shape[0]
        return np.random.default_rng(0).integers(0, 256, (1, channels, region.height, region.width), dtype=np.uint8)

    def crops(self, image: np.ndarray) -> list[np.ndarray]:
        """What each task needs of an image (1, channels, height, width)."""
        return [np.ascontiguousarray(crop(image, tile.input)) for tile in self.tiles]

    def merged(self, outputs: list[np.ndarray]) -> np.ndarray:
        """The last map from the outputs of all tasks, by number."""
        parts = [(tile, torch.from_numpy(part.copy())) for tile, part in zip(self.tiles, outputs, strict=True)]
        return merge(parts, self.fused.output_shape).numpy()

    def output_shape(self, task: int) -> tuple[int, ...]:
        """Shape of one task's result, batch first."""
        region = self.tiles[task].output
        return (1, self.fused.output_shape[0], region.height, region.width)


def _grey(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.copy()).to(torch.float32) / GREY_LEVELS


PROGRAMS: dict[str, Callable[..., Program]] = {"layers": Layers, "tiles": Tiles}


def build(name: str, options: dict[str, object]) -> Program:
    """The program of this name.

    Raises
    ------
    ValueError
        If the name or an option is unknown.
    """
    if name not in PROGRAMS:
        raise ValueError(f"no program is called {name!r}; the programs are {', '.join(PROGRAMS)}")
    try:
        return PROGRAMS[name](**options)
    except TypeError as error:
        raise ValueError(f"program {name!r} does not take the options {sorted(options)}: {error}") from error
    except KeyError as error:
        raise ValueError(str(error)) from error
