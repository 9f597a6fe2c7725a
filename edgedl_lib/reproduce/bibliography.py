"""The bibliography: from the survey's reference list to BibTeX, and a style that keeps the survey's numbers visible.

``python -m edgedl_lib.reproduce.bibliography`` writes ``book/references.bib`` from ``data/survey/references.csv`` and
``data/extra_references.csv``.  Reference [12] of the survey has the key ``ref12`` and the label 12, so a citation
reads [12] and so does its entry in the list.  The module is a Sphinx extension too: it registers the style.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from .project import project_root

_TEX_SPECIALS = re.compile(r"([%&#_$])")
_URL = re.compile(r"<?(https?://[^\s>]+)>?")


@dataclass(frozen=True)
class Reference:
    """One entry: its citation key, the label that the reader sees, and what the list prints."""

    key: str
    label: str
    authors: tuple[str, ...]
    more_authors: bool
    title: str
    venue: str
    year: str
    url: str

    @property
    def short(self) -> str:
        """The entry in three words, ``Kang et al. 2017``; its title where no author is named."""
        return " ".join(part for part in (_short_authors(self) or self.title, self.year) if part)


def survey_references(path: Path) -> list[Reference]:
    """Read the survey's own list (columns number, authors, title, venue, year).

    Raises
    ------
    ValueError
        If the numbers are not 1, 2, 3, ... without a gap.
    """
    rows = _rows(path)
    numbers = [row["number"] for row in rows]
    if numbers != [str(n) for n in range(1, len(rows) + 1)]:
        raise ValueError(f"{path.name}: the column 'number' must run 1, 2, 3, ...; restore it from version control")
    return [_reference(f"ref{row['number']}", row["number"], row) for row in rows]


def extra_references(path: Path) -> list[Reference]:
    """Read the papers that the book cites and the survey does not (columns key, label, authors, ..., url)."""
    return [_reference(row["key"], row["label"], row) for row in _rows(path)]


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _reference(key: str, label: str, row: dict[str, str]) -> Reference:
    authors, more = split_authors(row["authors"])
    venue, url = split_url(row["venue"])
    return Reference(key, label, authors, more, row["title"], venue, row["year"], row.get("url") or url)


def split_authors(text: str) -> tuple[tuple[str, ...], bool]:
    """Split a printed list of authors; the flag says whether it ends in "et al.".

    >>> split_authors("Y. Kang, J. Hauswald, C. Gao et al.")
    (('Y. Kang', 'J. Hauswald', 'C. Gao'), True)
    >>> split_authors("J. Chen and X. Ran")
    (('J. Chen', 'X. Ran'), False)
    """
    more = text.endswith("et al.")
    names = re.split(r",\s+and\s+|\s+and\s+|,\s*", text.removesuffix("et al.").strip(" ,"))
    return tuple(name.strip() for name in names if name.strip()), more


def split_url(venue: str) -> tuple[str, str]:
    """Take the address out of a printed venue: ``("ETSI", "https://...")``.

    >>> split_url("2014. <http://gawwood.com/Paper.pdf")
    ('2014', 'http://gawwood.com/Paper.pdf')
    """
    found = _URL.search(venue)
    if not found:
        return venue, ""
    return venue[: found.start()].strip(" .<"), found.group(1)


def _short_authors(reference: Reference) -> str:
    names = [author.split(". ")[-1] for author in reference.authors]
    if len(names) > 2 or (names and reference.more_authors):
        return f"{names[0]} et al."
    return " and ".join(names)


def bibtex(references: list[Reference]) -> str:
    """Return the text of the BibTeX file."""
    head = "% Written by `python -m edgedl_lib.reproduce.bibliography` from data/survey/references.csv and\n"
    head += "% data/extra_references.csv.  Change those files, not this one.\n"
    return head + "".join(_entry(reference) for reference in references)


def _entry(reference: Reference) -> str:
    fields = {
        "label": reference.label,
        "short": _escape(reference.short),
        "author": _escape(" and ".join((*reference.authors, *(["others"] if reference.more_authors else [])))),
        "title": _escape(reference.title),
        "howpublished": _escape(reference.venue),
        "year": reference.year,
        "url": reference.url,
    }
    lines = [f"  {name} = {{{text}}},\n" for name, text in fields.items() if text]
    return f"\n@misc{{{reference.key},\n{''.join(lines)}}}\n"


def _escape(text: str) -> str:
    return _TEX_SPECIALS.sub(r"\\\1", text.replace("{", "").replace("}", ""))


def current_bibtex(root: Path | None = None) -> str:
    """Return what ``book/references.bib`` must hold, given the two lists in ``data/``."""
    data = (root or project_root()) / "data"
    lists = survey_references(data / "survey" / "references.csv"), extra_references(data / "extra_references.csv")
    return bibtex([*lists[0], *lists[1]])


def setup(app: object) -> dict[str, bool]:
    """Register the style ``survey`` with pybtex when Sphinx loads this module as an extension."""
    from pybtex.plugin import register_plugin

    from .bibliography_style import SurveyStyle

    register_plugin("pybtex.style.formatting", "survey", SurveyStyle, force=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    (project_root() / "book" / "references.bib").write_text(current_bibtex(), encoding="utf-8")
