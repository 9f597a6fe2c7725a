"""Figures of FedPAQ: loss over simulated time, time over period and participants, the theorem's slope."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.communication.fedpaq.study import TARGET, Timed

END_TEXT = "#8A5300"
LEVEL_COLOURS = {1: "accent", 5: "edge", 10: "cloud", None: "neutral"}
METHOD_COLOURS = {"FedPAQ": "accent", "QSGD": "end", "FedAvg": "neutral"}


def plot_losses(axes: Axes, runs: Mapping[object, Timed], colours: Mapping[object, str], names: Mapping) -> None:
    """Loss over simulated time, first seed of each setting, to the target line."""
    for row, (key, run) in enumerate(runs.items()):
        ink = END_TEXT if colours[key] == "end" else COLORS[colours[key]]
        axes.plot(run.ends[0], run.losses[0], "o-", markersize=3, color=COLORS[colours[key]])
        axes.text(
            0.98,
            0.93 - 0.09 * row,
            names[key],
            transform=axes.transAxes,
            color=ink,
            weight="bold",
            ha="right",
            va="top",
        )
    axes.axhline(TARGET, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="simulated time (mean gradients)", ylabel="training loss (nats)")


def plot_times(axes: Axes, runs: Mapping[int, Timed], label: str, colour: str = "accent") -> None:
    """Time to the target over a setting: each seed, and the mean."""
    keys = list(runs)
    times = np.array([run.time_to() for run in runs.values()])
    axes.loglog(keys, times, "o", color=COLORS[colour], alpha=0.35, markersize=5)
    axes.loglog(keys, times.mean(axis=1), "-", color=COLORS[colour])
    axes.set_xticks(keys, [str(key) for key in keys])
    axes.set_yticks([100, 200, 500, 1000, 2000], ["100", "200", "500", "1000", "2000"])
    axes.minorticks_off()
    axes.set(xlabel=label, ylabel=f"time to a loss of {TARGET}")
