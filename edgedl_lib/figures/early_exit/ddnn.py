"""Figures of DDNN: what the cameras see, what fusion adds, what a threshold costs, what an outage takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

CURVES = {  # colour, label and how far it is moved from the end of its curve, in points
    "individual": ("neutral", "one camera", 0),
    "local": ("end", "local", -5),
    "cloud": ("cloud", "cloud", 5),
}


def plot_views(axes: Sequence[Sequence[Axes]], pictures: np.ndarray, visible: np.ndarray) -> None:
    """A row of pictures for each object, a column for each camera; a blank frame is named as such."""
    for row, (frames, seen) in enumerate(zip(pictures, visible, strict=True)):
        for column, (frame, sees) in enumerate(zip(frames, seen, strict=True)):
            each = axes[row][column]
            each.imshow(frame, cmap="gray", vmin=0, vmax=1)
            each.set(xticks=[], yticks=[])
            each.grid(visible=False)
            if not sees:
                each.text(0.5, 0.5, "absent", color="white", ha="center", va="center", transform=each.transAxes)
            if row == 0:
                each.set_title(f"camera {column + 1}", fontsize=10)


def plot_scaling(axes: Axes, accuracies: Mapping[str, np.ndarray], title: str) -> None:
    """Accuracy against the number of cameras for a single camera, the local and the cloud exit, named at the end."""
    counts = np.arange(1, len(accuracies["local"]) + 1)
    for name, (color, label, off) in CURVES.items():
        values = np.asarray(accuracies[name])
        axes.plot(counts, values, "o-", color=COLORS[color], ms=5)
        place = (counts[-1], values[-1])
        axes.annotate(
            label, place, (6, off), textcoords="offset points", va="center", color=COLORS[color], weight="bold"
        )
    axes.set(xlabel="cameras", xlim=(0.8, counts[-1] + 1.4), ylim=(0.3, 1.02), title=title)
    axes.set_xticks(counts)


def plot_thresholds(left: Axes, right: Axes, thresholds: np.ndarray, sweeps: Mapping[str, np.ndarray]) -> None:
    """Local exits and accuracies along the threshold on the left, accuracy against bytes on the right.

    Parameters
    ----------
    sweeps : mapping
        ``share``, ``overall`` and ``bytes`` along the thresholds, ``local`` and ``cloud`` accuracy as numbers.
    """
    left.plot(thresholds, sweeps["share"], color=COLORS["end"])
    middle = int(np.searchsorted(sweeps["share"], 0.5))
    left.annotate(
        "leave locally",
        (thresholds[middle], 0.5),
        (-6, 0),
        textcoords="offset points",
        ha="right",
        color="#8A5300",
        weight="bold",
    )
    left.plot(thresholds, sweeps["overall"], color=COLORS["accent"])
    left.annotate(
        "overall accuracy",
        (0.02, sweeps["overall"][0]),
        (0, 5),
        textcoords="offset points",
        color=COLORS["accent"],
        weight="bold",
    )
    left.set(xlabel="threshold of the normalised entropy", ylabel="share of samples", xlim=(0, 1), ylim=(0, 1.02))
    right.plot(sweeps["bytes"], sweeps["overall"], "o-", color=COLORS["accent"], ms=4)
    right.annotate(
        "all leave", (sweeps["bytes"][-1], sweeps["overall"][-1]), (8, 0), textcoords="offset points", va="center"
    )
    right.annotate(
        "none leaves", (sweeps["bytes"][0], sweeps["overall"][0]), (-4, -14), textcoords="offset points", ha="right"
    )
    right.set(xlabel="bytes sent per device and sample", ylabel="overall accuracy")


def plot_outages(axes: Axes, ours: np.ndarray, published: np.ndarray, names: Sequence[str], ylabel: str) -> None:
    """Loss for each failed sender, ours as bars, the authors' as marks."""
    places = np.arange(len(names))
    axes.bar(places, ours, color=COLORS["end"], width=0.6)
    axes.plot(places, published, "D", color="black", ms=6, mfc="white", mew=1.6)
    axes.axhline(0, color="black", lw=0.8)
    axes.text(0.02, 0.94, "bars: ours", color="#8A5300", weight="bold", transform=axes.transAxes)
    axes.text(0.02, 0.87, "diamonds: the authors' own data", transform=axes.transAxes)
    axes.set_xticks(places, names)
    axes.set(ylabel=ylabel)
    top = max(np.max(ours), np.max(published))
    axes.set_ylim(min(0, np.min(ours)) - 0.05 * top, 1.35 * top)
    axes.grid(axis="x", visible=False)


def plot_aggregations(axes: Axes, table: np.ndarray, kinds: Sequence[str], labels: tuple[str, str]) -> None:
    """Accuracy of each pair of aggregations as a labelled square: rows for scores, columns for maps."""
    axes.imshow(table, cmap="Blues", vmin=table.min() - 0.1, vmax=table.max() + 0.1, aspect="auto")
    for row in range(len(kinds)):
        for column in range(len(kinds)):
            best = table[row, column] == table.max()
            axes.text(
                column, row, f"{table[row, column]:.3f}", ha="center", va="center", weight="bold" if best else "normal"
            )
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set(xlabel=labels[1], ylabel=labels[0])
    axes.grid(visible=False)


def plot_levels(axes: Axes, milliseconds: Sequence[float], shares: Sequence[float], raw: float) -> None:
    """Latency of an answer from each level and of sending the raw picture; the share that each level answers."""
    names = [
        *(
            f"{level} exit\n{share:.0%} of answers"
            for level, share in zip(("local", "edge", "cloud"), shares, strict=True)
        )
    ]
    places = np.arange(4)[::-1]
    colors = [COLORS[level] for level in ("end", "edge", "cloud", "neutral")]
    values = [*milliseconds, raw]
    axes.barh(places, values, color=colors, height=0.6)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.2f} ms", (value, place), (5, 0), textcoords="offset points", va="center", weight="bold")
    axes.set_yticks(places, [*names, "raw pictures\nto the cloud"])
    axes.set(xlabel="latency (ms)", xlim=(0, 1.2 * max(values)))
    axes.grid(axis="y", visible=False)
