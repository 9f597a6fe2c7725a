"""Rooflines: this machine with its measured layers, devices of the catalogue, the TPU and its applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.offloading.platform import tpu
from edgedl_lib.offloading.platform.measured.host_roofline import HostRoofline
from edgedl_lib.offloading.platform.measured.latency_study import MeasuredLayers
from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.system.device import FREE_KINDS, Device, roofline_kind

INTENSITIES = np.geomspace(0.08, 400, 200)  # FLOP/byte
KIND_MARKERS = {
    "dense": ("s", COLORS["accent"]),
    "conv": ("o", COLORS["cloud"]),
    "depthwise_conv": ("^", COLORS["end"]),
    "pool": ("D", COLORS["edge"]),
}
POINT_LABELS = {
    "dense, batch 1": ("dense, batch 1", (8, -13)),
    "dense, batch 256": ("dense, batch 256", (-2, -17)),
    "depth-wise 64>64 at 112": ("depth-wise", (9, -4)),
    "ReLU": ("ReLU", (9, -5)),
    "conv 3x3 64>64 at 56": ("3×3 conv", (-8, 11)),
    "conv 1x1 64>128 at 56": ("1×1 conv", (-30, 11)),
}


def plot_rooflines(axes: Axes, host: HostRoofline, devices: Mapping[str, Sequence[Device]]) -> None:
    """Draw catalogue devices as thin roofs in their level's colour, this machine as a thick one with its layers.

    Parameters
    ----------
    axes : Axes
    host : HostRoofline
    devices : mapping of level ("end", "edge", "cloud") to devices
    """
    labels = [
        (f" {device.name}", device.peak_flop_per_s, COLORS[level]) for level in devices for device in devices[level]
    ]
    for level, group in devices.items():
        axes.plot([], [], color=COLORS[level], linewidth=2, label=level)
        for device in group:
            width = {"end": 1.2, "edge": 1.5, "cloud": 1.8}[level]
            axes.loglog(INTENSITIES, device.attainable(INTENSITIES), color=COLORS[level], linewidth=width, alpha=0.85)
    roof = np.minimum(host.peak, host.bandwidth * INTENSITIES)
    axes.loglog(INTENSITIES, roof, color="black", linewidth=2.8, zorder=4)
    _label_roofs(axes, [*labels, (" this machine, one thread", host.peak, "black")])
    for point in host.points:
        color = COLORS["accent"] if point.kind == "dense" else "black"
        axes.plot(point.intensity, point.rate, "o", color=color, ms=5.5, mec="white", zorder=5)
    for point in host.points:
        if point.name in POINT_LABELS:
            text, offset = POINT_LABELS[point.name]
            axes.annotate(
                text, (point.intensity, point.rate), offset, textcoords="offset points", fontsize=8, zorder=6, bbox=_BOX
            )
    axes.set(xlabel="operational intensity (FLOP per byte moved)", ylabel="rate (FLOP/s)", xlim=(0.08, 400))
    axes.set_ylim(1e9, 3e13)
    axes.legend(loc="upper left", ncols=3, fontsize=9)


def plot_network_layers(axes: Axes, host: HostRoofline, networks: Mapping[LayerGraph, MeasuredLayers]) -> None:
    """Place the measured layers of networks under this machine's roof; the area of a point is its share of the time."""
    axes.loglog(INTENSITIES, np.minimum(host.peak, host.bandwidth * INTENSITIES), color="black", linewidth=2)
    for kind, (marker, color) in KIND_MARKERS.items():
        points = [point for graph, measured in networks.items() for point in _points(graph, measured, kind)]
        if points:
            intensity, rate, share = np.array(points).T
            axes.scatter(intensity, rate, 8 + 900 * share, marker=marker, color=color, alpha=0.55, lw=0.4, ec="white")
            axes.plot([], [], marker, color=color, label=_KIND_NAMES[kind])
    axes.axvline(host.ridge_point, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.annotate(" ridge", (host.ridge_point, 1.2e8), color=COLORS["neutral"], fontsize=9)
    axes.annotate("area: share of its network's time", (0.02, 0.94), xycoords="axes fraction", fontsize=9)
    axes.set(xlabel="operational intensity (FLOP per byte moved)", ylabel="rate (FLOP/s)", xlim=(0.08, 400))
    axes.set_ylim(1e8, 2 * host.peak)
    axes.legend(loc="lower right", fontsize=9)


def plot_tpu(axes: Axes) -> None:
    """The six applications under the roof of TPU v1, in operations per weight byte (Jouppi et al. 2017, Fig. 5)."""
    intensity = np.geomspace(30, 6000, 200)
    peak, bandwidth = tpu.tpu_peak(), tpu.weight_bandwidth()
    axes.loglog(intensity, np.minimum(peak, 2 * bandwidth * intensity), color=COLORS["cloud"], linewidth=2.5)
    wrong = np.minimum(peak, bandwidth * intensity)
    axes.loglog(intensity, wrong, color=COLORS["neutral"], linewidth=1.2, linestyle="--")
    axes.annotate(
        "a MAC taken for one operation:\nMLP0 would lie above its roof",
        (420, bandwidth * 420),
        (30, -52),
        textcoords="offset points",
        fontsize=8.5,
        color=COLORS["neutral"],
        arrowprops={"arrowstyle": "-", "color": COLORS["neutral"], "linewidth": 0.8},
    )
    for row in tpu.bound_table():
        axes.plot(row.intensity, row.achieved, "o", color=COLORS["accent"], ms=7, mec="white")
        axes.annotate(
            f"{row.application.upper()}  {row.share:.0%}",
            (row.intensity, row.achieved),
            (7, -11),
            textcoords="offset points",
            fontsize=8.5,
            bbox=_BOX,
        )
    axes.axvline(tpu.die_ridge("tpu"), color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.annotate("ridge ", (tpu.die_ridge("tpu"), 1.3e12), ha="right", color=COLORS["neutral"], fontsize=9)
    axes.set(xlabel="operational intensity (MAC per byte of weights)", ylabel="operations/s", xlim=(30, 9000))
    axes.set_ylim(1e12, 2e14)


def _label_roofs(axes: Axes, labels: list[tuple[str, float, str]], gap: float = 1.45) -> None:
    """Write names at the right ends of the roofs, moved up where two would overlap."""
    lowest = 0.0
    for text, peak, color in sorted(labels, key=lambda label: label[1]):
        height = max(peak, lowest * gap)
        weight = "bold" if color == "black" else "normal"
        axes.annotate(text, (INTENSITIES[-1], height), va="center", fontsize=8.5, color=color, weight=weight)
        lowest = height


def _points(graph: LayerGraph, measured: MeasuredLayers, kind: str) -> list[tuple[float, float, float]]:
    total = measured.latency.sum()
    return [
        (layer.flop / _moved(layer), layer.flop / seconds, seconds / total)
        for layer, seconds in zip(graph.layers, measured.latency, strict=True)
        if roofline_kind(layer) == kind and kind not in FREE_KINDS and layer.flop
    ]


def _moved(layer) -> float:
    return layer.parameter_bytes + layer.input_bytes + layer.output_bytes


_KIND_NAMES = {"dense": "dense", "conv": "convolution", "depthwise_conv": "depth-wise convolution", "pool": "pooling"}
_BOX = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75}
