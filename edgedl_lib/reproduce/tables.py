"""The survey's Tables I to VII as HTML that readers sort and filter, and as a glossary.

Pure functions from rows to text.  The files are in ``data/survey``; where the survey misprints a cell,
``data/survey/errata.csv`` says what it prints, and the cell shows both.
"""

from __future__ import annotations

import csv
import html
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .html_table import Cell, Column, html_table, link_numbers

Row = Mapping[str, str]


@dataclass(frozen=True)
class SurveyTable:
    """One table of the survey: its Roman number, its file, its caption and its columns."""

    roman: str
    file: str
    caption: str
    columns: tuple[Column, ...]


SURVEY_TABLES = {
    "table-2": SurveyTable(
        "II",
        "table_2_hardware.csv",
        "Hardware and frameworks for the edge",
        (
            Column("category", "Kind", True),
            Column("owner", "Owner", True),
            Column("product", "Product"),
            Column("reference", "Ref."),
            Column("feature", "Feature"),
            Column("note", "Note"),
        ),
    ),
    "table-3": SurveyTable(
        "III",
        "table_3_libraries.csv",
        "Deep learning libraries and what they support",
        (
            Column("library", "Library"),
            Column("reference", "Ref."),
            Column("owner", "Owner"),
            Column("edge_support", "Edge", True),
            Column("android", "Android", True),
            Column("ios", "iOS", True),
            Column("arm", "Arm"),
            Column("fpga", "FPGA"),
            Column("dsp", "DSP"),
            Column("gpu", "GPU"),
            Column("mobile_gpu", "Mobile GPU"),
            Column("training", "Training", True),
        ),
    ),
    "table-4": SurveyTable(
        "IV",
        "table_4_edge_node_solutions.csv",
        "Which hardware an edge node prefers, by criterion",
        (
            Column("metric", "Criterion"),
            Column("preferred_hardware", "Preferred", True),
            Column("analysis", "Why"),
        ),
    ),
    "table-5": SurveyTable(
        "V",
        "table_5_modes.csv",
        "Systems by mode of computation",
        (
            Column("system", "System"),
            Column("mode", "Mode", True),
            Column("reference", "Ref."),
            Column("dl_model", "Model"),
            Column("end", "End"),
            Column("edge", "Edge"),
            Column("cloud", "Cloud"),
            Column("network", "Network"),
            Column("dependency", "Built on"),
            Column("objective", "Objective"),
            Column("performance", "Reported performance"),
            Column("note", "Note"),
        ),
    ),
    "table-6": SurveyTable(
        "VI",
        "table_6_federated.csv",
        "Federated learning",
        (
            Column("system", "System"),
            Column("group", "Group", True),
            Column("reference", "Ref."),
            Column("dl_model", "Model"),
            Column("scale", "Scale"),
            Column("dependency", "Built on", True),
            Column("main_idea", "Main idea"),
            Column("metrics", "Reported"),
            Column("note", "Note"),
        ),
    ),
    "table-7": SurveyTable(
        "VII",
        "table_7_optimising.csv",
        "Deep learning that optimises the edge",
        (
            Column("group", "Group", True),
            Column("reference", "Ref."),
            Column("method", "Method", True),
            Column("scale", "Scale"),
            Column("inputs_or_states", "Inputs or states"),
            Column("outputs_or_actions", "Outputs or actions"),
            Column("loss_or_reward", "Loss or reward"),
            Column("performance", "Reported performance"),
            Column("note", "Note"),
        ),
    ),
}

RUNS = Column("runs", "Run it here")
"""The column of a table whose systems have a section in a notebook, by ``data/survey/runs.csv``."""

