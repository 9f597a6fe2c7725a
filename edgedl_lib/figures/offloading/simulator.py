"""Figures of the simulator: lines that explode, a scenario with one value changed, shared work, a board that leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.system.queue_theory import md1_wait, mm1_wait, mmk_wait, sharing_latency
from edgedl_lib.system.queueing import QueueRun
from edgedl_lib.system.simulator.measure import ScenarioRun
from edgedl_lib.system.simulator.queues import QueueCheck
from edgedl_lib.system.simulator.study import Sweep

QUEUE_COLOURS = {"M/M/1": COLORS["end"], "M/D/1": COLORS["cloud"], "M/M/4": COLORS["edge"]}
THEORY = {
    "M/M/1": lambda load: mm1_wait(load, 1.0),
    "M/D/1": lambda load: md1_wait(load, 1.0),
    "M/M/4": lambda load: [mmk_wait(4 * each, 1.0, 4) for each in load],
}
LABELS = {
    "M/M/1": "random work,\none server",
    "M/D/1": "constant work,\none server",
    "M/M/4": "random work,\nfour servers",
}
SHARING_NAMES = {"fifo": "first come, first served", "sharing": "processor sharing"}
END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
MEGABIT = 1e6


def plot_explosion(axes: Axes, checks: Sequence[QueueCheck], highest: float = 0.95) -> None:
    """Mean wait over load: lines of theory, and what was simulated."""
    load = np.linspace(0.02, highest, 300)
    for queue, colour in QUEUE_COLOURS.items():
        axes.plot(load, THEORY[queue](load), color=colour)
        points = [(check.load, check.simulated.mean) for check in checks if check.queue == queue]
        axes.plot(*np.transpose(points), "o", color=colour, ms=6, mec="white", mew=1)
        colour = END_TEXT if queue == "M/M/1" else colour
        end = float(THEORY[queue](np.array([highest]))[0])
        axes.text(1.015, end, LABELS[queue], color=colour, weight="bold", va="center")
    axes.axvline(1.0, color=COLORS["neutral"], ls=":")
    axes.text(1.015, 0.5, "no steady state", color=COLORS["neutral"], va="bottom")
    axes.set(xlabel="load (work that arrives per second over work done per second)", xlim=(0, 1.27), ylim=(0, None))
    axes.set_ylabel("mean wait (service times)")
    axes.set_xticks([0, 0.3, 0.6, 0.8, 0.9, 1.0])


def plot_sweep(axes: Axes, result: Sweep, limit: float) -> None:
    """Latency percentiles over the rate of a connection (bit/s), and the rate at which its load is 1."""
    rate = result.values / MEGABIT
    styles = (("half of them", "-", 1.0), ("95 of 100", "--", 0.97), ("99 of 100\nare faster", ":", 1.09))
    for column, (name, style, shift) in enumerate(styles):
        milliseconds = 1e3 * result.latency[:, column]
        axes.plot(rate, milliseconds, style, color=COLORS["edge"], marker="o", ms=4)
        axes.text(rate[-1] * 1.03, milliseconds[-1] * shift, name, color=COLORS["edge"], weight="bold", va="center")
    axes.axvspan(rate[0] * 0.8, limit / MEGABIT, color=COLORS["neutral"], alpha=0.15, lw=0)
    axes.text(limit / MEGABIT * 0.985, 40, "refused", color=COLORS["neutral"], ha="right", va="center", rotation=90)
    axes.set(xscale="log", yscale="log", xlabel="rate of the Wi-Fi (Mbit/s)", ylabel="latency (ms)")
    axes.set_xlim(limit / MEGABIT * 0.9, rate[-1] * 1.6)
    axes.set_xticks([8, 10, 20, 40, 80], ["8", "10", "20", "40", "80"])
    axes.set_yticks([30, 100, 300, 1000, 3000], ["30", "100", "300", "1,000", "3,000"])
    axes.minorticks_off()


def plot_sharing(axes: Axes, works: np.ndarray, runs: Mapping[str, QueueRun], load: float) -> None:
    """Mean latency over the size of a job, by discipline; theory for sharing as a line."""
    edges = np.geomspace(0.02, 20, 11)
    bins = np.digitize(works, edges)
    sizes = np.array([works[bins == number].mean() for number in range(1, len(edges))])
    colours = {"fifo": COLORS["end"], "sharing": COLORS["edge"]}
    for discipline, run in runs.items():
        means = [run.latency[bins == number].mean() for number in range(1, len(edges))]
        axes.loglog(sizes, means, "o", color=colours[discipline], ms=6)
    line = np.geomspace(sizes[0], sizes[-1], 50)
    axes.plot(line, sharing_latency(load, line, 1.0), color=colours["sharing"])
    axes.plot(line, line, color=COLORS["neutral"], ls=":")
    axes.text(0.04, 13.0, SHARING_NAMES["fifo"], color=END_TEXT, weight="bold")
    axes.text(0.13, 0.5, SHARING_NAMES["sharing"], color=colours["sharing"], weight="bold", ha="right")
    axes.text(1.6, 0.85, "alone on the device", color=COLORS["neutral"], weight="bold")
    axes.set(xlabel="work of the job (s)", ylabel="mean latency (s)")
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.minorticks_off()


def plot_failure(axes: Axes, run: ScenarioRun) -> None:
    """Latency of each job over its arrival, and when the device was away."""
    failure = run.scenario.failures[0]
    done = ~run.lost
    milliseconds = 1e3 * (run.finish - run.arrival)
    axes.axvspan(failure.at, failure.until, color=COLORS["neutral"], alpha=0.15, lw=0)
    axes.plot(run.arrival[done], milliseconds[done], ".", color=COLORS["end"], ms=5)
    top = milliseconds[done].max() * 1.18
    axes.text((failure.at + failure.until) / 2, top * 0.97, f"{failure.what} is away", ha="center", va="top")
    redone = milliseconds[done].argmax()
    axes.annotate(
        "its tile is done again elsewhere",
        (run.arrival[done][redone], milliseconds[done][redone]),
        xytext=(failure.at - 3, milliseconds[done].max()),
        ha="right",
        va="center",
        arrowprops={"arrowstyle": "-", "color": COLORS["neutral"]},
    )
    axes.set(xlabel="arrival of the picture (s)", ylabel="latency (ms)", ylim=(0, top), xlim=(0, run.scenario.duration))
