"""Figures of low-rank factorisation: error against rank, flat and steep spectra, promised against measured speed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS


def plot_truncation(axes: Axes, curves: Mapping[str, np.ndarray], gains: Sequence[float], baseline: float) -> None:
    """Mean error (percent) against the factor by which multiplications fall; one array (seeds, gains) per curve."""
    axes.axhline(baseline, color=COLORS["neutral"], linewidth=1, linestyle="--")
    axes.annotate("as trained", (gains[0], baseline), (0, -12), textcoords="offset points", color=COLORS["neutral"])
    for (label, errors), color in zip(curves.items(), ("end", "edge", "cloud"), strict=False):
        mean = errors.mean(axis=0)
        axes.fill_between(gains, errors.min(axis=0), errors.max(axis=0), color=COLORS[color], alpha=0.15, lw=0)
        axes.plot(gains, mean, "o-", color=COLORS[color])
        axes.annotate(label, (gains[-1], mean[-1]), (8, -3), textcoords="offset points", color=COLORS[color])
    axes.set_xscale("log", base=2)
    axes.set_xticks(gains, [f"{gain:g}×" for gain in gains])
    axes.set(xlabel="fewer multiplications in the first layer", ylabel="test error (%)")
    axes.set_xlim(gains[0] / 1.1, gains[-1] * 2.6)


def plot_spectra(axes: Axes, spectra: Mapping[str, np.ndarray]) -> None:
    """Share of the squared weights that the largest singular values hold, against the share of them kept."""
    for (label, energy), color in zip(spectra.items(), ("cloud", "end", "edge"), strict=False):
        share = np.arange(len(energy) + 1) / len(energy)
        curve = np.concatenate([[0], energy])
        axes.plot(100 * share, 100 * curve, color=COLORS[color])
        middle = int(0.3 * len(energy))
        place = (100 * share[middle], 100 * curve[middle])
        axes.annotate(label, place, (8, -12), textcoords="offset points", color=COLORS[color])
    axes.plot([0, 100], [0, 100], color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.set(xlabel="singular values kept (%)", ylabel="energy kept (%)", xlim=(0, 100), ylim=(0, 101))


def plot_promise(axes: Axes, names: Sequence[str], promised: Sequence[float], measured: Sequence[float]) -> None:
    """Factor by which the multiplications fall beside the factor by which the time falls, one row a layer."""
    rows = np.arange(len(names))[::-1]
    axes.barh(rows + 0.2, promised, 0.36, color=COLORS["neutral"], alpha=0.5)
    axes.barh(rows - 0.2, measured, 0.36, color=COLORS["end"])
    for row, promise, reality in zip(rows, promised, measured, strict=True):
        axes.annotate(f"{promise:.1f}× fewer multiplications", (promise, row + 0.2), (4, 0), **_BESIDE)
        axes.annotate(f"{reality:.1f}× faster", (reality, row - 0.2), (4, 0), weight="bold", **_BESIDE)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(rows, names)
    axes.set(xlabel="gain (factor)", xlim=(0, 1.45 * max(*promised, *measured)))
    axes.grid(axis="y", visible=False)


_BESIDE = {"textcoords": "offset points", "va": "center", "fontsize": 9}
