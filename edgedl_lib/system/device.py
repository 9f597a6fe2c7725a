"""Something that computes: roofline time and energy (Williams, Waterman and Patterson 2009).

A device is described by two peaks (FLOP/s and bytes/s) and by how much of each a real layer reaches.  The efficiencies
are calibrated against measured latencies, never assumed: published AlexNet times reach 2 to 16 % of the peaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.specification import MissingSpecification

if TYPE_CHECKING:
    from edgedl_lib.nets.graph import LayerGraph
    from edgedl_lib.nets.layers import Layer

#: Layers that compute nothing and copy nothing at inference: a view of their input.
FREE_KINDS = frozenset({"dropout", "flatten", "reshape"})


@dataclass(frozen=True)
class Calibration:
    """The share of both peaks that a kind of layer reaches, and its fixed cost.

    Attributes
    ----------
    compute_efficiency : float
        Fraction in (0, 1].
    bandwidth_efficiency : float
        Fraction of the memory bandwidth; above 1 where the tensors of that kind stay in a cache.
    overhead : float
        Seconds per layer call.
    """

    compute_efficiency: float = 1.0
    bandwidth_efficiency: float = 1.0
    overhead: float = 0.0

    def __post_init__(self) -> None:
        _require_fraction("compute_efficiency", self.compute_efficiency)
        _require_positive("bandwidth_efficiency", self.bandwidth_efficiency, "bytes/s per byte/s")
        _require_not_negative("overhead", self.overhead, "s")


@dataclass(frozen=True)
class Device:
    """A machine on the roofline.

    Attributes
    ----------
    name : str
    peak_flop_per_s : float
        Float32 peak in FLOP/s; a multiply-add is two.
    memory_bandwidth : float
        Bytes/s.
    compute_efficiency, bandwidth_efficiency : float
        Calibrated fractions in (0, 1] of the two peaks.  The default 1 is the ideal roofline: no machine reaches it.
    overhead : float
        Seconds per layer call.
    busy_power, idle_power : float or None
        Watts; None when unknown.
    calibration, source, evidence : str
        Where the efficiencies and the peaks come from.
    by_kind : mapping of str to Calibration
        Efficiencies for single kinds of layer, where they were measured.

    Examples
    --------
    >>> board = Device("board", peak_flop_per_s=1e9, memory_bandwidth=1e8, compute_efficiency=0.5)
    >>> board.latency(flop=1e9, bytes_moved=1e6)  # compute-bound: 1 GFLOP at half of 1 GFLOP/s
    2.0
    >>> board.latency(flop=1e6, bytes_moved=1e8)  # memory-bound
    1.0
    >>> board.ridge_point  # FLOP/byte
    10.0
    """

    name: str
    peak_flop_per_s: float
    memory_bandwidth: float
    compute_efficiency: float = 1.0
    bandwidth_efficiency: float = 1.0
    overhead: float = 0.0
    busy_power: float | None = None
    idle_power: float | None = None
    calibration: str = ""
    source: str = ""
    evidence: str = ""
    by_kind: Mapping[str, Calibration] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _require_positive("peak_flop_per_s", self.peak_flop_per_s, "FLOP/s")
        _require_positive("memory_bandwidth", self.memory_bandwidth, "bytes/s")
        _require_fraction("compute_efficiency", self.compute_efficiency)
        _require_fraction("bandwidth_efficiency", self.bandwidth_efficiency)
        _require_not_negative("overhead", self.overhead, "s")
        for label in ("busy_power", "idle_power"):
            if getattr(self, label) is not None:
                _require_not_negative(label, getattr(self, label), "W")

    @property
    def ridge_point(self) -> float:
        """Operational intensity (FLOP/byte) at which the two published peaks meet."""
        return self.peak_flop_per_s / self.memory_bandwidth

    def attainable(self, intensity: ArrayLike) -> np.ndarray | float:
        """Bound on the rate of a kernel: ``min(peak, bandwidth * intensity)``, without efficiencies.

        Parameters
        ----------
        intensity : array_like
            Operational intensity in FLOP/byte, any shape.

        Returns
        -------
        numpy.ndarray or float
            FLOP/s, shape of `intensity`.

        Examples
        --------
        >>> Device("board", 1e9, 1e8).attainable([1, 10, 100]).tolist()
        [100000000.0, 1000000000.0, 1000000000.0]
        """
        bound = np.minimum(self.peak_flop_per_s, self.memory_bandwidth * not_negative("intensity", intensity))
        return _plain(bound)

    def latency(self, flop: ArrayLike, bytes_moved: ArrayLike, kind: str | None = None) -> np.ndarray | float:
        """Roofline time ``max(flop / (eta_f * peak), bytes / (eta_b * bandwidth)) + overhead``.

        Parameters
        ----------
        flop, bytes_moved : array_like
            Work and memory traffic of each layer; shapes broadcast.
        kind : str, optional
            Kind of layer, for a device whose efficiencies were measured by kind.

        Returns
        -------
        numpy.ndarray or float
            Seconds.

        Raises
        ------
        ValueError
            If a value is negative or NaN.
        """
        reached = self.calibration_for(kind)
        compute = not_negative("flop", flop) / (reached.compute_efficiency * self.peak_flop_per_s)
        memory = not_negative("bytes_moved", bytes_moved) / (reached.bandwidth_efficiency * self.memory_bandwidth)
        return _plain(np.maximum(compute, memory) + reached.overhead)

    def energy(self, latency: ArrayLike) -> np.ndarray | float:
        """Energy (J) of being busy for `latency` seconds.

        Raises
        ------
        MissingSpecification
            If the device's busy power is unknown.
        """
        if self.busy_power is None:
            raise MissingSpecification(
                f"the busy power of {self.name!r} is unknown: pass dataclasses.replace(device, busy_power=...) in watts"
            )
        return _plain(self.busy_power * not_negative("latency", latency))

    def calibration_for(self, kind: str | None) -> Calibration:
        """Efficiencies measured for a kind of layer, or the device's own where that kind was not measured."""
        own = Calibration(self.compute_efficiency, self.bandwidth_efficiency, self.overhead)
        return self.by_kind.get(kind, own)

    def layer_latency(self, graph: LayerGraph) -> np.ndarray:
        """Roofline latency of every layer of a graph.

        A layer moves its weights, its input and its output once.  Dropout, flatten and reshape cost nothing here.

        Parameters
        ----------
        graph : LayerGraph
            N layers; the batch is the graph's own.

        Returns
        -------
        numpy.ndarray, shape (N,)
            Seconds, in the graph's order.
        """
        flop = np.asarray(graph.flop_per_layer(), dtype=float)  # (N,)
        moved = (
            np.asarray(graph.parameter_bytes_per_layer(), dtype=float)
            + np.asarray(graph.input_bytes_per_layer(), dtype=float)
            + np.asarray(graph.output_bytes_per_layer(), dtype=float)
        )  # (N,)
        kinds = np.array([roofline_kind(layer) for layer in graph.layers])
        latency = np.zeros(len(kinds))
        for kind in set(kinds) - FREE_KINDS:
            rows = kinds == kind
            latency[rows] = self.latency(flop[rows], moved[rows], kind)
        return latency


