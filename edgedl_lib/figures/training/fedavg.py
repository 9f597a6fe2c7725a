"""Figures of federated averaging: rounds over C, E and B, learning rates, and the loss between two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.vanilla.fedavg import Cell, Mixture

SPLIT_COLOURS = {"iid": "edge", "shards": "cloud"}
SPLIT_NAMES = {"iid": "shuffled", "shards": "two labels a client"}


def plot_rates(axes: Axes, rounds: Mapping[str, Mapping[float, float]], labels: Mapping[str, str]) -> None:
    """Rounds to the target over the learning rate, one line per cell; rates that never arrive stand at the top."""
    finite = [value for line in rounds.values() for value in line.values() if np.isfinite(value)]
    top = 1.6 * max(finite)
    for row, ((name, line), colour) in enumerate(zip(rounds.items(), ("neutral", "accent", "edge"), strict=False)):
        rates = np.array(sorted(line))
        values = np.array([line[rate] for rate in rates])
        reached = np.isfinite(values)
        axes.plot(rates[reached], values[reached], "o-", color=COLORS[colour])
        axes.plot(rates[~reached], np.full((~reached).sum(), top * 1.35**row), "x", color=COLORS[colour])
        best = rates[np.nanargmin(np.where(reached, values, np.nan))]
        axes.annotate(
            labels[name], (best, line[best]), (0, -16), textcoords="offset points", ha="center", color=COLORS[colour]
        )
    axes.text(0.98, 0.62, "×  never, or given up", transform=axes.transAxes, ha="right", color=COLORS["neutral"])
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="rounds to 95 %")
    axes.set_ylim(min(finite) / 2.2, 2 * top)
    _plain_ticks(axes.xaxis, sorted(next(iter(rounds.values()))))
    _plain_ticks(axes.yaxis, (5, 10, 20, 50, 100))


def plot_local_work(axes: Axes, rounds: Mapping[str, np.ndarray], cells: Sequence[Cell]) -> None:
    """Rounds of every setting of E and B: one row each, a dot a seed, shuffled and by label."""
    for row, cell in enumerate(cells):
        for split, colour in SPLIT_COLOURS.items():
            values = rounds[_named(cell, split)]
            axes.plot(values, np.full(len(values), row), "o", color=COLORS[colour], alpha=0.35, markeredgewidth=0)
            axes.plot(np.mean(values), row, "|", color=COLORS[colour], markersize=18, markeredgewidth=3)
            axes.annotate(
                f"{np.mean(values):.0f}",
                (np.mean(values), row),
                (0, 12),
                textcoords="offset points",
                ha="center",
                fontsize=9,
                color=COLORS[colour],
            )
    axes.set_yticks(range(len(cells)), [_work(cell) for cell in cells])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="rounds to 95 % (bar: mean over the seeds)")
    axes.set_ylim(len(cells) - 0.4, -0.75)
    _plain_ticks(axes.xaxis, (5, 10, 20, 50, 100))
    _name_splits(axes)


def plot_participation(axes: Axes, rounds: Mapping[str, np.ndarray], cells: Sequence[Cell]) -> None:
    """Rounds over the number of clients in a round."""
    counts = np.array([cell.clients for cell in cells])
    for split, colour in SPLIT_COLOURS.items():
        values = np.array([rounds[_named(cell, split)] for cell in cells])
        axes.plot(counts, values.mean(axis=1), "o-", color=COLORS[colour])
        axes.plot(np.repeat(counts, values.shape[1]), values.ravel(), ".", color=COLORS[colour], alpha=0.35)
        axes.annotate(
            SPLIT_NAMES[split],
            (counts[1], values[1].mean()),
            (8, 8),
            textcoords="offset points",
            color=COLORS[colour],
            weight="bold",
        )
    axes.set(xscale="log", yscale="log", xlabel="clients in a round, of 50", ylabel="rounds to 95 %")
    _plain_ticks(axes.xaxis, counts)
    _plain_ticks(axes.yaxis, (30, 50, 100, 200, 300))


def plot_mixtures(axes: Axes, mixtures: Mapping[str, Sequence[Mixture]], limit: float = 1.8) -> None:
    """Training loss on the line through two models; one thin line per pair."""
    for (name, lines), colour in zip(mixtures.items(), ("edge", "cloud"), strict=True):
        for line in lines:
            axes.plot(line.theta, line.loss, color=COLORS[colour], linewidth=1.4)
        middle = float(np.mean([line.middle for line in lines]))
        axes.annotate(
            f"{name}: {middle:.2f} in the middle",
            (0.5, middle),
            (0, 10 if middle > 1 else -18),
            textcoords="offset points",
            ha="center",
            color=COLORS[colour],
            weight="bold",
        )
    for place, label in ((0, "one model"), (1, "the other")):
        axes.axvline(place, color=COLORS["neutral"], linewidth=0.8, linestyle=":")
        axes.text(place, 0.02, label, transform=axes.get_xaxis_transform(), ha="center", color=COLORS["neutral"])
    axes.set(xlabel="weight of the other model", ylabel="loss on all training images (nats)", ylim=(-0.25, limit))


def plot_speed(axes: Axes, ratios: Mapping[str, np.ndarray], floors: Mapping[str, float]) -> None:
    """Speed of the twin over the loop, one dot per pair of neighbouring windows, and what we ask for."""
    for row, (name, values) in enumerate(ratios.items()):
        axes.plot(values, np.full(len(values), row), "o", color=COLORS["edge"], alpha=0.4, markeredgewidth=0)
        axes.plot(np.median(values), row, "|", color=COLORS["edge"], markersize=20, markeredgewidth=3)
        axes.plot([floors[name]] * 2, [row - 0.3, row + 0.3], color=COLORS["accent"], linewidth=1.5)
        axes.text(floors[name], row - 0.36, "asked for", ha="center", fontsize=9, color=COLORS["accent"])
    axes.set_yticks(range(len(ratios)), list(ratios))
    axes.set(xlabel="times as fast as the loop over clients", ylim=(len(ratios) - 0.5, -0.7))
    axes.set_xlim(left=0)


def _plain_ticks(axis, places: Sequence[float]) -> None:
    """Numbers instead of powers of ten on a logarithmic axis."""
    axis.set_ticks(places, [f"{place:.3g}" for place in places])
    axis.set_ticks([], minor=True)


def _named(cell: Cell, split: str) -> str:
    return Cell(cell.clients, cell.epochs, cell.batch, split).name


def _work(cell: Cell) -> str:
    return f"E={cell.epochs}, B={'all' if cell.batch is None else cell.batch}"


def _name_splits(axes: Axes) -> None:
    for split, place, side in (("iid", 0.02, "left"), ("shards", 0.98, "right")):
        colour = COLORS[SPLIT_COLOURS[split]]
        axes.text(place, 1.01, SPLIT_NAMES[split], transform=axes.transAxes, ha=side, color=colour, weight="bold")
