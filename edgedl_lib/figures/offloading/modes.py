"""The four modes side by side: latency, energy, bytes and accuracy over the rate of the air."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.offloading.modes.study import ModeResult
from edgedl_lib.reproduce.style import COLORS

MODE_STYLES = {
    "end alone": ("neutral", "--"),
    "integral": ("edge", "-"),
    "partial": ("accent", "-"),
    "vertical": ("cloud", "-"),
    "horizontal": ("end", "-"),
}
PANELS: tuple[tuple[str, Callable[[ModeResult], float]], ...] = (
    ("mean latency (ms)", lambda result: 1e3 * result.latency),
    ("energy of the cameras\nper picture (mJ)", lambda result: 1e3 * result.energy),
    ("bytes over the air per picture", lambda result: result.sent_bytes),
    ("accuracy (%)", lambda result: 100 * result.accuracy),
)


def plot_modes(panels: Sequence[Axes], results: Sequence[ModeResult]) -> None:
    """Four panels over the rate; a mode that cannot keep up with the pictures has no point."""
    for axes, (label, value) in zip(panels, PANELS, strict=True):
        for mode, (colour, line) in MODE_STYLES.items():
            mine = [result for result in results if result.mode == mode]
            heights = [value(result) if np.isfinite(result.latency) else np.nan for result in mine]
            rates = [result.rate for result in mine]
            axes.plot(rates, heights, line, color=COLORS[colour], marker=".", ms=6, label=mode)
        axes.set(xscale="log", xlabel="rate of the air (bit/s)", ylabel=label)
    climbing = [result for result in results if result.mode == "vertical"]
    slowest = [1e3 * result.slowest for result in climbing]
    panels[0].plot([result.rate for result in climbing], slowest, ":", color=COLORS["cloud"], lw=1.2)
    panels[0].annotate(
        "its 95th percentile", (climbing[-1].rate, slowest[-1]), (0, 4), textcoords="offset points", ha="right",
        color=COLORS["cloud"], fontsize=8.5,
    )  # fmt: skip
    panels[3].set_ylim(90, 100)
    panels[0].set_yscale("log")
    panels[1].set_yscale("log")
    panels[0].figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(MODE_STYLES))
