"""Figures of networks that are cut as chains: AlexNet, the 48 cases, the moving cut, the data centre."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.partition.chain import ChainCosts, stage_times
from edgedl_lib.inference.studies.neurosurgeon_cases import Case
from edgedl_lib.inference.studies.neurosurgeon_dynamics import PhoneRun
from edgedl_lib.inference.studies.neurosurgeon_replication import Sweep
from edgedl_lib.reproduce.style import COLORS

NETWORK_NAMES = {"wifi": "Wi-Fi", "lte": "LTE", "3g": "3G"}
LINE_STYLES = {"wifi": "-", "lte": "--", "3g": ":"}


def cut_labels(names: Sequence[str]) -> list[str]:
    """Names of the cuts as a reader says them."""
    return ["all in the cloud", *names[1:-1], "all on the phone"]


def plot_stacked_cuts(axes: Axes, costs: ChainCosts, rate: float) -> None:
    """Latency of every cut as a bar of three parts: phone, link, cloud; the best one marked and named in the title."""
    stages = stage_times(costs, rate)
    parts = [1e3 * np.broadcast_to(part, stages.link.shape)[0] for part in (stages.device, stages.link, stages.server)]
    total, cuts = sum(parts), np.arange(len(costs.names) + 1)
    bottom = np.zeros(len(cuts))
    for part, level in zip(parts, ("end", "neutral", "cloud"), strict=True):
        axes.bar(cuts, part, bottom=bottom, color=COLORS[level], width=0.8)
        bottom = bottom + part
    best = int(np.argmin(total))
    axes.annotate(
        f"{costs.cut_names[best]}: {total[best]:.1f} ms",
        (best, total[best]),
        (best, 0.42 * total.max()),
        ha="center",
        color=COLORS["accent"],
        weight="bold",
        arrowprops={"arrowstyle": "-|>", "color": COLORS["accent"], "lw": 1.6},
    )
    axes.set_xticks(cuts, cut_labels(costs.cut_names), rotation=90, fontsize=8.5)
    axes.set(ylabel="latency (ms)", ylim=(0, 1.12 * total.max()), xlim=(-0.7, cuts[-1] + 0.7))
    ahead = min(total[0], total[-1]) / total[best]
    axes.set_title(f"{costs.cut_names[best]} is the best cut, {ahead:.1f} times as fast as the better end")
    axes.grid(axis="x", visible=False)
    _name_parts(axes)


def _name_parts(axes: Axes) -> None:
    texts = (("phone computes", "end"), ("link sends", "neutral"), ("cloud computes", "cloud"))
    for place, (text, level) in enumerate(texts):
        axes.text(
            0.99, 0.95 - 0.075 * place, text, color=COLORS[level], weight="bold", ha="right", transform=axes.transAxes
        )


def plot_layer_profile(times: Axes, sizes: Axes, costs: ChainCosts) -> None:
    """Above the phone's time of every layer, below the bytes that a cut behind it would send."""
    cuts = np.arange(1, len(costs.names) + 1)
    times.bar(cuts, 1e3 * costs.device_latency, color=COLORS["end"])
    heaviest = int(np.argmax(costs.device_latency))
    share = costs.device_latency[heaviest] / costs.device_latency.sum()
    place = (cuts[heaviest], 1e3 * costs.device_latency[heaviest])
    text = f"{costs.names[heaviest]}: {share:.0%} of the time"
    times.annotate(text, place, (-8, -4), textcoords="offset points", ha="right", va="top", color="#8A5300")
    sizes.bar(np.arange(len(cuts)), costs.transfer_bytes[:-1] / 1e3, color=COLORS["neutral"])
    sizes.axhline(costs.transfer_bytes[0] / 1e3, color=COLORS["accent"], lw=1.2, ls="--")
    sizes.annotate(
        "raw image, one byte a pixel",
        (len(cuts) - 0.4, costs.transfer_bytes[0] / 1e3),
        (0, 4),
        textcoords="offset points",
        ha="right",
        color=COLORS["accent"],
    )
    sizes.set_xticks(np.arange(len(cuts)), ["image", *costs.names[:-1]], rotation=90, fontsize=8.5)
    times.set(ylabel="phone (ms)")
    sizes.set(ylabel="to send (KB)")
    for each in (times, sizes):
        each.set_xlim(-0.7, len(cuts) + 0.7)
        each.grid(axis="x", visible=False)


