"""Figures of ELFISH: which neurons a straggler trains, and accuracy over simulated time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.resources.elfish.study import Curve

SCHEME_COLOURS = {
    "synchronous": COLORS["neutral"],
    "stragglers dropped": COLORS["end"],
    "fixed mask": COLORS["edge"],
    "stale by a round": COLORS["cloud"],
    "soft training": COLORS["accent"],
}
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_masks(axes: Axes, masks: np.ndarray, label: str) -> None:
    """Trained neurons, shape (cycles, neurons): a column for each cycle."""
    axes.pcolormesh(masks.T, cmap=ListedColormap(["#E3E7EA", COLORS["accent"]]), edgecolor="white", lw=0.6)
    axes.set(xlabel="cycle", title=label, xlim=(0, len(masks)), ylim=(masks.shape[1], 0))
    axes.set_xticks(np.arange(len(masks)) + 0.5, [str(number + 1) for number in range(len(masks))])
    axes.grid(visible=False)


def plot_accuracy(axes: Axes, curves: Mapping[str, Sequence[Curve]], until: float) -> None:
    """Accuracy over time, mean over the seeds, until that unit of time."""
    for name, runs in curves.items():
        times = runs[0].times
        shown = times <= until
        mean = 100 * np.mean([run.accuracy for run in runs], axis=0)
        axes.plot(times[shown], mean[shown], color=SCHEME_COLOURS[name], lw=2.6 if name == "soft training" else 1.7)
    axes.axhline(85, color=COLORS["neutral"], lw=1, ls="--")
    axes.set(
        xlabel="simulated time (cycles of a fast device)", ylabel="test accuracy (%)", xlim=(0, until), ylim=(0, 100)
    )


def plot_schemes(axes: Axes, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Time to 85 % against the accuracy at the end: a small dot for each seed, a large one for their mean."""
    for name, runs in curves.items():
        colour = SCHEME_COLOURS[name]
        ink = END_TEXT if colour == COLORS["end"] else colour
        times, finals = [run.time_to() for run in runs], [100 * run.final for run in runs]
        axes.plot(times, finals, "o", color=colour, ms=4, alpha=0.4)
        axes.plot(np.mean(times), np.mean(finals), "o", color=colour, ms=9)
        shift, side = ((-9, 0), "right") if name == "stragglers dropped" else ((9, 0), "left")
        shift = (7, -11) if name == "stale by a round" else shift
        where = (np.mean(times), np.mean(finals))
        axes.annotate(
            name,
            where,
            shift,
            textcoords="offset points",
            color=ink,
            ha=side,
            va="center",
            fontsize=9.5,
            weight="bold",
        )
    axes.set(xlabel="time to 85 % (cycles of a fast device)", ylabel="accuracy at the end (%)", xlim=(0, None))
