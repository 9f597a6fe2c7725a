"""A small project of two notebooks in a folder of its own, for tests of the pipeline."""

import json
import shutil
from pathlib import Path

import pytest

from edgedl_lib.reproduce.ledger import COLUMNS

ROOT = Path(__file__).resolve().parents[2]


def code_cell(source, *tags):
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source)) % 10**7}",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def write_notebook(path, *cells, data=()):
    parameters = code_cell('profile = "quick"\nseed = 0', "parameters")
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "edgedl": {"data": list(data)},
    }
    content = {"cells": [parameters, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))


def ledger_row(identifier, **cells):
    row = dict.fromkeys(COLUMNS, "")
    row |= dict(
        id=identifier,
        system="A",
        survey_ref="[1]",
        metric="m",
        unit="x",
        kind="ratio",
        reported="2",
        evidence="paper",
        low="1.9",
        high="2.1",
        scale="same",
        measurement="exact",
        rationale="doubling fails",
    )
    return row | {name: str(value) for name, value in cells.items()}


def write_ledger(path, *rows):
    lines = [",".join(COLUMNS)] + [",".join(row[name] for name in COLUMNS) for row in rows]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def mini_project(tmp_path, monkeypatch):
    """A checkout with notebooks ``alpha`` (uses ``figures``, declares ``facts.csv``) and ``beta`` (uses ``source``)."""
    root = tmp_path / "mini"
    for folder in ("notebooks", "data/claims"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "edgedl_lib", root / "edgedl_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "constraints.txt"):
        shutil.copy(ROOT / name, root / name)
    (root / "data" / "facts.csv").write_text("value\n2.0\n")
    for extra in ("only_alpha", "only_beta"):
        (root / "edgedl_lib" / f"{extra}.py").write_text("VALUE = 2.0\n")
    write_ledger(root / "data/claims/alpha.csv", ledger_row("alpha.two"))
    write_notebook(
        root / "notebooks/alpha.ipynb",
        code_cell("from edgedl_lib.reproduce import claim\nfrom edgedl_lib.only_alpha import VALUE"),
        code_cell("claim('alpha.two', VALUE)"),
        data=["data/facts.csv"],
    )
    write_notebook(root / "notebooks/beta.ipynb", code_cell("from edgedl_lib import only_beta\nonly_beta.VALUE"))
    monkeypatch.setenv("EDGEDL_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.chdir(root)
    return root
