"""Figures of MCDNN: the catalogue, and a day of requests under three policies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.catalogues.model_catalogue import Application
from edgedl_lib.inference.compression.catalogues.model_scheduling import DayComparison
from edgedl_lib.reproduce.style import COLORS

CROWDED = 60  # percent: a line that starts above it has others below and is labelled on its left
POLICY_COLORS = {"best always": "end", "cheapest always": "neutral", "MCDNN": "cloud"}


def plot_catalogue(axes: Axes, applications: Sequence[Application]) -> None:
    """Accuracy against energy of every variant, a line per application, and the cloud."""
    for application, color in zip(applications, ("end", "edge", "neutral"), strict=False):
        energy = [option.energy for option in application.variants]
        accuracy = [option.accuracy for option in application.variants]
        axes.plot(energy, accuracy, "o-", color=COLORS[color], ms=7)
        style = {"color": COLORS[color], "fontsize": 9, "va": "center"}
        first = min(accuracy) > CROWDED
        shift, side = ((-8, 6), "right") if first else ((9, -4), "left")
        axes.annotate(application.name, (energy[0], accuracy[0]), shift, textcoords="offset points", ha=side, **style)
    remote = next(option for option in applications[0].options if option.in_cloud)
    axes.plot(remote.energy, remote.accuracy, "*", color=COLORS["cloud"], ms=15)
    axes.annotate(
        "cloud: costs money, needs the link",
        (remote.energy, remote.accuracy),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=COLORS["cloud"],
    )
    axes.margins(x=0.2, y=0.12)
    axes.set(xlabel="energy per request (J)", ylabel="accuracy (%)", title="The catalogue")


def plot_day(axes: Axes, comparison: DayComparison, hours: float = 10.0) -> None:
    """Share of the battery spent over the day, with the mean accuracy that each policy reached."""
    for name, result in comparison.results.items():
        color = COLORS[POLICY_COLORS[name]]
        time = np.linspace(0, hours, len(result.energy_over_time))
        axes.plot(time, 100 * result.energy_over_time, color=color)
        place = (time[-1], 100 * result.energy_over_time[-1])
        style = {"va": "center", "color": color, "fontsize": 9}
        text = f"{name}:\n{result.accuracy:.0f} % right"
        axes.annotate(text, place, (8, 0), textcoords="offset points", **style)
    axes.set(xlabel="time of day (h)", ylabel="battery spent (%)", title="Best-always is empty after half the day")
    axes.set_ylim(0, 108)
    axes.set_xlim(0, 1.4 * hours)
    axes.set_xticks(np.arange(0, hours + 1, 2))
