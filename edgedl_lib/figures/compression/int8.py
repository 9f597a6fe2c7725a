"""Figures of linear quantisation: error against bits, and time in float32 over time in int8."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.eight_bits.int8_timing import Int8Speed
from edgedl_lib.inference.compression.eight_bits.quantisation_aware import BitWidth
from edgedl_lib.reproduce.style import COLORS


def plot_bits(axes: Axes, runs: Mapping[int, Sequence[BitWidth]]) -> None:
    """Points lost at each number of bits, rounded after training and trained with the rounding; one dot per seed."""
    bits = sorted(runs, reverse=True)
    for place, (label, loss, color) in enumerate(
        (
            ("rounded after training", "rounding_loss", "end"),
            ("trained with the rounding", "aware_loss", "cloud"),
        )
    ):
        losses = np.array([[getattr(run, loss) for run in runs[b]] for b in bits])
        positions = np.arange(len(bits)) + 0.12 * (2 * place - 1)
        axes.plot(positions, losses.mean(axis=1), "o-", color=COLORS[color], ms=8)
        axes.plot(np.repeat(positions, losses.shape[1]), losses.ravel(), "o", color=COLORS[color], ms=4, alpha=0.5)
        end = (positions[-1], losses[-1].mean())
        axes.annotate(label, end, (-10, 6), textcoords="offset points", ha="right", color=COLORS[color])
    axes.axhline(0, color="black", linewidth=1)
    axes.set_xticks(range(len(bits)), [f"{b} bits" for b in bits])
    axes.set(xlabel="weights and activations", ylabel="points lost")


def plot_int8_speed(axes: Axes, speeds: Mapping[str, Int8Speed]) -> None:
    """Factor gained in bytes of the file beside the factor gained in time, one row a network."""
    rows = np.arange(len(speeds))[::-1]
    size = [s.float32_bytes / s.int8_bytes for s in speeds.values()]
    time = [s.speedup for s in speeds.values()]
    axes.barh(rows + 0.2, size, 0.36, color=COLORS["neutral"], alpha=0.5)
    axes.barh(rows - 0.2, time, 0.36, color=COLORS["cloud"])
    for row, smaller, faster in zip(rows, size, time, strict=True):
        axes.annotate(f"{smaller:.1f}× smaller file", (smaller, row + 0.2), (4, 0), **_BESIDE)
        text = f"{faster:.1f}× faster" if faster >= 1 else f"{1 / faster:.1f}× slower"
        axes.annotate(text, (faster, row - 0.2), (4, 0), weight="bold", **_BESIDE)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(rows, list(speeds))
    axes.set(xlabel="gain of int8 over float32 (factor)", xlim=(0, 1.35 * max(*size, *time)))
    axes.grid(axis="y", visible=False)


_BESIDE = {"textcoords": "offset points", "va": "center", "fontsize": 9}
