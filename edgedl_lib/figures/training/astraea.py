"""Figures of Astraea: what mediators hold, accuracy over rounds, and over the traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.communication.astraea.scheduling import Groups, group_divergences
from edgedl_lib.training.exchange import dense_bytes
from edgedl_lib.training.history import History

VARIANT_COLOURS = {
    "FedAvg": "neutral",
    "augmentation": "end",
    "rescheduling": "cloud",
    "Astraea": "accent",
    "Astraea, 2 passes": "edge",
}
END_TEXT = "#8A5300"


def ink(name: str) -> str:
    """Colour of a variant's text."""
    return END_TEXT if VARIANT_COLOURS[name] == "end" else COLORS[VARIANT_COLOURS[name]]


def plot_groups(axes: Axes, counts: np.ndarray, groups: Groups) -> None:
    """Share of each class in each mediator, and the divergence from uniform under it."""
    merged = np.array([counts[list(group)].sum(axis=0) for group in groups], dtype=float)
    axes.imshow((merged / merged.sum(axis=1, keepdims=True)).T, cmap="Greys", vmin=0, vmax=0.6, aspect="auto")
    divergences = group_divergences(counts, groups)
    axes.set_xticks(range(len(groups)), [f"{value:.2f}" for value in divergences], fontsize=9)
    axes.set_yticks(range(counts.shape[1]))
    axes.set(xlabel="divergence of each mediator from uniform (nats)", ylabel="class")
    axes.grid(visible=False)


def plot_accuracy(axes: Axes, runs: Sequence[Mapping[str, History]]) -> None:
    """Test accuracy over rounds, mean over seeds of a running mean of five tests."""
    ends = {}
    for name in runs[0]:
        curve = np.mean([100 * each[name].accuracy for each in runs], axis=0)
        smooth = np.convolve(curve, np.ones(5) / 5, mode="valid")
        axes.plot(np.arange(len(smooth)) + 2, smooth, color=COLORS[VARIANT_COLOURS[name]])
        ends[name] = smooth[-1]
    for name, height in spread_out(ends, 6.5).items():
        axes.text(len(smooth) + 2.5, height, name, color=ink(name), va="center", weight="bold")
    axes.set(xlabel="round", ylabel="test accuracy (%)", xlim=(0, len(smooth) + 2))


def plot_traffic(axes: Axes, runs: Sequence[Mapping[str, History]]) -> None:
    """Models that crossed a link until FedAvg's own best accuracy, one dot per seed."""
    names = list(runs[0])
    for row, name in enumerate(reversed(names)):
        spent = [
            each[name].bytes_to(float(each["FedAvg"].accuracy.max())) / dense_bytes(each[name].arrays) for each in runs
        ]
        reached = [value for value in spent if np.isfinite(value)]
        axes.plot(reached, [row] * len(reached), "o", color=COLORS[VARIANT_COLOURS[name]], alpha=0.8)
        if len(reached) < len(spent):
            axes.text(20, row, f"not reached in {len(spent) - len(reached)} of {len(spent)}", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set(xlabel="models sent until FedAvg's best accuracy", xlim=(0, None), ylim=(-0.6, len(names) - 0.4))


def spread_out(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """The same heights, the lower ones pushed down so that labels do not overlap."""
    placed: dict[str, float] = {}
    ceiling = np.inf
    for name in sorted(heights, key=heights.get, reverse=True):
        placed[name] = float(min(heights[name], ceiling))
        ceiling = placed[name] - gap
    return placed
