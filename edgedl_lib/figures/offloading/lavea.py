"""Figures of LAVEA: speed-ups, a flow shop, the selection over the uplink, the schemes, old reports, and a city."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from edgedl_lib.offloading.horizontal.lavea import flow_shop, frames
from edgedl_lib.offloading.horizontal.lavea.city import CityRun, TraceRun
from edgedl_lib.offloading.horizontal.lavea.study import SpeedUps
from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
SCHEME_COLOURS = {
    "front only": "neutral",
    "random": "neutral",
    "STTF": "end",
    "SQLF": "cloud",
    "SSLF": "accent",
    "SSLF as reported": "edge",
}
JOB_SHADES = ("#B9D8CB", "#00875F")
MEGABIT = 1e6


def shade(name: str) -> str:
    """Colour of a scheme's text."""
    return END_TEXT if SCHEME_COLOURS[name] == "end" else COLORS[SCHEME_COLOURS[name]]


def plot_speed_ups(local: Axes, cloud: Axes, speeds: SpeedUps, reported: Mapping[str, tuple[float, float]]) -> None:
    """Speed-ups over frame sizes beside the range that the paper reports."""
    labels = [f"{width}×{height}" for width, height in frames.SIZES]
    positions = np.arange(len(labels))
    for axes, name in ((local, "local"), (cloud, "cloud")):
        axes.axhspan(*reported[name], color="#E3E7EA", zorder=0)
        axes.set(xlabel="frame (pixels)", xlim=(-0.4, len(labels) - 0.6), ylim=(0, 1.15 * reported[name][1]))
        axes.set_xticks(positions, labels, fontsize=9)
        axes.text(-0.3, reported[name][1], "reported range", va="bottom", color=COLORS["neutral"])
        axes.grid(axis="x", visible=False)
    for row, colour, text in ((0, "end", frames.SLOW_CLIENT.name), (1, "accent", frames.FAST_CLIENT.name)):
        local.plot(positions, speeds.over_local[row], "o-", color=COLORS[colour])
        color = END_TEXT if colour == "end" else COLORS[colour]
        local.text(0, speeds.over_local[row][0] + 0.1, text, color=color, weight="bold")
    cloud.plot(positions, speeds.over_cloud, "o-", color=COLORS["cloud"])
    local.set(ylabel="speed-up of the edge (×)", title="against the client itself")
    cloud.set(title="against the cloud")


def plot_flow_shop(axes: Axes, jobs: flow_shop.Jobs, orders: Mapping[str, np.ndarray]) -> None:
    """Uploads above, processing below, for each order; the last job's end is written beside."""
    height = 0.38
    for row, (name, order) in enumerate(orders.items()):
        base = -1.15 * row
        uploads = np.cumsum(jobs.upload[order]) - jobs.upload[order]
        done = flow_shop.completion_times(jobs, order)
        services = done - jobs.processing[order]
        for rank, job in enumerate(order):
            for start, width, level, colour in (
                (uploads[rank], jobs.upload[job], base, JOB_SHADES[0]),
                (services[rank], jobs.processing[job], base - height, JOB_SHADES[1]),
            ):
                axes.barh(level, width, height * 0.92, start, color=colour, edgecolor="white", linewidth=1.2)
                ink = "white" if colour == JOB_SHADES[1] else "#123A2C"
                if width > 0.09:
                    axes.text(start + width / 2, level, str(job + 1), ha="center", va="center", color=ink, fontsize=9)
        axes.text(done[-1] + 0.04, base - height, f"{done[-1]:.2f} s", va="center", weight="bold")
        axes.text(-0.08, base - height / 2, name, ha="right", va="center")
    axes.text(0.02, 0.32, "upload", color="#3E7F68", weight="bold")
    axes.text(0.75, 0.32, "processing, below", color=COLORS["edge"], weight="bold")
    axes.set(xlabel="time (s)", yticks=[], ylim=(-1.15 * len(orders) + 0.45, 0.62))
    axes.set_xlim(0, 1.12 * flow_shop.makespan(jobs, np.array(list(orders.values()))).max())
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)


def plot_selection(axes: Axes, rates: np.ndarray, responses: Mapping[str, np.ndarray], offloaded: np.ndarray) -> None:
    """Total response of six cameras over the uplink that they share; above, which share of the tasks leaves."""
    colours = {"all local": "end", "all at the edge": "edge", "selected": "accent"}
    for name, values in responses.items():
        axes.plot(rates / MEGABIT, values, color=COLORS[colours[name]], lw=3 if name == "selected" else 2)
    lowest, local = responses["selected"].min(), responses["all local"][0]
    axes.text(rates[0] / MEGABIT, 1.12 * local, "all local", color=END_TEXT, weight="bold")
    crossing = np.argmax(responses["all at the edge"] < 2.5 * local)
    where = (1.12 * rates[crossing] / MEGABIT, 2.3 * local)
    axes.text(*where, "all at the edge", color=COLORS["edge"], weight="bold")
    for index in np.linspace(0, len(rates) - 1, 6).astype(int):
        text = f"{offloaded[index]:.0%}"
        spot = (rates[index] / MEGABIT, responses["selected"][index] * 0.86)
        axes.text(*spot, text, color=COLORS["accent"], ha="center", va="top", weight="bold", fontsize=9)
    axes.text(rates[0] / MEGABIT, 0.86 * lowest, "selected; the share of tasks at the edge", color=COLORS["accent"])
    axes.set(xscale="log", yscale="log", xlabel="uplink that all share (Mbit/s)", ylabel="total response (s)")
    axes.set(ylim=(0.7 * lowest, 3 * local))
    axes.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    axes.set_yticks([2, 5, 10], ["2", "5", "10"])
    axes.minorticks_off()


