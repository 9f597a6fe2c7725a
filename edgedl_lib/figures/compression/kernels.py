"""Figures of what was measured: sparse against dense kernels, sizes at equal loss, memory while a network runs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.factors.run_time_memory import MemoryModel
from edgedl_lib.inference.compression.factors.sparse_coding_study import Candidate
from edgedl_lib.inference.compression.factors.sparse_kernels import SparseTiming
from edgedl_lib.reproduce.style import COLORS


def plot_sparse_kernels(axes: Axes, timings: Sequence[SparseTiming]) -> None:
    """Dense time over CSR time against the share of zeros, one line a batch, beside the count of multiplications."""
    densities = np.array(sorted({timing.density for timing in timings}))
    axes.plot(100 * (1 - densities), 1 / densities, color=COLORS["neutral"], linestyle="--")
    middle = len(densities) // 2
    place = (100 * (1 - densities[middle]), 1 / densities[middle])
    axes.annotate("multiplications", place, (-8, 4), textcoords="offset points", ha="right", color=COLORS["neutral"])
    for batch, color in zip(sorted({t.batch for t in timings}), ("cloud", "end"), strict=False):
        line = sorted((t for t in timings if t.batch == batch), key=lambda t: t.density)
        zeros = [100 * (1 - t.density) for t in line]
        axes.plot(zeros, [t.speedup for t in line], "o-", color=COLORS[color])
        start = (zeros[-1], line[-1].speedup)
        axes.annotate(f"batch {batch}", start, (10, -12), textcoords="offset points", color=COLORS[color])
    axes.axhline(1, color="black", linewidth=1)
    axes.annotate("as fast as dense", (0.01, 1.02), xycoords=("axes fraction", "data"), va="bottom", fontsize=9)
    axes.set_yscale("log", base=2)
    axes.set_yticks([0.25, 0.5, 1, 2, 4, 8, 16], ["¼", "½", "1", "2", "4", "8", "16"])
    axes.set(xlabel="weights that are zero (%)", ylabel="dense time / sparse time")


def plot_candidates(axes: Axes, forms: Mapping[str, Sequence[Candidate]], baseline: float, budget: float) -> None:
    """Validation error against the share of numbers stored: every size of every form, and the budget as a line."""
    for (label, candidates), color, marker in zip(forms.items(), ("end", "cloud"), "os", strict=False):
        shares = np.array([100 * c.share for c in candidates])
        errors = np.array([c.validation_error for c in candidates])
        axes.plot(shares, errors, marker, color=COLORS[color], ms=5, alpha=0.35)
        best = np.minimum.accumulate(errors)
        axes.step(shares, best, color=COLORS[color], where="post")
        start = int(np.argmax(best <= baseline + 8 * budget))
        axes.annotate(label, (shares[start], best[start]), (6, 6), textcoords="offset points", color=COLORS[color])
    axes.axhline(baseline + budget, color="black", linewidth=1, linestyle="--")
    text = f"{budget:g} points above the trained layer"
    axes.annotate(
        text, (1, baseline + budget), (0, 4), ha="right", xycoords=_RIGHT, textcoords="offset points", fontsize=9
    )
    axes.set(xlabel="numbers stored, indices counted (% of the dense layer)", ylabel="validation error (%)")
    axes.set(xlim=(0, 45), ylim=(0, baseline + 12 * budget))


def plot_memory(axes: Axes, rows: Mapping[str, MemoryModel]) -> None:
    """Weights and peak of activations (kB), one bar a case."""
    places = np.arange(len(rows))[::-1]
    weights = np.array([row.weights / 1e3 for row in rows.values()])
    activations = np.array([row.activations / 1e3 for row in rows.values()])
    axes.barh(places, weights, color=COLORS["cloud"], height=0.6)
    axes.barh(places, activations, left=weights, color=COLORS["end"], height=0.6)
    for place, weight, total in zip(places, weights, weights + activations, strict=True):
        axes.annotate(f"{total:.0f} kB", (total, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
        if weight > 0.15 * (weights + activations).max():
            axes.annotate("weights", (weight / 2, place), color="white", ha="center", va="center", fontsize=9)
    widest = int(np.argmax(activations))
    middle = weights[widest] + activations[widest] / 2
    axes.annotate("activations", (middle, places[widest]), color="black", ha="center", va="center", fontsize=9)
    axes.set_yticks(places, list(rows))
    axes.set(xlabel="memory of one inference (kB)", xlim=(0, 1.15 * (weights + activations).max()))
    axes.grid(axis="y", visible=False)


_RIGHT = ("axes fraction", "data")
