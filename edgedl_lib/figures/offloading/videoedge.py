"""Figures of VideoEdge: planners over the number of queries, scarcity, the Pareto band, and a city over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from edgedl_lib.offloading.vertical.videoedge.city import CameraCity, UplinkRun
from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem
from edgedl_lib.offloading.vertical.videoedge.study import Scarcity, SizeStudy
from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
MEGABIT = 1e6
LINES = (
    ("bound", "neutral", "--", "bound"),
    ("greedy", "accent", "-", "VideoEdge"),
    ("fair", "edge", "-", "fair shares"),
    ("thinned", "cloud", "--", "network-blind, lost frames thin the rate"),
    ("blind", "cloud", "-", "network-blind, lost frames answered wrongly"),
)


def plot_sizes(axes: Axes, study: SizeStudy) -> None:
    """Mean accuracy of every planner over the number of queries; thin lines are seeds."""
    for name, colour, style, label in LINES:
        values = getattr(study, name)
        axes.plot(study.sizes, values, color=COLORS[colour], lw=0.6, alpha=0.4)
        axes.plot(study.sizes, values.mean(axis=1), style, color=COLORS[colour], marker="o", ms=4)
        if name not in ("bound", "greedy"):
            height = values.mean(axis=1)[-1] + (0.03 if name == "blind" else 0.0)
            axes.text(
                study.sizes[-1] + 0.6, height, label, color=COLORS[colour], weight="bold", va="center", fontsize=9
            )
    top = study.bound.mean(axis=1)[-1]
    axes.text(study.sizes[-1] + 0.6, top + 0.05, "bound (dashed)", color=COLORS["neutral"], weight="bold", fontsize=9)
    axes.text(study.sizes[-1] + 0.6, top, "VideoEdge", color=COLORS["accent"], weight="bold", va="center", fontsize=9)
    axes.set(xlabel="queries", ylabel="mean accuracy", ylim=(0, 1), xticks=study.sizes)


def plot_scarcity(axes: Axes, scarcity: Scarcity) -> None:
    """Greedy and fair accuracy while all capacities shrink."""
    axes.plot(scarcity.scales, scarcity.greedy, "o-", color=COLORS["accent"])
    axes.plot(scarcity.scales, scarcity.fair, "o-", color=COLORS["edge"])
    nobody = scarcity.scales[scarcity.fair == 0]
    if nobody.size:
        axes.axvspan(scarcity.scales.min() * 0.85, nobody.max(), color="#E3E7EA", zorder=0)
        middle = np.sqrt(scarcity.scales.min() * nobody.max())
        axes.text(
            middle, 0.62, "a fair share serves\nnobody: the factor\nhas no limit", color=COLORS["neutral"], ha="center"
        )
    axes.text(0.33, 0.64, "VideoEdge", color=COLORS["accent"], weight="bold", ha="right")
    axes.text(0.45, 0.36, "fair shares", color=COLORS["edge"], weight="bold")
    axes.set(xscale="log", xlabel="capacity (% of the scenario's)", ylabel="mean accuracy", ylim=(-0.02, 0.9))
    axes.set_xticks([0.01, 0.03, 0.1, 0.3, 1.0], ["1", "3", "10", "30", "100"])
    axes.minorticks_off()


def plot_band(axes: Axes, problem: PlanProblem, kept: np.ndarray, query: int = 0) -> None:
    """All configurations of one query by dominant demand and accuracy; the band around the front is filled."""
    mine = problem.query == query
    for chosen, colour, label in ((mine & ~kept, "neutral", "left out"), (mine & kept, "accent", "in the band")):
        axes.plot(problem.dominant[chosen], problem.accuracy[chosen], ".", color=COLORS[colour], ms=5, label=label)
    axes.text(0.03, 0.92, "in the band", color=COLORS["accent"], weight="bold", transform=axes.transAxes)
    axes.text(0.72, 0.08, "left out", color=COLORS["neutral"], weight="bold", transform=axes.transAxes)
    axes.set(xscale="log", xlabel="dominant demand (share of its resource)", ylabel="accuracy", ylim=(0, 1))


def plot_band_factors(axes: Axes, factors: Sequence[float], lost: np.ndarray, outside: np.ndarray) -> None:
    """Accuracy lost and configurations left out, over the width of the band."""
    axes.plot(factors, outside, "o-", color=COLORS["neutral"])
    axes.plot(factors, 10 * lost, "o-", color=COLORS["accent"])
    axes.text(
        factors[-1], outside[-1] + 5, "configurations left out (%)", color=COLORS["neutral"], ha="right", weight="bold"
    )
    axes.text(factors[-1], 10 * lost[-1] + 5, "accuracy lost (‰)", color=COLORS["accent"], ha="right", weight="bold")
    axes.set(xlabel="width of the band (factor)", ylabel="% and ‰", ylim=(-3, 100), xticks=factors)


def plot_camera_city(axes: Axes, city: CameraCity) -> None:
    """A map: cameras tied to the private cluster that serves them, the other users and sites pale."""
    sites, users = city.places.metres(city.places.servers), city.places.metres(city.places.users)
    cameras, clusters = users[city.cameras], sites[city.sites]
    axes.plot(*users.T, ".", color="#D9DDE0", ms=2)
    axes.plot(*sites.T, "s", color="#C3DDD2", ms=3)
    ties = np.stack([cameras, clusters[city.cluster]], axis=1)
    axes.add_collection(LineCollection(ties, colors=COLORS["end"], linewidths=1.0, alpha=0.6))
    axes.plot(*cameras.T, "o", color=COLORS["end"], ms=5, mec="white", mew=0.5)
    axes.plot(*clusters.T, "s", color=COLORS["edge"], ms=8, mec="white", mew=0.7)
    axes.set_aspect("equal")
    axes.set(xlabel="metres east", ylabel="metres north")
    axes.grid(False)


def plot_uplinks(axes: Axes, run: UplinkRun) -> None:
    """Mean accuracy over time under three ways to plan."""
    for name, colour in (("once", "neutral"), ("late", "cloud"), ("anew", "accent")):
        axes.plot(run.time, getattr(run, name), "o-", color=COLORS[colour], ms=4)
    labels = (("anew", "accent", "at once"), ("late", "cloud", "one period late"), ("once", "neutral", "never"))
    heights = _spread(np.array([getattr(run, name)[-1] for name, _, _ in labels]), 0.05)
    for (_, colour, text), height in zip(labels, heights, strict=True):
        axes.text(run.time[-1] * 1.03, height, text, color=COLORS[colour], weight="bold", va="center", clip_on=False)
    axes.set(xlabel="time (s)", ylabel="mean accuracy", ylim=(0, 1))


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Heights pushed down until no two labels are closer than `gap`."""
    placed = np.array(heights, dtype=float)
    order = np.argsort(-placed)
    for high, low in zip(order[:-1], order[1:], strict=True):
        placed[low] = min(placed[low], placed[high] - gap)
    return placed
