"""Figures of what is modelled: GPU and FPGA, sparse engines, the microcontroller, the score of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.platform.accelerators import AcceleratorStudy, ServingStudy
from edgedl_lib.offloading.platform.load_balance import BalanceRow
from edgedl_lib.offloading.platform.scoring import AcceleratedProfile
from edgedl_lib.offloading.platform.sparse_engine import FifoStudy
from edgedl_lib.offloading.platform.tiny_anchor import AnchorRow
from edgedl_lib.reproduce.style import COLORS

GPU, FPGA = COLORS["cloud"], COLORS["edge"]


def plot_throughput(axes: Axes, study: AcceleratorStudy) -> None:
    """Items per second of both accelerators by batch, and the batch at which the GPU overtakes."""
    axes.loglog(study.batches, study.gpu.throughput(study.batches), "o-", color=GPU)
    axes.loglog(study.batches, study.fpga.throughput(study.batches), "s-", color=FPGA)
    axes.annotate("GPU", (study.batches[2], study.gpu.throughput(study.batches[2])), (8, -12), color=GPU, **_OFFSET)
    last = study.batches[-1]
    axes.annotate("FPGA", (last, study.fpga.throughput(last)), (-4, -16), color=FPGA, ha="right", **_OFFSET)
    if study.crossover_batch:
        axes.axvline(study.crossover_batch, color=COLORS["neutral"], linewidth=1, linestyle=":")
        at = (study.crossover_batch, axes.get_ylim()[0])
        axes.annotate(f" batch {study.crossover_batch}", at, (2, 6), color=COLORS["neutral"], **_OFFSET)
    axes.set(xlabel="batch (items)", ylabel="throughput (items/s)")


def plot_energy_ratio(axes: Axes, study: AcceleratorStudy) -> None:
    """How many times the FPGA's energy per item the GPU spends, by batch."""
    axes.loglog(study.batches, study.energy_ratio, "o-", color=COLORS["accent"])
    axes.axhline(1, color="black", linewidth=1)
    axes.annotate(f"{study.energy_ratio[0]:.0f}×", (1, study.energy_ratio[0]), (6, 4), weight="bold", **_OFFSET)
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.set(xlabel="batch (items)", ylabel="energy per item, GPU / FPGA", ylim=(0.8, 45))


def plot_serving(axes: Axes, studies: Sequence[ServingStudy]) -> None:
    """Mean (line) and 90th percentile (dashed) of the latency of Poisson requests as their rate grows."""
    rates = [study.rate / 1e3 for study in studies]
    for name, color in (("gpu_latency", GPU), ("fpga_latency", FPGA)):
        latency = [1e3 * getattr(study, name) for study in studies]
        axes.semilogy(rates, [values.mean() for values in latency], "o-", color=color)
        axes.semilogy(rates, [np.percentile(values, 90) for values in latency], "--", color=color, linewidth=1.2)
        label = "GPU" if name == "gpu_latency" else "FPGA"
        axes.annotate(label, (rates[-1], latency[-1].mean()), (0, -16), color=color, ha="right", **_OFFSET)
    axes.margins(y=0.15)
    axes.set(xlabel="arrivals (thousand requests/s)", ylabel="latency (ms)")


def plot_fifo(axes: Axes, study: FifoStudy) -> None:
    """Share of busy cycles of EIE's processing elements by depth of their FIFOs."""
    axes.plot(study.depths, [100 * value for value in study.utilisation], "o-", color=COLORS["cloud"])
    axes.axvline(8, color=COLORS["neutral"], linewidth=1, linestyle=":")
    axes.annotate("EIE's choice", (8, 100 * study.utilisation[0]), (5, 0), color=COLORS["neutral"], **_OFFSET)
    axes.set(xlabel="FIFO depth (activations)", ylabel="busy cycles (%)", xscale="log", ylim=(40, 101))
    axes.set_xticks(study.depths, [str(depth) for depth in study.depths])
    axes.minorticks_off()


def plot_balance(axes: Axes, rows: Sequence[BalanceRow]) -> None:
    """Cycles of plain pruning over those of balanced pruning as ESE gets more processing elements."""
    positions = np.arange(len(rows))
    plain = [100 * row.plain_balance for row in rows]
    axes.bar(positions, [100] * len(rows), 0.62, color=COLORS["edge"], alpha=0.25)
    axes.bar(positions, plain, 0.62, color=COLORS["end"])
    for position, row in zip(positions, rows, strict=True):
        text = f"{row.gain:.2f}× faster\nbalanced"
        axes.annotate(text, (position, 100), (0, 3), ha="center", va="bottom", **_OFFSET)
        axes.annotate(f"{100 * row.plain_balance:.0f} %", (position, 100 * row.plain_balance / 2), ha="center")
    axes.set_xticks(positions, [f"{row.elements} elements" for row in rows])
    axes.set(ylabel="mean / fullest load (%)", ylim=(0, 122))


def plot_microcontroller(axes: Axes, rows: Mapping[str, AnchorRow], power: float) -> None:
    """Energy by time of the four tasks on a Cortex-M4, on the line of one constant power."""
    times = np.geomspace(5e-3, 1, 50)
    axes.loglog(1e3 * times, 1e3 * power * times, color=COLORS["neutral"], linewidth=1.5)
    for task, row in rows.items():
        axes.plot(1e3 / row.rate, 1e3 * row.energy, "o", color=COLORS["end"], ms=9, mec="white")
        text = f"{task.upper()}: {row.macs / 1e6:.3g} M MAC,\n{row.macs_per_cycle:.2f} MAC/cycle"
        place, align = ((9, -18), "left") if task != "vww" else ((-9, 2), "right")
        axes.annotate(text, (1e3 / row.rate, 1e3 * row.energy), place, ha=align, **_OFFSET)
    axes.annotate(
        f"{1e3 * power:.1f} mW", (20, 20e-3 * 1e3 * power), (-4, 8), ha="right", color=COLORS["neutral"], **_OFFSET
    )
    axes.set(xlabel="time of an inference (ms)", ylabel="energy of an inference (mJ)", xlim=(4, 2500))


def plot_score(axes: Axes, profile: AcceleratedProfile) -> None:
    """Speed-up of an accelerated phone over the next one, test by test, and the score that it makes."""
    colors = [COLORS["accent"] if flag else COLORS["neutral"] for flag in profile.accelerated]
    tests = np.arange(1, len(profile.speedups) + 1)
    axes.bar(tests, profile.speedups, color=colors)
    for value, text in (
        (profile.lead, "score, all tests"),
        (profile.lead_without_accelerator, "score, processor only"),
    ):
        axes.axhline(value, color="black", linewidth=1, linestyle="--")
        axes.annotate(f"{text}:\n{value:.2g}×", (len(tests) + 0.7, value), (0, 4), weight="bold", **_OFFSET)
    axes.set_xticks(tests)
    axes.set(xlabel="test of AI Benchmark", ylabel="speed-up over the next phone", xlim=(0.3, len(tests) + 4.2))


_OFFSET = {"textcoords": "offset points", "fontsize": 9}
