"""Tables as HTML: plain in a notebook, and in the book sortable and filterable by ``book/_static/tables.js``."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True)
class Column:
    """One column: the key of its cells, the head that readers see, and whether a dropdown filters it."""

    key: str
    head: str
    filtered: bool = False


@dataclass(frozen=True)
class Cell:
    """The HTML of one cell, what it sorts by and what its filter calls it, where these differ from its text."""

    html: str
    order: str = ""
    filter_as: str = ""


def link_numbers(text: str, up: str = "") -> str:
    """Escape ``text`` and link every [n] to the bibliography; ``up`` leads to its folder.

    >>> link_numbers("see [12] & [161]", up="../")[:50]
    'see <a href="../bibliography.html#ref12">[12]</a> '
    """
    return _NUMBER.sub(rf'<a href="{up}bibliography.html#ref\1">[\1]</a>', html.escape(text))


def html_table(identifier: str, caption: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return a table that ``tables.js`` makes sortable and that reads well without it; it has no empty line."""
    heads = "".join(f'<th scope="col"{" data-dropdown" if c.filtered else ""}>{c.head}</th>' for c in columns)
    body = "\n".join(f"<tr>{''.join(_td(column, row[column.key]) for column in columns)}</tr>" for row in rows)
    return (
        f'<div class="edgedl-table-box" tabindex="0" role="region" aria-label="{html.escape(caption)}">\n'
        f'<table class="edgedl-table" id="{identifier}">\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
    )


def _td(column: Column, cell: Cell) -> str:
    order = f' data-order="{html.escape(cell.order)}"' if cell.order else ""
    filter_as = f' data-filter-as="{html.escape(cell.filter_as)}"' if cell.filter_as else ""
    return f'<td data-label="{column.head}"{order}{filter_as}>{cell.html}</td>'


@dataclass(frozen=True)
class ShownTable:
    """A table that a notebook shows as plain HTML, and the book as one that sorts and filters."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def show_table(
    rows: Sequence[Mapping[str, object]], identifier: str, caption: str, filtered: Collection[str] = ()
) -> ShownTable:
    """Return ``rows`` as a table for a notebook's cell; in the book readers sort it, and filter by ``filtered``.

    Parameters
    ----------
    rows : sequence of mappings
        The rows, for instance ``frame.to_dict("records")``; the keys of the first are the heads.
    identifier, caption : str
        The table's HTML id, unique on its page, and what stands above it.
    filtered : collection of str
        The columns that get a dropdown.

    Raises
    ------
    ValueError
        If there are no rows, or ``filtered`` names a column that is not there.
    """
    if not rows:
        raise ValueError(f"the table {caption!r} has no rows; check the file it is drawn from")
    if unknown := set(filtered) - set(rows[0]):
        raise ValueError(f"no column is called {sorted(unknown)[0]!r}; there are {', '.join(map(str, rows[0]))}")
    columns = [Column(key, html.escape(str(key)), key in filtered) for key in rows[0]]
    return ShownTable(html_table(identifier, caption, columns, [{k: _plain(v) for k, v in r.items()} for r in rows]))


def _plain(value: object) -> Cell:
    if isinstance(value, float):
        return Cell("–", order="-1e99") if math.isnan(value) else Cell(f"{value:,.4g}", order=f"{value:.10g}")
    return Cell(link_numbers(str(value), "../book/"), order=str(value) if isinstance(value, int) else "")
