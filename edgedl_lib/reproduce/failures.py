"""Describing failed notebooks: the failing cell, its source and its traceback, once."""

from __future__ import annotations

import re
from pathlib import Path

from .dependencies import NotebookError, read_notebook

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def describe_failures(folder: Path) -> list[str]:
    """Return one text for each partial notebook in ``folder/failed``."""
    texts = [f"{path.stem}: {path.read_text(encoding='utf-8')}" for path in sorted((folder / "failed").glob("*.txt"))]
    return texts + [describe_failure(path) for path in sorted((folder / "failed").glob("*.ipynb"))]


def describe_failure(path: Path) -> str:
    """Say which cell of a partial notebook failed, with its source and its traceback."""
    try:
        cells = [cell for cell in read_notebook(path)["cells"] if not _added_by_papermill(cell)]
    except NotebookError:
        return f"{path.stem} stopped before its first cell"
    for number, cell in enumerate(cells, start=1):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                trace = ANSI.sub("", "\n".join(output["traceback"]))
                source = "".join(cell["source"]).rstrip()
                return f"{path.stem} failed in cell {number}:\n{_indented(source)}\n{trace}\n"
    return f"{path.stem} stopped in cell {_last_executed(cells)}: its kernel died or was stopped"


def _added_by_papermill(cell: dict) -> bool:
    added = {"injected-parameters", "papermill-error-cell-tag"}
    return bool(added & set(cell.get("metadata", {}).get("tags", [])))


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


def _last_executed(cells: list[dict]) -> int:
    return max((n for n, cell in enumerate(cells, start=1) if cell.get("execution_count")), default=0) + 1
