"""Figures of model inversion: reconstructions under protection, rounding, what an update shows, what noise costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

SIDE = 8  # pixels of a digit


def plot_digits(axes: Axes, images: np.ndarray, label: str, marked: Sequence[bool] | None = None) -> None:
    """One row of square images in [0, 1] with a name at its left; those marked false stand under a grey veil."""
    gap = np.full((SIDE, 1), np.nan)
    tiles = [part for image in images for part in (np.clip(image.reshape(SIDE, SIDE), 0, 1), gap)][:-1]
    axes.imshow(np.concatenate(tiles, axis=1), cmap="gray_r", vmin=0, vmax=1, aspect="equal")
    for number, found in enumerate(marked if marked is not None else []):
        if not found:
            axes.axvspan(number * (SIDE + 1) - 0.5, number * (SIDE + 1) + SIDE - 0.5, color="white", alpha=0.55, lw=0)
    axes.text(-1.5, SIDE / 2 - 0.5, label, ha="right", va="center", fontsize=9.5)
    axes.set_axis_off()


def plot_rounding(axes: Axes, steps: Sequence[float], hits: Mapping[str, Sequence[int]], classes: int) -> None:
    """Classes recovered over the rounding step, one line for each size of the attacker's own step."""
    positions = np.arange(len(steps))
    for (name, counts), colour in zip(hits.items(), ("cloud", "end"), strict=True):
        axes.plot(positions, counts, "o-", color=COLORS[colour])
        axes.text(len(steps) - 0.9, counts[-1], name, color=COLORS[colour], va="center", weight="bold")
    axes.axhline(1, color=COLORS["neutral"], lw=1, ls="--")
    axes.text(-0.1, 1.3, "by chance", color=COLORS["neutral"], va="center")
    axes.set_xticks(positions, ["none" if step == 0 else f"{step:g}" for step in steps])
    axes.set(xlabel="confidences rounded to multiples of", ylabel=f"classes recovered (of {classes})")
    axes.set(xlim=(-0.2, len(steps) + 1.1), ylim=(-0.4, classes + 0.5))


def plot_noise(
    axes: Axes, epsilons: Sequence[float], accuracy: Mapping[int, np.ndarray], unprotected: float, limit: float
) -> None:
    """Accuracy over the privacy budget a round, one line for each number of devices; shape (epsilons, seeds) each."""
    shades = ("#9DB8D2", "#4F84B5", COLORS["cloud"])
    for (devices, runs), shade in zip(accuracy.items(), shades, strict=True):
        mean = 100 * runs.mean(1)
        axes.plot(epsilons, mean, "o-", color=shade, ms=4)
        row = int(np.argmax(mean > 50)) if (mean > 50).any() else len(mean) - 1
        axes.annotate(
            f"{devices:,} devices", (epsilons[row], mean[row]), (6, -3), textcoords="offset points", fontsize=9
        )
    axes.axhline(100 * unprotected, color=COLORS["neutral"], lw=1)
    axes.text(epsilons[0], 100 * unprotected + 1.5, "without noise", color=COLORS["neutral"], va="bottom")
    axes.axvspan(epsilons[0], limit, color="#E3E7EA", zorder=0)
    axes.text(epsilons[0] * 1.1, 3, "what is called private", color=COLORS["neutral"], va="bottom", fontsize=9)
    axes.set(xscale="log", xlabel="privacy budget ε of a device and round", ylabel="test accuracy (%)", ylim=(0, 105))
