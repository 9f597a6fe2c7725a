"""Figures of sketched and structured updates: distortion of codecs, bytes to accuracy, step sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.communication.sketched.rounds import Trace

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
TRANSFORM_COLOURS = {"none": "neutral", "rotation": "cloud", "Kashin": "accent"}
TRANSFORM_PLACES = {"none": (1.15, 1.1), "rotation": (2.2, 2.2), "Kashin": (1.1, 0.02)}  # bits; times the error there
MEGABYTE = 1e6


def plot_distortion(axes: Axes, bits: Sequence[int], table: Mapping[str, np.ndarray], labels: bool = False) -> None:
    """Distortion over bits a coefficient for each transform, on one kind of vector."""
    for name, values in table.items():
        colour = COLORS[TRANSFORM_COLOURS[name]]
        axes.plot(bits, values, "o-", color=colour)
        if labels:
            place, factor = TRANSFORM_PLACES[name]
            height = np.exp(np.interp(place, bits, np.log(values))) * factor
            axes.text(place, height, name, color=colour, weight="bold")
    axes.set(yscale="log", xlabel="bits a coefficient", xticks=list(bits))


def family_colour(name: str) -> str:
    """One colour for each kind of method."""
    families = {"low rank": "end", "mask": "edge", "I,": "cloud", "HD,": "cloud", "uncompressed": "neutral"}
    return COLORS[next((colour for start, colour in families.items() if name.startswith(start)), "accent")]


def bytes_to(traces: Sequence[Trace], target: float, direction: str) -> float:
    """Geometric mean over seeds of the megabytes to the target; infinite if one seed never gets there."""
    return float(np.exp(np.mean(np.log([trace.bytes_to(target, direction) for trace in traces])))) / MEGABYTE


def plot_bytes(
    uplink: Axes, downlink: Axes, traces: Mapping[str, Sequence[Trace]], targets: tuple[float, float]
) -> None:
    """Megabytes to two accuracies, one row for each variant, both directions on the same logarithmic axis."""
    lower, higher = targets
    names = sorted(traces, key=lambda name: -bytes_to(traces[name], lower, "uplink"))
    for axes, direction in ((uplink, "uplink"), (downlink, "downlink")):
        for row, name in enumerate(names):
            colour = family_colour(name)
            reached = [bytes_to(traces[name], target, direction) for target in targets]
            axes.plot(reached[0], row, "o", mfc="white", mec=colour, mew=1.8)
            if np.isfinite(reached[1]):
                axes.plot(reached, [row, row], color=colour, zorder=0)
                axes.plot(reached[1], row, "o", color=colour)
        axes.set(xscale="log", xlabel=f"{direction} to the accuracy (MB)", ylim=(-0.7, len(names) - 0.3))
        axes.set_xlim(0.008, 40)
    uplink.set_yticks(range(len(names)), names)
    for tick, name in zip(uplink.get_yticklabels(), names, strict=True):
        tick.set_color(END_TEXT if family_colour(name) == COLORS["end"] else family_colour(name))
    downlink.text(0.011, len(names) - 1, f"hollow {100 * lower:.0f} %\nfull {100 * higher:.0f} %", va="top")


def mean_curve(traces: Sequence[Trace]) -> np.ndarray:
    """Mean accuracy (%) over seeds."""
    return 100 * np.mean([trace.accuracy for trace in traces], axis=0)


def plot_rounds(axes: Axes, traces: Mapping[str, Sequence[Trace]], labels: Mapping[str, float]) -> None:
    """Mean accuracy over rounds; `labels` says at which accuracy each name stands beside the end of its curve."""
    longest = max(len(mean_curve(runs)) for runs in traces.values()) - 1
    for name, runs in traces.items():
        curve, colour = mean_curve(runs), family_colour(name)
        thin = "6.25" in name or "shared" in name
        axes.plot(curve, color=colour, lw=1.6 if thin else 2.4, ls="--" if "shared" in name else "-")
        text = END_TEXT if colour == COLORS["end"] else colour
        axes.text(longest * 1.02, labels.get(name, curve[-1]), name, va="center", color=text)
    axes.set(xlabel="round", ylabel="test accuracy (%)", xlim=(0, longest * 1.33), ylim=(0, 102))
    axes.set_xticks(range(0, longest + 1, 5))
