"""Figures of the compact networks: parameters against work, published trade-offs, groups, depth, time against work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from edgedl_lib.inference.compression.compact_filters.compact_study import BlockResult, ScaleTimes
from edgedl_lib.inference.compression.compact_filters.residual import DepthResult
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.reproduce.style import COLORS

# Family -> colour, whether its points are one design at several scales, whether labels stand on the left.
FAMILIES = {
    "dense": ("neutral", False, False),
    "modular": ("end", False, True),
    "residual": ("accent", True, False),
    "mobile": ("cloud", True, True),
    "shuffled": ("edge", True, False),
}
MULTIPLIER_COLORS = {"width": "cloud", "resolution": "end", "depth": "accent"}


def plot_landscape(axes: Axes, families: Mapping[str, Mapping[str, LayerGraph]]) -> None:
    """Parameters against multiply-adds of whole networks, one colour a family, labels beside the points."""
    for family, networks in families.items():
        color, joined, left = FAMILIES[family]
        size = [graph.parameter_count / 1e6 for graph in networks.values()]
        work = [graph.mac / 1e6 for graph in networks.values()]
        axes.loglog(size, work, "o-" if joined else "o", color=COLORS[color], ms=7, lw=1)
        for label, x, y in zip(networks, size, work, strict=True):
            shift, side = ((-8, 4), "right") if left else ((8, -4), "left")
            style = {"color": COLORS[color], "fontsize": 9, "va": "center"}
            axes.annotate(label.strip(), (x, y), shift, textcoords="offset points", ha=side, **style)
    axes.set(xlabel="parameters (million)", ylabel="multiply-adds per image (million)", xlim=(0.25, 420))


def plot_multipliers(axes: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[str]]]) -> None:
    """Published accuracy (percent) against counted multiply-adds (millions), each point with its label."""
    for name, (work, accuracy, labels) in lines.items():
        color = MULTIPLIER_COLORS[name]
        axes.semilogx(work, accuracy, "o-", color=COLORS[color], ms=7, label=name)
        shift, side = ((-6, 8), "right") if name == "width" else ((6, -9), "left")
        unit = " px" if name == "resolution" else ""
        texts = [f"{label}{unit}" for label in labels]
        texts[0] = f"{name} {texts[0]}" if len(texts) > 1 else texts[0]
        for label, x, y in zip(texts, work, accuracy, strict=True):
            style = {"color": COLORS[color], "fontsize": 9, "va": "center"}
            axes.annotate(label, (x, y), shift, textcoords="offset points", ha=side, **style)
    ticks = (50, 100, 200, 500)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.16, y=0.12)
    axes.set(xlabel="multiply-adds (million), counted", ylabel="ImageNet top-1 accuracy (%), published")


def plot_blocks(axes: Axes, results: Mapping[str, BlockResult]) -> None:
    """Test accuracy of the digit networks against multiply-adds; a dot per seed, a bar at the mean."""
    colors = dict(zip(results, ("neutral", "cloud", "edge", "end", "accent"), strict=False))
    for name, result in results.items():
        color, work = COLORS[colors[name]], result.graph.mac / 1e3
        mean = float(np.mean(result.accuracies))
        axes.plot([work] * len(result.accuracies), result.accuracies, "o", color=color, alpha=0.55, ms=6)
        axes.plot(work, mean, "_", color=color, ms=20, mew=3)
        side = -1 if name in ("shuffle", "no shuffle") else 1
        style = {"ha": "right" if side < 0 else "left", "va": "center", "color": color, "fontsize": 9}
        axes.annotate(name, (work, mean), (side * 14, 0), textcoords="offset points", **style)
    axes.set_xscale("log")
    ticks = (50, 100, 200, 400)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.3, y=0.12)
    axes.set(xlabel="multiply-adds per picture (thousand)", ylabel="test accuracy (%)")


def plot_influence(left: Axes, right: Axes, without: np.ndarray, shuffled: np.ndarray) -> None:
    """Absolute derivative of every output channel by every input channel, without and with a shuffle."""
    top = max(without.max(), shuffled.max())
    for axes, jacobian, name in ((left, without, "no shuffle"), (right, shuffled, "shuffle between the layers")):
        axes.imshow(jacobian, cmap="Blues", vmin=0, vmax=top)
        axes.set(xlabel="input channel", title=name)
        axes.grid(visible=False)
    left.set(ylabel="output channel")


def plot_depth(left: Axes, right: Axes, results: Sequence[DepthResult]) -> None:
    """Training loss and test accuracy against depth, plain and residual, mean and range over the seeds."""
    depths = [result.depth for result in results]
    for kind, color in (("plain", "end"), ("residual", "cloud")):
        for axes, quantity in ((left, "loss"), (right, "accuracy")):
            values = np.array([getattr(result, f"{kind}_{quantity}") for result in results])
            axes.plot(depths, values.mean(axis=1), "o-", color=COLORS[color], ms=7)
            axes.fill_between(depths, values.min(axis=1), values.max(axis=1), color=COLORS[color], alpha=0.2, lw=0)
            place = (depths[-1], values[-1].mean())
            style = {"ha": "right", "color": COLORS[color], "weight": "bold"}
            lift = -18 if kind == "residual" and quantity == "accuracy" else 9
            axes.annotate(kind, place, (-14, lift), textcoords="offset points", **style)
    left.set(ylabel="training loss (nats)", yscale="log", title="Plain depth cannot even be trained")
    right.set(ylabel="test accuracy (%)", title="A shortcut keeps depth usable")
    for axes in (left, right):
        axes.set_xticks(depths)
        axes.set(xlabel="layers")


def plot_work_and_time(
    left: Axes, right: Axes, shares: Mapping[str, tuple[float, float]], scales: ScaleTimes, gain: float
) -> None:
    """Shares of work and of time by kind of layer (left); time against work over scales, with the proportional line."""
    rows = np.arange(len(shares))[::-1]
    for offset, index, color, name in ((0.2, 0, "neutral", "multiply-adds"), (-0.2, 1, "end", "measured time")):
        values = [pair[index] for pair in shares.values()]
        left.barh(rows + offset, values, height=0.36, color=COLORS[color], label=name)
        for row, value in zip(rows, values, strict=True):
            style = {"textcoords": "offset points", "va": "center", "fontsize": 9}
            left.annotate(f"{value:.0f} %", (value, row + offset), (4, 0), **style)
    left.set_yticks(rows, list(shares))
    left.set(xlabel="share of the network (%)", xlim=(0, 118), title="3 % of the work is not 3 % of the time")
    left.legend(loc="center right", fontsize=9)
    left.grid(axis="y", visible=False)
    work, time = np.array(scales.multiply_adds) / 1e6, 1e3 * np.array(scales.seconds)
    right.loglog(work, time, "o-", color=COLORS["cloud"], ms=7)
    right.loglog(work, time[-1] * work / work[-1], "--", color=COLORS["neutral"], lw=1)
    style = {"textcoords": "offset points", "fontsize": 9}
    right.annotate("in proportion", (work[1], time[-1] * work[1] / work[-1]), (8, -4), color=COLORS["neutral"], **style)
    label = f"{gain:.1f}× faster for each 4× less"
    right.text(0.04, 0.92, label, color=COLORS["cloud"], fontsize=9.5, weight="bold", transform=right.transAxes)
    right.yaxis.set_minor_formatter(NullFormatter())
    right.set(xlabel="multiply-adds (million)", ylabel="time (ms)", title="The saving shrinks on the way")
