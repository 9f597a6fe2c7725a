"""Figures of BlockFL: a race with forks, latency over the block rate, more miners, and a faulty aggregator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.security.blockchain import latency
from edgedl_lib.training.security.blockchain.events import Attempt
from edgedl_lib.training.security.blockchain.setting import Setting
from edgedl_lib.training.security.blockchain.study import RateSweep

END_TEXT = "#8A5300"


def plot_race(axes: Axes, attempts: Sequence[Attempt], setting: Setting) -> None:
    """Miners as rows: searching, and the winner's block on its way; a rival's find is a cross."""
    for each in attempts:
        for miner in range(setting.miners):
            stop = min(
                [when for rival, when in each.rivals if rival == miner], default=each.found + setting.hops[miner]
            )
            stop = each.found if miner == each.winner else stop
            axes.barh(miner, stop - each.mining, 0.55, each.mining, color="#D5DBE0")
        axes.barh(each.winner, each.end - each.found, 0.55, each.found, color=COLORS["edge"])
        axes.plot(each.found, each.winner, "o", color=COLORS["edge"], ms=7)
        for rival, when in each.rivals:
            axes.plot(when, rival, "X", color=COLORS["accent"], ms=9)
        word, colour = ("fork", COLORS["accent"]) if each.forked else ("block", COLORS["edge"])
        axes.text((each.start + each.end) / 2, setting.miners - 0.3, word, ha="center", color=colour, weight="bold")
        axes.axvline(each.end, color=COLORS["neutral"], lw=0.8)
    axes.set(xlabel="time (s)", ylabel="miner", ylim=(-0.6, setting.miners + 0.3), xlim=(0, attempts[-1].end))
    axes.set_yticks(range(setting.miners), [str(miner + 1) for miner in range(setting.miners)])
    axes.grid(False)


def plot_rates(axes: Axes, setting: Setting, sweep: RateSweep) -> None:
    """Latency of an epoch over the block rate: formula, simulation, the best rate and the printed form's."""
    smooth = np.geomspace(sweep.rates[0], sweep.rates[-1], 200)
    axes.plot(smooth, latency.repeated(setting, smooth), color=COLORS["neutral"])
    axes.plot(sweep.rates, sweep.latency, "o", color=COLORS["cloud"], ms=4)
    axes.text(sweep.rates[0], 1.5 * sweep.latency[0], "few blocks:\nwaiting", color=COLORS["neutral"], va="bottom")
    axes.text(
        sweep.rates[-1] * 0.75, sweep.latency[-1], "many:\nforks", color=COLORS["neutral"], ha="right", va="center"
    )
    marks = (
        (latency.best_rate(setting), "edge", "closed form", "center"),
        (latency.printed_rate(setting), "accent", "as printed", "left"),
    )
    for rate, colour, text, side in marks:
        value = float(latency.repeated(setting, rate))
        axes.plot(rate, value, "D", color=COLORS[colour], ms=9)
        where = (rate, 0.66 * value) if side == "center" else (1.1 * rate, 0.72 * value)
        label = f"{text}\n{value:.2f} s"
        axes.text(*where, label, color=COLORS[colour], ha=side, va="top", weight="bold")
    axes.set(xscale="log", yscale="log", xlabel="blocks per second and miner", ylabel="latency of an epoch (s)")
    axes.set_ylim(0.35, None)
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    axes.minorticks_off()


def plot_forks(axes: Axes, setting: Setting, sweep: RateSweep) -> None:
    """Simulated share of forks on the formula."""
    axes.plot(sweep.rates, latency.fork_probability(setting, sweep.rates), color=COLORS["neutral"])
    axes.plot(sweep.rates, sweep.fork, "o", color=COLORS["cloud"], ms=5)
    axes.text(sweep.rates[-1], 0.45, "formula and\nsimulation", color=COLORS["cloud"], ha="right")
    axes.set(xlabel="blocks per second and miner", ylabel="share of attempts that fork", ylim=(0, 1))


def plot_miners(axes: Axes, miners: Sequence[int], least: Sequence[float]) -> None:
    """Least latency over the number of miners."""
    axes.plot(miners, least, "o-", color=COLORS["cloud"])
    for count, value in zip(miners, least, strict=True):
        axes.text(count + 0.2, value - 0.03, f"{value:.2f} s", va="top", color=COLORS["cloud"], weight="bold")
    axes.set(xlabel="miners", ylabel="least latency of an epoch (s)", ylim=(0.7, 1.4), xlim=(0, max(miners) + 2))
    axes.set_xticks(miners)


def plot_faults(axes: Axes, errors: Mapping[str, np.ndarray]) -> None:
    """Error of the median device over the epochs."""
    colours = {"server": ("cloud", COLORS["cloud"]), "chain": ("end", END_TEXT), "verifying": ("edge", COLORS["edge"])}
    texts = {
        "server": "faulty server",
        "chain": "chain, one faulty miner",
        "verifying": "and devices that verify blocks",
    }
    for name, values in errors.items():
        shade, ink = colours[name]
        epochs = np.arange(1, len(values) + 1)
        axes.plot(epochs, values, color=COLORS[shade])
        axes.text(
            len(values) * 1.02, np.exp(np.log(values[-8:]).mean()), texts[name], color=ink, va="center", weight="bold"
        )
    axes.set(
        yscale="log", xlabel="epoch", ylabel="median device's distance\nto the solution", xlim=(1, 1.75 * len(values))
    )
    axes.set_xticks([1, 10, 20, 30])
    axes.minorticks_off()
