"""A small book for the tests: every prose page of the real one, and one tiny executed notebook with claims."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from edgedl_lib.reproduce import pages
from edgedl_lib.reproduce.clickable import Detail, clickable
from edgedl_lib.reproduce.ledger import Claim
from edgedl_lib.reproduce.record import Record

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "05c-partitioning"


def a_claim(identifier: str, **changes) -> Claim:
    """A claim with plain values; ``changes`` replace some of them."""
    plain = {
        "id": identifier, "system": "Neurosurgeon", "survey_ref": "[12]", "survey_section": "V-B", "survey_table": "V",
        "metric": "mean speed-up", "unit": "ratio", "kind": "ratio", "reported": 3.1, "reported_low": None,
        "reported_high": None, "baseline": "", "setting": "", "source": "abstract", "evidence": "paper", "low": 2.0,
        "high": 4.0, "scale": "model", "measurement": "exact", "rationale": "always the cloud gives 1",
        "differs_because": "", "not_run": "", "notebook": NOTEBOOK,
    }  # fmt: skip
    return Claim(**{**plain, **changes})


@pytest.fixture(scope="session")
def claims() -> dict[str, Claim]:
    """Four claims, one for each verdict."""
    made = [
        a_claim("neurosurgeon.speedup.mean"),
        a_claim("dads.speedup", system="DADS", survey_table="", reported=8.0, survey_section="extra"),
        a_claim("ddnn.saving", system="DDNN <x>", survey_ref="[161]", reported=20.0, differs_because="other links"),
        a_claim("neurosurgeon.server_ram", low=None, high=None, not_run="a setting, nothing to measure"),
    ]
    return {claim.id: claim for claim in made}


@pytest.fixture(scope="session")
def results(claims) -> dict:
    """What a run of those claims would have written."""
    values = {"neurosurgeon.speedup.mean": 2.5, "dads.speedup": 3.0, "ddnn.saving": 10.0}
    rows = [
        {"id": name, "notebook": NOTEBOOK, "cell": "a", "seeds": [0], "value": value, "interval": None,
         "reported": claims[name].reported, "low": 2.0, "high": 4.0, "unit": "ratio", "scale": "model",
         "verdict": claims[name].verdict(value), "reason": claims[name].differs_because}
        for name, value in values.items()
    ]  # fmt: skip
    ran = {"name": NOTEBOOK, "seed": 0, "status": "ok", "seconds": 12.34, "peak_memory_bytes": 321_000_000}
    return {"schema": 1, "profile": "quick", "started": "s", "finished": "f", "notebooks": [ran], "claims": rows}


def _figure() -> str:
    from matplotlib.figure import Figure

    figure, file = Figure(figsize=(6, 3)), io.BytesIO()
    figure.subplots().plot([1, 2, 3])
    figure.savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def _clickable() -> str:
    from matplotlib.figure import Figure

    details = [Detail("one", "The first", "f(1)"), Detail("two", "The second", "f(2)\n\nf(3)")]
    figure = Figure(figsize=(4, 2))
    axes = figure.subplots()
    for place, detail in enumerate(details):
        axes.scatter([place], [place]).set_urls([f"#{detail.anchor}"])
    return clickable(figure, details, "two points")._repr_html_()


def _notebook(claims: dict[str, Claim], results: dict) -> nbformat.NotebookNode:
    question = (
        '<div class="edgedl-predict" data-answer="pool5"><p>Where to cut?</p><select><option value="">choose first'
        '</option><option value="input">nowhere</option><option value="pool5">after pool5</option></select></div>'
    )
    wide = "$$" + "+".join(f"x_{{{i}}}^{{2}}" for i in range(60)) + "$$"
    image = v4.new_output("display_data", data={"image/png": _figure(), "text/plain": "figure"})
    linked = v4.new_output("display_data", data={"text/html": _clickable(), "text/plain": "figure"})
    tags = {"tags": ["hide-output", "predict-reveal"], "mystnb": {"image": {"alt": "latency by cut"}}}
    head = "(system-neurosurgeon)=\n# A chapter"  # where Table V leads
    cells = [
        v4.new_markdown_cell(f"{head}\n\nAs {{cite}}`ref12` says, $x^2$.\n\n{wide}\n\n{question}"),
        v4.new_code_cell("draw()", metadata=tags, outputs=[image], execution_count=1),
        v4.new_code_cell("clickable()", outputs=[linked], execution_count=1),
    ]
    for row in results["claims"]:
        bundle = Record(claims[row["id"]], row["value"])._repr_mimebundle_()
        output = v4.new_output("execute_result", data=bundle, execution_count=2)
        cells.append(v4.new_code_cell("claim(...)", outputs=[output], execution_count=2))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def stage(source: Path, claims: dict[str, Claim], results: dict) -> None:
    """Lay out the sources of a small book, as the pipeline lays out those of the real one."""
    for name in ("book", "data"):
        shutil.copytree(ROOT / name, source / name)
    shutil.copy(ROOT / "_config.yml", source)
    toc = "\n".join(line for line in (ROOT / "_toc.yml").read_text().splitlines() if "file: notebooks/" not in line)
    head, _, tail = toc.partition("parts:\n")
    part = f"  - caption: Chapter\n    chapters:\n      - file: notebooks/{NOTEBOOK}\n"
    (source / "_toc.yml").write_text(head + "parts:\n" + part + _without_empty_parts(tail))
    (source / "notebooks").mkdir()
    nbformat.write(_notebook(claims, results), source / "notebooks" / f"{NOTEBOOK}.ipynb")
    (source / "results.json").write_text(json.dumps(results))
    pages.write_generated_pages(source, results, claims)


def _without_empty_parts(text: str) -> str:
    parts = text.split("  - caption:")
    return "  - caption:".join(part for part in parts if "file:" in part or not part.strip())


@pytest.fixture(scope="session")
def small_book(tmp_path_factory, claims, results) -> tuple[Path, str]:
    """The pages of a small book, and what its build printed."""
    source = tmp_path_factory.mktemp("book") / "src"
    source.mkdir()
    stage(source, claims, results)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
        "-n",
        "-W",
        "--keep-going",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=source)
    assert done.returncode == 0, f"the small book does not build:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return source / "_build" / "html", done.stdout + done.stderr


@pytest.fixture(scope="session")
def book(request) -> Path:
    """The pages under test: ``EDGEDL_BOOK``, else the built book, else a small one made here."""
    named = os.environ.get("EDGEDL_BOOK")
    built = Path(named) if named else ROOT / "build" / "quick" / "html"
    if named and not (built / "index.html").is_file():
        pytest.fail(f"EDGEDL_BOOK={named} holds no index.html; point it to the html folder of a built book")
    return built if (built / "index.html").is_file() else request.getfixturevalue("small_book")[0]
