"""Figures of Deep Compression: where the bytes go, which values are shared, and error against size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.sparsity.lenet_study import LenetStudy
from edgedl_lib.inference.compression.storage.container import PARTS
from edgedl_lib.inference.compression.storage.deep_compression import CompressedModel
from edgedl_lib.reproduce.style import COLORS

STAGES = {"pruned": "pruned", "shared": "+ shared", "huffman": "+ Huffman"}
PART_COLORS = dict(zip(PARTS, ("cloud", "end", "edge", "accent", "neutral", "neutral"), strict=True))


def plot_bytes(axes: Axes, compressed: CompressedModel) -> None:
    """Bytes of the file after each stage by what they hold; the rate against float32 at the end of each bar."""
    for position, (stage, _) in enumerate(STAGES.items()):
        packed, left = compressed.files[stage], 0.0
        for part in PARTS:
            size = packed.total(part) / 1e3
            axes.barh(position, size, 0.6, left=left, color=COLORS[PART_COLORS[part]], edgecolor="white")
            if stage == "pruned" and size > 5:
                label = "weights (float32)" if part == "weights" else part
                axes.annotate(label, (left + size / 2, position), ha="center", va="center", color="white", fontsize=9)
            left += size
        text = f"{left:.0f} kB, {compressed.rate(stage):.1f}×"
        axes.annotate(text, (left, position), (6, -3), textcoords="offset points", weight="bold")
    note = "thin: code books, tables, biases"
    axes.annotate(note, (left, position), (6, -16), textcoords="offset points", color=COLORS["neutral"], fontsize=9)
    axes.set_yticks(range(len(STAGES)), list(STAGES.values()))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="file (kB)", xlim=(0, 1.3 * compressed.files["pruned"].size / 1e3))


def plot_code_book(axes: Axes, weights: np.ndarray, start: np.ndarray, trained: np.ndarray) -> None:
    """Histogram of a layer's surviving weights, with the shared values before and after training them."""
    axes.hist(weights, bins=80, color=COLORS["neutral"], alpha=0.4)
    top = axes.get_ylim()[1]
    for values, height, color, label in (
        (start, 1.06, "cloud", "k-means"),
        (trained, 1.16, "accent", "trained"),
    ):
        axes.plot(values, np.full(len(values), height * top), "|", color=COLORS[color], ms=11, mew=1.6)
        place = (weights.max(), height * top)
        axes.annotate(label, place, (10, -3), textcoords="offset points", color=COLORS[color], annotation_clip=False)
    axes.set(xlabel="weight", ylabel="weights in the layer", ylim=(0, 1.25 * top))


def plot_sizes(axes: Axes, studies: Sequence[LenetStudy]) -> None:
    """Error by size of the file: each seed a faint dot, the mean a line, for either stage alone and both."""
    curves = {
        "pruning alone": ("end", [study.alone["pruned"] for study in studies]),
        "sharing alone": ("cloud", [study.alone["shared"] for study in studies]),
        "both": ("edge", [study.together for study in studies]),
    }
    for label, (color, found) in curves.items():
        percent = np.mean([curve.percent for curve in found], axis=0)
        errors = np.mean([curve.errors for curve in found], axis=0)
        order = np.argsort(percent)
        for curve in found:
            axes.plot(curve.percent, curve.errors, ".", color=COLORS[color], alpha=0.4)
        axes.plot(percent[order], errors[order], "o-", color=COLORS[color], label=label)
    unpruned = np.mean([study.unpruned for study in studies])
    axes.axhline(unpruned, color=COLORS["neutral"], linewidth=1, linestyle="--")
    axes.annotate("as trained", (20, unpruned), (0, 4), textcoords="offset points", color=COLORS["neutral"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [1, 2, 4, 8, 16, 32]
    axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axes.set_yticks([3, 5, 10, 20], ["3", "5", "10", "20"])
    axes.minorticks_off()
    axes.legend()
    axes.set(xlabel="file, percent of float32 (codes of fixed length)", ylabel="test error (%)")
