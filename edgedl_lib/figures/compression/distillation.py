"""Figures of distillation: softened answers, errors of lessons, and who gains from a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.inference.compression.taught.edge_students import EdgeStudy
from edgedl_lib.reproduce.style import COLORS

SUPPLY_MARKS = {"few": ("o", "end"), "all": ("s", "cloud")}


def plot_softened(axes: Axes, logits: np.ndarray, temperatures: Sequence[float]) -> None:
    """The teacher's answer to one image, (classes,) logits, as probabilities at several temperatures."""
    width = 0.8 / len(temperatures)
    for place, (temperature, color) in enumerate(zip(temperatures, ("neutral", "cloud", "end"), strict=False)):
        scaled = np.exp((logits - logits.max()) / temperature)
        left = np.arange(len(logits)) + (place - (len(temperatures) - 1) / 2) * width
        axes.bar(left, scaled / scaled.sum(), width, color=COLORS[color], label=f"T = {temperature:g}")
    axes.set(xlabel="class", ylabel="probability", yscale="log", ylim=(1e-5, 1.5))
    axes.set_xticks(range(len(logits)))
    axes.legend(ncols=len(temperatures), loc="upper right", bbox_to_anchor=(1, 1.13), fontsize=9)
    axes.grid(axis="x", visible=False)


def plot_lessons(axes: Axes, errors: Mapping[str, Sequence[float]], teacher: float) -> None:
    """Test error of one student after different lessons: a dot per seed, a bar for the mean; dashed the teacher."""
    rows = np.arange(len(errors))[::-1]
    for row, (name, values) in zip(rows, errors.items(), strict=True):
        color = COLORS["neutral"] if "hard" in name else COLORS["cloud"]
        axes.plot(values, np.full(len(values), row), "o", color=color, alpha=0.5, ms=7)
        axes.plot(np.mean(values), row, "|", color="black", ms=18, mew=2.5)
        text = f"{np.mean(values):.1f}"
        axes.annotate(text, (max(values), row), (9, 0), textcoords="offset points", va="center", weight="bold")
    axes.axvline(teacher, color=COLORS["accent"], linewidth=1.4, linestyle="--")
    axes.annotate("teacher", (teacher, rows[0] + 0.45), (3, 0), textcoords="offset points", color=COLORS["accent"])
    axes.set_yticks(rows, list(errors))
    axes.set(xlabel="test error of the student (%)", xlim=(0, None), ylim=(-0.6, len(errors) - 0.1))
    axes.grid(axis="y", visible=False)


def plot_gains(axes: Axes, study: EdgeStudy) -> None:
    """Gain of every student and technique with its paired interval, few and all labels; zero is the student alone."""
    pairs = list(dict.fromkeys((c.student, c.technique) for c in study.combinations()))
    rows = {pair: row for row, pair in enumerate(reversed(pairs))}
    for combination in study.combinations():
        mark, color = SUPPLY_MARKS[combination.supply]
        gain = study.gain(combination)
        row = rows[combination.student, combination.technique] + (0.14 if combination.supply == "few" else -0.14)
        axes.plot(gain.interval, (row, row), color=COLORS[color], linewidth=2.2)
        axes.plot(gain.mean, row, mark, color=COLORS[color], ms=7)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(list(rows.values()), [f"{student}: {technique}" for student, technique in rows])
    for boundary in (2.5, 5.5):
        axes.axhline(boundary, color="#C9CFD4", linewidth=0.8)
    for supply, (mark, color) in SUPPLY_MARKS.items():
        axes.plot([], [], mark, color=COLORS[color], label=f"{supply} labels")
    axes.legend(loc="lower right", fontsize=9)
    axes.set(xlabel="points of test accuracy gained over the same student alone (95 % interval)")
    axes.grid(axis="y", visible=False)
