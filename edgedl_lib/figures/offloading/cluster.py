"""Figures of the cluster's runs: simulated beside measured, stations of a query, and tasks on workers with a kill."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.cluster.batch import Attempt, Batch
from edgedl_lib.offloading.cluster.chain_study import Comparison
from edgedl_lib.offloading.cluster.tile_study import TileComparison
from edgedl_lib.reproduce.style import COLORS

MEGABIT, MILLI = 1e6, 1e-3
TEXT = {"end": "#8A5300"}  # the end's colour, dark enough for small type
PALE = {"end": "#F4D9AE", "edge": "#A9D8C7", "cloud": "#AFC9E2"}
LABEL_SHARE = 0.08  # of the axis's height: one line of text
SENT, COMPUTED = "#C4D6E8", COLORS["edge"]


def plot_comparison(axes: Axes, comparisons: Mapping[str, Comparison], colours: Mapping[str, str]) -> None:
    """Latency over bandwidth: lines are simulated, dots measured (small: every round; large: the median)."""
    for name, one in comparisons.items():
        _simulated_and_measured(axes, one.rates, one.curve, one.measured, colours[name])
    first = next(iter(comparisons.values()))
    _bandwidth_axis(axes, first.rates)
    axes.set(ylabel="latency (ms)", ylim=(0, 1.06 * max(one.measured.max() for one in comparisons.values()) / MILLI))
    ends = {name: one.curve[1, -1] / MILLI for name, one in comparisons.items()}
    _name_lines(axes, first.rates[-1] / MEGABIT, ends, colours)


def plot_makespans(axes: Axes, study: TileComparison) -> None:
    """Time of the whole picture over bandwidth, one line for each number of workers."""
    names = [f"{count} worker{'s' if count > 1 else ''}" for count in study.counts]
    colours = dict(zip(names, ("end", "accent", "edge"), strict=False))
    for index, name in enumerate(names):
        curve = np.stack([study.curve_rates, study.curves[index]])
        _simulated_and_measured(axes, study.rates, curve, study.measured[:, index], colours[name])
    _bandwidth_axis(axes, study.rates)
    axes.set(ylabel="one picture (ms)", ylim=(0, 1.06 * study.measured.max() / MILLI))
    ends = dict(zip(names, study.curves[:, -1] / MILLI, strict=True))
    _name_lines(axes, study.rates[-1] / MEGABIT, ends, colours)


def plot_stations(axes: Axes, one: Comparison) -> None:
    """Stacked bars of one query at each rate: computing at each station, the link into it; a dash is simulated."""
    places = np.arange(len(one.rates))
    bottom = np.zeros(len(one.rates))
    for index, name in enumerate(one.names):
        if index:
            bottom = _stack(axes, places, one.transfer[:, index], bottom, PALE[name], f"link to {name}", "#22303C")
        bottom = _stack(axes, places, one.compute[:, index], bottom, COLORS[name], name, "white")
    for place, seconds in zip(places, one.simulated, strict=True):
        axes.plot([place - 0.42, place + 0.42], [seconds / MILLI] * 2, color="black", lw=2)
    axes.annotate("simulated", (places[-1] + 0.42, one.simulated[-1] / MILLI), (4, 0), textcoords="offset points",
                  va="center", weight="bold")  # fmt: skip
    axes.set(xlabel="link between end and edge (Mb/s)", ylabel="latency (ms)", xlim=(-0.6, places[-1] + 1.1))
    axes.set_xticks(places, [f"{rate / MEGABIT:g}" for rate in one.rates])
    axes.grid(False, axis="x")


def plot_tasks(axes: Axes, batch: Batch, workers: int = 3, end: float | None = None) -> None:
    """Which worker had which task when; a cross marks a death, a hollow bar the work that it cost."""
    names = [f"worker {number}" for number in range(1, workers + 1)]
    for attempt in batch.attempts:
        _draw_attempt(axes, attempt, names.index(attempt.worker))
    for loss in batch.losses:
        axes.plot(loss.when / MILLI, names.index(loss.worker), "X", color=COLORS["accent"], ms=13, zorder=5)
        axes.annotate("killed", (loss.when / MILLI, names.index(loss.worker)), (12, 0), textcoords="offset points",
                      color=COLORS["accent"], weight="bold", va="center")  # fmt: skip
    axes.axvline(batch.seconds / MILLI, color="black", lw=1, ls="--")
    axes.set_yticks(range(workers), names)
    axes.set(xlim=(0, (end or 1.05 * batch.seconds) / MILLI), ylim=(workers - 0.4, -0.6))
    axes.grid(False, axis="y")


def _draw_attempt(axes: Axes, attempt: Attempt, row: int) -> None:
    if attempt.lost:
        axes.barh(row, (attempt.ended - attempt.begun) / MILLI, left=attempt.begun / MILLI, height=0.6,
                  facecolor="none", edgecolor=COLORS["accent"], ls="--", lw=1.5)  # fmt: skip
        middle = (attempt.begun + attempt.ended) / 2
    else:
        moments = np.array([attempt.begun, attempt.arrived, attempt.ready, attempt.ended]) / MILLI
        for left, right, colour in zip(moments[:-1], moments[1:], (SENT, COMPUTED, SENT), strict=True):
            axes.barh(row, right - left, left=left, height=0.6, color=colour)
        middle = (attempt.arrived + attempt.ready) / 2
    colour = COLORS["accent"] if attempt.lost else "white"
    if not attempt.lost or attempt.ended - attempt.begun > 6 * MILLI:
        axes.text(middle / MILLI, row, str(attempt.task), color=colour, ha="center", va="center", weight="bold")


def _simulated_and_measured(axes, rates, curve, measured, colour) -> None:
    megabits, shade = np.asarray(rates) / MEGABIT, COLORS[colour]
    axes.plot(curve[0] / MEGABIT, curve[1] / MILLI, color=shade)
    for row in measured:
        axes.plot(megabits, row / MILLI, ".", color=shade, ms=4, alpha=0.5)
    axes.plot(megabits, np.median(measured, axis=0) / MILLI, "o", color=shade, ms=7, mec="white")


def _name_lines(axes: Axes, right: float, ends: Mapping[str, float], colours: Mapping[str, str]) -> None:
    """Names at the right ends of lines, from the lowest up, each at least a line of text above the one below."""
    step, lowest = LABEL_SHARE * axes.get_ylim()[1], -np.inf
    for name, height in sorted(ends.items(), key=lambda pair: pair[1]):
        lowest = max(height, lowest + step)
        shade = TEXT.get(colours[name], COLORS[colours[name]])
        axes.annotate(name, (right, lowest), (10, 0), textcoords="offset points", color=shade, weight="bold",
                      va="center")  # fmt: skip


def _bandwidth_axis(axes: Axes, rates) -> None:
    megabits = np.asarray(rates) / MEGABIT
    axes.set(xscale="log", xlabel="bandwidth (Mb/s)", xlim=(0.85 * megabits[0], 2.6 * megabits[-1]))
    axes.set_xticks(megabits, [f"{rate:g}" for rate in megabits])
    axes.minorticks_off()


def _stack(axes, places, seconds, bottom, colour, name, text) -> np.ndarray:
    axes.bar(places, seconds / MILLI, bottom=bottom / MILLI, color=colour, width=0.7)
    if seconds[0] / MILLI > 8:
        axes.text(0, (bottom[0] + seconds[0] / 2) / MILLI, name, color=text, ha="center", va="center", weight="bold")
    return bottom + seconds
