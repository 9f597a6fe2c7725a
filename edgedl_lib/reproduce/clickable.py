"""A figure whose points are links: click one, and what stands behind it opens below.

The figure is written into the page as SVG, because a picture that is loaded as an image has no links.  It needs no
script: browsers open the fold that holds the target of a link (``book/_static/edgedl.js`` does it for older ones).
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Detail:
    """What stands behind a point: an anchor, a line that names it, and the text that opens."""

    name: str
    summary: str
    text: str

    @property
    def anchor(self) -> str:
        """The id that the point links to."""
        return "detail-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class ClickableFigure:
    """Shows itself as SVG with one fold per detail below."""

    svg: str
    details: tuple[Detail, ...]
    alt: str

    def _repr_html_(self) -> str:
        folds = "".join(
            f"<details><summary>{html.escape(detail.summary)}</summary>"
            f'<pre id="{detail.anchor}">{html.escape(detail.text)}</pre></details>'
            for detail in self.details
        )
        picture = self.svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(self.alt)}" ', 1)
        return f'<div class="edgedl-clickable">{picture}{_without_empty_lines(folds)}</div>'


def clickable(figure: Figure, details: Sequence[Detail], alt: str) -> ClickableFigure:
    """Turn a figure whose artists have the urls of ``details`` into one that a reader can click.

    Parameters
    ----------
    figure : matplotlib Figure
        Its points carry ``set_urls(["#" + detail.anchor, ...])``.  It is closed.
    details : sequence of Detail
    alt : str
        What the figure shows, for those who cannot see it.

    Raises
    ------
    ValueError
        Two details with one anchor, a detail that no point links to, or no alternative text.
    """
    import matplotlib as mpl
    from matplotlib import pyplot

    anchors = [detail.anchor for detail in details]
    if len(set(anchors)) != len(anchors):
        raise ValueError(f"two points share an anchor: {sorted(anchors)}; give them different names")
    if not alt.strip():
        raise ValueError("the figure needs an alternative text: say what it shows")
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": anchors[0] if anchors else "edgedl"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    svg = file.getvalue()
    if unlinked := [anchor for anchor in anchors if f'"#{anchor}"' not in svg]:
        raise ValueError(f"no point links to {unlinked[0]!r}; set the urls of the points to '#' + anchor")
    return ClickableFigure(_inline(svg), tuple(details), alt)


def _inline(svg: str) -> str:
    """The <svg> element alone, as wide as its column at most; no empty line would survive Markdown."""
    element = svg[svg.index("<svg ") :]
    element = element.replace(' target="_blank"', "")  # the target is on this page
    element = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'style="width:100%;height:auto"', element, count=1)
    return _without_empty_lines(re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.S))


def _without_empty_lines(text: str) -> str:
    return re.sub(r"\n\s*\n", "\n&#8203;\n" if "<pre" in text else "\n", text)
