"""Figures of IONN: queries while a network is on its way, what each step buys, and what sharing the link costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.partial.ionn.profile import UnitProfile
from edgedl_lib.offloading.partial.ionn.timeline import UploadTimeline
from edgedl_lib.reproduce.style import COLORS

MILLI = 1e3
LABELS_AT = (78, 30, 64)  # percent of the upload, where a network's name finds room


def plot_stairs(axes: Axes, steps: UploadTimeline, at_once: UploadTimeline, labels: Sequence[str]) -> None:
    """Query time over the time since the upload began: IONN's stairs (a label for each step) and all at once."""
    first, last = 0.3 * steps.arrival[0], 3.2 * at_once.total
    for timeline, colour, style in ((at_once, "neutral", "--"), (steps, "accent", "-")):
        times = np.array([first, *timeline.arrival, last])
        latency = MILLI * np.append(timeline.latency, timeline.latency[-1])
        axes.step(times, latency, where="post", color=COLORS[colour], ls=style, lw=2.4)
    for time, latency, label in zip(steps.arrival, MILLI * steps.latency[1:], labels, strict=True):
        axes.annotate(
            label,
            (time, latency),
            (5, 5),
            textcoords="offset points",
            color=COLORS["accent"],
            weight="bold",
            fontsize=9.5,
        )
    middle = np.sqrt(steps.arrival[-2] * at_once.total)
    where = {"textcoords": "offset points", "color": COLORS["neutral"], "weight": "bold", "ha": "center"}
    axes.annotate("all at once: local until the end", (middle, MILLI * at_once.latency[0]), (0, 6), **where)
    axes.set(xscale="log", xlim=(first, last), ylim=(0, 1.15 * MILLI * at_once.latency[0]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="time since the upload began (s)", ylabel="time of a query (ms)")


def plot_benefit(axes: Axes, profile: UnitProfile, local_share: np.ndarray, byte_share: np.ndarray) -> None:
    """Share of the client's time and of the model's bytes in each unit that has a noticeable part of either."""
    shown = np.flatnonzero((local_share > 0.01) | (byte_share > 0.01))
    position = np.arange(shown.size)
    axes.bar(position - 0.2, 100 * local_share[shown], 0.4, color=COLORS["end"])
    axes.bar(position + 0.2, 100 * byte_share[shown], 0.4, color=COLORS["cloud"])
    axes.set_xticks(position, [profile.names[i] for i in shown], rotation=35, ha="right")
    axes.text(0.02, 0.92, "time on the client", color="#8A5300", weight="bold", transform=axes.transAxes)
    axes.text(0.02, 0.82, "bytes to upload", color=COLORS["cloud"], weight="bold", transform=axes.transAxes)
    axes.set(ylabel="share of the network (%)")
    axes.grid(axis="x", visible=False)


def plot_plans(axes: Axes, profile: UnitProfile, timelines: Mapping[int, UploadTimeline]) -> None:
    """Which step uploads which unit, one row per rate (Mb/s); what is never uploaded stays white."""
    shades = ("#4B1F59", COLORS["accent"], "#C9A3D4")
    for row, timeline in enumerate(timelines.values()):
        arrived = np.zeros(len(profile), bool)
        for plan, shade in zip(timeline.plans, shades, strict=False):
            new = np.flatnonzero(plan & ~arrived)
            axes.barh(np.full(new.size, row), 0.92, left=new - 0.46, height=0.7, color=shade)
            arrived |= plan
    for number, (name, shade) in enumerate(zip(("first", "then", "last"), shades, strict=True)):
        axes.text(0.35 + 0.15 * number, 1.02, name, color=shade, weight="bold", transform=axes.transAxes)
    axes.text(0.78, 1.02, "never: white", color=COLORS["neutral"], weight="bold", transform=axes.transAxes)
    axes.set_yticks(range(len(timelines)), [str(rate) for rate in timelines])
    axes.set_xticks(range(len(profile)), profile.names, rotation=60, ha="right", fontsize=8.5)
    axes.set(ylabel="link (Mb/s)", xlim=(-0.6, len(profile) - 0.4))
    axes.grid(visible=False)


def plot_contention(axes: Axes, rates: Sequence[float], ratios: Mapping[str, Sequence[float]]) -> None:
    """Upload in steps over upload at once, percent longer, by what shares the link (rates in Mb/s)."""
    colours = {"link to itself": "neutral", "queries on the link": "accent"}
    for name, values in ratios.items():
        axes.plot(rates, 100 * (np.asarray(values) - 1), marker="o", color=COLORS[colours[name]])
        where = {"textcoords": "offset points", "color": COLORS[colours[name]], "weight": "bold"}
        axes.annotate(name, (rates[0], 100 * (values[0] - 1)), (6, 8), **where)
    axes.set(xscale="log", xlabel="link (Mb/s)", ylabel="upload in steps takes longer by (%)")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.set_ylim(-3, 1.3 * axes.get_ylim()[1])
    axes.minorticks_off()


def plot_networks(axes: Axes, uploads: Mapping[str, tuple[UploadTimeline, UploadTimeline]]) -> None:
    """Stairs of several networks: query time over local time, against the share of the upload at once that is over."""
    colours = ("accent", "cloud", "end")
    for (name, (steps, at_once)), colour, place in zip(uploads.items(), colours, LABELS_AT, strict=False):
        share = 100 * np.concatenate([[0], steps.arrival, [1.15 * at_once.total]]) / at_once.total
        relative = 100 * np.append(steps.latency, steps.latency[-1]) / steps.latency[0]
        axes.step(share, relative, where="post", color=COLORS[colour])
        at = (place, float(relative[np.searchsorted(share, place, side="right") - 1]))
        shade = "#8A5300" if colour == "end" else COLORS[colour]
        where = {"textcoords": "offset points", "color": shade, "weight": "bold", "ha": "center"}
        axes.annotate(name, at, (0, 5), **where)
    axes.axvline(100, color=COLORS["neutral"], ls="--", lw=1.2)
    axes.text(99, 92, "all at once\nhelps from here", color=COLORS["neutral"], weight="bold", ha="right", va="top")
    axes.set(xlabel="upload at once done (%)", ylabel="time of a query (% of local)", ylim=(0, 104), xlim=(0, 115))
