"""Figures of EdgeEye: two engines behind one service, and when a camera should not compute itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, StrMethodFormatter

from edgedl_lib.offloading.integral.edgeeye.offloading import MEGABIT, Deployment
from edgedl_lib.offloading.integral.edgeeye.study import EngineSpeed
from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_engines(axes: Axes, speeds: Sequence[EngineSpeed]) -> None:
    """Frames per second of both engines over the number of queued frames."""
    queued = [each.queued for each in speeds]
    labels = {
        "framework": ("framework's own path", "neutral", (0, -17)),
        "optimised": ("optimised engine", "edge", (10, -12)),
    }
    for name, (label, colour, shift) in labels.items():
        rates = [getattr(each, name) for each in speeds]
        axes.plot(queued, rates, "o-", color=COLORS[colour], ms=5)
        axes.annotate(
            label, (queued[2], rates[2]), shift, textcoords="offset points", color=COLORS[colour], weight="bold"
        )
    for each in speeds:
        axes.annotate(
            f"×{each.speed_up:.1f}", (each.queued, each.optimised), (-6, 7), textcoords="offset points", size=9,
            color=COLORS["edge"], ha="right",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="frames that wait", ylabel="frames/s on one core")
    axes.set_xlim(queued[0] / 1.3, queued[-1] * 1.2)
    axes.set_ylim(min(each.framework for each in speeds) / 1.7, max(each.optimised for each in speeds) * 1.5)
    axes.set_xticks(queued, [str(each) for each in queued])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.minorticks_off()


def plot_crossover(axes: Axes, deployment: Deployment, rates: np.ndarray, simulated: np.ndarray) -> None:
    """Latency at the edge over the rate (bit/s) of the link, simulated as dots, and on the camera."""
    fine = np.geomspace(rates.min(), rates.max(), 200)
    offloaded = [1e3 * deployment.offloaded_seconds(rate) for rate in fine]
    axes.plot(fine / MEGABIT, offloaded, color=COLORS["edge"])
    axes.plot(rates / MEGABIT, 1e3 * simulated, "o", color=COLORS["edge"], ms=5)
    axes.axhline(1e3 * deployment.camera_seconds, color=COLORS["end"])
    axes.axvline(deployment.crossover() / MEGABIT, color=COLORS["accent"], lw=1.2, ls="--")
    axes.text(1.07 * deployment.crossover() / MEGABIT, 700, f"{deployment.crossover() / MEGABIT:.1f} Mbit/s",
              color=COLORS["accent"], weight="bold")  # fmt: skip
    axes.text(0.52, 1e3 * deployment.camera_seconds * 0.72, "on the camera", color=END_TEXT, weight="bold")
    axes.text(0.72, 400, "at the edge", color=COLORS["edge"], weight="bold")
    axes.set(xscale="log", yscale="log", xlabel="Wi-Fi (Mbit/s)", ylabel="latency of a frame (ms)")
    ticks = (0.5, 1, 2, 5, 10, 20)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([30, 100, 300, 1000], ["30", "100", "300", "1,000"])
    axes.minorticks_off()


def plot_sharing(axes: Axes, deployment: Deployment, counts: Sequence[int], p95: np.ndarray) -> None:
    """95th percentile (s) of the latency over the number of cameras that share Wi-Fi and server."""
    axes.plot(counts, 1e3 * p95, "o-", color=COLORS["edge"], ms=5)
    axes.axhline(1e3 * deployment.camera_seconds, color=COLORS["end"])
    axes.text(counts[0], 1e3 * deployment.camera_seconds - 7, "on the camera", color=END_TEXT, weight="bold")
    axes.text(counts[2], 1e3 * p95[2] - 8, "at the edge", color=COLORS["edge"], weight="bold")
    axes.set(xlabel="cameras on one 20 Mbit/s Wi-Fi", ylabel="95 % of frames within (ms)", ylim=(0, 150))
    axes.set_xticks(list(counts))