def plot_schemes(axes: Axes, means: Mapping[str, np.ndarray], rates: Sequence[float]) -> None:
    """Mean response of every scheme: a dot for each seed and a bar for their mean, at each arrival rate."""
    names = list(means)
    for column, rate in enumerate(rates):
        for row, name in enumerate(names):
            y = -row + 0.17 * (1 - 2 * column)
            values = means[name][column]
            axes.plot(values, np.full(len(values), y), "o", color=COLORS[SCHEME_COLOURS[name]], ms=4, alpha=0.45)
            axes.plot([values.mean()] * 2, [y - 0.13, y + 0.13], color=COLORS[SCHEME_COLOURS[name]], lw=3)
            text = f"  {values.mean():.2g} s at {rate} jobs/s" if values.mean() < 100 else f"  {values.mean():.0f} s"
            axes.text(values.max() * 1.08, y, text, va="center", color=shade(name), fontsize=9)
    axes.set(xscale="log", xlabel="mean response (s)", xlim=(0.4, 2000))
    axes.set_yticks([-row for row in range(len(names))], names)
    axes.set_xticks([0.5, 1, 10, 100, 1000], ["0.5", "1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)


def plot_old_reports(axes: Axes, periods: Sequence[float], means: Mapping[str, np.ndarray]) -> None:
    """Mean response over the time between two reports."""
    for name, values in means.items():
        style = "--" if name == "SSLF as reported" else "-"
        axes.plot(periods, values, style, marker="o", color=COLORS[SCHEME_COLOURS[name]])
    ends = _spread(np.log([values[-1] for values in means.values()]), 0.22)
    for (name, _), height in zip(means.items(), ends, strict=True):
        axes.text(periods[-1] * 1.12, np.exp(height), name, color=shade(name), weight="bold", va="center")
    axes.set(xscale="log", yscale="log", xlabel="seconds between two reports", ylabel="mean response (s)")
    axes.set_xlim(periods[0] * 0.85, periods[-1] * 5)
    axes.set_xticks(periods, [f"{period:g}" for period in periods])
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Heights pushed up until no two labels are closer than `gap`."""
    placed = np.array(heights, dtype=float)
    order = np.argsort(placed)
    for low, high in zip(order[:-1], order[1:], strict=True):
        placed[high] = max(placed[high], placed[low] + gap)
    return placed


def plot_city(axes: Axes, city: CityRun, loads: np.ndarray, flows: np.ndarray | None = None) -> None:
    """A map: users tied to their site, sites sized by load, and how many jobs go from site to site.

    Parameters
    ----------
    loads : numpy.ndarray, shape (S,)
        What a site's disc shows; above 1 it is drawn in the accent colour.
    flows : numpy.ndarray, shape (S, S), optional
        Jobs per second.
    """
    sites, users = city.places.metres(city.places.servers), city.places.metres(city.places.users)
    ties = np.stack([users, sites[city.places.server_of_user]], axis=1)
    axes.add_collection(LineCollection(ties, colors=COLORS["end"], linewidths=0.5, alpha=0.35))
    axes.plot(*users.T, ".", color=COLORS["end"], ms=2.5, alpha=0.8)
    if flows is not None:
        both = flows + flows.T
        first, second = np.nonzero(np.triu(both) > 0.02 * both.max())
        width = 6 * both[first, second] / both.max()
        lines = np.stack([sites[first], sites[second]], axis=1)
        axes.add_collection(LineCollection(lines, colors=COLORS["cloud"], linewidths=width, alpha=0.55))
    over = loads > 1
    for chosen, colour in ((~over, "edge"), (over, "accent")):
        axes.scatter(
            *sites[chosen].T, s=70 * loads[chosen] + 4, color=COLORS[colour], edgecolor="white", lw=0.7, zorder=3
        )
    axes.set_aspect("equal")
    axes.set(xlabel="metres east", ylabel="metres north")
    axes.locator_params(axis="x", nbins=5)  # of two maps side by side, long labels would run into each other
    axes.grid(False)


def plot_trace(rate: Axes, response: Axes, run: TraceRun) -> None:
    """Above the recorded uplink, below the total response of six cameras."""
    rate.plot(run.time, run.rate / MEGABIT, color=COLORS["neutral"], lw=1.3)
    rate.set(ylabel="uplink (Mbit/s)", yscale="log")
    rate.set_yticks([1, 10], ["1", "10"])
    rate.minorticks_off()
    ceiling = 1.6 * run.all_local.max()
    series = (("all_edge", "edge", 1.3), ("all_local", "end", 1.8), ("selected", "accent", 2.2))
    for name, colour, width in series:
        response.plot(run.time, np.minimum(getattr(run, name), 2 * ceiling), color=COLORS[colour], lw=width)
    response.set(xlabel="time (s)", ylabel="total response (s)", ylim=(0, ceiling))
    labels = (
        ("all at the edge", COLORS["edge"], 0.95),
        ("all local", END_TEXT, 0.66),
        ("selected", COLORS["accent"], 0.4),
    )
    for text, colour, height in labels:
        response.text(1.01, height, text, color=colour, weight="bold", va="top", transform=response.transAxes)
