"""Figures of Edgent: who answers where, which exit, what training does to exits, and a stream over a changing link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from edgedl_lib.inference.early_exit.edgent.dynamic import StreamRun
from edgedl_lib.inference.early_exit.edgent.optimiser import Choices
from edgedl_lib.inference.early_exit.edgent.own_profile import ConvolutionErrors
from edgedl_lib.inference.early_exit.edgent.study import REPORTED_EDGE_ONLY
from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.system.trace import Trace

KILOBIT = 1e3
PALE = {"nobody": "#E9ECEE", "device": "#F4D9AE", "edge": "#A9D8C7", "both": "#D5D79F"}
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_feasibility(axes: Axes, choices: Mapping[str, Choices]) -> None:
    """Who answers in time, over bandwidth and deadline; the cells that only the joint choice reaches are marked."""
    edge = choices["edge only"].feasible | choices["partition only"].feasible
    device = choices["device only"].feasible | choices["right-sizing only"].feasible
    kinds = edge * 2 + device  # 0 nobody, 1 device, 2 edge, 3 both
    grid = choices["Edgent"]
    colours = ListedColormap([PALE[name] for name in ("nobody", "device", "edge", "both")])
    axes.pcolormesh(
        grid.rates / KILOBIT, 1e3 * grid.deadlines, kinds.T, cmap=colours, vmin=0, vmax=3, shading="nearest"
    )
    rows, columns = np.nonzero(grid.feasible & ~edge & ~device)
    axes.plot(grid.rates[rows] / KILOBIT, 1e3 * grid.deadlines[columns], "s", color=COLORS["accent"], ms=5)
    axes.set(xscale="log", xlabel="bandwidth (kbit/s)", ylabel="deadline (ms)")
    axes.set_xticks([50, 100, 200, 500, 1000, 1500], ["50", "100", "200", "500", "1,000", "1,500"])
    axes.minorticks_off()
    axes.grid(False)
    _name_regions(axes, len(rows))


def _name_regions(axes: Axes, extra: int) -> None:
    texts = (
        (54, 800, "device alone,\nan early exit", END_TEXT, "left"),
        (1350, 800, "either: the edge with the whole network,\nthe device with an early exit", "#4A4F00", "right"),
        (1350, 400, "edge alone", COLORS["edge"], "right"),
        (54, 200, "nobody", COLORS["neutral"], "left"),
    )
    for bandwidth, deadline, text, colour, side in texts:
        axes.text(bandwidth, deadline, text, color=colour, weight="bold", ha=side, va="center")
    axes.text(300, 215, f"{extra} cells: only\nboth together", color=COLORS["accent"], weight="bold", ha="right")


def plot_sweep(axes: Axes, values: np.ndarray, exits: Mapping[str, np.ndarray], label: str) -> None:
    """Chosen exit (1 is the earliest, 0 stands for no answer) along a sweep, one line per view of the device."""
    styles = {"lines": ("neutral", "--", -0.06), "total": ("end", "-", 0.06)}
    for view, chosen in exits.items():
        colour, style, shift = styles[view]
        axes.step(values, np.asarray(chosen) + 1 + shift, where="mid", color=COLORS[colour], ls=style)
    axes.set(xlabel=label, ylim=(-0.4, 5.5), yticks=range(6))
    axes.set_yticklabels(["none", *map(str, range(1, 6))])


def plot_edge_only(axes: Axes, rates: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    """Edge-only latency over bandwidth, and the two published points."""
    styles = {"float image, nothing else": ("neutral", "--"), "fitted to both points": ("edge", "-")}
    for name, seconds in curves.items():
        colour, style = styles[name]
        axes.loglog(rates / KILOBIT, seconds, color=COLORS[colour], ls=style)
    axes.text(62, 2.2, "with 18 % overhead", color=COLORS["edge"], weight="bold")
    axes.text(52, 0.45, "the bare float image", color=COLORS["neutral"], weight="bold")
    points = np.array(sorted(REPORTED_EDGE_ONLY.items()))
    axes.plot(points[:, 0] / KILOBIT, points[:, 1], "o", color=COLORS["accent"], ms=8)
    axes.set(xlabel="bandwidth (kbit/s)", ylabel="edge-only latency (s)")
    axes.set_xticks([50, 100, 200, 500, 1000, 1500], ["50", "100", "200", "500", "1,000", "1,500"])
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.minorticks_off()


def plot_exit_accuracy(axes: Axes, epochs: Sequence[int], accuracies: np.ndarray) -> None:
    """Accuracy of each exit after some epochs, (seeds, checkpoints, exits): thin lines the seeds, thick their mean."""
    colours = (COLORS["end"], COLORS["accent"], COLORS["cloud"])
    positions = np.arange(1, accuracies.shape[-1] + 1)
    for checkpoint, (epoch, colour) in enumerate(zip(epochs, colours, strict=False)):
        axes.plot(positions, 100 * accuracies[:, checkpoint].T, color=colour, lw=0.7, alpha=0.5)
        mean = 100 * accuracies[:, checkpoint].mean(axis=0)
        axes.plot(positions, mean, color=colour, marker="o")
        text = f"after {epoch} epoch{'s' if epoch > 1 else ''}"
        axes.annotate(
            text,
            (positions[-1], mean[-1]),
            (8, 0),
            textcoords="offset points",
            color=colour,
            weight="bold",
            va="center",
        )
    axes.set(xlabel="exit", ylabel="accuracy (%)", xticks=positions, xlim=(0.8, positions[-1] + 1.4), ylim=(0, 102))


def plot_convolutions(axes: Axes, errors: ConvolutionErrors) -> None:
    """Predicted against measured latency of unseen convolutions; predictions of zero lie on the lower edge."""
    measured = 1e6 * errors.measured
    lowest = 0.3 * measured.min()
    for model, colour, text in (("lines", "end", "Edgent's lines"), ("rates", "cloud", "a rate for the layer's FLOP")):
        predicted = np.maximum(1e6 * getattr(errors, model), lowest)
        axes.loglog(measured, predicted, "o", color=COLORS[colour], ms=4.5, alpha=0.65)
        shade = END_TEXT if model == "lines" else COLORS[colour]
        height = 0.93 if model == "lines" else 0.85
        error = f"{text}: median error {errors.median_error(model):.0%}"
        axes.text(0.03, height, error, color=shade, weight="bold", transform=axes.transAxes)
    bounds = np.array([lowest, 2 * measured.max()])
    axes.plot(bounds, bounds, color="black", lw=1)
    axes.set(xlabel="measured (µs)", ylabel="predicted (µs)")


def plot_stream(rate: Axes, latency: Axes, trace: Trace, runs: Mapping[str, StreamRun], window=(0, 400)) -> None:
    """Above the link's rate, below the latency of every policy and the deadline; crosses where a policy gave up."""
    colours = {"Edgent": "accent", "edge only": "edge", "right-sizing only": "end"}
    heights = {"edge only": 0.99, "Edgent": 0.62, "right-sizing only": 0.44}
    rate.plot(trace.time, trace.rate / KILOBIT, color=COLORS["neutral"], lw=1.2)
    rate.set(ylabel="link (kbit/s)", yscale="log", xlim=window)
    rate.set_yticks([50, 200, 1000], ["50", "200", "1,000"])
    rate.minorticks_off()
    deadline = next(iter(runs.values())).deadline
    for name, run in runs.items():
        colour = COLORS[colours[name]]
        marker = {"Edgent": "o", "edge only": "."}.get(name)
        latency.plot(run.start, run.latency, color=colour, lw=1.1, marker=marker, ms=4)
        given_up = run.start[np.isinf(run.latency)]
        latency.plot(given_up, np.full(given_up.size, 1.25 * deadline), "x", color=colour, ms=4)
        shade = END_TEXT if name == "right-sizing only" else colour
        text = f"{name}:\n{run.met_share:.0%} in time"
        where = {"color": shade, "weight": "bold", "va": "top", "fontsize": 9, "transform": latency.transAxes}
        latency.text(1.01, heights[name], text, **where)
    latency.axhline(deadline, color="black", lw=1, ls="--")
    latency.set(xlabel="time (s)", ylabel="latency (s)", ylim=(0, 1.4 * deadline), xlim=window)
