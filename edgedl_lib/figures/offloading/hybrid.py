"""Figures of hybrid edge-cloud learning: accuracy over bytes, and two histories second by second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

STAGE_COLOURS = {
    "send raw start images": "end",
    "send raw images": "end",
    "learn the encoder": "cloud",
    "learn from codes": "cloud",
    "learn from pixels": "cloud",
    "send the encoder": "accent",
    "send codes": "edge",
}
SHORT = {
    "send raw start images": "raw start\nimages",
    "send raw images": "raw images",
    "learn the encoder": "learn the\nencoder",
    "learn from codes": "learn from\ncodes",
    "learn from pixels": "learn from\npixels",
    "send the encoder": "encoder",
    "send codes": "codes",
}
LEAST_LABEL = 0.065  # share of the longer history that a stage needs for its name to fit


def plot_accuracy_over_bytes(
    axes: Axes, codes: Sequence[int], accuracies: np.ndarray, raw: float, untrained: float, chosen: int
) -> None:
    """Accuracy of trained encoders over the bytes of a code, the raw-data model and one untrained encoder."""
    axes.plot(codes, 100 * accuracies, "-o", color=COLORS["edge"])
    axes.axhline(100 * raw, color=COLORS["cloud"], ls="--")
    axes.text(1, 100 * raw + 1, "cloud-only, all pixels", color=COLORS["cloud"], weight="bold", va="bottom")
    axes.plot(chosen, 100 * untrained, "s", color=COLORS["neutral"], ms=8)
    axes.annotate(
        "the same bytes from an\nuntrained encoder",
        (chosen, 100 * untrained),
        (0, -9),
        textcoords="offset points",
        color=COLORS["neutral"],
        weight="bold",
        ha="center",
        va="top",
    )
    where = (codes[1], 100 * accuracies[1])
    axes.annotate(
        "codes of a trained encoder", where, (10, -56), textcoords="offset points", color=COLORS["edge"], weight="bold"
    )
    axes.set(xscale="log", xlabel="bytes that the edge sends per image", ylabel="accuracy (%)", ylim=(30, 104))
    axes.set_xticks(codes, [str(code) for code in codes])
    axes.minorticks_off()


def plot_histories(axes: Axes, both: Mapping[str, Mapping[str, float]]) -> None:
    """Two bars of stages, in milliseconds: hybrid above cloud-only."""
    longest = 1e3 * max(sum(stages.values()) for stages in both.values())
    for row, stages in enumerate(reversed(both.values())):
        left = 0.0
        for name, seconds in stages.items():
            width, colour = 1e3 * seconds, COLORS[STAGE_COLOURS.get(name, "neutral")]
            axes.barh(row, width, left=left, height=0.62, color=colour, edgecolor="white")
            if width > LEAST_LABEL * longest:
                centre = left + width / 2
                axes.text(centre, row, SHORT.get(name, name), color="white", ha="center", va="center", fontsize=7.5)
            left += width
    axes.set_yticks(range(len(both)), list(reversed(both)))
    axes.set(xlim=(0, 1.02 * longest), xlabel="time (ms)")
    axes.grid(axis="y", visible=False)


def plot_time_ratio(axes: Axes, rates: np.ndarray, ratios: Mapping[str, Sequence[float]]) -> None:
    """Hybrid time over cloud-only time against the rate of the backhaul, one line per variant."""
    colours = {"CNN": "edge", "LSTM": "accent"}
    for name, values in ratios.items():
        axes.plot(np.asarray(rates) / 1e6, values, color=COLORS[colours[name]])
        axes.text(1.15 * rates[-1] / 1e6, values[-1], name, color=COLORS[colours[name]], weight="bold", va="center")
    axes.axhline(1, color="black", lw=1)
    axes.text(rates[0] / 1e6, 1.03, "as long as cloud-only", va="bottom")
    axes.set(xscale="log", xlabel="backhaul (Mb/s)", ylabel="time over cloud-only", xlim=(None, 3.5 * rates[-1] / 1e6))
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.set_ylim(0, 1.1 * max(max(values) for values in ratios.values()))
