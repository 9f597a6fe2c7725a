"""One figure style for the whole book: three colours for end, edge and cloud, readable in grey and in the dark."""

from __future__ import annotations

COLORS = {
    "end": "#D98000",
    "edge": "#00875F",
    "cloud": "#00549A",
    "neutral": "#5F6B76",
    "accent": "#8A3FA0",
}
"""Colours by level; ``neutral`` for baselines and guides, ``accent`` for the one thing to look at."""

SETTINGS = {
    "figure.figsize": (7.2, 4.0),
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": "tight",
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5F6B76",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E7EA",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "image.cmap": "viridis",
}


def use_style() -> None:
    """Set the book's figure style for the session; call it once, at the top of a notebook."""
    import matplotlib as mpl
    from cycler import cycler

    order = ("cloud", "end", "edge", "accent", "neutral")
    mpl.rcParams.update(SETTINGS)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=[COLORS[name] for name in order])
