"""Figures of DeepIoT: what each layer keeps while the threshold rises, and rivals of equal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.taught.compressor import Search
from edgedl_lib.reproduce.style import COLORS


def plot_ramp(axes: Axes, search: Search, ramp: Sequence[float]) -> None:
    """Percent of each layer's units at or above the threshold as it rises; thin lines are seeds."""
    for layer, color in zip(range(search.kept.shape[1]), ("cloud", "end", "edge"), strict=False):
        kept = 100 * search.kept[:, layer]  # (thresholds, seeds)
        axes.plot(ramp, kept, color=COLORS[color], alpha=0.3, linewidth=1)
        axes.plot(ramp, kept.mean(axis=1), color=COLORS[color], linewidth=2.4)
        text = f"hidden layer {layer + 1}: {kept[-1].mean():.0f} %"
        axes.annotate(text, (ramp[-1], kept[-1].mean()), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set(xlabel="threshold on the keep probability", ylabel="units kept (%)", ylim=(0, 103))
    axes.set_xlim(0, 1.3 * ramp[-1])


def plot_probabilities(axes: Axes, search: Search, run: int = 0) -> None:
    """Keep probabilities of one run, sorted within each layer, with the final threshold."""
    for probability, color in zip(search.probabilities, ("cloud", "end", "edge"), strict=False):
        values = np.sort(probability[run].numpy())[::-1]
        axes.plot(np.linspace(0, 100, len(values)), values, color=COLORS[color])
    axes.axhline(search.threshold, color="black", linewidth=1, linestyle="--")
    axes.annotate(f"final threshold {search.threshold:.3f}", (100, search.threshold), (0, 3), ha="right",
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axes.set(xlabel="units of the layer, best first (%)", ylabel="keep probability", ylim=(0, 1.03))


def plot_rivals(axes: Axes, errors: Mapping[str, Sequence[float]]) -> None:
    """Test error after as many updates: a dot per seed, a bar and a number for the mean."""
    rows = np.arange(len(errors))[::-1]
    for row, (name, values) in zip(rows, errors.items(), strict=True):
        color = COLORS["accent"] if name == "DeepIoT" else COLORS["neutral"]
        axes.plot(values, np.full(len(values), row), "o", color=color, alpha=0.6, ms=8)
        axes.plot(np.mean(values), row, "|", color="black", ms=20, mew=2.5)
        text = f"{np.mean(values):.2f}"
        axes.annotate(text, (max(values), row), (9, 0), textcoords="offset points", va="center", weight="bold")
    axes.set_yticks(rows, list(errors))
    axes.set(xlabel="test error (%)", xlim=(0, 1.25 * max(map(max, errors.values()))), ylim=(-0.6, len(errors) - 0.4))
    axes.grid(axis="y", visible=False)
