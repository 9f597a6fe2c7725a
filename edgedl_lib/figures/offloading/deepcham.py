"""Figures of DeepCham: the domains, four ways to answer in each, labels against users, and the weight of the fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.horizontal.deepcham.domains import Domain, Photographs
from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.system.estimate import estimate

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type
ARM_COLOURS = {"generic": "neutral", "constrained": "cloud", "adapted": "end", "fused": "edge"}


def plot_photographs(rows: Sequence[Axes], domains: Sequence[Domain], taken: Sequence[Photographs], count: int) -> None:
    """A few photographs of each domain, one strip on each Axes."""
    for axes, domain, photographs in zip(rows, domains, taken, strict=True):
        images = photographs.inputs[:count, 0].numpy()
        framed = np.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=1.5)
        axes.imshow(np.hstack(list(framed)), cmap="gray", vmin=-0.2, vmax=1.2, interpolation="nearest")
        axes.text(-1, images.shape[1] / 2, domain.name, ha="right", va="center")
        axes.set_axis_off()


def plot_arms(axes: Axes, accuracies: np.ndarray, domains: Sequence[Domain], arms: Sequence[str]) -> None:
    """Percent right (seeds, domains, arms): means with their 95 % intervals."""
    for place, arm in enumerate(arms):
        means = [estimate(accuracies[:, domain, place]) for domain in range(len(domains))]
        heights = np.array([each.mean for each in means])
        errors = np.array([(each.mean - each.low, each.high - each.mean) for each in means]).T
        where = np.arange(len(domains)) + 0.2 * (place - 1.5)
        colour = COLORS[ARM_COLOURS[arm]]
        axes.bar(where, heights, 0.18, color=colour, yerr=errors, error_kw={"lw": 1, "ecolor": "black"})
        shade = END_TEXT if arm == "adapted" else colour
        axes.text(1.01, 0.55 - 0.09 * place, arm, color=shade, weight="bold", transform=axes.transAxes)
    axes.set(ylabel="accuracy, other users (%)", xticks=range(len(domains)), ylim=(0, 102))
    axes.set_xticklabels([domain.name for domain in domains])
    axes.grid(False, axis="x")


def plot_labels(axes: Axes, labels: Sequence[int], curves: Mapping[int, np.ndarray], generic: float) -> None:
    """Accuracy of the fused model over labels in all; one curve for each number of users, (seeds, labels)."""
    colours = ("end", "accent", "edge", "cloud")
    for (users, values), colour in zip(curves.items(), colours, strict=False):
        total, mean = users * np.asarray(labels), values.mean(axis=0)
        axes.plot(total, mean, "o-", color=COLORS[colour], ms=5)
        shade = END_TEXT if colour == "end" else COLORS[colour]
        text = f"{users} user{'s' if users > 1 else ''}"
        axes.annotate(text, (total[-1], mean[-1]), (0, 8), textcoords="offset points", color=shade, weight="bold")
    axes.axhline(generic, color=COLORS["neutral"], ls="--")
    axes.text(163, generic + 1.5, "generic model alone", color=COLORS["neutral"], weight="bold", ha="right")
    axes.set(xlabel="labels in all", ylabel="accuracy of the fused model (%)", ylim=(0, 100), xlim=(0, 165))


def plot_weights(axes: Axes, weights: Sequence[float], curves: Mapping[str, np.ndarray], chosen: float) -> None:
    """Accuracy over the weight of the adapted model, mean of (seeds, weights), the best weight of each marked."""
    for (name, values), colour in zip(curves.items(), ("edge", "end", "cloud"), strict=False):
        mean = values.mean(axis=0)
        shade = END_TEXT if colour == "end" else COLORS[colour]
        axes.plot(weights, mean, color=COLORS[colour])
        axes.plot(weights[int(mean.argmax())], mean.max(), "o", color=COLORS[colour], ms=8)
        axes.text(1.02, mean[-1], name, color=shade, weight="bold", va="center")
    axes.axvline(chosen, color=COLORS["neutral"], lw=1, ls="--")
    axes.text(chosen + 0.01, axes.get_ylim()[0] + 1, "ours", color=COLORS["neutral"])
    axes.set(xlabel="weight w of the adapted model", ylabel="accuracy (%)", xlim=(0, 1.0))
