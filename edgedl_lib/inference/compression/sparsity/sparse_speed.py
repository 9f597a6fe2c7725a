"""What zeros are worth in time: scattered zeros, a sparse format, and filters that are really gone."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import nn

from edgedl_lib.inference.compression.sparsity.filters import prune_filters
from edgedl_lib.inference.compression.sparsity.pruning import Keep, magnitude_prune
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.system.timing import Timing, measure_in_turn, ratio_in_turn

FULLY_CONNECTED = 4096  # inputs and outputs of AlexNet's fc7
BATCHES = (1, 64)


@dataclass(frozen=True)
class SparseSpeed:
    """Times (s) of one product with a pruned matrix, dense and sparse, by batch."""

    density: float
    dense: dict[int, Timing]
    sparse: dict[int, Timing]

    def gain(self, batch: int) -> float:
        """Time of the dense product over that of the sparse one."""
        return ratio_in_turn(self.dense[batch], self.sparse[batch])


def measure_sparse_format(
    density: float = 0.09, size: int = FULLY_CONNECTED, seed: int = 0, windows: int = 7
) -> SparseSpeed:
    """Time a square matrix as PyTorch stores it and as SciPy's compressed sparse rows, on one thread.

    Parameters
    ----------
    density : float
        Share of entries that are not zero, at random places, in (0, 1].
    """
    if not 0 < density <= 1:
        raise ValueError(f"density must lie in (0, 1], not {density}")
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(size, size, generator=generator)
    matrix *= matrix < density
    rows = sparse.csr_matrix(matrix.numpy())
    timings = {}
    with torch.inference_mode():
        for batch in BATCHES:
            inputs = torch.rand(size, batch, generator=generator)
            columns = inputs.numpy() if batch > 1 else inputs.numpy().ravel()
            inputs = inputs if batch > 1 else inputs.ravel()
            calls = {"dense": lambda x=inputs: matrix @ x, "sparse": lambda x=columns: rows @ x}
            timings[batch] = measure_in_turn(calls, windows=windows)
    return SparseSpeed(density, *({batch: timings[batch][kind] for batch in BATCHES} for kind in ("dense", "sparse")))


@dataclass(frozen=True)
class StructuredSpeed:
    """What removing filters promises and gives.

    Attributes
    ----------
    mac_gain : float
        Multiply-accumulates before over after.
    speedup, zeros_speedup : float
        Time of the whole network over that of the smaller one, and over that of the whole one with as many zeros
        scattered in place.
    """

    mac_gain: float
    speedup: float
    zeros_speedup: float

    @property
    def promise_kept(self) -> float:
        """Speed-up over reduction of operations."""
        return self.speedup / self.mac_gain


def measure_filters(
    model: nn.Sequential, input_shape: tuple[int, ...], keep: Keep, batch: int = 64, seed: int = 0, windows: int = 9
) -> StructuredSpeed:
    """Time a network against the one with fewer filters, and against itself with the same share of scattered zeros."""
    small, zeros = prune_filters(model, keep).eval(), copy.deepcopy(model).eval()
    gain = layer_graph(model, input_shape).mac / layer_graph(small, input_shape).mac
    magnitude_prune(zeros, min(1.0, 1 / gain))
    inputs = torch.rand(batch, *input_shape, generator=torch.Generator().manual_seed(seed))
    networks = {"whole": copy.deepcopy(model).eval(), "small": small, "zeros": zeros}
    with torch.inference_mode():
        timings = measure_in_turn(
            {name: (lambda network=network: network(inputs)) for name, network in networks.items()}, windows=windows
        )
    speedups = (ratio_in_turn(timings["whole"], timings[name]) for name in ("small", "zeros"))
    return StructuredSpeed(gain, *speedups)


def logit_difference(first: nn.Module, second: nn.Module, inputs: torch.Tensor) -> float:
    """Largest absolute difference of two networks' outputs."""
    with torch.inference_mode():
        return float(np.abs((first(inputs) - second(inputs)).numpy()).max())


def measure_zeros(density: float, shape: tuple[int, int] = (784, 300), batch: int = 64, windows: int = 9) -> float:
    """Time of a dense layer over the time of the same layer with all but ``density`` of its weights zero."""
    layer = nn.Linear(*shape)
    zeros = copy.deepcopy(layer)
    magnitude_prune(nn.Sequential(zeros), density)
    inputs = torch.rand(batch, shape[0], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        timings = measure_in_turn({"dense": lambda: layer(inputs), "zeros": lambda: zeros(inputs)}, windows=windows)
    return ratio_in_turn(timings["dense"], timings["zeros"])
