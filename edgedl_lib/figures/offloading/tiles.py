"""Figures of tiles: what they read, what a grid costs, what fusing layers saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle

from edgedl_lib.inference.tiles.geometry import Tile
from edgedl_lib.inference.tiles.pyramid import FusionPoint
from edgedl_lib.inference.tiles.stages import Stage
from edgedl_lib.offloading.horizontal.deepthings.study import GridRow
from edgedl_lib.reproduce.style import COLORS

MEBIBYTE = 2**20
KIBIBYTE = 2**10
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def readers(stages: Sequence[Stage], tiles: Sequence[Tile]) -> np.ndarray:
    """How many tiles read each pixel of the input, shape (height, width)."""
    count = np.zeros(stages[0].input_shape[1:], int)
    for tile in tiles:
        region = tile.input
        count[region.top : region.bottom, region.left : region.right] += 1
    return count


def plot_overlap(axes: Axes, stages: Sequence[Stage], tiles: Sequence[Tile], shown: tuple[int, int]) -> None:
    """The input map, shaded by how many tiles read each pixel; one tile's regions of all maps drawn on it."""
    count = readers(stages, tiles)
    height, width = count.shape
    most = int(count.max())
    greys = ListedColormap(colormaps["Greys"](np.linspace(0.05, 0.45, most)))
    image = axes.imshow(count, cmap=greys, vmin=0.5, vmax=most + 0.5, extent=(0, width, height, 0))
    axes.figure.colorbar(image, ax=axes, label="tasks that read a pixel", ticks=range(1, most + 1), shrink=0.9)
    tile = next(each for each in tiles if (each.row, each.column) == shown)
    scales = [height / stage.input_shape[1] for stage in stages] + [height / stages[-1].output_shape[1]]
    drawn = list(zip(tile.regions, scales, strict=True))
    for index, (region, scale) in enumerate(drawn):
        ends = {0: COLORS["accent"], len(drawn) - 1: COLORS["end"]}
        corner = (scale * region.left, scale * region.top)
        thick = 2.4 if index in ends else 0.7
        colour = ends.get(index, COLORS["accent"])
        axes.add_patch(Rectangle(corner, scale * region.width, scale * region.height, fill=False, ec=colour, lw=thick))
    _name_tile(axes, drawn[0], drawn[-1])
    axes.set(xlabel="column of the input (pixels)", ylabel="row of the input (pixels)")
    axes.grid(False)


def _name_tile(axes: Axes, base, tip) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    (low, low_scale), (high, high_scale) = base, tip
    middle = low_scale * (low.left + low.right) / 2
    texts = (
        (low_scale * low.bottom + 12, "what its task reads", COLORS["accent"], "top"),
        (high_scale * (high.top + high.bottom) / 2, "one tile", END_TEXT, "center"),
    )
    for row, text, colour, side in texts:
        axes.text(middle, row, text, color=colour, weight="bold", ha="center", va=side, bbox=box)


def plot_grids(memory: Axes, work: Axes, rows: Sequence[GridRow]) -> None:
    """Memory of one device by grid, as a stack of weights and maps; beside it the work of all tiles."""
    names = [f"{row.side}×{row.side}" for row in rows]
    weights = np.array([row.cost.weight_bytes for row in rows]) / MEBIBYTE
    maps = np.array([row.cost.peak_bytes for row in rows]) / MEBIBYTE
    memory.bar(names, weights, color=COLORS["neutral"], width=0.82)
    memory.bar(names, maps, bottom=weights, color=COLORS["end"], width=0.82)
    for place, total in enumerate(weights + maps):
        memory.text(place, total + 1, f"{total:.1f}", ha="center", weight="bold")
    inside = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 8.5}
    memory.text(0, weights[0] / 2, "weights", color="white", **inside)
    memory.text(0, weights[0] + maps[0] / 2, "largest\nin + out", **inside)
    memory.set(xlabel="grid", ylabel="memory of one device (MiB)", ylim=(0, 78))
    memory.grid(axis="x", visible=False)
    _plot_work(work, names, rows)


def _plot_work(axes: Axes, names: Sequence[str], rows: Sequence[GridRow]) -> None:
    end = len(names) - 1
    lines = (("work", "tiles alone", "accent", (end - 0.2, 0)), ("reuse_work", "overlap reused", "edge", (end, 0.1)))
    for figure, text, colour, (column, lift) in lines:
        values = [row.figures[figure] for row in rows]
        axes.plot(names, values, "o-", color=COLORS[colour])
        text = f"{text}, {values[-1]:.2f}×"
        axes.text(column, values[-1] + lift, text, color=COLORS[colour], weight="bold", ha="right", va="center")
    axes.set(xlabel="grid", ylabel="work of all tiles (1 = untiled)", ylim=(0.9, 2.4))
    axes.grid(axis="x", visible=False)


def plot_front(axes: Axes, points: Sequence[FusionPoint], front: Sequence[FusionPoint], reported: float) -> None:
    """Traffic against buffers for every way to group layers; ``reported`` is the published baseline, bytes."""
    storage, traffic = (np.array([getattr(point, name) for point in points], float) for name in ("storage", "traffic"))
    axes.plot(storage / KIBIBYTE, traffic / MEBIBYTE, ".", color=COLORS["neutral"], alpha=0.5)
    best = [(point.storage / KIBIBYTE, point.traffic / MEBIBYTE) for point in front]
    axes.step(*zip(*best, strict=True), where="post", color=COLORS["edge"])
    axes.plot(*zip(*best, strict=True), "o", color=COLORS["edge"])
    first, last = best[0], best[-1]
    axes.text(first[0], first[1] + 1.5, f"nothing fused, {first[1]:.1f} MiB", va="bottom")
    text = f"all fused, {last[1]:.2f} MiB\nfor {last[0]:.0f} KiB"
    axes.text(last[0], last[1] + 13, text, ha="right", va="bottom", color=COLORS["edge"], weight="bold")
    axes.axhline(reported / MEBIBYTE, color="black", lw=1, ls="--")
    axes.text(last[0], reported / MEBIBYTE - 1.5, "the paper's baseline", ha="right", va="top")
    axes.set(xlabel="line buffers (KiB)", ylabel="off-chip traffic (MiB per image)", ylim=(0, 82))
