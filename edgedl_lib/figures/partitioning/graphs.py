"""Figures of networks with branches, of the quantised split and of the real split run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.partition.dag_plan import DagCosts, DagPlan
from edgedl_lib.inference.quantised_split.study import QuantisedSplitStudy
from edgedl_lib.inference.split.sweep import SplitSweep
from edgedl_lib.inference.studies.dads_study import Comparison
from edgedl_lib.reproduce.style import COLORS

PLAN_KEY = (
    "orange: on the device, blue: in the cloud; seconds here | there; bold: sent; dashed: a download that nobody pays"
)
LINK_NAMES = {"dads-cat1": "CAT1", "dads-3g": "3G", "dads-4g": "4G", "dads-wifi": "Wi-Fi"}


def plot_plan(axes: Axes, costs: DagCosts, plan: DagPlan, places: dict[str, tuple[float, float]], title: str) -> None:
    """A small graph with its plan: nodes coloured by side, sent outputs bold, unpaid downloads dashed."""
    on_device = {costs.names[0], *plan.device_layers}
    seconds = dict(zip(costs.names, zip(costs.device_latency, costs.server_latency, strict=True), strict=True))
    for tail, head in costs.edges:
        unpaid = head in on_device and tail not in on_device
        crossing = tail in on_device and head not in on_device
        axes.annotate(
            "",
            places[head],
            places[tail],
            arrowprops={
                "arrowstyle": "-|>",
                "shrinkA": 17,
                "shrinkB": 17,
                "lw": 2.6 if unpaid or crossing else 1.2,
                "color": COLORS["accent"] if unpaid else "black" if crossing else COLORS["neutral"],
                "linestyle": "--" if unpaid else "-",
            },
        )
    for name in costs.names:
        colour = COLORS["end" if name in on_device else "cloud"]
        axes.plot(*places[name], "o", ms=30, color=colour)
        axes.annotate(name, places[name], ha="center", va="center", color="white", weight="bold", fontsize=9)
        if name != costs.names[0]:
            text = f"{seconds[name][0]:g} | {seconds[name][1]:g} s"
            axes.annotate(text, places[name], (0, -27), textcoords="offset points", ha="center", fontsize=8.5)
    axes.set(title=title, xlim=(-0.5, 3.5), ylim=(-0.75, 1.75))
    axes.axis("off")


def plot_random_graphs(axes: Axes, shares: dict[str, float]) -> None:
    """Share of random graphs on which each shortcut goes wrong (percent)."""
    rows = np.arange(len(shares))[::-1]
    values = list(shares.values())
    colours = [COLORS["edge"] if value == 0 else COLORS["end"] for value in values]
    axes.barh(rows, values, color=colours, height=0.55)
    for row, value in zip(rows, values, strict=True):
        axes.annotate(f"{value:.3g} %", (value, row), (5, 0), textcoords="offset points", va="center", weight="bold")
    axes.set_yticks(rows, list(shares))
    axes.set(xlabel="random graphs that come out wrong (%)", xlim=(0, 1.18 * max(values)))
    axes.grid(axis="y", visible=False)


def plot_dads_gains(left: Axes, right: Axes, comparisons: Sequence[Comparison]) -> None:
    """Latency gain of DADS over edge-only (left) and over cloud-only (right), a line a network."""
    links = list(dict.fromkeys(each.link for each in comparisons))
    networks = list(dict.fromkeys(each.network for each in comparisons))
    for axes, baseline in ((left, "edge_only"), (right, "cloud_only")):
        for network, level in zip(networks, ("end", "edge", "cloud", "accent", "neutral"), strict=False):
            gains = [each.latency_gain("light", baseline) for each in comparisons if each.network == network]
            axes.semilogy(range(len(links)), gains, "o-", color=COLORS[level], ms=5, label=network)
        axes.axhline(1, color="black", lw=0.8)
        axes.set_xticks(range(len(links)), [LINK_NAMES[link] for link in links])
        axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set(ylim=(0.9, 40))
    left.set(ylabel="speed-up", title="Over the board alone")
    right.set(title="Over the cloud alone")
    right.legend(loc="upper right", fontsize=9)


def plot_quantised_split(left: Axes, right: Axes, study: QuantisedSplitStudy) -> None:
    """Accuracy by cut and bits on the left; latency by link rate of four ways to split on the right."""
    cuts = np.arange(len(study.boundaries.names))
    for bits, level in ((8, "edge"), (2, "end")):
        accuracy = 100 * study.test_accuracy[bits]
        left.plot(cuts, accuracy, "o-", ms=4, color=COLORS[level])
        left.annotate(
            f"{bits}-bit prefix",
            (cuts[-1], accuracy[-1]),
            (-2, 8 if bits == 2 else -14),
            textcoords="offset points",
            color=COLORS[level],
            weight="bold",
            ha="right",
        )
    left.set(
        xlabel="layers in the 8- or 2-bit prefix",
        ylabel="test accuracy (%)",
        title="Eight bits cost nothing, two ruin it",
    )
    left.set_xticks(cuts[::3])
    rates = study.rates / 1e6
    curves = (
        ("cloud alone, raw image", study.float_latency[:, 0], "cloud", "-"),
        ("edge alone, float32", study.float_latency[:, -1], "neutral", "-"),
        ("best float32 split", study.float_latency[:, 1:-1].min(axis=1), "accent", "--"),
        ("tuned 8-bit split", study.tuned_latency, "edge", "-"),
    )
    for name, latency, level, style in curves:
        right.loglog(rates, 1e3 * latency, style, marker="o", ms=4, color=COLORS[level], label=name)
    right.legend(fontsize=8.5)
    right.set(xlabel="link (Mbit/s)", ylabel="latency (ms)", title="Small tensors win on slow links")


def plot_split_run(axes: Axes, sweep: SplitSweep) -> None:
    """Measured parts of every cut as bars, prediction as a line, both best cuts marked."""
    cuts, bottom = np.arange(len(sweep.names)), np.zeros(len(sweep.names))
    for part, level in ((sweep.device, "end"), (sweep.transfer, "neutral"), (sweep.server, "cloud")):
        axes.bar(cuts, 1e3 * part, bottom=bottom, color=COLORS[level], width=0.8)
        bottom = bottom + 1e3 * part
    axes.plot(cuts, 1e3 * sweep.predicted, "_", color="black", ms=15, mew=2.2)
    best = sweep.best_measured
    axes.annotate(
        f"measured best:\n{sweep.names[best]}",
        (best, 1e3 * sweep.latency[best]),
        (0, 48),
        textcoords="offset points",
        ha="center",
        color=COLORS["accent"],
        weight="bold",
        arrowprops={"arrowstyle": "-|>", "color": COLORS["accent"]},
    )
    texts = (("device computes", "end"), ("socket sends", "neutral"), ("other process computes", "cloud"))
    for place, (text, level) in enumerate(texts):
        axes.text(
            0.99,
            0.96 - 0.07 * place,
            text,
            color=COLORS[level],
            weight="bold",
            ha="right",
            va="top",
            transform=axes.transAxes,
        )
    axes.text(0.99, 0.75, "black dash: predicted beforehand", ha="right", va="top", transform=axes.transAxes)
    names = ["all there", *sweep.names[1:-1], "all here"]
    axes.set_xticks(cuts, names, rotation=90, fontsize=8.5)
    axes.set(ylabel="latency (ms)", xlim=(-0.7, len(cuts) - 0.3))
    axes.grid(axis="x", visible=False)
