"""Figure of peers that help each other: where the frames are while a full node passes its own on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.horizontal.lavea.cluster import FRONT
from edgedl_lib.offloading.horizontal.lavea.placement import PlacementRun
from edgedl_lib.reproduce.style import COLORS

SHADES = {"accent": COLORS["accent"], "cloud": COLORS["cloud"], "end": "#8A5300"}  # text; the end's colour is too light
STYLES = ("-", "--", "-")


def frames_at(run: PlacementRun, node: int, times: np.ndarray) -> np.ndarray:
    """Frames that `node` has, or that are on their way to it, at each of `times` (s)."""
    there = run.node == node
    came, left = np.sort(run.stream.arrival[there]), np.sort(run.finish[there])
    return np.searchsorted(came, times, side="right") - np.searchsorted(left, times, side="right")


def plot_neighbours(axes: Axes, run: PlacementRun, loads: Sequence[float], until: float, report_period: float) -> None:
    """Frames at three neighbours over time; thin lines where they report."""
    times = np.linspace(0.0, until, 1200)
    for time in np.arange(report_period, until, report_period):
        axes.axvline(time, color="#C9CED2", lw=1, zorder=0)
    for index, (load, colour) in enumerate(zip(loads, SHADES, strict=True)):
        axes.plot(times, frames_at(run, FRONT + 1 + index, times), STYLES[index], color=COLORS[colour])
        where = {"transform": axes.transAxes, "va": "top", "weight": "bold"}
        axes.text(1.01, 0.95 - 0.18 * index, f"its own load {load:g}", color=SHADES[colour], **where)
    axes.set(ylabel="frames at\na neighbour", xlim=(0, until), ylim=(0, None))
    axes.grid(axis="x", visible=False)
