"""Figures of FEDL: clocks and slots over the weight of a second, the Pareto front, the gap over rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.resources.fedl.allocation import Allocation

SHADES = ("#B7CBE0", "#86A9CC", "#4F84B5", "#1F659F", COLORS["cloud"])


def plot_regions(panels: Sequence[Axes], sweep: Sequence[Allocation], borders: Sequence[float]) -> None:
    """Clock of every device above, common computation time below, over kappa."""
    clocks, times = panels
    kappas = [allocation.kappa for allocation in sweep]
    for device in range(len(sweep[0].clock)):
        clocks.plot(kappas, [allocation.clock[device] / 1e9 for allocation in sweep], color=SHADES[device % 5])
        clocks.text(
            kappas[-1] * 1.2, sweep[-1].clock[device] / 1e9, f"{device + 1}", color=SHADES[device % 5], va="center"
        )
    times.plot(kappas, [allocation.computing_time for allocation in sweep], color=COLORS["edge"])
    for axes in panels:
        for border in borders:
            axes.axvline(border, color=COLORS["neutral"], lw=1, ls="--")
        axes.set(xscale="log", xlim=(kappas[0], kappas[-1] * 3))
    clocks.set(ylabel="clock (GHz)", ylim=(0, None))
    times.set(xlabel="what a second is worth, κ (J/s)", ylabel="computing (s)", ylim=(0, None))


def plot_front(axes: Axes, energy: np.ndarray, time: np.ndarray, marked: Mapping[str, Allocation]) -> None:
    """Energy and time of the whole training along the sweep, some weights named."""
    axes.plot(time, energy, "o-", color=COLORS["edge"], ms=3.5)
    for name, allocation in marked.items():
        axes.plot(allocation.time, allocation.energy, "o", color=COLORS["end"], ms=8)
        axes.annotate(name, (allocation.time, allocation.energy), (9, 7), textcoords="offset points", weight="bold")
    axes.set(xlabel="time of the training (s, in units of rounds)", ylabel="energy of the training (J)")
    axes.set(xlim=(0, 1.08 * time.max()), ylim=(0, 1.15 * energy.max()))


def plot_gaps(axes: Axes, gaps: Mapping[str, np.ndarray], highlighted: Sequence[str]) -> None:
    """Gap to the optimal loss over rounds, logarithmic; the lines of ``highlighted`` stand out."""
    colours = iter((COLORS["edge"], COLORS["end"], COLORS["accent"]))
    for name, values in gaps.items():
        bold = name in highlighted
        colour = next(colours) if bold else COLORS["neutral"]
        shown = np.where((values > 1e-17) & (values < 1e6), values, np.nan)
        axes.plot(shown, color=colour, lw=2.2 if bold else 1.2)
        last = np.flatnonzero(np.isfinite(shown))[-1]
        axes.annotate(
            name, (last, shown[last]), (5, 0), textcoords="offset points", color=colour, va="center", fontsize=9.5
        )
    axes.set(yscale="log", xlabel="round", ylabel="gap to the optimal loss", xlim=(0, 250), ylim=(1e-17, 1e6))


def plot_duel(axes: Axes, fedl: Sequence[np.ndarray], averaging: Sequence[np.ndarray]) -> None:
    """Test loss of both methods over rounds, one thin line for each seed and a thick one for the mean."""
    labelled = (("FedAvg", averaging, COLORS["accent"], "bottom"), ("FEDL", fedl, COLORS["edge"], "center"))
    for name, curves, colour, side in labelled:
        for curve in curves:
            axes.plot(curve, color=colour, lw=0.8, alpha=0.5)
        mean = np.mean(curves, axis=0)
        axes.plot(mean, color=colour, lw=2.4)
        axes.text(len(mean) - 0.5, mean[-1], name, color=colour, weight="bold", va=side)
    last = np.mean([curve[-1] for curve in averaging])
    axes.plot([0, len(averaging[0]) - 1], [last, last], color=COLORS["neutral"], lw=1, ls="--")
    axes.set(xlabel="round", ylabel="test loss (nats)", xlim=(0, 1.13 * len(fedl[0])), ylim=(0, None))
