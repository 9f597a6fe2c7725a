"""A streaming accelerator of 3x3 convolution engines (Du et al. 2018 [143]).

A larger kernel becomes several 3x3 passes whose shifted partial sums add up; the zero taps that fill the last passes
cost cycles.  A pooling unit works beside the convolution engines, fed by their accumulator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform.facts import facts

PASS = 3  # side of the kernel that an engine computes in one pass
ENGINES = 16  # output maps computed side by side, one 3x3 window a cycle each
POOLED_PER_CYCLE = 1  # pixels that the pooling unit takes from the stream in a cycle


def passes(kernel: int) -> int:
    """Number of 3x3 passes of a KxK kernel.

    Examples
    --------
    >>> [passes(kernel) for kernel in (1, 3, 5, 7, 11)]
    [1, 1, 4, 9, 16]
    """
    if kernel < 1:
        raise ValueError(f"a kernel has at least one tap, not {kernel}")
    return math.ceil(kernel / PASS) ** 2


def utilisation(kernel: int) -> float:
    """Share of multiplications with a true tap: K^2 / (9 passes).

    Examples
    --------
    >>> [round(utilisation(kernel), 3) for kernel in (3, 5, 7, 11)]
    [1.0, 0.694, 0.605, 0.84]
    """
    return kernel**2 / (PASS**2 * passes(kernel))


def convolve(image: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Direct convolution (as networks define it: no flip, no padding, stride 1).

    Parameters
    ----------
    image : numpy.ndarray, shape (C, H, W)
    kernels : numpy.ndarray, shape (F, C, K, K)

    Returns
    -------
    numpy.ndarray, shape (F, H - K + 1, W - K + 1)
    """
    size = kernels.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))  # (C, H', W', K, K)
    return np.einsum("chwij,fcij->fhw", windows, kernels, optimize=True)


def convolve_by_passes(image: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """The same convolution out of 3x3 passes with shifted partial sums; arguments as for :func:`convolve`."""
    size = kernels.shape[-1]
    blocks = math.ceil(size / PASS)
    padding = PASS * blocks - size  # zero taps that fill the last passes, and pixels for them to meet
    padded_kernels = np.pad(kernels, ((0, 0), (0, 0), (0, padding), (0, padding)))
    padded_image = np.pad(image, ((0, 0), (0, padding), (0, padding)))
    height, width = image.shape[1] - size + 1, image.shape[2] - size + 1
    total = np.zeros((len(kernels), height, width))
    for row in range(0, PASS * blocks, PASS):
        for column in range(0, PASS * blocks, PASS):
            shifted = padded_image[:, row : row + height + PASS - 1, column : column + width + PASS - 1]
            total += convolve(shifted, padded_kernels[:, :, row : row + PASS, column : column + PASS])
    return total


def largest_deviation(kernels: tuple[int, ...] = (5, 7, 11), seed: int = 0) -> float:
    """Largest deviation of the passes from direct convolution over kernel sizes, relative to the largest output."""
    generator = np.random.default_rng(seed)
    worst = 0.0
    for size in kernels:
        image = generator.standard_normal((3, 24, 25))
        weights = generator.standard_normal((4, 3, size, size))
        direct = convolve(image, weights)
        worst = max(worst, np.abs(convolve_by_passes(image, weights) - direct).max() / np.abs(direct).max())
    return float(worst)


def convolution_cycles(layer: Layer) -> int:
    """Cycles of a convolution: windows x input maps x passes, over the engines."""
    maps_in = layer.input_shapes[0][0] // layer.config["groups"]
    kernel = max(layer.config["kernel"])
    return math.ceil(layer.output_elements * maps_in * passes(kernel) / ENGINES)


def pooling_cycles(layer: Layer) -> int:
    """Cycles of a pooling layer: its input streams past the pooling unit once."""
    return math.ceil(layer.input_elements / POOLED_PER_CYCLE)


@dataclass(frozen=True)
class PooledStage:
    """A convolution and the pooling that follows it, in cycles."""

    convolution: str
    pooling: str
    convolution_cycles: int
    pooling_cycles: int

    @property
    def sequential(self) -> int:
        """One after the other."""
        return self.convolution_cycles + self.pooling_cycles

    @property
    def parallel(self) -> int:
        """Side by side: the slower sets the time."""
        return max(self.convolution_cycles, self.pooling_cycles)


def pooled_stages(graph: LayerGraph | None = None) -> tuple[PooledStage, ...]:
    """Every convolution of a chain that is followed by a pooling layer before the next one; AlexNet by default."""
    graph = model("alexnet") if graph is None else graph
    stages, latest = [], None
    for layer in graph.layers:
        if layer.kind == "conv":
            latest = layer
        elif layer.kind == "pool" and latest is not None:
            stages.append(PooledStage(latest.name, layer.name, convolution_cycles(latest), pooling_cycles(layer)))
            latest = None
    return tuple(stages)


def parallel_gain(stages: tuple[PooledStage, ...]) -> float:
    """Cycles of the stages one after the other over those side by side."""
    return sum(stage.sequential for stage in stages) / sum(stage.parallel for stage in stages)


def energy_efficiency() -> float:
    """Operations per joule of the chip: peak rate over power (recalled)."""
    chip = facts("sparse_accelerators", "streaming")
    return chip["peak"] / chip["power"]
