"""Figures of the adaptive aggregation period: loss over the period, the period over time, and over clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS
from edgedl_lib.training.communication.adaptive.descent import FIXED_PERIODS, Descent
from edgedl_lib.training.communication.adaptive.study import Comparison

CASE_NAMES = {1: "uniform", 2: "one node per two labels", 3: "all data everywhere", 4: "half and half"}
LABEL_HEIGHTS = {1: 55, 2: 18, 3: 110, 4: 7}  # where the lines spend most of their time
CASE_COLOURS = {1: "cloud", 2: "end", 3: "edge", 4: "accent"}


def plot_losses(panels: Sequence[Axes], cases: Mapping[int, Sequence[Comparison]]) -> None:
    """Loss over the fixed period in each case, and where the controller stands at its mean period."""
    for axes, (case, runs) in zip(panels, cases.items(), strict=True):
        fixed = np.mean([[run.loss for run in each.fixed] for each in runs], axis=0)
        period = np.mean([each.adaptive.mean_period for each in runs])
        loss = np.mean([each.adaptive.loss for each in runs])
        axes.semilogx(FIXED_PERIODS, fixed, "o-", color=COLORS["neutral"], markersize=4)
        axes.plot(period, loss, "D", color=COLORS["accent"], markersize=9, zorder=5)
        axes.annotate(
            "adaptive",
            (period, loss),
            (0, 12),
            textcoords="offset points",
            color=COLORS["accent"],
            ha="center",
            weight="bold",
        )
        axes.set_title(CASE_NAMES[case], fontsize=10.5)
        axes.set(xlabel="local steps per aggregation")
        axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    panels[0].set_ylabel("loss after 15 s")


def plot_periods(axes: Axes, cases: Mapping[int, Sequence[Comparison]]) -> None:
    """The period that the controller chose over simulated time, first seed of each case."""
    for case, runs in cases.items():
        run = runs[0].adaptive
        axes.step(run.times, (*run.periods, run.periods[-1]), where="post", color=COLORS[CASE_COLOURS[case]])
        ink = "#8A5300" if case == 2 else COLORS[CASE_COLOURS[case]]
        axes.text(15.1, LABEL_HEIGHTS[case], CASE_NAMES[case], color=ink, weight="bold", va="center")
    axes.set_yscale("log")
    axes.set(xlabel="simulated time (s)", ylabel="local steps per aggregation", xlim=(0, 15), ylim=(0.8, 130))
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])


def plot_gap(axes: Axes, gaps: np.ndarray, bounds: np.ndarray, rounds: int) -> None:
    """Distance from centralised descent and its bound over the first rounds."""
    period = gaps.shape[1]
    for index in range(rounds):
        steps = index * period + np.arange(2, period + 1)  # at one step both are zero
        axes.semilogy(steps, bounds[index, 1:], color=COLORS["neutral"], linewidth=1.5)
        axes.semilogy(steps, gaps[index, 1:], color=COLORS["accent"], linewidth=2.5)
    middle = 0.55 * period
    axes.text(middle, 1.6 * bounds[0, period // 2], "bound h(x)", color=COLORS["neutral"], ha="right")
    axes.text(middle, 0.4 * gaps[0, period // 2], "measured", color=COLORS["accent"], weight="bold")
    axes.set(xlabel="local step", ylabel="distance from\ncentralised descent", xlim=(0, rounds * period))


def plot_clients(left: Axes, right: Axes, runs: Mapping[int, Mapping[int, Comparison]]) -> None:
    """Loss over that of the best fixed period, and the mean period, over the number of clients."""
    counts = list(runs)
    for case, colour, name in ((1, "cloud", "uniform"), (2, "end", "by label")):
        ink = COLORS[colour] if case == 1 else "#8A5300"
        ratios = [runs[count][case].ratio for count in counts]
        periods = [runs[count][case].adaptive.mean_period for count in counts]
        left.semilogx(counts, ratios, "o-", color=COLORS[colour])
        right.loglog(counts, periods, "o-", color=COLORS[colour])
        right.text(counts[0] * 1.15, periods[0] * 1.15, name, color=ink, weight="bold")
    best = np.array(
        [[run.fixed[0].loss / run.fixed[run.best].loss for run in cases.values()] for cases in runs.values()]
    )
    left.semilogx(counts, best.mean(axis=1), ":", color=COLORS["neutral"])
    left.text(
        counts[-1], best.mean(axis=1)[-1] - 0.02, "always one step", color=COLORS["neutral"], ha="right", va="top"
    )
    left.set(ylabel="loss over the best fixed period's (×)", ylim=(0.95, None))
    right.set(ylabel="local steps per aggregation", ylim=(2, 100))
    right.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    for axes in (left, right):
        axes.set(xlabel="clients")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()


def plot_budgets(axes: Axes, budgets: Sequence[float], runs: Sequence[Descent]) -> None:
    """Mean period over the budget, with the loss that was reached."""
    periods = [run.mean_period for run in runs]
    axes.loglog(budgets, periods, "o-", color=COLORS["accent"])
    for budget, period, run in zip(budgets, periods, runs, strict=True):
        axes.annotate(
            f"loss {run.loss:.3f}",
            (budget, period),
            (0, 9),
            textcoords="offset points",
            color=COLORS["neutral"],
            ha="center",
        )
    axes.set(xlabel="budget (s)", ylabel="local steps per aggregation", ylim=(min(periods) / 1.5, max(periods) * 1.8))
    axes.set(xlim=(min(budgets) / 1.6, max(budgets) * 1.6))
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
    axes.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes.set_ylim(min(periods) / 1.5, max(periods) * 1.8)
    axes.minorticks_off()
