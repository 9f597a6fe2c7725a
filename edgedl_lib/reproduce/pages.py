"""The generated parts of the book: scoreboard, summary, status, landscape and the survey's tables.

Every function takes rows and returns text; :func:`write_generated_pages` alone touches files.  It writes fragments to
``book/_generated`` of the staged sources, where the prose pages include them, and puts DataTables (out of the installed
itables) beside the pages, so that tables sort and filter without a network.
"""

from __future__ import annotations

import html
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from .html_table import Cell, Column, html_table, link_numbers
from .landscape import landscape
from .ledger import VERDICTS, Claim
from .record import Record, anchor, band_text, measured_text, reported_text
from .tables import read_rows, write_tables

SCOREBOARD = (
    Column("system", "System", True),
    Column("metric", "Claim"),
    Column("reported", "Reported"),
    Column("measured", "Measured"),
    Column("verdict", "Verdict", True),
    Column("band", "Band"),
    Column("section", "Section", True),
    Column("table", "Table", True),
)
NOTEBOOKS = (
    Column("name", "Notebook"),
    Column("seed", "Seed"),
    Column("status", "Status"),
    Column("seconds", "Seconds"),
    Column("memory", "Peak memory"),
)
UNMEASURED = "-1e99"
"""What an absent figure sorts by: before all others, and a number, or the column would sort as text."""

PACKAGES = ("numpy", "scipy", "torch", "simpy", "networkx", "scikit-learn", "matplotlib", "onnxruntime", "jupyter-book")


def scoreboard(claims: Mapping[str, Claim], results: Mapping) -> str:
    """Return the table of all claims; each measured one links to the cell that measured it."""
    measured = {row["id"]: row for row in results["claims"]}
    rows = [_claim_row(claim, measured.get(claim.id)) for claim in claims.values()]
    return html_table("claims", "Every claim and its verdict", SCOREBOARD, rows)


def verdict_of(claim: Claim, result: Mapping | None) -> str:
    """The verdict on a claim: what the results say, and ``not run`` where they say nothing."""
    return result["verdict"] if result and result.get("verdict") else "not run"


def _claim_row(claim: Claim, result: Mapping | None) -> dict[str, Cell]:
    verdict = verdict_of(claim, result)
    reported = claim.reported if claim.reported is not None else claim.reported_low
    return {
        "system": Cell(f"{html.escape(claim.system)} {link_numbers(claim.survey_ref)}", filter_as=claim.system),
        "section": Cell(html.escape(claim.survey_section)),
        "table": Cell(html.escape(claim.survey_table)),
        "metric": Cell(_metric(claim, result) + _reason(claim, result)),
        "reported": Cell(html.escape(reported_text(claim)), order=_order(reported)),
        "measured": _measured_cell(claim, result),
        "band": Cell(html.escape(band_text(claim)), order=_order(claim.low if claim.low is not None else claim.high)),
        "verdict": Cell(_pill(verdict), order=str(VERDICTS.index(verdict)), filter_as=verdict),
    }


def _metric(claim: Claim, result: Mapping | None) -> str:
    text = html.escape(claim.metric)
    if _has_value(result):
        text = f'<a href="../notebooks/{result["notebook"]}.html#{anchor(claim.id)}">{text}</a>'
    return f'{text}<br><code class="edgedl-id">{html.escape(claim.id)}</code>'


def _measured_cell(claim: Claim, result: Mapping | None) -> Cell:
    if not _has_value(result):
        return Cell("–", order=UNMEASURED)
    interval = tuple(result["interval"]) if result.get("interval") else None
    return Cell(html.escape(measured_text(Record(claim, result["value"], interval))), order=_order(result["value"]))


def _has_value(result: Mapping | None) -> bool:
    return bool(result) and result.get("value") is not None


def _order(value: float | None) -> str:
    return UNMEASURED if value is None else f"{value:.10g}"


def _pill(verdict: str) -> str:
    return f'<span class="edgedl-pill edgedl-verdict-{verdict.replace(" ", "")}">{verdict}</span>'


def _reason(claim: Claim, result: Mapping | None) -> str:
    reason = claim.not_run or (result or {}).get("reason") or ""
    return f'<small class="edgedl-reason">{html.escape(reason)}</small>' if reason else ""


def summary(claims: Mapping[str, Claim], results: Mapping) -> str:
    """Return the verdicts in one bar, with links to the filtered scoreboard."""
    measured = {row["id"]: row for row in results["claims"]}
    counts = Counter(verdict_of(claim, measured.get(claim.id)) for claim in claims.values())
    shown = [verdict for verdict in VERDICTS if counts[verdict]]
    bar = "".join(f'<span class="{_verdict_class(v)}" style="flex-grow:{counts[v]}"></span>' for v in shown)
    items = "".join(
        f'<li class="{_verdict_class(v)}"><a href="scoreboard.html#verdict={v.replace(" ", "+")}">'
        f"<strong>{counts[v]}</strong> {v}</a></li>"
        for v in shown
    )
    systems, chapters = ({getattr(c, name) for c in claims.values()} for name in ("system", "notebook"))
    return (
        f'<div class="edgedl-summary">\n<p><strong>{len(claims)}</strong> claims of <strong>{len(systems)}</strong> '
        f"systems in <strong>{len(chapters)}</strong> chapters, as this build measured them:</p>\n"
        f'<div class="edgedl-bar" aria-hidden="true">{bar}</div>\n<ul class="edgedl-counts">{items}</ul>\n</div>\n'
    )


