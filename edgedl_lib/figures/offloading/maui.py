"""Figures of MAUI: a call graph and its plan, what distance leaves of the saving, and a plan that grows stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.partial.maui.call_graph import CallGraph, OffloadPlan
from edgedl_lib.offloading.partial.maui.study import RoundTripSweep
from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_call_graph(
    axes: Axes, graph: CallGraph, plan: OffloadPlan, positions: Mapping[str, tuple[float, float]]
) -> None:
    """Methods as discs in the colour of their side, with what they cost the phone; calls with what cutting costs."""
    for call in graph.calls:
        (x0, y0), (x1, y1) = positions[call.caller], positions[call.callee]
        cut = (call.caller in plan.remote) != (call.callee in plan.remote)
        colour = COLORS["accent"] if cut else COLORS["neutral"]
        axes.plot([x0, x1], [y0, y1], color=colour, lw=3 if cut else 1.5, zorder=1)
        label = {"ha": "center", "va": "center", "color": colour, "weight": "bold", "fontsize": 9.5}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text((x0 + x1) / 2, (y0 + y1) / 2, f"{call.energy:.2g} J", bbox=box, zorder=2, **label)
    for method in graph.methods:
        x, y = positions[method.name]
        side = "edge" if method.name in plan.remote else "end"
        axes.scatter([x], [y], s=2600, color=COLORS[side], zorder=3)
        name = f"{method.name}\n{method.gain:.2f} J"
        axes.text(x, y, name, ha="center", va="center", color="white", weight="bold", fontsize=9, zorder=4)
    axes.margins(0.25)
    axes.set_axis_off()


def plot_sweeps(axes: Axes, sweeps: Sequence[RoundTripSweep]) -> None:
    """Percent of the phone's energy that the best plan saves, over the round-trip time, one line per program."""
    for sweep, colour in zip(sweeps, ("cloud", "end", "accent"), strict=False):
        percent = 100 * sweep.savings / sweep.local_energy
        axes.plot(sweep.round_trips_ms, percent, color=COLORS[colour])
        shade = END_TEXT if colour == "end" else COLORS[colour]
        at, shift, side = (4, (6, 9), "left") if colour != "accent" else (8, (-8, -8), "right")
        where = {"textcoords": "offset points", "color": shade, "weight": "bold", "ha": side, "va": "center"}
        axes.annotate(sweep.program, (sweep.round_trips_ms[at], percent[at]), shift, **where)
    axes.set(xlabel="round-trip time (ms)", ylabel="energy saved (% of local)", ylim=(-3, 106))


def plot_run_time(axes: Axes, round_trips: np.ndarray, energies: Mapping[str, np.ndarray]) -> None:
    """Energy of each run of a program, by policy; the link changes at the dashed line."""
    colours = {"plan from before": "neutral", "decided anew": "accent", "always local": "end"}
    runs = np.arange(1, len(round_trips) + 1)
    for name, energy in energies.items():
        style = "--" if name == "always local" else "-"
        axes.step(runs, energy, where="mid", color=COLORS[colours[name]], ls=style)
        shade = END_TEXT if name == "always local" else COLORS[colours[name]]
        below = name == "decided anew"
        where = {"textcoords": "offset points", "color": shade, "weight": "bold", "va": "center"}
        place = (runs[-1], energy[-1] - 0.09 if below else energy[-1])
        axes.annotate(name, place, (6, 0), annotation_clip=False, **where)
    change = int(np.argmax(round_trips != round_trips[0]))
    axes.axvline(change + 0.5, color=COLORS["neutral"], ls=":", lw=1.4)
    text = f" round trip\n {1e3 * round_trips[0]:.0f} to {1e3 * round_trips[-1]:.0f} ms"
    axes.text(change + 0.4, axes.get_ylim()[1], text, color=COLORS["neutral"], ha="right", va="top")
    axes.set(xlabel="run of the program", ylabel="energy of the phone (J)", xlim=(1, runs[-1]))
