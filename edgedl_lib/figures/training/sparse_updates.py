"""Figures of sparse updates: ingredients of DGC, seven cells, and models that shrink."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS


def plot_losses(axes: Axes, losses: Mapping[str, np.ndarray]) -> None:
    """Points of accuracy lost against dense training: a dot for each seed, a bar for the mean."""
    for row, (name, values) in enumerate(losses.items()):
        colour = COLORS["accent"] if name == "DGC" else COLORS["end"] if row < 2 else COLORS["neutral"]
        axes.plot(values, np.full(len(values), -row), "o", color=colour, ms=4, alpha=0.5)
        axes.plot([values.mean()] * 2, [-row - 0.25, -row + 0.25], color=colour, lw=3)
        axes.text(1.15 * max(values.max(), 0.5), -row, f" {values.mean():.1f}", va="center")
    axes.axvline(0, color=COLORS["neutral"], lw=0.8)
    axes.set_yticks([-row for row in range(len(losses))], list(losses))
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xticks([-1, 0, 1, 2, 5, 10, 20], ["−1", "0", "1", "2", "5", "10", "20"])
    axes.set(xlabel="points of accuracy lost against dense training", xlim=(-2, 120))
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)


def plot_speed_ups(axes: Axes, periods, speeds: Mapping[str, np.ndarray]) -> None:
    """Speed-up over the period for each way to share the sub-carriers; dashed is sparse."""
    for (name, values), colour in zip(speeds.items(), ("edge", "edge", "cloud", "cloud", "end", "end"), strict=False):
        axes.plot(periods, values, "--" if "sparse" in name else "-", marker="o", color=COLORS[colour])
        raised = 1.12 if "no interference, sparse" in name else 0.9 if "third each, dense" in name else 1.0
        axes.text(periods[-1] + 0.15, raised * values[-1], name, color=COLORS[colour], va="center", fontsize=9)
    axes.plot([periods[0] - 0.2, periods[-1]], [1, 1], color=COLORS["neutral"], lw=0.8)
    axes.set(yscale="log", xlabel="iterations between two meetings, H", ylabel="flat over hierarchical latency (×)")
    axes.set_xlim(periods[0] - 0.2, periods[-1] + 4)
    axes.set_xticks(periods)
    axes.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
    axes.minorticks_off()


def plot_pruned(left: Axes, right: Axes, found: Mapping[str, object], target: float) -> None:
    """Accuracy over modelled time, and density over rounds, of one seed."""
    shades = {"conventional": "neutral", "PruneFL": "accent", "random 20 %": "end"}
    longest = max(run.seconds[-1] for run in found.values())
    for row, (name, run) in enumerate(found.items()):
        colour = COLORS[shades.get(name, "cloud")]
        best = np.maximum.accumulate(run.accuracy)
        style = "--" if name.startswith("SNIP") else "-"
        left.plot(run.seconds, best, style, color=colour)
        when = run.until(target, run.seconds)
        text = f"{name}{' (dashed)' if style == '--' else ''}: {f'{when:.1f} s' if np.isfinite(when) else 'never'}"
        left.text(0.45 * longest, 78 - 7 * row, text, color=colour, va="center")
    left.axhline(target, color=COLORS["neutral"], lw=0.8)
    left.text(0.45 * longest, 85, f"time to {target:g} %", weight="bold", va="center")
    left.set(xlabel="modelled time (s)", ylabel="best accuracy so far (%)", ylim=(40, 106))
    right.plot(100 * found["PruneFL"].density, color=COLORS["accent"])
    right.set(xlabel="round", ylabel="weights kept (%)", ylim=(0, None), title="what PruneFL keeps")
