"""Figures of binary, ternary and hashed weights: errors per method, real copies, storage, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.one_bit.embedded_study import EmbeddedStudy
from edgedl_lib.inference.compression.storage.hashed_study import HashedStudy
from edgedl_lib.reproduce.style import COLORS


def plot_errors(axes: Axes, errors: Mapping[str, Sequence[float]], highlighted: Sequence[str] = ()) -> None:
    """Test error of every method: a dot per seed, a bar and a number for the mean; percent."""
    rows = np.arange(len(errors))[::-1]
    for row, (name, values) in zip(rows, errors.items(), strict=True):
        color = COLORS["accent"] if name in highlighted else COLORS["cloud"]
        mean = float(np.mean(values))
        axes.plot(values, np.full(len(values), row), "o", color=color, alpha=0.55, ms=7)
        axes.plot(mean, row, "|", color="black", ms=20, mew=2.5)
        axes.annotate(f"{mean:.1f}", (max(values), row), (9, 0), textcoords="offset points", va="center", weight="bold")
    axes.set_yticks(rows, list(errors))
    axes.set(xlabel="test error (%)", xlim=(0, 1.12 * max(map(max, errors.values()))), ylim=(-0.6, len(errors) - 0.4))
    axes.grid(axis="y", visible=False)


def plot_real_copies(axes: Axes, clipped: np.ndarray, free: np.ndarray) -> None:
    """Histogram of the real copies with and without the clip; the shaded range is where the clip keeps them."""
    edge = max(1.0, float(np.abs(free).max()))
    bins = np.linspace(-edge, edge, 81)
    axes.axvspan(-1, 1, color="#E3E7EA", lw=0)
    axes.hist(free, bins, color=COLORS["end"], alpha=0.75)
    axes.hist(clipped, bins, histtype="step", color="black", linewidth=1.6)
    corner = {"xycoords": "axes fraction", "fontsize": 9, "va": "top"}
    axes.annotate("line: with the clip", (0.01, 0.99), **corner)
    text = f"without: up to {np.abs(free).max():.1f}"
    axes.annotate(text, (0.99, 0.99), ha="right", color="#8A5300", weight="bold", **corner)
    axes.set(xlabel="real copy of a weight", ylabel="weights", yscale="log")
    axes.set_ylim(0.7, 30 * axes.get_ylim()[1] / 10)


def plot_hashed(axes: Axes, study: HashedStudy) -> None:
    """Mean test error against the share of stored values: hashed layers beside dense networks of equal storage."""
    shares = sorted(study.hashed, reverse=True)
    hashed = [np.mean(study.hashed[share]) for share in shares]
    dense = [np.mean(study.dense), *(np.mean(study.equal_size[share]) for share in shares[1:])]
    axes.semilogx(shares, hashed, "o-", color=COLORS["cloud"])
    axes.semilogx(shares, dense, "s--", color=COLORS["neutral"])
    axes.annotate("hashed", (shares[-1], hashed[-1]), (0, 9), textcoords="offset points", color=COLORS["cloud"])
    axes.annotate(
        "dense, equal size", (shares[-1], dense[-1]), (10, 0), textcoords="offset points", color=COLORS["neutral"]
    )
    axes.invert_xaxis()
    axes.set_xticks(shares, [f"1/{round(1 / share)}" for share in shares])
    axes.minorticks_off()
    axes.set(xlabel="stored values / virtual weights", ylabel="test error (%)", ylim=(0, None))


def plot_memory(axes: Axes, study: EmbeddedStudy) -> None:
    """Bytes of the embedded network: model, temporaries layer by layer, temporaries fused; and the board's limit."""
    rows = {
        "temporaries, layer by layer": (study.layerwise.peak_bytes, COLORS["neutral"]),
        "temporaries, fused": (study.fused.peak_bytes, COLORS["end"]),
        "model, packed": (study.program.nbytes, COLORS["end"]),
    }
    axes.barh(list(rows), [size for size, _ in rows.values()], color=[color for _, color in rows.values()])
    for row, (size, _) in enumerate(rows.values()):
        axes.annotate(f" {size:,} B", (size, row), va="center", weight="bold")
    axes.axvline(15_000, color="black", linewidth=1, linestyle=":")
    axes.annotate(" 15 KB", (15_000, 2.3), fontsize=9)
    axes.set(xscale="log", xlabel="bytes", xlim=(10, 60_000))
    axes.grid(axis="y", visible=False)
