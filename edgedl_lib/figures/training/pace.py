"""Figures of pace steering: check-ins over a day, three rules over five populations, over-selection, stragglers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.history import History
from edgedl_lib.training.vanilla.pace.over_selection import chance_to_report, selected
from edgedl_lib.training.vanilla.pace.simulation import Traffic
from edgedl_lib.training.vanilla.pace.study import REJECTED, Sweep

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
RULE_COLOURS = {"fixed retry": "end", "uniform return": "cloud", "steering": "edge", "steering, factor 1": "accent"}


def shade(name: str) -> str:
    """Colour of a rule's text."""
    colour = RULE_COLOURS.get(name, "neutral")
    return END_TEXT if colour == "end" else COLORS[colour]


def plot_minutes(axes: Axes, traffic: Traffic, name: str, start: float, minutes: float = 30.0) -> None:
    """Check-ins in every interval of half an hour, and what a round needs in that time."""
    first = round(start / traffic.clock.interval)
    counts = traffic.check_ins[0, first : first + round(60 * minutes / traffic.clock.interval)]
    times = np.arange(len(counts)) * traffic.clock.interval / 60
    axes.bar(times, counts, width=traffic.clock.interval / 60, align="edge", color=COLORS[RULE_COLOURS[name]])
    axes.set(ylabel="check-ins in 10 s", xlim=(0, minutes), ylim=(0, 1.15 * max(1, counts.max())))


def plot_arrivals(axes: Axes, runs: Mapping[float, Traffic]) -> None:
    """How many devices come in a round, for each safety factor; what a round needs is marked."""
    edges = np.arange(40, 260, 4)
    for (factor, traffic), colour in zip(runs.items(), ("accent", "edge"), strict=True):
        arrivals = traffic.arrivals.ravel()
        heights, _, _ = axes.hist(arrivals, bins=edges, color=COLORS[colour], alpha=0.75)
        side = -1 if factor == min(runs) else 1
        spot = (arrivals.mean() + 1.15 * side * arrivals.std(), 0.75 * heights.max())
        text = f"asked for {factor * traffic.need:.0f}"
        axes.text(*spot, text, color=COLORS[colour], ha="left" if side > 0 else "right", weight="bold")
        axes.set_ylim(0, 1.2 * max(heights.max(), axes.get_ylim()[1] / 1.2))
    axes.axvline(traffic.need, color=COLORS["neutral"], ls=":", lw=1.5)
    axes.text(traffic.need - 2, axes.get_ylim()[1] * 0.96, "needed", color=COLORS["neutral"], ha="right", va="top")
    axes.set(xlabel="devices that come in a round", ylabel="rounds")


def plot_sweep(panels: tuple[Axes, Axes, Axes], sweeps: Mapping[str, Sweep]) -> None:
    """Rejected check-ins, peaks and filled rounds over the population."""
    names = ("rejected", "peak", "fill")
    labels = ("rejected for each accepted", "peak over mean check-ins", "rounds that fill (%)")
    for axes, column, label in zip(panels, names, labels, strict=True):
        for name, sweep in sweeps.items():
            values = sweep.column(column) * (100 if column == "fill" else 1)
            style = "--" if name.endswith("1") else "-"
            values = np.maximum(values, 0.01) if column == "rejected" else values
            axes.plot(sweep.populations, values, style, marker="o", ms=4, color=COLORS[RULE_COLOURS[name]])
        axes.set(xscale="log", xlabel="devices", ylabel=label, yscale="linear" if column == "fill" else "log")
        axes.set_xticks([1e3, 1e4, 1e5, 1e6], ["1,000", "10,000", "0.1 M", "1 M"], fontsize=9)
        axes.minorticks_off()
    rejected, peak, fill = panels
    rejected.axhline(REJECTED, color=COLORS["neutral"], ls=":", lw=1.2)
    rejected.set_yticks([0.01, 0.1, 1, 10, 100, 1e3, 1e4], ["0.01", "0.1", "1", "10", "100", "1,000", "10,000"])
    peak.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    fill.set_ylim(-3, 106)
    _name_lines(rejected, peak, fill)


