"""Figures of ADSP: who waits when, the loss over simulated time, what is saved, and how often to commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.clock import Span

SPAN_COLOURS = {"compute": COLORS["cloud"], "commit": COLORS["end"], "wait": "#E3E7EA"}
METHOD_COLOURS = {
    "BSP": COLORS["neutral"],
    "SSP(40)": COLORS["end"],
    "fixed period": COLORS["cloud"],
    "ADSP": COLORS["accent"],
}


def plot_timeline(axes: Axes, spans: Sequence[Span], until: float, workers: Sequence[str]) -> None:
    """What each worker does until that second: computing, committing, waiting."""
    for span in spans:
        if span.start < until:
            width = min(span.end, until) - span.start
            axes.barh(-span.worker, width, 0.7, span.start, color=SPAN_COLOURS[span.kind], lw=0)
    axes.set_yticks([-row for row in range(len(workers))], workers)
    axes.set(xlim=(0, until), ylim=(-len(workers) + 0.5, 0.5))
    axes.grid(visible=False)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def name_spans(axes: Axes) -> None:
    """Names of the three colours in one line below the axes' label."""
    for position, (kind, ink) in zip(
        (0.0, 0.19, 0.38), (("compute", "cloud"), ("commit", "end"), ("wait", "neutral")), strict=True
    ):
        colour = SPAN_COLOURS[kind] if kind != "wait" else "#C9CFD4"
        axes.text(position, -0.62, "■", color=colour, transform=axes.transAxes, va="center")
        text = {"compute": "computing", "commit": "committing", "wait": "waiting"}[kind]
        shade = COLORS[ink] if ink != "end" else "#8A5300"
        axes.text(position + 0.03, -0.62, text, color=shade, transform=axes.transAxes, va="center")


def plot_losses(axes: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], target: float) -> None:
    """Loss over simulated seconds, one line per method, its name below the point where it meets the target."""
    for row, (name, (times, losses)) in enumerate(curves.items()):
        colour = next(shade for start, shade in METHOD_COLOURS.items() if name.startswith(start))
        axes.plot(times, losses, color=colour, lw=2.4 if name == "ADSP" else 1.8)
        axes.plot(times[-1], losses[-1], "o", color=colour, ms=5)
        ink = colour if colour != COLORS["end"] else "#8A5300"
        height = target * (0.86, 0.86, 0.86, 0.70)[row % 4]
        text = f"{name}: {times[-1]:,.0f} s"
        axes.text(times[-1] * 1.02, height, text, color=ink, weight="bold", fontsize=9.5, va="top", ha="right")
    axes.axhline(target, color=COLORS["neutral"], lw=1, ls="--")
    axes.set(yscale="log", xlabel="simulated time (s)", ylabel="training loss (nats)", ylim=(0.055, 3), xlim=(0, None))
    axes.set_yticks([0.1, 0.3, 1, 2], ["0.1", "0.3", "1", "2"])
    axes.minorticks_off()


def plot_savings(axes: Axes, levels: Sequence[float], savings: np.ndarray) -> None:
    """Time saved over the best fixed period at each heterogeneity, shape (levels, seeds), beside 1 - 1/H."""
    grid = np.linspace(1, max(levels) * 1.1, 200)
    bound = 100 * (1 - 1 / grid)
    axes.fill_between(grid, bound - 10, bound + 10, color="#E3E7EA", lw=0)
    axes.plot(grid, bound, color=COLORS["neutral"], lw=1.5)
    axes.text(
        grid[-1],
        bound[-1] + 2,
        "1 - 1/H, all that a\nbarrier can waste",
        color=COLORS["neutral"],
        ha="right",
        va="bottom",
    )
    for level, runs in zip(levels, savings, strict=True):
        axes.plot(np.full(len(runs), level), runs, "o", color=COLORS["accent"], ms=5, alpha=0.6)
        axes.annotate(
            f"{np.mean(runs):.0f} %",
            (level, np.mean(runs)),
            (8, -12),
            textcoords="offset points",
            color=COLORS["accent"],
        )
    axes.set(xlabel="heterogeneity H: mean speed over the slowest", ylabel="time saved (%)", ylim=(-15, 105))


def plot_rates(
    axes: Axes, rates: Sequence[int], seconds: Sequence[float], waiting: Sequence[float], searched: float
) -> None:
    """Time to the target over the commits a minute, the share of time that commits take beside each point."""
    axes.plot(rates, seconds, "o-", color=COLORS["cloud"])
    for rate, time, share in zip(rates, seconds, waiting, strict=True):
        axes.annotate(f"{share:.0%}", (rate, time), (4, -14), textcoords="offset points", fontsize=9)
    axes.text(rates[-1] + 0.6, seconds[-1] * 0.93, "of the time\nnot computing", fontsize=9, va="top")
    axes.axhline(searched, color=COLORS["accent"], lw=1.5)
    axes.text(max(rates), searched, "with search ", color=COLORS["accent"], ha="right", va="bottom", weight="bold")
    axes.set(xlabel="commits of each worker a minute", ylabel="time to the target loss (s)", ylim=(0, None))
    axes.set_xticks(rates)
    axes.set_xlim(0.5, max(rates) + 2.6)
