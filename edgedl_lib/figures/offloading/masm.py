"""Figures of MASM: what quality costs, who does the work, and formula against simulation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.integral.masm.study import Sweep
from edgedl_lib.reproduce.style import COLORS

PERCENT, MILLI = 100.0, 1e3
SHARES = ("#F0E6F4", "#E3D0EA", "#CDABD9", "#A870BC", "#5E2A6E")  # tints of the accent, the larger the darker
LABEL_SHARE = 30.0  # percent; a layer that is never wider has no room for its name


def plot_cost(axes: Axes, result: Sweep, single: np.ndarray) -> None:
    """Cost over the required quality, ours and the baselines'; a dot for each algorithm alone (cost `single`, (n,))."""
    quality = PERCENT * result.quality
    styles = {"best quality only": "cloud", "equal weights": "end", "best single feasible": "neutral"}
    for name, colour in styles.items():
        cost = MILLI * result.baselines[name]
        axes.step(quality, np.where(np.isfinite(cost), cost, np.nan), where="mid", color=COLORS[colour], lw=1.5)
    axes.plot(quality, MILLI * result.cost, color=COLORS["accent"], lw=2.6)
    axes.plot(PERCENT * result.allocations[0].algorithms.quality, MILLI * single, "o", color=COLORS["accent"], ms=6)
    left = quality[0]
    axes.text(left, 98, "best quality only", color=COLORS["cloud"], weight="bold")
    axes.text(left, 22.8, "equal weights", color="#8A5300", weight="bold")
    axes.text(quality[16], 18.5, "best single", color=COLORS["neutral"], weight="bold")
    axes.text(quality[12], 5.6, "mixed", color=COLORS["accent"], weight="bold")
    axes.set(yscale="log", xlabel="required quality (%)", ylabel="cost (½ ms + ½ mJ)", ylim=(3, 140))
    axes.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    axes.minorticks_off()


def plot_shares(axes: Axes, result: Sweep) -> None:
    """Share of the tasks that each algorithm gets, over the required quality."""
    quality = PERCENT * result.quality
    shares = PERCENT * np.array([each.weights for each in result.allocations]).T
    names = result.allocations[0].algorithms.names
    axes.stackplot(quality, shares, colors=SHARES, step="mid", edgecolor="white", linewidth=0.4)
    tops = np.cumsum(shares, axis=0)
    for index, name in enumerate(names):
        if shares[index].max() < LABEL_SHARE:
            continue
        column = int(round(np.average(np.arange(len(quality)), weights=shares[index])))
        middle = tops[index, column] - shares[index, column] / 2
        colour = "white" if index == len(names) - 1 else "black"
        if column >= len(quality) - 2:  # a sliver at the edge: beside the axes
            axes.text(1.02, 0.5, name, rotation=90, va="center", transform=axes.transAxes, size=9)
        else:
            axes.text(quality[column], middle, name.replace(", ", "\n"), ha="center", va="center", color=colour, size=9)
    axes.set(xlabel="required quality (%)", ylabel="share of the tasks (%)", ylim=(0, 100))
    axes.set_xlim(quality[0], quality[-1])
    axes.grid(False)
