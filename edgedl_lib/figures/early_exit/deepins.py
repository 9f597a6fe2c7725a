"""Figures of the inspection line: the tiles, who answers which, delay over the number of lines, price of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.early_exit.inspection.factory import LONGEST_DELAY, LineSweep
from edgedl_lib.inference.early_exit.inspection.images import RAW_BYTES, TYPES, Tiles
from edgedl_lib.inference.early_exit.inspection.policy import thresholds
from edgedl_lib.inference.early_exit.inspection.study import InspectionStudy
from edgedl_lib.reproduce.style import COLORS

POLICY_COLOURS = {"server only": "cloud", "fog only": "edge", "split": "accent"}


def plot_tiles(axes: np.ndarray, tiles: Tiles) -> None:
    """A row of tiles per type, (5, columns) axes, each with its degree."""
    for row, kind in zip(axes, range(len(TYPES)), strict=True):
        chosen = np.flatnonzero(tiles.kinds.numpy() == kind)[: len(row)]
        for each, index in zip(row, chosen, strict=False):
            each.imshow(tiles.images[index, 0], cmap="gray", vmin=0, vmax=1)
            if kind:
                each.set_title(f"{float(tiles.degrees[index]):.1f}", fontsize=8, loc="center", weight="normal", pad=2)
        for each in row:
            each.set(xticks=[], yticks=[])
            each.grid(False)
        row[0].set_ylabel(TYPES[kind], rotation=0, ha="right", va="center")


def plot_sweeps(axes: Axes, sweeps: Mapping[str, LineSweep]) -> None:
    """95th percentile of the delay over the number of lines; a line leaves the plot where its tier is full."""
    for policy, sweep in sweeps.items():
        colour = COLORS[POLICY_COLOURS[policy]]
        axes.semilogy(sweep.lines, 1e3 * sweep.p95, color=colour, marker=".", ms=5)
    axes.axhline(1e3 * LONGEST_DELAY, color="black", lw=1, ls="--")
    axes.text(32.5, 1.1e3 * LONGEST_DELAY, "1 s", ha="right")
    full = sweeps["server only"].saturation
    where = {"weight": "bold", "fontsize": 10}
    axes.text(full + 1.2, 2.6e3, f"server only: full at {full + 1} lines", color=COLORS["cloud"], **where)
    end = sweeps["split"].p95[-1]
    axes.text(32, 1.9e3 * end, "split with early exit", color=COLORS["accent"], ha="right", **where)
    axes.text(32, 0.5e3 * sweeps["fog only"].p95[-1], "fog only", color=COLORS["edge"], ha="right", **where)
    axes.set(xlabel="assembly lines, 5 images a second each", ylabel="95th percentile of the delay (ms)", xlim=(0, 33))
    axes.set_ylim(bottom=10, top=2e4)


def plot_price(axes: Axes, studies: Sequence[InspectionStudy]) -> None:
    """Accuracy against bytes per image for every threshold; the chosen one and both ends are marked."""
    grid = thresholds()
    for study in studies:
        curve = [study.at_threshold(threshold) for threshold in grid]
        sizes, accuracies = zip(*((each.bytes_per_image, each.accuracy(study.test)) for each in curve), strict=True)
        axes.plot(sizes, 100 * np.array(accuracies), color=COLORS["accent"], lw=1, alpha=0.6)
    for policy, marker in (("server only", "s"), ("fog only", "^"), ("split", "o")):
        colour = COLORS[POLICY_COLOURS[policy]]
        points = [(each.answers[policy].bytes_per_image, 100 * each.accuracy(policy)) for each in studies]
        axes.plot(*np.array(points).T, marker, color=colour, ms=8)
    axes.set(xscale="log", xlabel="bytes per image over the shared uplink", ylabel="accuracy of the type (%)")
    _name_policies(axes, studies)


def _name_policies(axes: Axes, studies: Sequence[InspectionStudy]) -> None:
    def highest(policy: str) -> float:
        return 100 * max(each.accuracy(policy) for each in studies)

    split_bytes = float(np.median([each.answers["split"].bytes_per_image for each in studies]))
    texts = (
        (RAW_BYTES, highest("server only"), "server only", "cloud", "right"),
        (8, highest("fog only"), "fog only", "edge", "left"),
        (split_bytes, highest("split"), "split,\nchosen threshold", "accent", "center"),
    )
    for size, height, text, colour, side in texts:
        axes.annotate(
            text, (size, height), (0, 9), textcoords="offset points", ha=side, color=COLORS[colour], weight="bold"
        )
    axes.set_xticks([8, 16, 32, 64, 128, 256, 1024], ["8", "16", "32", "64", "128", "256", "1,024"])
    axes.minorticks_off()
    axes.margins(y=0.2)


def plot_degrees(axes: Axes, study: InspectionStudy) -> None:
    """Answered against true degree of the correctly typed defects, by who answered."""
    answer = study.answers["split"]
    right = (answer.kinds == study.test.kinds) & (study.test.kinds != 0)
    for at_fog, colour, text, height in ((True, "edge", "fog node", 0.92), (False, "cloud", "server", 0.84)):
        rows = right & (answer.at_fog == at_fog)
        axes.plot(study.test.degrees[rows], answer.outputs[rows, -1], "o", color=COLORS[colour], ms=4, alpha=0.6)
        axes.text(0.04, height, text, color=COLORS[colour], weight="bold", transform=axes.transAxes)
    axes.plot([0.2, 1], [0.2, 1], color="black", lw=1)
    axes.set(xlabel="true degree", ylabel="answered degree")
