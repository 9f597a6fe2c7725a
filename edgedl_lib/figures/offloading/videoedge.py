"""Figures of VideoEdge: planners by number of queries, the Pareto band of one query, a city, uplinks that change."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from edgedl_lib.offloading.vertical.videoedge.baselines import BlindRun
from edgedl_lib.offloading.vertical.videoedge.city import CityPlan, Replanning
from edgedl_lib.offloading.vertical.videoedge.pareto import pareto_band
from edgedl_lib.offloading.vertical.videoedge.problem import PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import GRID, LEVELS, PLACEMENTS
from edgedl_lib.offloading.vertical.videoedge.study import SizeStudy
from edgedl_lib.reproduce.style import COLORS

PLANNERS = (
    ("bound", "bound of the linear relaxation", "neutral", "--"),
    ("greedy", "VideoEdge's greedy", "accent", "-"),
    ("fair", "fair shares", "edge", "-"),
    ("thinned", "blind to the network, lost frames thin the stream", "cloud", ":"),
    ("blind", "blind to the network, lost frames are wrong", "cloud", "-"),
)
LEVEL_COLOURS = dict(zip(range(len(LEVELS)), ("end", "edge", "cloud"), strict=True))


def plot_blind(axes: Axes, run: BlindRun) -> None:
    """Accuracy that a planner blind to the network expects of each query, and the frames that arrive."""
    places = np.arange(len(run.planned))
    axes.bar(places, 100 * run.planned, color=COLORS["neutral"], label="accuracy as planned")
    axes.bar(places, 100 * run.arriving, 0.5, color=COLORS["cloud"], label="frames that arrive")
    axes.set(xlabel="query", ylabel="share (%)", xticks=places, ylim=(0, 115))
    axes.legend(loc="upper left", ncols=2)


def plot_planners(axes: Axes, study: SizeStudy) -> None:
    """Mean accuracy of each planner over the number of queries."""
    for key, label, colour, line in PLANNERS:
        axes.plot(study.sizes, getattr(study, key).mean(axis=1), line, color=COLORS[colour], marker=".", label=label)
    axes.set(xlabel="queries over four cameras", ylabel="mean accuracy", ylim=(0, 1), xticks=study.sizes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=9)


def plot_band(axes: Axes, problem: PlanProblem, query: int = 0, factor: float = 1.5) -> None:
    """All configurations of one query: accuracy over dominant demand, the band in full colour, by detector's place."""
    mine = problem.query == query
    kept = pareto_band(problem, factor)[mine]
    share, accuracy = problem.dominant[mine], problem.accuracy[mine]
    where = np.array([first for first, _ in PLACEMENTS])[np.arange(GRID.count) % len(PLACEMENTS)]
    for level, colour in LEVEL_COLOURS.items():
        here = where == level
        axes.plot(share[here & ~kept], accuracy[here & ~kept], ".", color=COLORS[colour], alpha=0.18, ms=5)
        axes.plot(
            share[here & kept],
            accuracy[here & kept],
            "o",
            color=COLORS[colour],
            ms=5,
            label=f"detector: {LEVELS[level]}",
        )
    axes.set(xscale="log", xlabel="dominant demand (share of the scarcest resource)", ylabel="accuracy of the query")
    axes.legend()


def plot_city(axes: Axes, city: CityPlan) -> None:
    """Cameras coloured by the accuracy of their queries, tied to their sites."""
    places = city.places
    servers, users = places.metres(places.servers) / 1e3, places.metres(places.users[city.users]) / 1e3
    home = servers[places.server_of_user[city.users]]
    axes.add_collection(LineCollection(np.stack([users, home], axis=1), colors=COLORS["neutral"], linewidths=1))
    axes.plot(*servers.T, "s", color=COLORS["edge"], ms=3, alpha=0.5)
    shown = axes.scatter(*users.T, c=city.accuracy, s=60, cmap="viridis", vmin=0.6, vmax=1, zorder=3)
    axes.figure.colorbar(shown, ax=axes, label="mean accuracy of the camera's queries")
    axes.set(xlabel="km east", ylabel="km north", aspect="equal")


def plot_replanning(rate: Axes, accuracy: Axes, run: Replanning) -> None:
    """The uplink, and what the two planners make of it."""
    rate.step(run.time, run.rate / 1e6, where="post", color=COLORS["neutral"])
    rate.set(ylabel="uplink of a\ncamera (Mb/s)", ylim=(0, None))
    for values, label, colour in ((run.anew, "planned anew", "accent"), (run.once, "one plan", "cloud")):
        accuracy.step(run.time, values, where="post", color=COLORS[colour], label=label)
    accuracy.set(xlabel="time (s)", ylabel="mean accuracy", ylim=(0, 1))
    accuracy.legend(loc="lower right", ncols=2)
