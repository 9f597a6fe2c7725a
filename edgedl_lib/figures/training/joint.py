"""Figures of joint learning and communications: one cell's matching, residuals, learning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.resources.joint.cell import Pairs
from edgedl_lib.training.resources.joint.matching import UNSELECTED

SCHEME_COLOURS = {
    "proposed": COLORS["edge"],
    "least error": COLORS["cloud"],
    "random blocks": COLORS["end"],
    "random": COLORS["neutral"],
}


def plot_matching(axes: Axes, pairs: Pairs, blocks: np.ndarray) -> None:
    """Samples expected to arrive for every user and block; infeasible pairs white, the chosen ones framed."""
    value = np.where(pairs.feasible, pairs.samples[:, None] * (1 - pairs.error), np.nan)
    image = axes.imshow(value, cmap="Greens", aspect="auto", vmin=0)
    for user in np.flatnonzero(blocks != UNSELECTED):
        axes.add_patch(_frame(blocks[user], user))
    axes.set(xlabel="resource block, quiet to loud", ylabel="user (samples)")
    axes.set_yticks(range(len(pairs.samples)), [str(count) for count in pairs.samples], fontsize=8.5)
    axes.set_xticks(range(value.shape[1]), [str(number + 1) for number in range(value.shape[1])], fontsize=8.5)
    axes.grid(visible=False)
    axes.figure.colorbar(image, ax=axes, label="samples expected to arrive")


def plot_residuals(axes: Axes, residuals: Mapping[str, np.ndarray]) -> None:
    """Distribution of the residual over cells, a box for each scheme; the mean is written beside."""
    for place, (name, values) in enumerate(residuals.items()):
        colour = SCHEME_COLOURS[name]
        box = axes.boxplot(
            values, positions=[place], widths=0.55, showfliers=False, patch_artist=True, orientation="horizontal"
        )
        box["boxes"][0].set(facecolor=colour, alpha=0.35, edgecolor=colour)
        box["medians"][0].set(color=colour, lw=2.5)
        axes.text(1.0, place, f"{values.mean():.2f}", va="center", color=colour, weight="bold")
    axes.set_yticks(range(len(residuals)), list(residuals))
    axes.set(xlabel="share of the samples that a round misses", xlim=(0, 1.1), ylim=(len(residuals) - 0.5, -0.6))
    axes.grid(axis="y", visible=False)


def plot_loss(axes: Axes, curves: Mapping[str, np.ndarray]) -> None:
    """Mean loss over rounds, a line for each scheme; arrays of shape (seeds, rounds + 1)."""
    ends: list[float] = []
    for name in sorted(curves, key=lambda each: curves[each][:, -1].mean()):
        mean = curves[name].mean(0)
        axes.plot(mean, color=SCHEME_COLOURS[name])
        height = max(mean[-1], ends[-1] + 0.045 if ends else 0)
        ends.append(height)
        axes.text(len(mean) + 1, height, name, color=SCHEME_COLOURS[name], va="center", weight="bold")
    axes.set(xlabel="round", ylabel="test loss (nats)", xlim=(0, 1.32 * len(mean)))


def _frame(column: int, row: int):
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=COLORS["end"], lw=2.5)