ERRATA_COLUMNS = (
    Column("place", "Where", True),
    Column("reference", "Ref."),
    Column("printed", "The survey prints"),
    Column("correction", "Read instead"),
    Column("why", "Because"),
)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as a list of dictionaries."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def survey_table(
    identifier: str, rows: Sequence[Row], errata: Sequence[Row], runs: Sequence[Row] = (), up: str = "../"
) -> str:
    """Return one of Tables II to VII; a misprinted cell shows the correction and what the survey prints.

    Parameters
    ----------
    identifier : str
        A key of :data:`SURVEY_TABLES`.
    rows, errata : sequence of mappings
        The rows of the table's file, and those of ``errata.csv``.
    runs : sequence of mappings
        The rows of ``runs.csv``: the table's number, a reference, and the notebook and the heading where it runs.
    up : str
        The way from the page to the folder of the bibliography.
    """
    table = SURVEY_TABLES[identifier]
    slips = {(e["reference"], e["column"]): e for e in errata if e["place"] == f"Table {table.roman}"}
    cells = [{c.key: _survey_cell(c.key, row, slips, up) for c in table.columns} for row in rows]
    columns, places = table.columns, {run["reference"]: run for run in runs if run["table"] == table.roman}
    if places:
        columns = (columns[0], RUNS, *columns[1:])
        cells = [{**shown, RUNS.key: _run_cell(row, places, up)} for shown, row in zip(cells, rows, strict=True)]
    return html_table(identifier, f"Table {table.roman}. {table.caption}", columns, cells)


def _run_cell(row: Row, places: Mapping[str, Row], up: str) -> Cell:
    place = places.get(row.get("reference", ""))
    if place is None:
        return Cell("")
    chapter = place["notebook"].split("-")[0]
    address = f"{up}../notebooks/{place['notebook']}.html#{place['target']}"
    name = row.get("system") or f"[{row['reference']}]"
    return Cell(f'<a href="{address}">{chapter}: {html.escape(name)}</a>', order=chapter)


def _survey_cell(key: str, row: Row, slips: Mapping[tuple[str, str], Row], up: str) -> Cell:
    slip = slips.get((row.get("reference", ""), key))
    if slip:
        return _corrected(slip, up)
    if key == "reference":
        return Cell(link_numbers(f"[{row[key]}]", up), order=row[key].zfill(3))
    if row[key] in ("yes", "no"):
        return Cell(f'<span class="edgedl-{row[key]}">{row[key]}</span>')
    return Cell(link_numbers(row[key], up))


def _corrected(slip: Row, up: str) -> Cell:
    right, wrong = slip["correction"], slip["printed"]
    was = f"<del>{html.escape(wrong)}</del>" if wrong else "no name"
    text = f'<ins>{link_numbers(right, up)}</ins> <small class="edgedl-misprint">printed: {was}</small>'
    return Cell(text, order=right, filter_as=right)


def errata_table(errata: Sequence[Row], up: str = "../") -> str:
    """Return the list of misprints, in tables, text and references."""
    cells = [{column.key: _erratum_cell(column.key, row, up) for column in ERRATA_COLUMNS} for row in errata]
    return html_table("errata", "Misprints and slips of the survey", ERRATA_COLUMNS, cells)


def _erratum_cell(key: str, row: Row, up: str) -> Cell:
    if key == "reference" and row[key]:
        return Cell(link_numbers(f"[{row[key]}]", up), order=row[key].zfill(3))
    if key == "printed":
        return Cell(f"<del>{html.escape(row[key])}</del>" if row[key] else "no name")
    return Cell(link_numbers(row[key], up))


def glossary(rows: Sequence[Row]) -> str:
    """Return Table I as a Sphinx glossary, so that ``{term}`` can point to every abbreviation."""
    return "```{glossary}\n" + "\n".join(_glossary_entry(row) for row in rows) + "```\n"


def _glossary_entry(row: Row) -> str:
    note = f" {row['note'].rstrip('.')}." if row["note"] else ""
    return f"{row['abbreviation']}\n  {row['definition']}.{note}\n"


def write_tables(survey: Path, target: Path, existing: Collection[str]) -> None:
    """Write the fragments of the pages glossary, table-2 to table-7 and errata into ``target``.

    Rows lead to the notebooks of ``existing``, those that the book holds, alone.
    """
    errata = read_rows(survey / "errata.csv")
    runs = [run for run in read_rows(survey / "runs.csv") if run["notebook"] in existing]
    fragments: dict[str, Callable[[], str]] = {
        "glossary": lambda: glossary(read_rows(survey / "table_1_abbreviations.csv")),
        "errata": lambda: errata_table(errata),
    }
    for name, make in fragments.items():
        (target / f"{name}.md").write_text(make(), encoding="utf-8")
    for name, table in SURVEY_TABLES.items():
        text = survey_table(name, read_rows(survey / table.file), errata, runs)
        (target / f"{name}.md").write_text(text, encoding="utf-8")
