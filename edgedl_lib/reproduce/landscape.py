"""The survey's landscape (its Fig. 3) as a map of chapters: an inline SVG whose boxes are links.

Five enablers on the ground of two fundamentals.  Inference makes applications fast, training supplies them with models,
edge computing carries both, and deep learning in turn optimises the edge.  A chapter that exists is a link; a planned
one is grey and says so.  The text takes the page's colours, so the map follows the theme.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

Row = Mapping[str, str]
CHIP, GAP, PAD, HEAD, ARROW = 34, 8, 14, 54, 26
LABEL = "Map of the survey: five enablers on the fundamentals of edge computing and deep learning"


@dataclass(frozen=True)
class Block:
    """A box of the landscape: its key in ``data/chapters.csv``, the survey's number, a title and what it does."""

    key: str
    number: str
    title: str
    role: str


BLOCKS = {
    block.key: block
    for block in (
        Block("outlook", "IX", "Open challenges", "what nobody has solved yet"),
        Block("applications", "IV", "Applications on the edge", "what it is for: edge intelligence"),
        Block("optimising", "VIII", "Optimising the edge", "deep learning runs the edge: intelligent edge"),
        Block("inference", "V", "Inference in the edge", "makes applications fast enough"),
        Block("training", "VII", "Training at the edge", "supplies the models"),
        Block("computing", "VI", "Edge computing for deep learning", "hardware, modes and platforms that carry it all"),
        Block("ground", "II, III", "Fundamentals", "edge computing and deep learning"),
    )
}


@dataclass(frozen=True)
class Slot:
    """Where a block stands: left edge, width and number of columns of chips, in a row of the map."""

    key: str
    x: int
    width: int
    columns: int


WIDE = (
    (Slot("outlook", 0, 900, 1),),
    (Slot("applications", 0, 435, 1), Slot("optimising", 465, 435, 1)),
    (Slot("inference", 0, 435, 1), Slot("training", 465, 435, 1)),
    (Slot("computing", 0, 900, 2),),
    (Slot("ground", 0, 900, 2),),
)
TALL = tuple((Slot(key, 0, 400, 1),) for key in BLOCKS)


@dataclass(frozen=True)
class Chapters:
    """The planned chapters, the names of those that the book holds, and the way to their pages."""

    rows: Sequence[Row]
    existing: Collection[str]
    up: str

    def of(self, block: str) -> list[Row]:
        """The chapters of one block, in the survey's order."""
        return [row for row in self.rows if row["block"] == block]


def landscape(rows: Sequence[Row], existing: Collection[str], up: str = "../notebooks/") -> str:
    """Return the map twice, for wide and for narrow screens; the style sheet shows one of them.

    Parameters
    ----------
    rows : sequence of mappings
        The rows of ``data/chapters.csv``: notebook, title, survey_section, block.
    existing : collection of str
        The names of the notebooks that the book holds.
    up : str
        The way from the page to the notebooks.
    """
    chapters = Chapters(rows, existing, up)
    maps = _map("wide", WIDE, 900, chapters) + _map("tall", TALL, 400, chapters)
    return f'<div class="edgedl-landscape">\n{maps}</div>\n'


def _map(name: str, slots: Sequence[Sequence[Slot]], width: int, chapters: Chapters) -> str:
    parts, y = [], 2
    for number, row in enumerate(slots):
        height = max(_height(slot, chapters) for slot in row)
        parts += [_block(slot, y, height, chapters) for slot in row]
        y += height
        if number < len(slots) - 1:
            parts += [_arrow(slot.x + slot.width // 2, y) for slot in slots[number + 1]]
            y += ARROW
    return (
        f'<svg class="edgedl-map edgedl-map-{name}" viewBox="-2 0 {width + 4} {y + 2}" role="group" '
        f'aria-label="{LABEL}">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _height(slot: Slot, chapters: Chapters) -> int:
    lines = -(-len(chapters.of(slot.key)) // slot.columns)
    return HEAD + lines * (CHIP + GAP) + PAD - GAP


def _arrow(x: int, y: int) -> str:
    return f'<path class="edgedl-map-arrow" d="M{x} {y + 23}V{y + 5}m-5 6 5-6 5 6" aria-hidden="true"/>'


def _block(slot: Slot, y: int, height: int, chapters: Chapters) -> str:
    block, left = BLOCKS[slot.key], slot.x + PAD
    return (
        f'<rect class="edgedl-map-block" x="{slot.x}" y="{y}" width="{slot.width}" height="{height}" rx="10"/>'
        f'<text class="edgedl-map-title" x="{left}" y="{y + 24}">'
        f'<tspan class="edgedl-map-number">{block.number}</tspan> {html.escape(block.title)}</text>'
        f'<text class="edgedl-map-role" x="{left}" y="{y + 43}">{html.escape(block.role)}</text>'
        + "".join(_chips(slot, y + HEAD, chapters))
    )


def _chips(slot: Slot, y: int, chapters: Chapters) -> Iterator[str]:
    width = (slot.width - 2 * PAD - (slot.columns - 1) * GAP) // slot.columns
    for number, row in enumerate(chapters.of(slot.key)):
        line, column = divmod(number, slot.columns)
        yield _chip(row, slot.x + PAD + column * (width + GAP), y + line * (CHIP + GAP), width, chapters)


def _chip(row: Row, x: int, y: int, width: int, chapters: Chapters) -> str:
    built = row["notebook"] in chapters.existing
    title, section = html.escape(row["title"]), html.escape(row["survey_section"])
    drawing = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{CHIP}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 22}">{title}</text>'
        f'<text class="edgedl-map-tag" x="{x + width - 10}" y="{y + 22}">{section if built else "planned"}</text>'
    )
    if not built:
        return f'<g class="edgedl-map-chip edgedl-map-planned">{drawing}</g>'
    href = f"{chapters.up}{row['notebook']}.html"
    return f'<a class="edgedl-map-chip" href="{href}" aria-label="{title}, section {section}">{drawing}</a>'
