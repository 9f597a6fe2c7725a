"""Figures of Federated Dropout: accuracy by kept share, what lossy links cost, Kashin's coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.figures.training.sketched import mean_curve
from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.communication.sketched.rounds import Trace

SHARE_COLOURS = {1.0: "neutral", 0.875: "cloud", 0.75: "edge", 0.5: "end", 0.25: "accent"}
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_shares(axes: Axes, traces: Mapping[float, Sequence[Trace]], target: float) -> None:
    """Mean accuracy over rounds for each kept share, labelled at the end of its curve."""
    axes.axhline(100 * target, color=COLORS["neutral"], lw=1, ls=":")
    for share, runs in traces.items():
        curve, colour = mean_curve(runs), SHARE_COLOURS[share]
        axes.plot(curve, color=COLORS[colour], lw=2)
        text = END_TEXT if colour == "end" else COLORS[colour]
        if len(curve) < 61:  # short runs end close together: named in a row below
            place = {1.0: (3.2, 97.3), 0.875: (12, 98.6), 0.75: (31, 97.6)}[share]
        else:
            place = (61, curve[-1])
        axes.text(*place, f"p = {share:g}", color=text, weight="bold", va="center")
    axes.set(xlabel="round", ylabel="test accuracy (%)", xlim=(0, 70), ylim=(40, 100))


def plot_links(axes: Axes, costs: Mapping[str, np.ndarray]) -> None:
    """Points of accuracy that each lossy link costs; dots are seeds."""
    for row, (name, values) in enumerate(costs.items()):
        colour = COLORS["cloud" if name.startswith("down") else "edge"]
        axes.barh(row, values.mean(), height=0.6, color=colour)
        axes.plot(values, np.full(len(values), row), "o", color="#22303A", ms=4)
        axes.text(max(values.max(), 0) + 2, row, f"{values.mean():.1f}", va="center", weight="bold")
    axes.set_yticks(range(len(costs)), costs)
    axes.invert_yaxis()
    axes.set(xlabel="accuracy lost (points)", xlim=(-3, 100))
    axes.grid(axis="y", visible=False)


def plot_peaks(axes: Axes, iterations: Sequence[int], scattered: np.ndarray, padded: np.ndarray) -> None:
    """Largest coefficient over the iterations: at random places, and with zeros at the end."""
    for values, colour, name in ((scattered, "accent", "random places"), (padded, "neutral", "zeros at the end")):
        axes.plot(iterations, values, "o-", color=COLORS[colour])
        axes.text(iterations[-1], values[-1] + 0.1, name, color=COLORS[colour], weight="bold", ha="right")
    axes.set(xlabel="iterations", ylabel="largest coefficient (norm / √D)", xticks=list(iterations), ylim=(0, 4.2))
