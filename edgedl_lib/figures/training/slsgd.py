"""Figures of robust averaging: learning under attack, how far the attacks stand, where each rule breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

RULE_COLOURS = {
    "mean": COLORS["neutral"],
    "trim 2": COLORS["edge"],
    "trim 4": COLORS["cloud"],
    "median": COLORS["accent"],
    "Krum": COLORS["end"],
}


def plot_learning(axes: Axes, curves: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Accuracy over rounds, a line for each name; curves of shape (seeds, rounds + 1) are shown as mean and range."""
    for name, runs in curves.items():
        runs = 100 * np.atleast_2d(runs)
        rounds = np.arange(runs.shape[1])
        axes.fill_between(rounds, runs.min(0), runs.max(0), color=colours[name], alpha=0.15, lw=0)
        axes.plot(rounds, runs.mean(0), color=colours[name], lw=1.8)
    _name_lines(axes, rounds[-1] + 1.5, {name: 100 * runs[..., -5:].mean() for name, runs in curves.items()}, colours)
    axes.set(xlabel="round", ylabel="test accuracy (%)", ylim=(0, 104), xlim=(0, 1.25 * rounds[-1]))


def _name_lines(axes: Axes, place: float, heights: Mapping[str, float], colours: Mapping[str, str]) -> None:
    """Write each line's name at its right end, apart from its neighbours."""
    lowest = -np.inf
    for name in sorted(heights, key=heights.get):
        lowest = max(heights[name], lowest + 6)
        axes.text(place, lowest, name, color=colours[name], va="center", weight="bold")


def plot_strength(axes: Axes, distances: Mapping[str, np.ndarray]) -> None:
    """Distance of single models from the honest mean, in units of the usual one, a row of dots for each kind."""
    colours = (COLORS["edge"], COLORS["end"], COLORS["accent"])
    for row, (values, colour) in enumerate(zip(distances.values(), colours, strict=True)):
        spread = np.linspace(-0.16, 0.16, len(values))
        axes.plot(values, row + spread, "o", color=colour, ms=4, alpha=0.6, mew=0)
        axes.text(np.median(values), row + 0.27, f"{np.median(values):.1f} times", ha="center", fontsize=9)
    axes.set_yticks(range(len(distances)), list(distances))
    axes.set(xscale="log", xlabel="distance from the mean of the honest (1 = usual)", ylim=(-0.5, len(distances) - 0.3))
    axes.grid(axis="y", visible=False)


def plot_breakdown(axes: Axes, poisoned: Sequence[int], accuracy: Mapping[str, np.ndarray]) -> None:
    """Final accuracy over the number of poisoned updates, one line a rule; arrays of shape (poisoned, seeds)."""
    for name, runs in accuracy.items():
        axes.plot(poisoned, 100 * runs.mean(1), "o-", color=RULE_COLOURS[name], ms=4.5)
    _name_lines(
        axes, poisoned[-1] + 0.12, {name: 100 * runs[-1].mean() for name, runs in accuracy.items()}, RULE_COLOURS
    )
    axes.set(xlabel="poisoned updates of ten", ylabel="accuracy after the last round (%)", ylim=(0, 112))
    axes.set(xlim=(poisoned[0] - 0.1, poisoned[-1] + 0.9), xticks=list(poisoned))


def plot_price(axes: Axes, accuracy: Mapping[str, Mapping[str, float]]) -> None:
    """Accuracy without any attack, mean beside trimmed means, in groups; percent written above the bars."""
    width = 0.26
    for group, bars in enumerate(accuracy.values()):
        for column, (name, value) in enumerate(bars.items()):
            place = group + (column - (len(bars) - 1) / 2) * width
            axes.bar(place, 100 * value, width * 0.92, color=RULE_COLOURS[name])
            axes.text(place, 100 * value + 1, f"{100 * value:.0f}", ha="center", fontsize=9)
            if group == 0:
                axes.text(
                    place, 3, name, ha="center", va="bottom", rotation=90, color="white", weight="bold", fontsize=9
                )
    axes.set_xticks(range(len(accuracy)), list(accuracy))
    axes.set(ylabel="test accuracy (%)", ylim=(0, 108))
    axes.grid(axis="x", visible=False)
