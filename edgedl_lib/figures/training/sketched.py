"""Figures of sketched and structured updates: distortion of codecs, bytes to accuracy, step sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
TRANSFORM_COLOURS = {"none": "neutral", "rotation": "cloud", "Kashin": "accent"}


def plot_distortion(axes: Axes, bits: Sequence[int], table: Mapping[str, np.ndarray], labels: bool = False) -> None:
    """Distortion over bits a coefficient for each transform, on one kind of vector."""
    for name, values in table.items():
        colour = COLORS[TRANSFORM_COLOURS[name]]
        axes.plot(bits, values, "o-", color=colour)
        if labels:
            above = {"none": 1.6, "rotation": 1.5, "Kashin": 0.42}[name]
            axes.text(bits[0] + 0.1, values[0] * above, name, color=colour, weight="bold")
    axes.set(yscale="log", xlabel="bits a coefficient", xticks=list(bits))