def _verdict_class(verdict: str) -> str:
    return f"edgedl-verdict-{verdict.replace(' ', '')}"


def installed_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the figures; absent ones are left out."""
    versions = {"Python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def status(results: Mapping, versions: Mapping[str, str]) -> str:
    """Return what was built, when, with which versions, and what each notebook took."""
    facts = [
        ("Profile", results.get("profile")),
        ("Started", results.get("started")),
        ("Finished", results.get("finished")),
    ]
    listed = [(name, value) for name, value in facts if value]
    facts_html = "".join(f"<div><dt>{name}</dt><dd>{html.escape(str(value))}</dd></div>" for name, value in listed)
    versions_html = "".join(
        f"<div><dt>{html.escape(n)}</dt><dd>{html.escape(v)}</dd></div>" for n, v in versions.items()
    )
    rows = [_notebook_row(row) for row in results["notebooks"]]
    return (
        f'<dl class="edgedl-facts">{facts_html}</dl>\n\n'
        + html_table("notebooks", "Notebooks of this build", NOTEBOOKS, rows)
        + f'\n## Versions\n\n<dl class="edgedl-facts">{versions_html}</dl>\n'
    )


def _notebook_row(row: Mapping) -> dict[str, Cell]:
    seconds, memory = row.get("seconds"), row.get("peak_memory_bytes")
    link = f'<a href="../notebooks/{row["name"]}.html">{html.escape(row["name"])}</a>'
    return {
        "name": Cell(link, order=row["name"]),
        "seed": Cell(str(row.get("seed", ""))),
        "status": Cell(html.escape(row.get("status", ""))),
        "seconds": Cell("–" if seconds is None else f"{seconds:.1f}", order=_order(seconds)),
        "memory": Cell("–" if memory is None else f"{memory / 1e6:,.0f} MB", order=_order(memory)),
    }


def write_generated_pages(source: Path, results: Mapping, claims: Mapping[str, Claim]) -> None:
    """Write every generated fragment of the staged book, and its copy of DataTables.

    Parameters
    ----------
    source : Path
        The folder of the staged sources: it holds ``book/``, ``data/`` and the executed ``notebooks/``.
    results : mapping
        The content of ``results.json``.
    claims : mapping
        The ledger, claim by id.
    """
    source = Path(source)
    target = source / "book" / "_generated"
    target.mkdir(parents=True, exist_ok=True)
    existing = {path.stem for path in (source / "notebooks").glob("*.ipynb")}
    fragments = {
        "scoreboard": scoreboard(claims, results),
        "summary": summary(claims, results),
        "status": status(results, results.get("versions") or installed_versions()),
        "landscape": landscape(read_rows(source / "data" / "chapters.csv"), existing),
    }
    for name, text in fragments.items():
        (target / f"{name}.md").write_text(text, encoding="utf-8")
    write_tables(source / "data" / "survey", target, existing)
    copy_datatables(source / "book" / "_static" / "datatables")


def copy_datatables(target: Path) -> None:
    """Copy DataTables out of itables as a classic script, since browsers load no modules from local files."""
    import itables

    bundle = Path(itables.__file__).parent / "html"
    target.mkdir(parents=True, exist_ok=True)
    script = classic_script((bundle / "dt_bundle.js").read_text(encoding="utf-8"))
    (target / "datatables.js").write_text(script, encoding="utf-8")
    (target / "datatables.css").write_text((bundle / "dt_bundle.css").read_text(encoding="utf-8"), encoding="utf-8")


def classic_script(module: str) -> str:
    """Turn the ES module of DataTables into a script that sets ``window.edgedlDataTable``.

    >>> classic_script("var a=1;export{a as default,b as jQuery};")
    '(()=>{"use strict";var a=1;window.edgedlDataTable=a;\\n})();\\n'

    Raises
    ------
    ValueError
        If the text does not end in one list of exports with a default.
    """
    body, found, tail = module.rpartition("export{")
    names, closed, rest = tail.partition("};")
    default = next((name.split()[0] for name in names.split(",") if name.endswith(" as default")), None)
    if not (found and closed and default):
        raise ValueError(
            "the DataTables bundle of itables has no 'export{... as default};'; install the pinned itables"
        )
    return f'(()=>{{"use strict";{body}window.edgedlDataTable={default};{rest}\n}})();\n'