def plot_outside_sweep(axes: Axes, names: Sequence[str], predicted: np.ndarray, sweep: Sweep) -> None:
    """Predicted latency of every cut, and what an independent phone measured at some."""
    position = {name: number for number, name in enumerate(names)}
    axes.plot(1e3 * predicted, color=COLORS["cloud"], marker=".", ms=5)
    axes.annotate("our prediction", (9, 1e3 * predicted[9] + 14), color=COLORS["cloud"], weight="bold", ha="left")
    for name, seconds in sweep.measured:
        given = name in (names[0], names[-1])
        axes.plot(
            position[name],
            1e3 * seconds,
            "o",
            ms=9,
            mfc="white" if given else COLORS["end"],
            color=COLORS["end"],
            mew=2,
        )
        above = name == "fc6"
        axes.annotate(
            f"{1e3 * seconds:.0f}",
            (position[name], 1e3 * seconds),
            (0, 11 if above else -19),
            textcoords="offset points",
            ha="center",
            color="#8A5300",
            weight="bold",
        )
    axes.text(0.3, 12, "filled: measured, unknown to us\nhollow: measured, given to us", color="#8A5300", fontsize=9)
    axes.set_xticks(range(len(names)), cut_labels(names), rotation=90, fontsize=8.5)
    axes.set(ylabel="latency (ms)", ylim=(0, 1.15e3 * max(predicted)))


def plot_cases(axes: Axes, cases: Sequence[Case]) -> None:
    """Gain over cloud-only of every case: a row an application, a mark a case, filled where the cut lies inside."""
    codes = list(dict.fromkeys(case.code for case in cases))[::-1]
    colours = {"wifi": COLORS["edge"], "lte": COLORS["accent"], "3g": COLORS["end"]}
    offsets = {"wifi": 0.24, "lte": 0.0, "3g": -0.24}
    for case in cases:
        row = codes.index(case.code) + offsets[case.network]
        colour = colours[case.network]
        axes.plot(
            case.gain,
            row,
            "o" if case.phone == "phone GPU" else "s",
            color=colour,
            ms=7,
            mew=1.6,
            mfc=colour if case.inside else "white",
        )
    for network, place in (("wifi", 0.97), ("lte", 0.91), ("3g", 0.85)):
        axes.text(
            0.985,
            place,
            NETWORK_NAMES[network],
            color=colours[network],
            weight="bold",
            ha="right",
            va="top",
            transform=axes.transAxes,
        )
    axes.text(
        0.985,
        0.77,
        "circle: phone with a GPU\nsquare: phone with a CPU\nfilled: a cut inside",
        fontsize=8.5,
        ha="right",
        va="top",
        transform=axes.transAxes,
    )
    axes.axvline(1, color=COLORS["neutral"], lw=1)
    axes.set_yticks(range(len(codes)), codes)
    axes.set(xscale="log", xlabel="cloud-only latency over latency of the chosen cut")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.grid(axis="y", visible=False)


def plot_predicted_layers(axes: Axes, profiles) -> None:
    """Predicted against measured time of every layer of every application, in ms."""
    colours = {"vision": COLORS["cloud"], "language": COLORS["end"]}
    for times in profiles:
        axes.loglog(
            1e3 * times.measured, 1e3 * times.predicted, "o", color=colours[times.application.domain], alpha=0.5, ms=4.5
        )
    bounds = np.array([min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])])
    axes.plot(bounds, bounds, color="black", lw=1)
    axes.plot(bounds, 2 * bounds, bounds, bounds / 2, color=COLORS["neutral"], lw=0.8, ls="--")
    axes.text(0.04, 0.93, "vision", color=COLORS["cloud"], weight="bold", transform=axes.transAxes)
    axes.text(0.04, 0.86, "language", color="#8A5300", weight="bold", transform=axes.transAxes)
    axes.text(
        0.97, 0.05, "dashed: a factor of two", color=COLORS["neutral"], ha="right", fontsize=9, transform=axes.transAxes
    )
    axes.set(xlabel="measured (ms)", ylabel="predicted (ms)", xlim=bounds, ylim=bounds)


