"""Figures of calibration: reliability before and after, exit share at a fixed threshold."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.early_exit.calibration import Reliability
from edgedl_lib.reproduce.style import COLORS


def plot_reliability(axes: Axes, diagrams: Mapping[str, Reliability]) -> None:
    """Accuracy against confidence, one line per diagram, with the diagonal of perfect calibration."""
    axes.plot([0, 1], [0, 1], color=COLORS["neutral"], linestyle="--", linewidth=1)
    for (name, diagram), color in zip(diagrams.items(), ("end", "edge", "cloud", "accent"), strict=False):
        filled = diagram.share > 0
        error = f"{100 * diagram.expected_error:.1f} points off"
        axes.plot(
            diagram.confidence[filled], diagram.accuracy[filled], "o-", color=COLORS[color], label=f"{name}: {error}"
        )
    axes.set_xlabel("confidence (largest probability)")
    axes.set_ylabel("accuracy")
    axes.legend(fontsize=8, loc="upper left")


def plot_shares(axes: Axes, thresholds: np.ndarray, shares: Mapping[str, np.ndarray]) -> None:
    """Exit share in percent against the threshold, one line per version of the logits."""
    for (name, values), color in zip(shares.items(), ("end", "edge", "accent"), strict=False):
        axes.plot(thresholds, 100 * values, color=COLORS[color], label=name)
    axes.set_xlabel("threshold on the entropy [nats]")
    axes.set_ylabel("samples leaving at exit 1 [%]")
    axes.legend(fontsize=8)
