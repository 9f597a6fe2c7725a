"""What `edgedl profile` times: two peaks, and a small grid of layers of each kind.

Everything runs in PyTorch on one thread, as the notebooks do.  Only this module of the package needs PyTorch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import torch
from torch.nn import functional

GEMM_SIZE = 1024  # rows and columns of the float32 product that stands for the peak
GEMM_CALLS = 10
TRIAD_BYTES = 64 * 2**20  # of each of the three arrays: larger than a last-level cache
TRIAD_CALLS = 6
WARM_UP_CALLS = 3
FLOAT_BYTES = 4


@dataclass(frozen=True)
class LayerCase:
    """One layer of the grid.

    Attributes
    ----------
    kind : str
        As :func:`edgedl_lib.system.device.roofline_kind` names it.
    config : str
        For people: the shapes.
    flop, bytes_moved : float
        Of one call: weights, input and output once.
    call : callable
        Runs the layer.
    """

    kind: str
    config: str
    flop: float
    bytes_moved: float
    call: Callable[[], torch.Tensor]


@contextmanager
def one_thread() -> Iterator[None]:
    """Run on one PyTorch thread without gradients, and leave the setting as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure_peak() -> float:
    """Float32 peak (FLOP/s): the best of ten square matrix products of size 1024."""
    left, right = torch.rand(GEMM_SIZE, GEMM_SIZE), torch.rand(GEMM_SIZE, GEMM_SIZE)
    product = torch.empty_like(left)
    torch.mm(left, right, out=product)
    best = min(seconds_of(lambda: torch.mm(left, right, out=product)) for _ in range(GEMM_CALLS))
    return 2 * GEMM_SIZE**3 / best


def measure_bandwidth() -> float:
    """Memory bandwidth (bytes/s): the best of six triads ``a = b + 3 c`` on three arrays of 64 MiB, each moved once."""
    second, third = (torch.ones(TRIAD_BYTES // FLOAT_BYTES) for _ in range(2))
    first = torch.empty_like(second)
    torch.add(second, third, alpha=3.0, out=first)
    best = min(seconds_of(lambda: torch.add(second, third, alpha=3.0, out=first)) for _ in range(TRIAD_CALLS))
    return 3 * TRIAD_BYTES / best


def latency_of(call: Callable[[], object], budget: float) -> tuple[float, float]:
    """Median and minimum latency (s) of repeated calls within `budget` seconds, at least five, after a warm-up."""
    for _ in range(WARM_UP_CALLS):
        call()
    samples = []
    end = time.perf_counter() + budget
    while len(samples) < 5 or time.perf_counter() < end:
        samples.append(seconds_of(call))
    return statistics.median(samples), min(samples)


def layer_cases(seed: int = 0) -> list[LayerCase]:
    """The grid: sizes from a digit classifier's to VGG's, so that both sides of the ridge and the overhead show."""
    generator = torch.Generator().manual_seed(seed)
    return [
        *(_conv(generator, *shape) for shape in CONV_SHAPES),
        *(_depthwise_conv(generator, *shape) for shape in DEPTHWISE_SHAPES),
        *(_dense(generator, *shape) for shape in DENSE_SHAPES),
        *(_pool(generator, *shape) for shape in MAP_SHAPES),
        *(_activation(generator, *shape) for shape in MAP_SHAPES),
        *(_norm(generator, *shape) for shape in MAP_SHAPES),
        *(_lrn(generator, *shape) for shape in LRN_SHAPES),
    ]


CONV_SHAPES = (  # input channels, filters, height = width, kernel, stride
    (1, 8, 28, 5, 1),
    (3, 64, 112, 3, 1),
    (3, 96, 227, 11, 4),
    (64, 64, 56, 3, 1),
    (128, 128, 28, 3, 1),
    (256, 256, 14, 3, 1),
    (256, 512, 14, 1, 1),
    (16, 16, 16, 3, 1),
)
DEPTHWISE_SHAPES = ((32, 112, 1), (128, 56, 1), (256, 28, 2), (512, 14, 1))  # channels, height = width, stride
DENSE_SHAPES = ((128, 64), (400, 120), (1024, 1000), (2048, 2048), (4096, 4096))  # inputs, outputs
MAP_SHAPES = ((8, 14), (32, 28), (64, 56), (96, 55), (64, 112))  # channels, height = width
LRN_SHAPES = ((16, 14), (96, 55), (256, 27))


def _conv(generator: torch.Generator, channels: int, filters: int, size: int, kernel: int, stride: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    weight = torch.rand(filters, channels, kernel, kernel, generator=generator)
    bias = torch.rand(filters, generator=generator)

    def call() -> torch.Tensor:
        return functional.conv2d(tensor, weight, bias, stride, kernel // 2)

    config = f"{channels}x{size}x{size} -> {filters}, {kernel}x{kernel}/{stride}"
    return _weighted("conv", config, call, tensor, weight, bias)


def _depthwise_conv(generator: torch.Generator, channels: int, size: int, stride: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    weight, bias = torch.rand(channels, 1, 3, 3, generator=generator), torch.rand(channels, generator=generator)

    def call() -> torch.Tensor:
        return functional.conv2d(tensor, weight, bias, stride, 1, groups=channels)

    return _weighted("depthwise_conv", f"{channels}x{size}x{size}, 3x3/{stride}", call, tensor, weight, bias)


def _dense(generator: torch.Generator, inputs: int, outputs: int) -> LayerCase:
    tensor = torch.rand(1, inputs, generator=generator)
    weight, bias = torch.rand(outputs, inputs, generator=generator), torch.rand(outputs, generator=generator)
    return _weighted(
        "dense", f"{inputs} -> {outputs}", lambda: functional.linear(tensor, weight, bias), tensor, weight, bias
    )


def _pool(generator: torch.Generator, channels: int, size: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    return _elementwise("pool", tensor, 9, lambda: functional.max_pool2d(tensor, 3, 2))


def _activation(generator: torch.Generator, channels: int, size: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    return _elementwise("activation", tensor, 1, lambda: functional.relu(tensor))


def _norm(generator: torch.Generator, channels: int, size: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    mean, variance, scale, shift = (torch.rand(channels, generator=generator) + 0.5 for _ in range(4))
    return _elementwise("norm", tensor, 2, lambda: functional.batch_norm(tensor, mean, variance, scale, shift))


def _lrn(generator: torch.Generator, channels: int, size: int) -> LayerCase:
    tensor = torch.rand(1, channels, size, size, generator=generator)
    return _elementwise("lrn", tensor, 13, lambda: functional.local_response_norm(tensor, 5))


def _weighted(
    kind: str,
    config: str,
    call: Callable[[], torch.Tensor],
    tensor: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
) -> LayerCase:
    elements = call().numel()
    flop = 2.0 * elements * prod(weight.shape[1:])
    moved = FLOAT_BYTES * (tensor.numel() + weight.numel() + bias.numel() + elements)
    return LayerCase(kind, config, flop, moved, call)


def _elementwise(kind: str, tensor: torch.Tensor, flop_per_output: int, call: Callable[[], torch.Tensor]) -> LayerCase:
    elements = call().numel()
    config = "x".join(map(str, tensor.shape[1:]))
    return LayerCase(kind, config, flop_per_output * elements, FLOAT_BYTES * (tensor.numel() + elements), call)
