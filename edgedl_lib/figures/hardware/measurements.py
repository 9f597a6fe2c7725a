"""Figures of what was timed on this machine: latency models, int8, memory of training, steps, loading, tails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.platform.measured.int8_runtime import Int8Layer
from edgedl_lib.offloading.platform.measured.latency_study import ModelScore
from edgedl_lib.offloading.platform.measured.model_loading import LoadingMatrix
from edgedl_lib.offloading.platform.measured.single_stream import SingleStream
from edgedl_lib.offloading.platform.measured.training_step import StepTiming
from edgedl_lib.reproduce.style import COLORS

PARTS = {"parameters": "neutral", "gradients": "cloud", "optimiser": "edge", "activations": "end"}


def plot_latency_models(left: Axes, right: Axes, scores: Sequence[ModelScore], names: Sequence[str]) -> None:
    """Error of the predicted layer times on the left, time lost by the decisions on the right, one dot per network."""
    rows = np.arange(len(scores))[::-1]
    errors = [100 * score.median_error for score in scores]
    left.barh(rows, errors, color=COLORS["neutral"], height=0.5)
    for row, error, score in zip(rows, errors, scores, strict=True):
        text = f"R² = {score.r_squared:.2f}".replace("-", "−")
        left.annotate(text, (error, row), (5, 0), textcoords="offset points", va="center")
        regret = np.maximum(100 * score.regret.mean(axis=1), 0.03)
        right.plot(regret, np.full(regret.size, row), "o", color=COLORS["end"], alpha=0.55, ms=7)
        right.plot(100 * score.mean_regret, row, "|", color="black", ms=24, mew=2.5)
        text = f"{100 * score.mean_regret:.2g} %"
        right.annotate(
            text, (100 * score.mean_regret, row), (0, 15), textcoords="offset points", ha="center", weight="bold"
        )
    worst = max(scores, key=lambda score: score.mean_regret).regret.mean(axis=1)
    place = (100 * worst.max(), rows[0])
    right.annotate(names[int(worst.argmax())], place, (4, -17), textcoords="offset points", ha="right", fontsize=8.5)
    left.set_yticks(rows, [score.name for score in scores])
    left.set(xlabel="median error of a layer's time (%)", xscale="log", title="What one usually reports")
    left.set_xlim(10, 30 * max(errors))
    right.set_yticks(rows, [])
    right.set(xlabel="extra latency of the chosen cut (%)", xscale="log", title="What a decision costs")
    for axes in (left, right):
        axes.set_ylim(-0.6, len(scores) - 0.3)
        axes.grid(axis="y", visible=False)


def plot_int8(axes: Axes, layers: Sequence[Int8Layer], anchors: Mapping[str, float]) -> None:
    """Speed-up of int8 over float32 by width, beside what a Raspberry Pi 4 reached on whole networks."""
    widths = [layer.width for layer in layers]
    speedups = [layer.speedup for layer in layers]
    axes.axhspan(min(anchors.values()), max(anchors.values()), color=COLORS["end"], alpha=0.2, lw=0)
    axes.annotate(
        "Raspberry Pi 4, four whole networks (MLPerf Tiny)",
        (widths[-1], np.sqrt(min(anchors.values()) * max(anchors.values()))),
        ha="right",
        va="center",
        fontsize=9,
        color="#8A5300",
    )
    axes.axhline(1, color="black", linewidth=1)
    axes.axhline(4, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.annotate("a quarter of the bytes", (widths[0], 4.1), fontsize=9, color=COLORS["neutral"])
    axes.loglog(widths, speedups, "o-", color=COLORS["cloud"], ms=7)
    for width, speedup in zip(widths, speedups, strict=True):
        offset = (0, 9) if speedup >= 1 else (0, -18)
        axes.annotate(
            f"{speedup:.2g}×", (width, speedup), offset, textcoords="offset points", ha="center", weight="bold"
        )
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    axes.annotate("as fast as float32", (widths[-1], 0.98), fontsize=9, ha="right", va="top")
    axes.minorticks_off()
    axes.set(xlabel="inputs and outputs of the dense layer", ylabel="time in float32 / time in int8", ylim=(0.5, 10))
    axes.set_title("Small layers lose by int8, large layers gain a factor")


def plot_training_memory(axes: Axes, rows: Mapping[str, Mapping[str, float]], limit: float, label: str) -> None:
    """Stacked bars of what training must hold (bytes) per network and batch, and a device's memory as a line."""
    left = np.zeros(len(rows))
    positions = np.arange(len(rows))[::-1]
    for part, color in PARTS.items():
        sizes = np.array([row[part] / 1e9 for row in rows.values()])
        axes.barh(positions, sizes, left=left, color=COLORS[color], height=0.62, label=part)
        left += sizes
    for position, total in zip(positions, left, strict=True):
        text = f" {total:.2f} GB" if total >= 0.1 else f" {1e3 * total:.0f} MB"
        axes.annotate(text, (total, position), va="center", fontsize=9, weight="bold", bbox=_WHITE, zorder=5)
    axes.axvline(limit / 1e9, color="black", linewidth=1.2, linestyle="--")
    axes.annotate(label, (limit / 1e9, positions[-1] - 0.45), (4, 0), textcoords="offset points", fontsize=9)
    axes.set_yticks(positions, list(rows))
    axes.set(xlabel="memory of one training step (GB)", xlim=(0, 1.25 * left.max()))
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.42, -0.16), fontsize=9)


