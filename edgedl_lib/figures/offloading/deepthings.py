"""Figures of DeepThings: speed-up over devices, throughput over sources, a thief that leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.horizontal.deepthings.study import Departures
from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_speed_up(
    axes: Axes, devices: Sequence[int], curves: Mapping[str, np.ndarray], reported: tuple[float, float]
) -> None:
    """Speed-up of a frame over the number of devices, one line for each thing to compare with."""
    colours = ("cloud", "accent", "edge")
    for (name, values), colour in zip(curves.items(), colours, strict=False):
        axes.plot(devices, values, "o-", color=COLORS[colour])
        where = {"textcoords": "offset points", "color": COLORS[colour], "weight": "bold", "va": "center"}
        axes.annotate(name, (devices[-1], values[-1]), (9, 0), **where)
    axes.plot([2, devices[-1]], reported, "D", color=COLORS["end"], ms=7, zorder=5)
    axes.annotate(
        "reported", (2, reported[0]), (-2, 12), textcoords="offset points", color=END_TEXT, weight="bold", ha="center"
    )
    axes.axhline(1, color="black", lw=1, ls="--")
    axes.set(
        xlabel="devices", ylabel="speed-up of one frame", xticks=devices, ylim=(0, 4), xlim=(0.8, devices[-1] + 2.3)
    )


def plot_throughput(axes: Axes, sources: Sequence[int], curves: Mapping[str, np.ndarray]) -> None:
    """Frames per minute over the number of devices that have frames."""
    colours = ("edge", "cloud", "neutral", "accent")
    for (name, values), colour in zip(curves.items(), colours, strict=False):
        axes.plot(sources, 60 * values, "o-", color=COLORS[colour])
        where = {"textcoords": "offset points", "color": COLORS[colour], "weight": "bold", "va": "center"}
        axes.annotate(name, (sources[-1], 60 * values[-1]), (9, 0), **where)
    right = sources[-1] + 2.6
    axes.set(xlabel="devices with frames, of six", ylabel="frames per minute", xticks=sources, xlim=(0.8, right))
    axes.set_ylim(0)


def plot_departures(axes: Axes, departures: Departures, patience: float) -> None:
    """Time of the frame over the moment at which a thief leaves."""
    axes.bar(departures.time, departures.latency, width=0.55, color=COLORS["end"])
    axes.axhline(departures.undisturbed, color="black", lw=1, ls="--")
    axes.text(0, departures.undisturbed + 0.3, "nobody leaves", va="bottom", backgroundcolor="white")
    axes.axhline(departures.undisturbed + patience, color=COLORS["neutral"], lw=1, ls=":")
    axes.text(0, departures.undisturbed + patience + 0.3, f"{patience:g} s later", color=COLORS["neutral"])
    axes.set(xlabel="the thief leaves at (s)", ylabel="time of the frame (s)", ylim=(0, 20))