def plot_regret(axes: Axes, latency: Sequence[Case], energy: Sequence[Case]) -> None:
    """Regret of the 48 decisions, sorted, for both objectives."""
    for cases, colour, name in ((latency, "cloud", "latency"), (energy, "end", "energy")):
        regret = np.sort([case.regret for case in cases])[::-1]
        axes.step(np.arange(1, len(regret) + 1), regret, where="mid", color=COLORS[colour])
        text = f"{name}: {sum(case.hit for case in cases)} of {len(cases)} within 5 %"
        axes.text(
            0.97,
            0.9 if name == "latency" else 0.82,
            text,
            color=COLORS[colour],
            weight="bold",
            ha="right",
            transform=axes.transAxes,
        )
    axes.axhline(5, color=COLORS["neutral"], lw=1, ls="--")
    axes.set(xlabel="cases, worst first", ylabel="lost by the prediction (%)")


def plot_dynamics(axes: Sequence[Axes], trace, runs: dict[str, PhoneRun], load) -> None:
    """Three strips over time: the link's rate and the server's load, the adaptive cut, the latency of every policy."""
    rate, cut, latency = axes
    colours = {"all in the cloud": "cloud", "cut of the first day": "neutral", "adaptive": "end"}
    rate.plot(trace.time, trace.rate / 1e6, color=COLORS["edge"], lw=1.2)
    rate.set(ylabel="LTE (Mbit/s)")
    busy = rate.twinx()
    busy.plot(trace.time, 100 * load(trace.time), color=COLORS["accent"], lw=1.2, ls="--")
    busy.set(ylim=(0, 105))
    busy.set_ylabel("cloud's load (%)", color=COLORS["accent"])
    busy.grid(False)
    cut.step(runs["adaptive"].start, runs["adaptive"].cut, where="post", color=COLORS["end"], lw=1.2)
    cut.set(ylabel="layers on\nthe phone", ylim=(-1, 25), yticks=(0, 15, 23))
    for name, run in runs.items():
        latency.semilogy(run.start, 1e3 * run.latency, color=COLORS[colours[name]], lw=1.1)
        latency.text(
            1.01 * trace.time[-1],
            1e3 * np.percentile(run.latency, 80),
            name,
            color=COLORS[colours[name]],
            weight="bold",
            va="center",
            fontsize=9,
        )
    latency.set(xlabel="time (s)", ylabel="latency (ms)")
    for each in axes:
        each.set_xlim(trace.time[0], 1.22 * trace.time[-1])


def plot_server(axes: Axes, rates: np.ndarray, latencies: dict[str, np.ndarray], capacity: dict[str, float]) -> None:
    """95th percentile latency at the server against the offered load; a line ends where the server is full."""
    colours = {
        "everything sent": "cloud",
        "partitioned, Wi-Fi": "edge",
        "partitioned, LTE": "accent",
        "partitioned, 3G": "end",
    }
    for place, (name, latency) in enumerate(latencies.items()):
        colour = COLORS[colours[name]]
        axes.semilogy(rates, 1e3 * latency, color=colour)
        axes.axvline(capacity[name], color=colour, lw=1, ls=":")
        axes.text(
            0.99,
            0.06 + 0.08 * place,
            name,
            color=colour,
            weight="bold",
            ha="right",
            transform=axes.transAxes,
            fontsize=9.5,
        )
    axes.set(xlabel="queries per second, all applications alike", ylabel="95th percentile at the server (ms)")