def _name_lines(rejected: Axes, peak: Axes, fill: Axes) -> None:
    for axes, name, x, y in (
        (rejected, "fixed retry", 700, 220),
        (rejected, "uniform return", 2.2e4, 3.6),
        (rejected, "steering", 3e4, 0.85),
        (rejected, "steering, factor 1", 1.2e4, 0.025),
        (peak, "fixed retry", 1.1e3, 65),
        (peak, "steering", 260, 10.5),
        (fill, "fixed retry", 3e3, 13),
        (fill, "uniform return", 1e4, 74),
        (fill, "steering, factor 1", 2e4, 40),
        (fill, "steering", 2e4, 91),
    ):
        axes.text(x, y, name, color=shade(name), weight="bold", fontsize=9)


def plot_over_selection(axes: Axes, target: int, rates: tuple[float, ...] = (0.06, 0.1, 0.2)) -> None:
    """Chance that enough devices report over the factor by which more are chosen."""
    factors = np.arange(100, 146) / 100
    spots = ((1.003, 88), (1.115, 38), (1.31, 64))
    for rate, colour, spot in zip(rates, ("edge", "cloud", "end"), spots, strict=True):
        chances = np.array([chance_to_report(target, selected(target, factor), rate) for factor in factors])
        axes.plot(factors, 100 * chances, color=COLORS[colour])
        color = END_TEXT if colour == "end" else COLORS[colour]
        axes.text(*spot, f"{rate:.0%} drop out", color=color, weight="bold", fontsize=9)
    axes.axvline(1.3, color=COLORS["neutral"], ls=":", lw=1.2)
    axes.text(1.305, 4, "the paper's 1.3", color=COLORS["neutral"])
    axes.set(xlabel="devices chosen for each report needed", ylabel="rounds with enough reports (%)", ylim=(-2, 103))
    axes.set_xlim(1.0, 1.46)


def plot_reports(axes: Axes, durations: np.ndarray, counted: np.ndarray, target: int) -> None:
    """When the devices of one round report: those that count, and those that come too late.

    Parameters
    ----------
    durations : numpy.ndarray
        Of the seats (s); infinite for those that drop out.
    counted : numpy.ndarray of bool
    """
    order = np.argsort(durations)
    ranks = np.arange(1, len(order) + 1)
    there = np.isfinite(durations[order])
    for chosen, colour in ((counted[order], "edge"), (~counted[order] & there, "neutral")):
        axes.plot(durations[order][chosen], ranks[chosen], ".", color=COLORS[colour], ms=5)
    end = durations[counted].max()
    axes.axvline(end, color=COLORS["edge"], lw=1.4)
    axes.axhline(target, color=COLORS["neutral"], ls=":", lw=1.2)
    last = durations[np.isfinite(durations)].max()
    axes.text(end + 0.02 * last, 4, f"committed after {end:.1f}", color=COLORS["edge"], weight="bold")
    axes.text(last, ranks[there][-1] - 8, f"the last: {last:.1f}", color=COLORS["neutral"], ha="right", va="top")
    axes.set(xlabel="time since configuration (median device = 1)", ylabel="reports so far")


def plot_learning(axes: Axes, runs: Mapping[float, History], target: float) -> None:
    """Test accuracy over rounds for each over-selection factor; abandoned rounds are marked below."""
    colours = ("end", "accent", "cloud", "edge")
    for row, ((factor, history), colour) in enumerate(zip(runs.items(), colours, strict=True)):
        axes.plot(100 * history.accuracy, color=COLORS[colour], lw=1.6)
        axes.plot(history.abandoned, np.full(len(history.abandoned), 8 - 6 * row), "|", color=COLORS[colour], ms=5)
        color = END_TEXT if colour == "end" else COLORS[colour]
        label = f"{factor:g}: {len(history.abandoned)} abandoned"
        axes.text(history.rounds + 1, 8 - 6 * row, label, color=color, weight="bold", va="center", fontsize=9)
    axes.axhline(100 * target, color=COLORS["neutral"], ls=":", lw=1.2)
    axes.set(xlabel="round", ylabel="test accuracy (%)", ylim=(-14, 100), xlim=(0, 1.3 * history.rounds))
    axes.set_yticks([20, 40, 60, 80, 100])
