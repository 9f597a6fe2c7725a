"""Figures of DeepDecision: what it decides over the rate of the link, and a stream over a changing link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.integral.deepdecision.decision import Plans
from edgedl_lib.offloading.integral.deepdecision.policies import OURS
from edgedl_lib.reproduce.style import COLORS

MEGABIT = 1e6
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def link_axis(axes: Axes) -> None:
    """Logarithmic axis of the link's rate in Mbit/s."""
    axes.set(xscale="log", xlabel="uplink (Mbit/s)")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()


def plot_sides(axes: Axes, bandwidth: np.ndarray, phone: Plans, edge: Plans) -> float:
    """Best score on each side over bandwidth (bit/s); returns the rate (bit/s) from which the edge is better."""
    axes.plot(bandwidth / MEGABIT, phone.objective, color=COLORS["end"])
    axes.plot(bandwidth / MEGABIT, np.where(edge.feasible, edge.objective, np.nan), color=COLORS["edge"])
    crossing = float(bandwidth[np.argmax(edge.feasible & (edge.objective > phone.objective))])
    axes.axvline(crossing / MEGABIT, color=COLORS["accent"], lw=1.2, ls="--")
    axes.text(1.07 * crossing / MEGABIT, 62, f"{crossing / MEGABIT:.2f} Mbit/s", color=COLORS["accent"], weight="bold")
    axes.text(0.9, phone.objective[-1] - 6, "best on the phone", color=END_TEXT, weight="bold")
    axes.text(1.05, 50, "best on the edge", color=COLORS["edge"], weight="bold", ha="right")
    axes.set(ylabel="frames/s + 100 × accuracy", ylim=(0, 85))
    link_axis(axes)
    return crossing


def plot_decisions(axes: Sequence[Axes], bandwidth: np.ndarray, plans: Plans) -> None:
    """Frame rate, bitrate and accuracy of the chosen plan over bandwidth (bit/s), in the colour of the place."""
    panels = (
        ("frame_rate", 1.0, "frames/s", (0, 20)),
        ("bitrate", MEGABIT, "bitrate (Mbit/s)", (0, 3.5)),
        ("accuracy", 1.0, "accuracy, current frame", (0, 0.75)),
    )
    for panel, (name, unit, label, limits) in zip(axes, panels, strict=True):
        values = getattr(plans, name) / unit
        for remote, colour in ((False, "end"), (True, "edge")):
            side = plans.remote == remote
            panel.plot(bandwidth / MEGABIT, np.where(side, values, np.nan), color=COLORS[colour])
        panel.set(ylabel=label, ylim=limits)
        link_axis(panel)
        panel.set_xticks((0.05, 0.2, 1, 5), ["0.05", "0.2", "1", "5"])


def plot_stream(above: Axes, below: Axes, bandwidth: np.ndarray, plans: Mapping[str, Plans], rival: str) -> None:
    """A link over two minutes, and the accuracy that a viewer gets from DeepDecision and from one rival."""
    time = np.arange(len(bandwidth))
    above.step(time, bandwidth / MEGABIT, where="post", color=COLORS["neutral"])
    above.set(ylabel="uplink (Mbit/s)")
    ours = plans[OURS]
    below.step(time, plans[rival].accuracy, where="post", color=COLORS["neutral"], lw=1.2)
    for remote, colour in ((False, "end"), (True, "edge")):
        side = ours.remote == remote
        below.plot(time[side] + 0.5, ours.accuracy[side], "o", ms=3.5, color=COLORS[colour])
    below.set(xlabel="time (s)", ylabel="accuracy, current frame", ylim=(-0.03, 0.8), xlim=(0, len(time)))
    below.text(1, 0.72, "on the edge", color=COLORS["edge"], weight="bold")
    below.text(19, 0.72, "on the phone", color=END_TEXT, weight="bold")
    below.text(39, 0.72, f"line: {rival}", color=COLORS["neutral"], weight="bold")


def plot_policies(axes: Axes, runs: Sequence[Mapping[str, Plans]]) -> None:
    """Mean frame rate against mean accuracy of every policy over all runs; lines of equal objective behind."""
    rate = np.array([0.0, 14.0])
    for level in (20, 30, 40):
        axes.plot(rate, (level - rate) / 100, color=COLORS["neutral"], lw=0.8, ls=":")
        axes.text(0.1, level / 100 + 0.004, f"objective {level}", color=COLORS["neutral"], size=8.5)
    labels = {
        OURS: ("accent", (0, 9), "center"),
        "remote only": ("cloud", (0, -17), "center"),
        "local only": ("end", (9, -4), "left"),
        "strawman": ("edge", (9, -4), "left"),
        "fixed video": ("neutral", (-9, -4), "right"),
    }
    for name, (colour, shift, side) in labels.items():
        x, y = (np.mean([getattr(run[name], part).mean() for run in runs]) for part in ("frame_rate", "accuracy"))
        axes.plot(x, y, "o", color=COLORS[colour], ms=9 if name == OURS else 7)
        axes.annotate(name, (x, y), shift, textcoords="offset points", color=COLORS[colour], weight="bold", ha=side)
    axes.set(xlabel="mean frames/s", ylabel="mean accuracy, current frame", xlim=(0, 14), ylim=(0.08, 0.42))
