"""Figures of DeepWear: from a graph to a line, where the best cut lies, what it buys, and a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from edgedl_lib.offloading.partial.deepwear.devices import Context
from edgedl_lib.offloading.partial.deepwear.networks import WearableCase
from edgedl_lib.offloading.partial.deepwear.reduction import Reduction
from edgedl_lib.offloading.partial.deepwear.study import WIDE_RATES, Comparison, StreamPoint
from edgedl_lib.reproduce.style import COLORS

MEGABIT = 1e6
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
REPORTED = {"wearable": 5.08, "handheld": 23.0}


def plot_reduction(axes: Axes, reductions: Mapping[str, Reduction]) -> None:
    """Nodes of each network: all layers, pruned, grouped."""
    stages = (("layers", "neutral", "graph"), ("after pruning", "cloud", "pruned"), ("in the line", "accent", "chain"))
    rows = np.arange(len(reductions))
    for shift, (label, colour, field) in zip((0.27, 0, -0.27), stages, strict=True):
        counts = [len(getattr(each, field)) for each in reductions.values()]
        axes.barh(rows + shift, counts, 0.25, color=COLORS[colour])
        for row, count in zip(rows, counts, strict=True):
            text = f"{count} {label}" if row == rows[-1] else f"{count}"
            axes.text(count + 1.5, row + shift, text, va="center", color=COLORS[colour], weight="bold", fontsize=9)
    axes.set_yticks(rows, list(reductions))
    axes.set(xlabel="nodes", xlim=(0, 1.2 * max(len(each.graph) for each in reductions.values())))
    axes.grid(axis="y", visible=False)


def plot_choices(axes: Axes, cases: Sequence[WearableCase], rates: Sequence[float] = WIDE_RATES) -> None:
    """Which cut is fastest, network by network over the link's rate: the watch alone, inside, or the phone alone."""
    grid = np.array([[_choice(case, Context(rate=rate)) for rate in rates] for case in cases])
    colours = ListedColormap([COLORS["end"], COLORS["accent"], COLORS["edge"]])
    rows = np.arange(len(cases))
    axes.pcolormesh(np.array(rates) / MEGABIT, rows, grid, cmap=colours, vmin=0, vmax=2, shading="nearest")
    axes.set_yticks(rows, [case.name for case in cases])
    axes.set(xscale="log", xlabel="link (Mbit/s)")
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.axvspan(0.7, 1.5, facecolor="none", edgecolor="black", lw=1.4)
    axes.text(0.66, 1, "Bluetooth", ha="right", va="center", color="white", weight="bold")
    axes.grid(False)
    labels = (("watch alone", END_TEXT, 0.0), ("a cut inside", COLORS["accent"], 0.36), ("phone alone", "edge", 0.7))
    for text, colour, place in labels:
        axes.text(place, 1.02, text, color=COLORS.get(colour, colour), weight="bold", transform=axes.transAxes)


def plot_gains(axes: Axes, comparison: Comparison) -> None:
    """Speed-ups over both simple answers, one dot per context; dashed the reported maxima."""
    rows = np.arange(len(comparison.names))
    sides = (("wearable", "end", comparison.over_wearable, 0.15), ("handheld", "edge", comparison.over_handheld, -0.15))
    for name, colour, ratios, shift in sides:
        for row, values in zip(rows, ratios, strict=True):
            axes.plot(values, np.full(values.size, row + shift), "o", color=COLORS[colour], ms=5, alpha=0.7)
        shade = END_TEXT if colour == "end" else COLORS[colour]
        axes.axvline(REPORTED[name], color=COLORS[colour], ls="--", lw=1.4)
        text = f"over {name}-only,\n{REPORTED[name]:g} reported "
        axes.text(
            REPORTED[name], rows[-1] + 0.75, text, color=shade, weight="bold", ha="right", va="bottom", fontsize=9
        )
    axes.set_yticks(rows, comparison.names)
    axes.set(xscale="log", xlabel="times faster", xlim=(0.9, 220), ylim=(-0.6, rows[-1] + 0.6))
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100, 200], ["1", "2", "5", "10", "20", "50", "100", "200"])
    axes.minorticks_off()


def plot_gaps(axes: Axes, gaps: Mapping[str, np.ndarray]) -> None:
    """Largest gap of the line to the original graph, network by network, percent."""
    rows = np.arange(len(gaps))
    largest = [max(0.0, float(values.max())) for values in gaps.values()]
    axes.barh(rows, largest, 0.6, color=COLORS["accent"])
    for row, value in zip(rows, largest, strict=True):
        axes.text(value + 0.15, row, f"{value:.2f} %" if value > 5e-3 else "0", va="center", fontsize=9)
    axes.axvline(10, color=COLORS["neutral"], ls="--")
    axes.text(9.85, rows[-1], "allowed", color=COLORS["neutral"], weight="bold", ha="right", va="center")
    axes.set_yticks(rows, list(gaps))
    axes.set(xlabel="slower than the best of all cuts (%)", xlim=(0, 10.6))
    axes.grid(axis="y", visible=False)


def plot_stream(axes: Axes, points: Sequence[StreamPoint]) -> None:
    """Frames per second over the Bluetooth rate: promised (line), simulated (dots), and without pipelining."""
    rates = np.array([point.rate for point in points]) / MEGABIT
    axes.plot(rates, [point.promised for point in points], color=COLORS["accent"])
    axes.plot(rates, [point.simulated for point in points], "o", color=COLORS["accent"])
    axes.plot(rates, [point.one_by_one for point in points], "s--", color=COLORS["neutral"], ms=5)
    where = {"textcoords": "offset points", "weight": "bold"}
    last = points[-1]
    axes.annotate("pipelined", (rates[-1], last.promised), (-8, 8), color=COLORS["accent"], ha="right", **where)
    axes.annotate("one by one", (rates[-1], last.one_by_one), (-8, -24), color=COLORS["neutral"], ha="right", **where)
    axes.set(xlabel="Bluetooth (Mbit/s)", ylabel="frames per second", ylim=(0, 1.2 * last.promised))


def _choice(case: WearableCase, context: Context) -> int:
    table = case.table(context)
    best = table.best()
    return 0 if best == len(table.names) - 1 else 2 if best == 0 else 1
