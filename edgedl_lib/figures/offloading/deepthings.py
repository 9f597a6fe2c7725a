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
    _plot_named(axes, devices, curves, ("cloud", "accent", "edge"), gap=0.3)
    axes.plot([2, devices[-1]], reported, "D", color=COLORS["end"], ms=7, zorder=5)
    axes.text(1.8, reported[0] + 0.1, "reported", color=END_TEXT, weight="bold", ha="right")
    axes.axhline(1, color="black", lw=1, ls="--")
    axes.set(
        xlabel="devices", ylabel="speed-up of one frame", xticks=devices, ylim=(0, 4), xlim=(0.8, devices[-1] + 2.3)
    )


METHOD_COLOURS = ("edge", "cloud", "neutral", "accent")


def plot_throughput(
    few: Axes, many: Axes, by_devices: Mapping[str, np.ndarray], by_sources: Mapping[str, np.ndarray]
) -> None:
    """Frames per minute: left over the devices of one source, right over the sources among all devices."""
    for axes, curves, named in ((few, by_devices, False), (many, by_sources, True)):
        scaled = {name: 60 * values for name, values in curves.items()}
        steps = np.arange(1, 1 + len(next(iter(curves.values()))))
        _plot_named(axes, steps, scaled, METHOD_COLOURS, gap=1.2, named=named)
        axes.set(xticks=steps, ylim=(0, 18), xlim=(0.7, steps[-1] + (4.1 if named else 0.3)))
    few.set(xlabel="devices, one of them with frames", ylabel="frames per minute")
    many.set(xlabel="devices with frames, of six")


def plot_radio(
    axes: Axes, rates: Sequence[float], gains: Mapping[str, np.ndarray], reported: tuple[float, float], ours: float
) -> None:
    """Gain of stealing over each rival against the rate of the radio; the reported range shaded, our rate marked."""
    megabits = np.asarray(rates) / 1e6
    axes.axhspan(*reported, color=COLORS["end"], alpha=0.25, lw=0)
    axes.text(
        megabits[-1], np.sqrt(np.prod(reported)), "reported", color=END_TEXT, weight="bold", ha="right", va="center"
    )
    axes.axvline(ours / 1e6, color="black", lw=1, ls="--")
    spots = {"sharing by the gateway": (0, 1.1, "left"), "sharing by the sources": (3, 0.8, "left")}
    spots["everyone alone"] = (-1, 0.84, "right")
    for (name, values), colour in zip(gains.items(), METHOD_COLOURS[1:], strict=True):
        place, factor, side = spots[name]
        axes.plot(megabits, values, "o-", color=COLORS[colour])
        axes.text(megabits[place], factor * values[place], f"over {name}", color=COLORS[colour], weight="bold", ha=side)
    axes.set(xscale="log", yscale="log", xlabel="radio (Mbit/s, shared)", ylabel="gain in throughput", ylim=(0.7, 11))
    axes.set_xticks(megabits, [f"{rate:g}" for rate in megabits])
    axes.set_yticks([1, 2, 4, 8], ["1×", "2×", "4×", "8×"])
    axes.minorticks_off()


def plot_departures(axes: Axes, departures: Departures, patience: float) -> None:
    """Time of the frame over the moment at which a thief leaves."""
    axes.bar(departures.time, departures.latency, width=0.55, color=COLORS["end"])
    axes.axhline(departures.undisturbed, color="black", lw=1, ls="--")
    right = departures.time[-1] + 0.5
    axes.text(right, departures.undisturbed + 0.3, "nobody leaves", va="bottom")
    axes.axhline(departures.undisturbed + patience, color=COLORS["neutral"], lw=1, ls=":")
    axes.text(right, departures.undisturbed + patience + 0.3, f"{patience:g} s later", color=COLORS["neutral"])
    axes.set(xlabel="the thief leaves at (s)", ylabel="time of the frame (s)")
    axes.set(ylim=(0, 20), xlim=(0, right + 1.6))


def _plot_named(
    axes: Axes, steps: Sequence[int], curves: Mapping[str, np.ndarray], colours, gap: float, named: bool = True
) -> None:
    """Lines with their names at the right end, names at least ``gap`` apart."""
    lowest = -np.inf
    shades = dict(zip(curves, colours, strict=True))
    for name, values in sorted(curves.items(), key=lambda item: item[1][-1]):
        lowest = max(values[-1], lowest + gap)
        axes.plot(steps, values, "o-", color=COLORS[shades[name]])
        if named:
            axes.text(steps[-1] + 0.2, lowest, name, color=COLORS[shades[name]], weight="bold", va="center")
