"""Figures of MoDNN: what delivery costs, how much faster a group is, where the seconds go, what co-clustering does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from edgedl_lib.offloading.horizontal.modnn.dense import DensePartition
from edgedl_lib.offloading.horizontal.modnn.execution_time import Seconds
from edgedl_lib.offloading.horizontal.modnn.halo import Traffic
from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.system.link import Link

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_delivery(axes: Axes, strips: Traffic, grid: Traffic, link: Link, marks: Mapping[str, float]) -> None:
    """Delivery time of strips and grid over the wake-up of a message; `marks` are wake-ups (s) to point at."""
    wake_ups = np.linspace(0, 0.014, 57)
    for traffic, colour in ((strips, "edge"), (grid, "neutral")):
        seconds = [traffic.delivery_time(link, wake_up) for wake_up in wake_ups]
        axes.plot(1e3 * wake_ups, seconds, color=COLORS[colour])
    axes.text(8, strips.delivery_time(link, 0.005), "strips", color=COLORS["edge"], weight="bold", ha="center")
    axes.text(8, grid.delivery_time(link, 0.0105), "2x2 grid", color=COLORS["neutral"], weight="bold", ha="right")
    for text, wake_up in marks.items():
        low, high = (traffic.delivery_time(link, wake_up) for traffic in (strips, grid))
        axes.plot([1e3 * wake_up] * 2, [low, high], "o-", color=COLORS["accent"], ms=5, lw=1.2)
        side = "left" if wake_up < wake_ups[-1] / 2 else "center"  # left of the crossing runs the grid's own line
        axes.text(1e3 * wake_up, low - 0.12, text, color=COLORS["accent"], va="top", ha=side)
    axes.set(xlabel="wake-up of one message (ms)", ylabel="delivery time per image (s)", xlim=(0, 14.2), ylim=(0, 2.5))


def plot_speed_up(axes: Axes, workers: Sequence[int], curves: Mapping[str, tuple[Sequence[float], str]]) -> None:
    """Speed-up over workers: named curves (values, colour) beside the reported points and the ideal."""
    axes.plot(workers, workers, color="black", lw=1, ls="--")
    axes.text(workers[-1] + 0.06, workers[-1] - 0.12, "one for each", va="center")
    for name, (values, colour) in curves.items():
        shade = END_TEXT if colour == "end" else COLORS[colour]
        axes.plot(workers, values, "o-", color=COLORS[colour], ms=5)
        axes.text(workers[-1] + 0.06, values[-1], name, color=shade, weight="bold", va="center")
    axes.plot([2, 4], [2.17, 4.28], "D", color=COLORS["accent"], ms=8)
    axes.annotate("reported", (2, 2.17), (-8, 6), textcoords="offset points", color=COLORS["accent"], ha="right")
    axes.set(
        xlabel="worker phones", ylabel="speed-up over one phone", xticks=list(workers), xlim=(0.8, workers[-1] + 1.3)
    )
    axes.set_ylim(0, 4.8)


PARTS = {
    "convolutions": ("convolutions", "cloud"),
    "dense": ("dense layers", "neutral"),
    "transmission": ("transmission", "edge"),
    "wake_ups": ("wake-ups", "accent"),
}


def plot_parts(axes: Axes, workers: Sequence[int], times: Sequence[Seconds]) -> None:
    """Seconds of one inference by part, one bar for each number of workers."""
    left = np.zeros(len(workers))
    places = np.arange(len(workers))
    for part, (_, colour) in PARTS.items():
        seconds = np.array([getattr(each, part) for each in times])
        axes.barh(places, seconds, left=left, color=COLORS[colour], height=0.62)
        left += seconds
    for place, end in zip(places, left, strict=True):
        axes.text(end + 0.2, place, f"{end:.1f} s", va="center")
    for index, (text, colour) in enumerate(PARTS.values()):
        axes.text(
            0.97, 0.1 + 0.09 * index, text, color=COLORS[colour], weight="bold", ha="right", transform=axes.transAxes
        )
    axes.set(xlabel="time of one inference (s)", yticks=places, xlim=(0, 1.12 * left.max()))
    axes.set_yticklabels([f"{count} phone{'s' if count > 1 else ''}" for count in workers])
    axes.invert_yaxis()
    axes.grid(False, axis="y")


def plot_links(axes: Axes, weights: np.ndarray, partition: DensePartition) -> None:
    """Non-zero weights, neurons sorted by worker: blue at home, orange between workers."""
    rows, columns = (np.argsort(owner, kind="stable") for owner in (partition.outputs, partition.inputs))
    crossing = partition.outputs[:, None] != partition.inputs[None, :]
    kinds = ((weights != 0) * (1 + crossing))[np.ix_(rows, columns)]
    colours = ListedColormap(["white", COLORS["cloud"], COLORS["end"]])
    axes.imshow(kinds, cmap=colours, vmin=0, vmax=2, interpolation="nearest", aspect="auto")
    for owner, draw in ((partition.outputs, axes.axhline), (partition.inputs, axes.axvline)):
        for border in np.cumsum(np.bincount(owner))[:-1]:
            draw(border - 0.5, color=COLORS["neutral"], lw=0.8)
    axes.set(xlabel="input neuron", ylabel="output neuron")
    axes.grid(False)