def plot_steps(axes: Axes, steps: Sequence[StepTiming], sizes: Sequence[int], label: str) -> None:
    """Time of a training step and of an inference as one size of the network doubles."""
    train = np.array([1e3 * step.training.median for step in steps])
    infer = np.array([1e3 * step.inference.median for step in steps])
    axes.loglog(sizes, train, "o-", color=COLORS["end"])
    axes.loglog(sizes, infer, "s-", color=COLORS["cloud"])
    place = (sizes[-1], train[-1])
    axes.annotate("training step", place, (-12, 2), textcoords="offset points", ha="right", color=COLORS["end"])
    axes.annotate("inference", (sizes[1], infer[1]), (8, -14), textcoords="offset points", color=COLORS["cloud"])
    for size, step, below, above in zip(sizes, steps, infer, train, strict=True):
        axes.annotate(
            f"{step.step_over_inference:.1f}×", (size, np.sqrt(below * above)), ha="center", va="center", fontsize=8.5
        )
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.margins(y=0.18)
    axes.set(xlabel=label, ylabel="time (ms)")


def plot_loading(axes: Axes, matrix: LoadingMatrix) -> None:
    """One line per cell from the time of an inference to the time of loading, networks apart."""
    position, ticks = 0.0, []
    for network in dict.fromkeys(cell.network for cell in matrix.cells):
        group = sorted((c for c in matrix.cells if c.network == network), key=lambda cell: cell.load_over_inference)
        for cell in group:
            position -= 1
            ticks.append((position, cell.package))
            axes.plot([1e3 * cell.steady, 1e3 * cell.load], [position] * 2, color="#C9CFD4", linewidth=3, zorder=1)
            axes.plot(1e3 * cell.steady, position, "s", color=COLORS["cloud"], ms=7)
            axes.plot(1e3 * cell.first, position, "|", color="black", ms=11, mew=1.8)
            axes.plot(1e3 * cell.load, position, "o", color=COLORS["end"], ms=8)
            text = f"{cell.load_over_inference:.0f}×"
            axes.annotate(
                text, (1e3 * cell.load, position), (9, 0), textcoords="offset points", va="center", fontsize=9
            )
        axes.annotate(
            network, (0.0, position + len(group) - 0.35), xycoords=("axes fraction", "data"), weight="bold", fontsize=9
        )
        position -= 0.8
    axes.set_yticks([tick for tick, _ in ticks], [package for _, package in ticks])
    axes.plot([], [], "s", color=COLORS["cloud"], label="one inference")
    axes.plot([], [], "|", color="black", ms=11, mew=1.8, label="the first inference")
    axes.plot([], [], "o", color=COLORS["end"], label="loading from file")
    axes.legend(loc="upper center", bbox_to_anchor=(0.42, -0.13), ncols=3, fontsize=9)
    axes.set(xlabel="time (ms)", xscale="log", ylim=(position + 0.3, 0.3))
    axes.set_xlim(right=2.2e3 * max(cell.load for cell in matrix.cells))
    axes.grid(axis="y", visible=False)


def plot_tail(axes: Axes, runs: Mapping[str, SingleStream]) -> None:
    """Share of queries that took longer than a multiple of the mean, with the 90th percentile marked."""
    for (name, run), color in zip(runs.items(), ("cloud", "end", "edge"), strict=False):
        latencies = np.sort(run.latencies) / run.mean
        longer = 100 * (1 - np.arange(run.queries) / run.queries)
        axes.step(latencies, longer, color=COLORS[color], where="post")
        tail = run.percentile(90) / run.mean
        axes.plot(tail, 10, "o", color=COLORS[color], ms=8, zorder=4)
        label = f"{name}: mean {1e3 * run.mean:.3g} ms, 90 % within {1e3 * run.percentile(90):.3g} ms"
        axes.plot([], [], "o-", color=COLORS[color], label=label)
    axes.axhline(10, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.legend(loc="upper right", fontsize=9)
    axes.set(xlabel="latency / mean latency", ylabel="queries that take longer (%)", yscale="log", ylim=(0.08, 300))
    axes.set_yticks([100, 10, 1, 0.1], ["100", "10", "1", "0.1"])


_WHITE = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85}
