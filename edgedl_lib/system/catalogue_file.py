"""Reading a catalogue file, and saying clearly what is wrong with it or with a name looked up in it."""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Iterable
from pathlib import Path


class UnknownName(KeyError):
    """A name that the catalogue does not hold; the message offers the nearest ones."""

    def __str__(self) -> str:
        return self.args[0]


def read_rows(path: str | os.PathLike, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a catalogue file, checked for its columns.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, lacks a column, or has a row of another length.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"the catalogue file {os.fspath(path)} is missing: run from a clone of the repository")
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream, restkey="_surplus")
        rows = list(reader)
    missing = set(columns) - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"{os.fspath(path)} lacks the columns {', '.join(sorted(missing))}: restore the file")
    for number, row in enumerate(rows, start=2):
        if "_surplus" in row or None in row.values():
            raise ValueError(f"row {number} of {os.fspath(path)} does not have {len(reader.fieldnames)} cells")
    return rows


def named_row(rows: dict[str, dict[str, str]], name: str, what: str, extra: Iterable[str] = ()) -> dict[str, str]:
    """The row of that name.

    Raises
    ------
    UnknownName
        If there is none; `extra` names are offered too.
    """
    if name in rows:
        return rows[name]
    folded = {key.casefold(): key for key in (*rows, *extra)}
    near = [folded[key] for key in difflib.get_close_matches(str(name).casefold(), folded, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"{what}_names() lists them."
    raise UnknownName(f"{what} {name!r} is unknown: {hint}")
