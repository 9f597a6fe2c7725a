"""Figures of region-of-interest compression: one frame in three ways, accuracy over bytes, and the response delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from edgedl_lib.offloading.vertical.regions.average_precision import Detections, right_detections
from edgedl_lib.offloading.vertical.regions.codec import BLOCK
from edgedl_lib.reproduce.style import COLORS

SHOWN = 0.5  # confidence from which a box is drawn
ARM_COLOURS = {"uniform": "end", "regions": "edge", "random": "neutral"}
ARM_NAMES = {"uniform": "uniform", "regions": "regions", "random": "random regions"}
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_frame(axes: Axes, frame: np.ndarray, found: Detections, truth: tuple[np.ndarray, np.ndarray]) -> int:
    """A frame with confident detections, solid if right and dashed if wrong; returns how many are right."""
    axes.imshow(frame, cmap="gray", vmin=40, vmax=220, interpolation="nearest")
    right = right_detections(found, *truth)
    for box, label, score, hit in zip(found.boxes, found.labels, found.scores, right, strict=True):
        if score < SHOWN:
            continue
        top, left, bottom, side = box
        colour = "#5BE3B5" if hit else "#FF8A65"  # light, to be seen on grey
        style = {"fill": False, "edgecolor": colour, "lw": 1.8, "ls": "-" if hit else "--"}
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), side - left, bottom - top, **style))
        below = top < 9
        axes.text(
            left,
            bottom + 1 if below else top - 2,
            str(label),
            color=colour,
            weight="bold",
            fontsize=9,
            va="top" if below else "bottom",
        )
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    return int((right & (found.scores >= SHOWN)).sum())


def outline_regions(axes: Axes, regions: np.ndarray) -> None:
    """Lines around the blocks of interest, (blocks,) of bool."""
    side = int(np.sqrt(regions.size))
    mask = np.pad(regions.reshape(side, side), 1)
    for row, column in np.argwhere(mask[1:, 1:-1] != mask[:-1, 1:-1]):
        axes.plot([column * BLOCK - 0.5, (column + 1) * BLOCK - 0.5], [row * BLOCK - 0.5] * 2, color="#C9B8FF", lw=0.9)
    for row, column in np.argwhere(mask[1:-1, 1:] != mask[1:-1, :-1]):
        axes.plot([column * BLOCK - 0.5] * 2, [row * BLOCK - 0.5, (row + 1) * BLOCK - 0.5], color="#C9B8FF", lw=0.9)


def plot_precision(axes: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], raw: float) -> None:
    """Average precision (%) over bytes per frame, one line per arm; `raw` is that of uncompressed frames."""
    axes.axhline(raw, color=COLORS["cloud"], ls="--", lw=1.2)
    right = curves["uniform"][0].max()
    style = {"color": COLORS["cloud"], "weight": "bold", "ha": "right", "va": "bottom"}
    axes.text(right, raw + 0.8, "uncompressed", **style)
    shift = {"uniform": (10, -14), "regions": (9, -15), "random": (14, -2)}
    align = {"uniform": "left", "regions": "left", "random": "left"}
    place = {"uniform": -2, "regions": -1, "random": -2}
    for name, (sizes, precision) in curves.items():
        colour = COLORS[ARM_COLOURS[name]]
        axes.plot(sizes, precision, "-o", color=colour)
        text = END_TEXT if name == "uniform" else colour
        where = (sizes[place[name]], precision[place[name]])
        style = {"textcoords": "offset points", "color": text, "weight": "bold", "ha": align[name]}
        axes.annotate(ARM_NAMES[name], where, shift[name], **style)
    axes.set(xlabel="bytes per frame, side information included", ylabel="average precision (%)")
    axes.set_ylim(None, raw + 6)


def plot_delay(axes: Axes, rates: np.ndarray, edge: Sequence[float], cloud: Sequence[float]) -> None:
    """Response delay (ms) over the rate of the wide-area link."""
    megabits = np.asarray(rates) / 1e6
    lines = {"regions, edge first": (edge, "edge", (0.03, 0.1)), "cloud-only": (cloud, "cloud", (0.35, 0.8))}
    for name, (seconds, colour, place) in lines.items():
        axes.loglog(megabits, 1e3 * np.asarray(seconds), color=COLORS[colour])
        axes.text(*place, name, color=COLORS[colour], weight="bold", transform=axes.transAxes)
    axes.set(xlabel="link to the cloud (Mb/s)", ylabel="response delay (ms)")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