def roofline_kind(layer: Layer) -> str:
    """Kind of a layer as calibrations name it.

    A convolution with one group per input channel is ``depthwise_conv`` and a local response normalisation is ``lrn``:
    both reach far less of the peaks than the rest of their kind.
    """
    if layer.kind == "conv" and 1 < layer.config.get("groups", 1) == layer.input_shapes[0][0]:
        return "depthwise_conv"
    if layer.kind == "norm" and layer.config.get("function") == "lrn":
        return "lrn"
    return layer.kind


def not_negative(label: str, values: ArrayLike) -> np.ndarray:
    """`values` as a float array.

    Raises
    ------
    ValueError
        If one of them is negative or NaN.
    """
    array = np.asarray(values, dtype=float)
    if not np.all(array >= 0):
        wrong = array[~(array >= 0)].flat[0]
        raise ValueError(f"{label} must be zero or more, not {wrong}")
    return array


def _plain(array: np.ndarray) -> np.ndarray | float:
    return array if np.ndim(array) else float(array)


def _require_fraction(label: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"{label} must lie in (0, 1], not {value}: it is the calibrated share of a peak")


def _require_positive(label: str, value: float, unit: str) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{label} must be a positive number of {unit}, not {value}")


def _require_not_negative(label: str, value: float, unit: str) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{label} must be zero or a positive number of {unit}, not {value}")
