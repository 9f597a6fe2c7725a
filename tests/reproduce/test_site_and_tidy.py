"""Building never takes the old book away; tidied notebooks keep only what tests compare; a preview needs a book."""

import json
import subprocess

import pytest

from edgedl_lib.reproduce import cli, site
from edgedl_lib.reproduce.dependencies import read_notebook
from edgedl_lib.reproduce.source import show_source
from edgedl_lib.reproduce.tidy import COMPARED, tidied, tidy_command
from tests.reproduce.mini import ROOT, code_cell, write_notebook


def test_failed_build_leaves_the_old_book_in_place(mini_project, monkeypatch):
    old = mini_project / "build/quick/html"
    old.mkdir(parents=True)
    (old / "index.html").write_text("the old book")
    monkeypatch.setattr(site, "stage", lambda *arguments: mini_project)
    monkeypatch.setattr(site.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, returncode=1))
    with pytest.raises(site.BookError, match="the book was not built"):
        site.build_site("quick", root=mini_project)
    assert (old / "index.html").read_text() == "the old book"


def test_builder_that_builds_nothing_is_caught(mini_project, monkeypatch):
    (mini_project / "_toc.yml").write_text("root: book/index\nchapters:\n- file: book/how-to\n")
    (mini_project / "build/quick").mkdir(parents=True)
    monkeypatch.setattr(site, "stage", lambda *arguments: mini_project)
    monkeypatch.setattr(site.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, returncode=0))
    with pytest.raises(site.BookError, match="left out book/index, book/how-to"):
        site.build_site("quick", root=mini_project)


def test_new_book_takes_the_place_of_the_old(tmp_path):
    for name, text in (("html", "old"), ("new", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(text)
    assert site._swap(tmp_path / "new", tmp_path / "html").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html"]


def test_solutions_and_injected_parameters_are_left_out_on_request():
    solution = {"metadata": {"nbgrader": {"solution": True}}}
    injected = {"metadata": {"tags": ["injected-parameters"]}}
    plain = {"metadata": {}}
    assert [site._left_out(cell, True) for cell in (solution, injected, plain)] == [False, True, False]
    assert [site._left_out(cell, False) for cell in (solution, injected, plain)] == [True, True, False]


def executed_cell(*tags):
    stream = {"output_type": "stream", "name": "stdout", "text": "4\n"}
    cell = code_cell("print(2 + 2)", *tags) | {"outputs": [stream], "execution_count": 7}
    cell["metadata"]["execution"] = {"iopub.status.busy": "now"}
    return cell


def test_outputs_stay_only_where_they_are_compared(tmp_path):
    content = {"cells": [executed_cell(), executed_cell("nbval-check-output")], "metadata": {"widgets": {}}}
    plain, compared = tidied(content)["cells"]
    assert (plain["outputs"], plain["execution_count"]) == ([], None)
    assert compared["outputs"][0]["text"] == "4\n" and compared["execution_count"] is not None
    assert "execution" not in plain["metadata"] and "widgets" not in tidied(content)["metadata"]


def test_check_changes_nothing_and_says_what_is_untidy(tmp_path, capsys):
    path = tmp_path / "x.ipynb"
    write_notebook(path, executed_cell())
    before = path.read_text()
    assert tidy_command(check=True, folder=tmp_path) == 1 and path.read_text() == before
    assert "x.ipynb is not tidy; run: edgedl tidy" in capsys.readouterr().err
    assert tidy_command(folder=tmp_path) == 0 and tidy_command(check=True, folder=tmp_path) == 0


def test_committed_notebooks_are_tidy():
    assert tidy_command(check=True, folder=ROOT / "notebooks") == 0


def test_preview_without_a_book_says_how_to_get_one(mini_project, capsys):
    assert cli.main(["serve"]) == 2
    assert "build it first with: make book PROFILE=quick" in capsys.readouterr().err


def test_a_scenario_file_runs_from_the_command_line(tmp_path, capsys):
    scenario = (ROOT / "data" / "scenarios" / "queue.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(scenario)
    assert cli.main(["simulate", str(path), "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "median latency (ms)" in shown and "in use" in shown
    path.write_text(scenario.replace("rate", "rates", 1))
    assert cli.main(["simulate", str(path)]) == 2
    assert "mine.toml" in capsys.readouterr().err


def test_source_is_shown_without_docstrings_and_markdown_is_coloured():
    shown = show_source(site.toc_files)
    assert "def toc_files" in shown.code and '"""' not in shown.code
    assert "```python" in shown._repr_mimebundle_()["text/markdown"]
    with pytest.raises(TypeError, match="no Python source"):
        show_source(len)


def test_notebook_metadata_survives_as_json():
    json.dumps(tidied({"cells": [executed_cell()], "metadata": {"edgedl": {"exclusive": True}}}))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_chapter_has_a_cell_whose_output_is_compared(path):
    """nbval compares only tagged cells that carry an output and an execution count; without one it compares nothing."""
    compared = [cell for cell in read_notebook(path)["cells"] if COMPARED in cell["metadata"].get("tags", [])]
    assert compared and all(cell["outputs"] and cell["execution_count"] for cell in compared)
