"""Figures of averaging on the air: latency, the two trade-offs, learning under noise and truncation, selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS


def plot_signals(panels: Sequence[Axes], sent: np.ndarray, plain: np.ndarray, inverted: np.ndarray) -> None:
    """What two devices send, what arrives without and with channel inversion; shapes (2, d), (d,), (d,)."""
    entries = np.arange(sent.shape[1])
    for row, colour in zip(sent, ("end", "accent"), strict=True):
        panels[0].plot(entries, row, color=COLORS[colour])
    for axes, received in ((panels[1], plain), (panels[2], inverted)):
        axes.plot(entries, sent.mean(0), color=COLORS["neutral"], lw=4, alpha=0.35)
        axes.plot(entries, received, color=COLORS["edge"], lw=1.6)
    for axes, title in zip(
        panels, ("sent by two devices", "the channel's mean", "with inverted channels"), strict=True
    ):
        axes.set_title(title, fontsize=10.5)
        axes.set(xlabel="entry of the update", ylim=(-2.6, 2.6))


def plot_latency(axes: Axes, devices: Sequence[int], ratio: np.ndarray, exponent: float) -> None:
    """Ratio of digital to analog latency over the number of devices, beside a straight proportion."""
    axes.plot(devices, ratio, "o-", color=COLORS["edge"])
    axes.plot(devices, ratio[0] * np.asarray(devices) / devices[0], color=COLORS["neutral"], lw=1, ls="--")
    last = ratio[0] * devices[-1] / devices[0]
    axes.text(devices[-1] * 1.05, last, "proportional", color=COLORS["neutral"], va="center")
    axes.text(
        devices[-1] * 1.05, ratio[-1], f"exponent {exponent:.2f}", color=COLORS["edge"], va="center", weight="bold"
    )
    axes.set(xscale="log", yscale="log", xlabel="devices", ylabel="digital over analog latency (×)")
    axes.set_xticks(devices, [str(count) for count in devices])
    axes.set_yticks([30, 100, 300], ["30", "100", "300"])
    axes.minorticks_off()
    axes.set_xlim(devices[0] * 0.9, devices[-1] * 2.2)


def plot_trade_offs(panels: Sequence[Axes], truncation: tuple, interior: tuple) -> None:
    """Receive SNR (dB) over the share of entries, and of data, that is left out; each pair is (share, SNR ratio)."""
    labels = ("entries left silent (%)", "data left out (%)")
    for axes, (share, snr), label, colour in zip(
        panels, (truncation, interior), labels, ("edge", "cloud"), strict=True
    ):
        axes.plot(100 * np.asarray(share), 10 * np.log10(snr), "o-", color=COLORS[colour], ms=4)
        axes.set(xlabel=label, ylabel="receive SNR (dB)")


def plot_learning(axes: Axes, accuracy: Mapping[str, np.ndarray], baseline: float) -> None:
    """Accuracy of each air as a bar with the range over seeds; values of shape (seeds,)."""
    names = list(accuracy)
    for place, name in enumerate(names):
        values = 100 * accuracy[name]
        colour = "end" if "silent" in name else "accent" if "inversion" in name else "edge"
        axes.barh(place, values.mean(), color=COLORS[colour], height=0.72)
        axes.plot([values.min(), values.max()], [place, place], color="#123A2C", lw=1.2)
        axes.text(1.5, place, f"{values.mean():.1f}", va="center", color="white", weight="bold", fontsize=9)
    axes.axvline(100 * baseline, color=COLORS["neutral"], lw=1, ls="--")
    axes.text(100 * baseline - 0.6, -0.9, "no air", color=COLORS["neutral"], ha="right", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="test accuracy (%)", xlim=(0, 100), ylim=(len(names) - 0.4, -1.4))
    axes.grid(axis="y", visible=False)


def plot_selection(axes: Axes, counts: Mapping[str, Sequence[int]], optimum: Sequence[int]) -> None:
    """Devices that speak at once in each cell, by method, cells sorted by the optimum."""
    order = np.argsort(optimum, kind="stable")
    cells = np.arange(len(order))
    axes.bar(cells, np.asarray(optimum)[order], color="#E3E7EA", width=0.85)
    styles = {"difference of convex": ("edge", "o"), "relaxation": ("cloud", "_"), "strongest first": ("end", "x")}
    for name, values in counts.items():
        colour, marker = styles[name]
        mean = np.mean(values)
        label = f"{name} ({mean:.1f})"
        axes.scatter(cells, np.asarray(values)[order], color=COLORS[colour], marker=marker, label=label, zorder=3)
    axes.set(xlabel="cell, sorted", ylabel="devices at once", xticks=[], ylim=(0, max(optimum) + 2.6))
    axes.legend(loc="upper left", ncols=3, fontsize=9, columnspacing=1.2, handletextpad=0.2)
    axes.grid(axis="x", visible=False)
