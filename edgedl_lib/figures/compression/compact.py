"""Figures of the compact networks: parameters against work, published trade-offs, groups, depth, time against work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.reproduce.style import COLORS


def plot_landscape(
    axes: Axes, families: Mapping[str, Mapping[str, LayerGraph]], offsets: Mapping[str, tuple[float, float]]
) -> None:
    """Parameters against multiply-adds of whole networks, one colour and line a family, labels at the points.

    ``families`` maps a family's colour name to its networks by label; ``offsets`` moves labels, in points.
    """
    for color, networks in families.items():
        work = [graph.mac / 1e6 for graph in networks.values()]
        size = [graph.parameter_count / 1e6 for graph in networks.values()]
        axes.loglog(size, work, "o", color=COLORS[color], ms=7)
        for label, x, y in zip(networks, size, work, strict=True):
            shift = offsets.get(label, (8, 0))
            side = "right" if shift[0] < 0 else "left"
            axes.annotate(
                label,
                (x, y),
                shift,
                textcoords="offset points",
                ha=side,
                va="center",
                color=COLORS[color],
                fontsize=9,
            )
    axes.set(xlabel="parameters (million)", ylabel="multiply-adds per image (million)")
