"""Figures of q-FFL: every device's accuracy for each q, the trade-off, and the way to the minimum of f_q."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.resources.qffl.fairness import Fairness

ALGORITHM_COLOURS = {"q-FedSGD": COLORS["cloud"], "q-FedAvg": COLORS["accent"], "fixed step": COLORS["neutral"]}


def plot_devices(axes: Axes, levels: Sequence[float], accuracy: np.ndarray, odd: int) -> None:
    """Accuracy of every device, shape (levels, K), a column of dots for each q; the first `odd` devices are marked."""
    for column, values in enumerate(accuracy):
        offset = np.linspace(-0.22, 0.22, len(values) - odd)
        axes.plot(column + offset, 100 * np.sort(values[odd:]), "o", color=COLORS["cloud"], ms=4.5, alpha=0.8)
        inner = np.linspace(-0.1, 0.1, odd)
        axes.plot(column + inner, 100 * np.sort(values[:odd]), "D", color=COLORS["accent"], ms=6)
        axes.plot([column - 0.3, column + 0.3], [100 * values.mean()] * 2, color=COLORS["neutral"], lw=2)
    axes.text(
        -0.3,
        100 * accuracy[0][odd:].max() + 2.5,
        f"{accuracy.shape[1] - odd} devices, one rule",
        color=COLORS["cloud"],
        weight="bold",
    )
    low = 100 * accuracy[0][:odd].min()
    axes.text(-0.3, low - 5, f"{odd} devices, another", color=COLORS["accent"], weight="bold")
    last = len(levels) - 1
    axes.text(last + 0.33, 100 * accuracy[-1].mean(), "mean", color=COLORS["neutral"], va="center")
    axes.set_xticks(range(len(levels)), [f"q = {level:g}" for level in levels])
    axes.set(ylabel="test accuracy (%)", xlim=(-0.5, last + 0.75), ylim=(low - 9, 100))
    axes.grid(axis="x", visible=False)


def plot_trade(axes: Axes, levels: Sequence[float], measures: Sequence[Fairness]) -> None:
    """Variance over the average, one point for each q."""
    averages, variances = [each.average for each in measures], [each.variance for each in measures]
    axes.plot(averages, variances, "o-", color=COLORS["accent"])
    for level, average, variance in zip(levels, averages, variances, strict=True):
        axes.annotate(
            f"q = {level:g}", (average, variance), (-8, 4), textcoords="offset points", ha="right", fontsize=9.5
        )
    axes.set(xlabel="average accuracy (%)", ylabel="variance over devices (%²)", ylim=(0, 1.15 * max(variances)))
    axes.set_xlim(min(averages) - 2.5, max(averages) + 1)


def plot_descents(axes: Axes, excess: Mapping[str, np.ndarray], within: float, title: str) -> None:
    """f_q above its minimum over the rounds, one line per algorithm."""
    for row, (name, values) in enumerate(excess.items()):
        colour = ALGORITHM_COLOURS[name]
        axes.plot(100 * np.maximum(values, 1e-6), color=colour, lw=2)
        axes.text(
            0.98, 0.95 - 0.09 * row, name, color=colour, weight="bold", ha="right", va="top", transform=axes.transAxes
        )
    axes.axhline(100 * within, color=COLORS["neutral"], lw=1, ls="--")
    axes.set(yscale="log", xlabel="round", title=title, ylim=(1e-2, 2e4))
    axes.set_yticks([0.01, 0.1, 1, 10, 100, 1000], ["0.01", "0.1", "1", "10", "100", "1,000"])
    axes.minorticks_off()
