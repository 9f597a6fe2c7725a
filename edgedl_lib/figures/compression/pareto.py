"""All recipes on one plane: error against size and against measured latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgedl_lib.inference.compression.recipes import Candidate, pareto
from edgedl_lib.reproduce.clickable import Detail
from edgedl_lib.reproduce.style import COLORS

FAMILIES = {
    "reference": (COLORS["neutral"], "o"),
    "pruning and sharing": (COLORS["cloud"], "s"),
    "low rank": (COLORS["accent"], "D"),
    "compact filters": (COLORS["edge"], "^"),
    "distillation": (COLORS["end"], "v"),
    "combined": ("black", "P"),
}
"""Colour and marker of each family: told apart without colour too."""


def details_of(candidates: Sequence[Candidate]) -> list[Detail]:
    """What opens behind each point: its figures and the lines that made it."""
    return [Detail(candidate.recipe.name, _figures(candidate), candidate.recipe.source) for candidate in candidates]


def draw_recipes(candidates: Sequence[Candidate]) -> Figure:
    """Two panels with one linked point per model; those that no other beats are named and joined."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10.5, 4.6), sharey=True)
    _panel(left, candidates, [candidate.stored_bytes / 1e3 for candidate in candidates], "stored size (kB)")
    _panel(right, candidates, [1e6 * candidate.latency for candidate in candidates], "latency at batch 1 (µs)")
    left.set_xscale("log")
    smaller, faster = gains(candidates)
    left.set(ylabel="test error (%)", title=f"{smaller:.0f} times smaller at no more error ...")
    right.set_title(f"... but at most {faster:.1f} times faster")
    for name, (color, marker) in FAMILIES.items():
        if any(candidate.recipe.family == name for candidate in candidates):
            right.scatter([], [], color=color, marker=marker, s=60, label=name)
    figure.legend(loc="outside lower center", ncols=len(FAMILIES), fontsize=9, handletextpad=0.2, columnspacing=1.2)
    return figure


def gains(candidates: Sequence[Candidate]) -> tuple[float, float]:
    """Largest factors of size and of latency among the models that err no more than the reference."""
    (reference,) = (candidate for candidate in candidates if candidate.recipe.family == "reference")
    as_good = [candidate for candidate in candidates if candidate.error <= reference.error]
    smallest = min(candidate.stored_bytes for candidate in as_good)
    fastest = min(candidate.latency for candidate in as_good)
    return reference.stored_bytes / smallest, reference.latency / fastest


def _panel(axes: Axes, candidates: Sequence[Candidate], costs: Sequence[float], label: str) -> None:
    errors = [candidate.error for candidate in candidates]
    front = pareto(np.column_stack([costs, errors]))
    order = front[np.argsort(np.asarray(costs)[front])]
    axes.step(
        np.asarray(costs)[order], np.asarray(errors)[order], where="post", color=COLORS["neutral"], lw=1, zorder=1
    )
    for index, (candidate, cost) in enumerate(zip(candidates, costs, strict=True)):
        color, marker = FAMILIES[candidate.recipe.family]
        alone = index not in front
        points = axes.scatter([cost], [candidate.error], color=color, marker=marker, s=80, alpha=0.5 if alone else 1)
        points.set_urls([f"#{Detail(candidate.recipe.name, '', '').anchor}"])
        if not alone or candidate.recipe.family == "reference":
            axes.annotate(
                candidate.recipe.name, (cost, candidate.error), (6, 5), textcoords="offset points", fontsize=8.5
            )
    axes.margins(x=0.16, y=0.12)
    axes.set_xlabel(label)


def _figures(candidate: Candidate) -> str:
    return (
        f"{candidate.recipe.name}: {candidate.error:.1f} % error, {candidate.stored_bytes / 1e3:.1f} kB, "
        f"{candidate.mac / 1e3:.0f} thousand multiply-accumulates, {1e6 * candidate.latency:.0f} µs"
    )
