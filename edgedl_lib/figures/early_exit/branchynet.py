"""Figures of BranchyNet: what is left of the claim, accuracy against cost, time against exits, pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from edgedl_lib.inference.early_exit.branchynet_study import ExitRun
from edgedl_lib.inference.early_exit.curves import cost_at, pooled
from edgedl_lib.inference.early_exit.segment_profile import Agreement
from edgedl_lib.reproduce.style import COLORS


def plot_gains(axes: Axes, gains: Mapping[str, Mapping[str, float]]) -> None:
    """Bars per network: published, trunk only and honest gain; ``gains[network][kind]``."""
    kinds = {"published": COLORS["neutral"], "trunk only": COLORS["end"], "branches counted": COLORS["cloud"]}
    for offset, (kind, color) in enumerate(kinds.items()):
        heights = [row[kind] for row in gains.values()]
        bars = axes.bar(np.arange(len(gains)) + 0.27 * (offset - 1), heights, 0.25, color=color, label=kind)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.axhline(1, color=COLORS["neutral"], linewidth=1, linestyle="--")
    axes.set_xticks(range(len(gains)), gains)
    axes.set_ylabel("gain over the plain network [x]")
    axes.legend()


def plot_accuracy_cost(axes: Axes, runs: Sequence[ExitRun]) -> None:
    """Mean accuracy over runs against expected cost: by entropy, at random, and the two static networks."""
    share = np.linspace(0, 1, 101)
    cost = cost_at(share, runs[0].costs)
    curves = [run.curve() for run in runs]
    by_chance = np.mean([curve.random_at(share) for curve in curves], axis=0)
    shallow, full = np.mean([[run.exit_accuracies[0], run.baseline_accuracy] for run in runs], axis=0)
    axes.plot(cost, 100 * pooled(curves, share), color=COLORS["edge"])
    axes.plot(cost, 100 * by_chance, color=COLORS["end"], linestyle="--")
    axes.plot([cost[-1], 1], [shallow, full], color=COLORS["neutral"], linestyle=":", marker="o")
    axes.text(cost[60], 100 * pooled(curves, share)[60], "by entropy  ", color=COLORS["edge"], ha="right", va="bottom")
    axes.text(cost[45], 100 * by_chance[45], "  at random", color=COLORS["end"], ha="left", va="top")
    axes.text(1, full, "no exits ", color=COLORS["neutral"], ha="right", va="bottom")
    axes.set_xlabel("expected cost [share of the plain network's multiply-accumulates]")
    axes.set_ylabel("test accuracy [%]")


def plot_time(axes: Axes, agreement: Agreement) -> None:
    """Batch-1 speed-up against exit share, measured and predicted."""
    share = 100 * agreement.exit_share
    axes.plot(share, agreement.speed_up, "o", color=COLORS["edge"])
    axes.plot(share, agreement.predicted, color=COLORS["cloud"])
    axes.axhline(1, color=COLORS["neutral"], linewidth=1, linestyle="--")
    axes.text(share[0], agreement.predicted[-1], "line: predicted\ndots: measured", va="top", color=COLORS["cloud"])
    axes.set_xlabel("samples that leave at exit 1 [%]")
    axes.set_ylabel("speed-up of wall time [x]")


def plot_pictures(rows: Sequence[Sequence[Axes]], images: Tensor, groups: Mapping[str, Tensor], labels: Tensor) -> None:
    """One row of images per group of indices; each title is the true label."""
    for axes_row, (name, indices) in zip(rows, groups.items(), strict=True):
        for place, axes in enumerate(axes_row):
            axes.set_axis_off()
            if place < len(indices):
                axes.imshow(images[indices[place], 0], cmap="gray_r")
                axes.set_title(f"{int(labels[indices[place]])}", fontsize=9)
        axes_row[0].text(-0.3, 0.5, name, transform=axes_row[0].transAxes, ha="right", va="center", fontsize=10)
