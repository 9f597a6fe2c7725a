"""The roofline of the machine at hand: its two roofs and some layers of real networks, measured in one process.

The roof is min(peak, bandwidth x intensity) (Williams, Waterman, Patterson 2009). Peak and bandwidth are measured in
the same rounds as the layers: a roof from a quiet moment over points from a busy one would say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import torch
import torch.nn.functional as F
from torch.utils.mkldnn import to_mkldnn

from edgedl_lib.offloading.platform.measured.timing import Timing, measure_in_turn
from edgedl_lib.system.device import Device
from edgedl_lib.system.host_layers import one_thread

FLOAT_BYTES = 4
PEAK_SIZE = 1024  # side of the square product that measures the peak
STREAM_BYTES = 64 * 2**20  # each array of the stream kernels: above any last-level cache of a laptop
COLD_BYTES = 128 * 2**20  # operands of a layer rotate through this much memory, so that none is found in a cache
GEMM_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class HostKernel:
    """One layer to measure.

    `bytes_moved` is analytic: weights, inputs and outputs cross the memory bus once.
    """

    name: str
    kind: str
    flop: float
    bytes_moved: float
    call: Callable[[], object]


@dataclass(frozen=True)
class RooflinePoint:
    """A measured layer: work (FLOP), traffic (bytes) and its typical time (s)."""

    name: str
    kind: str
    flop: float
    bytes_moved: float
    seconds: float

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flop / self.bytes_moved

    @property
    def rate(self) -> float:
        """FLOP per second."""
        return self.flop / self.seconds


@dataclass(frozen=True)
class HostRoofline:
    """Two measured roofs and the points below them.

    Examples
    --------
    >>> roofs = HostRoofline(peak=100e9, bandwidth=20e9, points=())
    >>> roofs.ridge_point
    5.0
    >>> roofs.share(RooflinePoint("gemv", "dense", flop=1e9, bytes_moved=2e9, seconds=0.2))
    0.5
    """

    peak: float
    bandwidth: float
    points: tuple[RooflinePoint, ...]

    @property
    def ridge_point(self) -> float:
        """Intensity at which the two roofs meet (FLOP/byte)."""
        return self.peak / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """Height of the roof (FLOP/s)."""
        return min(self.peak, self.bandwidth * intensity)

    def share(self, point: RooflinePoint) -> float:
        """Measured rate over the roof above it."""
        return point.rate / self.attainable(point.intensity)

    def device(self, name: str = "host") -> Device:
        """This machine as an ideal roofline, without calibrated efficiencies; for those run ``edgedl profile``."""
        return Device(name, self.peak, self.bandwidth, source="measured in this run", evidence="measured")

    def of_kind(self, kind: str) -> tuple[RooflinePoint, ...]:
        """The points of one kind, by rising intensity."""
        return tuple(sorted((p for p in self.points if p.kind == kind), key=lambda point: point.intensity))


def dense_kernel(batch: int, inputs: int = 4096, outputs: int = 4096) -> HostKernel:
    """A fully connected layer; batch 1 is a matrix-vector product."""
    weight_bytes = FLOAT_BYTES * inputs * outputs
    weights = [torch.rand(outputs, inputs) for _ in range(_copies(weight_bytes))]
    return _dense(batch, weights)


def dense_family(batches: tuple[int, ...] = GEMM_BATCHES, inputs: int = 4096, outputs: int = 4096) -> list[HostKernel]:
    """The same layer at several batches, over one rotating set of weights."""
    weights = [torch.rand(outputs, inputs) for _ in range(_copies(FLOAT_BYTES * inputs * outputs))]
    return [_dense(batch, weights) for batch in batches]


def convolution_kernel(kind: str, channels: int, filters: int, side: int, kernel: int, groups: int = 1) -> HostKernel:
    """A convolution with stride 1 that keeps the map's side, batch 1.

    Parameters
    ----------
    kind : str
        Label, for instance "conv 3x3", "depth-wise", "conv 1x1".
    channels, filters, side, kernel, groups : int
        Input channels, output channels, side of the square map, side of the square kernel, groups.
    """
    weight = torch.rand(filters, channels // groups, kernel, kernel) - 0.5
    moved = FLOAT_BYTES * (weight.numel() + (channels + filters) * side**2)
    images = [torch.rand(1, channels, side, side) for _ in range(_copies(moved))]
    turn = cycle(images)
    return HostKernel(
        f"{kind} {channels}>{filters} at {side}",
        kind,
        2.0 * weight.numel() * side**2,
        float(moved),
        lambda: F.conv2d(next(turn), weight, padding=kernel // 2, groups=groups),
    )


def activation_kernel(elements: int = 2**22) -> HostKernel:
    """A ReLU over a large tensor: one operation per 8 bytes, the far left of every roofline."""
    moved = 2 * FLOAT_BYTES * elements
    sources = [torch.rand(elements) - 0.5 for _ in range(_copies(moved))]
    turn, target = cycle(sources), torch.empty(elements)
    return HostKernel(
        "ReLU", "activation", float(elements), float(moved), lambda: torch.clamp_min(next(turn), 0.0, out=target)
    )


def host_kernels() -> list[HostKernel]:
    """Sixteen layers that mark the corners of the plane."""
    return [
        *dense_family(),
        convolution_kernel("conv 3x3", 64, 64, 56, 3),
        convolution_kernel("conv 3x3", 256, 256, 14, 3),
        convolution_kernel("depth-wise", 64, 64, 112, 3, groups=64),
        convolution_kernel("depth-wise", 256, 256, 28, 3, groups=256),
        convolution_kernel("conv 1x1", 64, 128, 56, 1),
        convolution_kernel("conv 1x1", 512, 512, 14, 1),
        activation_kernel(),
    ]


def measure_host_roofline(kernels: list[HostKernel] | None = None, *, windows: int = 7) -> HostRoofline:
    """Measure both roofs and all layers in the same rounds, on one thread.

    The roofs are the best windows seen, the layers the median ones: a bound, and what one gets. A roof is the best
    that the machine does, so each has two candidates. Peak: the square product by the BLAS library and by oneDNN,
    which runs the convolutions and may be the faster (one library's product is that library's peak, and another's
    convolution can rise above it). Bandwidth: the triad and a pure reading pass; the triad counts three arrays, but a
    cache that fetches a line before overwriting it moves four.
    """
    kernels = host_kernels() if kernels is None else kernels
    roofs = _roof_calls()
    again = {f"{name}, again": call for name, call in roofs.items()}  # at both ends of a round: a roof is a best case
    with one_thread():
        timings = measure_in_turn({**roofs, **{k.name: k.call for k in kernels}, **again}, windows=windows)
    points = tuple(RooflinePoint(k.name, k.kind, k.flop, k.bytes_moved, timings[k.name].median) for k in kernels)
    return HostRoofline(_peak(timings), _bandwidth(timings), points)


def _peak(timings: dict[str, Timing]) -> float:
    return 2.0 * PEAK_SIZE**3 / _best(timings, "product")


def _bandwidth(timings: dict[str, Timing]) -> float:
    return max(3 * STREAM_BYTES / _best(timings, "triad"), STREAM_BYTES / _best(timings, "read"))


def _best(timings: dict[str, Timing], prefix: str) -> float:
    return min(timing.minimum for name, timing in timings.items() if name.startswith(prefix))


def _roof_calls() -> dict[str, Callable[[], object]]:
    left, right = torch.rand(PEAK_SIZE, PEAK_SIZE), torch.rand(PEAK_SIZE, PEAK_SIZE)
    b, c = torch.rand(STREAM_BYTES // FLOAT_BYTES), torch.rand(STREAM_BYTES // FLOAT_BYTES)
    a = torch.empty_like(b)
    calls = {
        "product": lambda: left @ right,
        "triad": lambda: torch.add(b, c, alpha=3.0, out=a),
        "read": lambda: b.sum(),
    }
    if torch.backends.mkldnn.is_available():
        linear = to_mkldnn(torch.nn.Linear(PEAK_SIZE, PEAK_SIZE, bias=False).eval())
        operand = left.to_mkldnn()
        calls["product by oneDNN"] = lambda: linear(operand)
    return calls


def _dense(batch: int, weights: list[torch.Tensor]) -> HostKernel:
    outputs, inputs = weights[0].shape
    vector, turn = torch.rand(batch, inputs), cycle(weights)
    moved = FLOAT_BYTES * (inputs * outputs + batch * (inputs + outputs))
    flop = 2.0 * batch * inputs * outputs
    return HostKernel(f"dense, batch {batch}", "dense", flop, float(moved), lambda: F.linear(vector, next(turn)))


def _copies(bytes_moved: float) -> int:
    return max(2, int(-(-COLD_BYTES // bytes_moved)))
