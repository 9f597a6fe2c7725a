"""Keeping notebooks clean for version control: outputs stay only where a test compares them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .dependencies import read_notebook
from .project import project_root

COMPARED = "nbval-check-output"


def tidied(content: dict) -> dict:
    """Return a notebook without outputs, execution counts and editor metadata, except in cells that tests compare.

    nbval compares only cells that carry an execution count, so those of compared cells are numbered in order.
    """
    cells = []
    for cell in content["cells"]:
        cell = {**cell, "metadata": {k: v for k, v in cell["metadata"].items() if k not in ("execution", "papermill")}}
        if cell["cell_type"] == "code":
            compared = COMPARED in cell["metadata"].get("tags", [])
            cell["outputs"] = [_text_only(output) for output in cell["outputs"]] if compared else []
            cell["execution_count"] = 1 if compared else None
        cells.append(cell)
    metadata = {key: content["metadata"][key] for key in ("edgedl", "kernelspec") if key in content["metadata"]}
    metadata["language_info"] = {"name": "python"}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _text_only(output: dict) -> dict:
    if "data" not in output:
        return output
    kept = {"data": {"text/plain": output["data"].get("text/plain", [])}, "metadata": {}}
    return {**output, **kept, **({"execution_count": 1} if output["output_type"] == "execute_result" else {})}


def tidy_command(*, check: bool = False, folder: Path | None = None) -> int:
    """Tidy every notebook; with ``check``, only say which would change, and return 1 if one would."""
    changed = []
    for path in sorted((folder or project_root() / "notebooks").glob("*.ipynb")):
        text = json.dumps(tidied(read_notebook(path)), indent=1, ensure_ascii=False) + "\n"
        if text != path.read_text(encoding="utf-8"):
            changed.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in changed:
        print(f"{name} {'is not tidy; run: edgedl tidy' if check else 'tidied'}", file=sys.stderr)
    return 1 if check and changed else 0
