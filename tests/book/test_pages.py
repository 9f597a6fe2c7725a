"""The generated parts of the book, from small inputs with known answers."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from edgedl_lib.reproduce import bibliography, html_table, landscape, pages, tables
from edgedl_lib.reproduce.ledger import load_claims
from edgedl_lib.reproduce.record import SYMBOLS

ROOT = Path(__file__).resolve().parents[2]
SURVEY = ROOT / "data" / "survey"


class Rows(HTMLParser):
    """The text of every cell of a table, row by row, keyed by ``data-label``; links too."""

    def __init__(self, text: str):
        super().__init__()
        self.rows: list[dict[str, str]] = []
        self.links: list[str] = []
        self._label = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "tr":
            self.rows.append({})
        if tag == "td":
            self._label = attributes["data-label"]
            self.rows[-1][self._label] = ""
        if tag == "a":
            self.links.append(attributes["href"])

    def handle_endtag(self, tag):
        if tag == "td":
            self._label = None

    def handle_data(self, data):
        if self._label is not None:
            self.rows[-1][self._label] += data


def body(text: str) -> list[dict[str, str]]:
    return [row for row in Rows(text).rows if row]


def survey(name: str) -> list[dict[str, str]]:
    return tables.read_rows(SURVEY / name)


ERRATA = survey("errata.csv")


# scoreboard


def test_scoreboard_has_one_row_a_claim_with_its_verdict(claims, results):
    rows = body(pages.scoreboard(claims, results))
    assert [row["Verdict"] for row in rows] == ["reproduced", "trend", "differs", "not run"]
    assert [row["Measured"] for row in rows] == ["2.5×", "3×", "10×", "–"]
    assert rows[0]["Reported"] == "3.1×" and rows[0]["Band"] == "2 to 4"


def test_scoreboard_links_each_measured_claim_to_its_card_and_no_other(claims, results):
    links = [link for link in Rows(pages.scoreboard(claims, results)).links if "notebooks/" in link]
    assert links[0] == "../notebooks/05c-partitioning.html#claim-neurosurgeon-speedup-mean"
    assert len(links) == len(results["claims"])


def test_scoreboard_escapes_names_and_gives_reasons(claims, results):
    text = pages.scoreboard(claims, results)
    assert "DDNN &lt;x&gt;" in text and "<x>" not in text
    assert "other links" in text and "a setting, nothing to measure" in text


def test_a_claim_without_a_result_is_not_run(claims):
    rows = body(pages.scoreboard(claims, {"claims": [], "notebooks": []}))
    assert {row["Verdict"] for row in rows} == {"not run"}


def test_html_tables_have_no_empty_line_that_would_end_the_html_block(claims, results):
    assert "\n\n" not in pages.scoreboard(claims, results).strip()
    for name, table in tables.SURVEY_TABLES.items():
        assert "\n\n" not in tables.survey_table(name, survey(table.file), ERRATA).strip()


def test_summary_counts_add_up(claims, results):
    text = pages.summary(claims, results)
    counts = {
        word: int(n) for n, word in re.findall(r"<strong>(\d+)</strong> (reproduced|trend|differs|not run)<", text)
    }
    assert counts == {"reproduced": 1, "trend": 1, "differs": 1, "not run": 1}
    assert 'scoreboard.html#verdict=not+run"' in text


def test_status_shows_times_memory_and_versions(results):
    text = pages.status(results, {"Python": "3.99", "torch": "9.9"})
    row = body(text)[0]
    assert row["Seconds"] == "12.3" and row["Peak memory"] == "321 MB" and row["Notebook"] == "05c-partitioning"
    assert "3.99" in text and "9.9" in text


def test_installed_versions_leave_out_what_is_absent():
    assert set(pages.installed_versions(("numpy", "no-such-package-here"))) == {"Python", "numpy"}


def test_classic_script_refuses_a_bundle_it_does_not_know():
    with pytest.raises(ValueError, match="itables"):
        pages.classic_script("var a = 1;")


# the survey's tables


@pytest.mark.parametrize("name", tables.SURVEY_TABLES)
def test_every_row_and_column_of_a_survey_table_is_shown(name):
    table = tables.SURVEY_TABLES[name]
    rows = survey(table.file)
    assert {column.key for column in table.columns} == set(rows[0]) - {"evidence"}
    shown = body(tables.survey_table(name, rows, ERRATA))
    assert len(shown) == len(rows)
    assert all(len(row) == len(table.columns) for row in shown)


def test_a_misprinted_cell_shows_what_is_printed_and_the_correction():
    rows = body(tables.survey_table("table-5", survey("table_5_modes.csv"), ERRATA))
    fused = next(row for row in rows if row["Ref."] == "[130]")
    assert fused["System"] == "fused-layer CNN printed: DeepCham"
    deepcham = next(row for row in rows if row["Ref."] == "[104]")
    assert deepcham["System"] == "DeepCham printed: no name"
    assert next(row for row in rows if row["Ref."] == "[12]")["System"] == "Neurosurgeon"


RUNS = tables.read_rows(SURVEY / "runs.csv")


COMPLETE = {"table-5": "V", "table-6": "VI"}  # tables of which every row runs in the book


@pytest.mark.parametrize("name", COMPLETE)
def test_every_row_of_a_complete_table_links_to_the_section_that_runs_it(name):
    rows = survey(tables.SURVEY_TABLES[name].file)
    text = tables.survey_table(name, rows, ERRATA, RUNS)
    assert [row["reference"] for row in rows] != [] and all(row["Run it here"] for row in body(text))
    for run in (run for run in RUNS if run["table"] == COMPLETE[name]):
        assert f'href="../../notebooks/{run["notebook"]}.html#{run["target"]}"' in text


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["target"])
def test_the_section_that_a_table_leads_to_exists_once(run):
    cells = json.loads((ROOT / "notebooks" / f"{run['notebook']}.ipynb").read_text(encoding="utf-8"))["cells"]
    marked = [cell for cell in cells if f"({run['target']})=" in "".join(cell["source"])]
    assert len(marked) == 1, f"{run['notebook']} should hold the target {run['target']} once"


@pytest.mark.parametrize("name", COMPLETE)
def test_every_row_of_a_complete_table_has_a_claim_that_is_checked(name):
    roman = COMPLETE[name]
    banded = {claim.survey_ref for claim in load_claims().values() if claim.survey_table == roman and claim.banded}
    assert {f"[{row['reference']}]" for row in survey(tables.SURVEY_TABLES[name].file)} <= banded


def test_a_table_without_places_has_no_column_for_them():
    assert "Run it here" not in body(tables.survey_table("table-7", survey("table_7_optimising.csv"), ERRATA, RUNS))[0]


def test_every_erratum_of_a_table_meets_a_cell():
    for name, table in tables.SURVEY_TABLES.items():
        rows = {row.get("reference"): row for row in survey(table.file)}
        for slip in ERRATA:
            if slip["place"] == f"Table {table.roman}" and slip["reference"]:
                cell = rows[slip["reference"]][slip["column"]]
                assert slip["correction"] in (cell, cell + " clients") or cell == slip["printed"], (name, slip)


def test_every_note_that_speaks_of_a_printed_label_has_an_erratum():
    known = {(slip["place"], slip["reference"]) for slip in ERRATA}
    for table in tables.SURVEY_TABLES.values():
        for row in survey(table.file):
            if re.search(r"printed (as|above|beside|'|without)|the printed label", row.get("note") or ""):
                assert (f"Table {table.roman}", row["reference"]) in known, row["note"]


def test_glossary_holds_every_abbreviation_once():
    rows = survey("table_1_abbreviations.csv")
    text = tables.glossary(rows)
    terms = [line for line in text.splitlines()[1:-1] if line and not line.startswith(" ")]
    assert terms == [row["abbreviation"] for row in rows]
    assert len(set(terms)) == len(terms)


def test_numbers_become_links_and_text_is_escaped():
    assert html_table.link_numbers("<b> [7]", "../") == '&lt;b&gt; <a href="../bibliography.html#ref7">[7]</a>'
    assert "href" not in html_table.link_numbers("[1234] [x]")


def test_a_notebook_shows_rows_as_a_table_that_sorts_by_value():
    rows = [{"name": "TPU <v1>", "rate": 92e12, "cores": 8}, {"name": "[38]", "rate": float("nan"), "cores": 10}]
    shown = html_table.show_table(rows, "chips", "Chips", filtered=["name"])._repr_html_()
    assert [row["rate"] for row in body(shown)] == ["9.2e+13", "–"]
    assert 'data-order="9.2e+13"' in shown and 'data-order="10"' in shown
    assert "TPU &lt;v1&gt;" in shown and "../book/bibliography.html#ref38" in shown
    assert shown.count("data-dropdown") == 1


@pytest.mark.parametrize(("rows", "filtered", "word"), [([], (), "no rows"), ([{"a": 1}], ("b",), "'b'")])
def test_a_table_without_rows_or_with_an_unknown_filter_is_refused(rows, filtered, word):
    with pytest.raises(ValueError, match=word):
        html_table.show_table(rows, "x", "A table", filtered)


# landscape


def test_the_map_links_what_exists_and_says_planned_of_the_rest():
    chapters = tables.read_rows(ROOT / "data" / "chapters.csv")
    text = landscape.landscape(chapters, {"05c-partitioning"})
    assert text.count('href="../notebooks/05c-partitioning.html"') == 2, "once in the wide map, once in the narrow one"
    assert text.count(">planned</text>") == 2 * (len(chapters) - 1)
    assert landscape.landscape(chapters, set()).count("<a ") == 0


def test_every_chapter_stands_in_a_block_of_the_map():
    chapters = tables.read_rows(ROOT / "data" / "chapters.csv")
    assert {row["block"] for row in chapters} == set(landscape.BLOCKS)
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} <= {row["notebook"] for row in chapters}


# bibliography


def test_references_bib_is_up_to_date():
    written = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert written == bibliography.current_bibtex(ROOT), "run python -m edgedl_lib.reproduce.bibliography"


def test_survey_numbers_are_keys_and_labels():
    references = bibliography.survey_references(SURVEY / "references.csv")
    assert len(references) == 292
    assert (references[11].key, references[11].label, references[11].short) == ("ref12", "12", "Kang et al. 2017")
    assert references[19].short == "Chen and Ran 2019"


def test_the_year_of_a_reference_is_one_that_its_venue_names():
    for row in survey("references.csv"):
        years = re.findall(r"\b(?:19|20)\d\d\b", re.sub(r"https?://\S+|pp\. [\d–]+", "", row["venue"]))
        assert not years or not row["year"] or row["year"] in years, row


def test_a_gap_in_the_numbers_is_refused(tmp_path):
    lists = tmp_path / "references.csv"
    lists.write_text("number,authors,title,venue,year\n1,,a,,\n3,,b,,\n", encoding="utf-8")
    with pytest.raises(ValueError, match="number"):
        bibliography.survey_references(lists)


def test_extra_references_have_keys_and_labels_of_their_own():
    extras = bibliography.extra_references(ROOT / "data" / "extra_references.csv")
    keys, labels = [e.key for e in extras], [e.label for e in extras]
    assert len(set(keys)) == len(keys) and len(set(labels)) == len(labels)
    assert {"dads2019", "williams2009", "lai2018cmsis", "mlperftiny2021", "huang2012lte"} <= set(keys)
    assert not any(label.isdigit() or key.startswith("ref") for key, label in zip(keys, labels, strict=True))


def test_tex_specials_survive():
    reference = bibliography.Reference("k", "1", ("A. B",), False, "100% of R&D_x", "v", "2000", "http://x/a_b")
    text = bibliography.bibtex([reference])
    assert r"100\% of R\&D\_x" in text and "http://x/a_b" in text


# the sources of the book


def toc_files() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def test_the_contents_list_only_what_exists_and_all_of_it():
    files = toc_files()
    missing = [name for name in files if not list(ROOT.glob(f"{name}.md")) and not list(ROOT.glob(f"{name}.ipynb"))]
    assert not missing
    pages_there = {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "book").rglob("*.md")}
    notebooks = {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    unlisted = {name for name in pages_there | notebooks if "/_" not in name} - set(files)
    assert not unlisted


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


DRAWS = re.compile(r"\bplt\.(subplots|figure|plot)\b|\bsubplots\(|\bplot_\w+\(|\.savefig\(")


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_every_cell_that_draws_has_alternative_text(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and DRAWS.search(source) and "def plot_" not in source:
            alternative = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alternative) > 15, f"{path.name}, cell {cell.get('id')}: describe the figure in mystnb.image.alt"


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_chapter_begins_with_its_title_and_not_with_code(path):
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown" and "".join(first["source"]).startswith("# ")


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_ratio_prints_its_own_sign_so_that_no_word_repeats_it(path):
    claims = load_claims()
    text = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    doubled = re.findall(r"\{(?:measured|reported)\}`([\w.]+)` times\b", text)
    assert [name for name in doubled if SYMBOLS.get(claims[name].unit) == "×"] == []


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebooks_cite_only_what_the_bibliography_holds(path):
    known = set(re.findall(r"@misc\{(\w+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8")))
    text = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    cited = {key.strip() for group in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in group.split(",")}
    assert cited <= known, f"unknown keys {sorted(cited - known)}: the survey's [12] is ref12"


def test_survey_files_are_well_formed():
    for path in sorted(SURVEY.glob("*.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            widths = {len(row) for row in csv.reader(file)}
        assert len(widths) == 1, f"{path.name} has rows of {sorted(widths)} cells"


# the build


def test_a_build_from_scratch_has_no_warning(small_book):
    html, log = small_book
    assert "WARNING" not in log
    assert (html / "book" / "scoreboard.html").is_file()
    assert len(list(html.rglob("*.html"))) >= len([f for f in toc_files() if f.startswith("book/")])


def test_the_bibliography_page_shows_the_surveys_numbers(small_book):
    text = (small_book[0] / "book" / "bibliography.html").read_text(encoding="utf-8")
    plain = re.sub(r"<[^>]+>", "", text)
    assert re.search(r"\[12\]\s+Kang et al\. 2017", plain)
    assert all(f'id="ref{number}"' in text for number in range(1, 293))


def test_pages_name_no_other_host_for_scripts_styles_or_fonts(small_book):
    for page in small_book[0].rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loads = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(https?://[^\"]+)\"", text)
        assert not loads, f"{page.name} loads {loads}"
        assert not re.search(r"unpkg\.com|jsdelivr|cdnjs|fonts\.googleapis", text), page.name
