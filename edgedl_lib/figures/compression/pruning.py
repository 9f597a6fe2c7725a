"""Figures of pruning: error against reduction, sensitivity of the layers, and what zeros are worth in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.sparsity.lenet_study import LenetStudy
from edgedl_lib.inference.compression.sparsity.sensitivity import SensitivityScan
from edgedl_lib.inference.compression.sparsity.sparse_speed import SparseSpeed, StructuredSpeed
from edgedl_lib.reproduce.style import COLORS

CURVES = {
    "plain": ("no retraining", "end", "s-"),
    "rounds": ("in rounds, retrained", "edge", "o-"),
}


def plot_reductions(axes: Axes, studies: Sequence[LenetStudy]) -> None:
    """Error by reduction of the weights: mean over seeds as a line, smallest to largest as a band."""
    unpruned = np.mean([study.unpruned for study in studies])
    axes.axhline(unpruned, color=COLORS["neutral"], linewidth=1, linestyle="--")
    axes.annotate("unpruned", (1.5, unpruned), (0, -12), color=COLORS["neutral"], **_OFFSET)
    for name, (label, color, marks) in CURVES.items():
        reductions = getattr(studies[0], name).reductions
        errors = np.array([getattr(study, name).errors for study in studies])
        axes.fill_between(reductions, errors.min(0), errors.max(0), color=COLORS[color], alpha=0.15, lw=0)
        axes.plot(reductions, errors.mean(0), marks, color=COLORS[color], label=label)
    at_once = np.mean([study.at_once[-1] for study in studies])
    place = studies[0].rounds.reductions[studies[0].published]
    axes.plot(place, at_once, "D", mfc="white", color=COLORS["cloud"], ms=9, label="pruned at once, retrained")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [1.5, 3, 6, 12, 24, 36]
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.legend(loc="upper left")
    axes.set(xlabel="weights before / weights after", ylabel="test error (%)")


def plot_sensitivity(axes: Axes, scans: Sequence[SensitivityScan]) -> None:
    """Error by the fraction that one layer keeps, mean over scans; convolutions warm, dense layers cool."""
    keep = 100 * scans[0].keep
    colors = {"conv": ["end", "accent"], "dense": ["cloud", "edge", "neutral"]}
    for row, layer in enumerate(scans[0].layers):
        kind = "conv" if layer.startswith("conv") else "dense"
        errors = np.mean([scan.error[row] for scan in scans], axis=0)
        color = COLORS[colors[kind].pop(0)]
        axes.plot(keep, errors, "o-" if kind == "conv" else "s--", color=color, label=layer)
    unpruned = np.mean([scan.unpruned for scan in scans])
    axes.axhline(unpruned, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.set_yscale("log")
    axes.set_yticks([5, 10, 20, 50], ["5", "10", "20", "50"])
    axes.minorticks_off()
    axes.legend(loc="upper right")
    axes.set(xlabel="weights kept in this layer (%)", ylabel="test error (%)")


def plot_zeros(axes: Axes, structured: StructuredSpeed, scattered: SparseSpeed) -> None:
    """Measured speed-up of five ways to profit from zeros, with the reduction of operations as a mark."""
    rows = [
        ("zeros in place", structured.zeros_speedup, structured.mac_gain),
        ("filters removed", structured.speedup, structured.mac_gain),
        ("sparse format,\n1 input", scattered.gain(1), 1 / scattered.density),
        ("sparse format,\n64 inputs", scattered.gain(64), 1 / scattered.density),
    ]
    for position, (_, measured, promised) in enumerate(rows):
        color = COLORS["edge"] if measured > 1.15 else COLORS["end"]
        axes.barh(position, measured, 0.55, color=color)
        axes.plot([promised] * 2, [position - 0.32, position + 0.32], color="black", linewidth=2)
        axes.annotate(f"{measured:.1f}×", (measured, position), (5, -3), weight="bold", **_OFFSET)
    axes.annotate("fewer operations", (rows[2][2], 2.34), (0, 5), ha="right", **_OFFSET)
    axes.axvline(1, color=COLORS["neutral"], linewidth=1)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="speed-up over the dense network (×)")


_OFFSET = {"textcoords": "offset points", "fontsize": 9}
