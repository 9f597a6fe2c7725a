"""What a notebook is held to depend on."""

import re
from pathlib import Path

import pytest

from edgedl_lib.reproduce.dependencies import NotebookError, declared_data, fingerprint, notebook_modules
from tests.reproduce.mini import ROOT, code_cell, write_notebook


def modules(root, source):
    write_notebook(root / "notebooks/x.ipynb", code_cell(source))
    return {str(path.relative_to(root / "edgedl_lib")) for path in notebook_modules(root / "notebooks/x.ipynb", root)}


def test_imports_are_followed_through_packages_and_relative_imports(mini_project):
    (mini_project / "edgedl_lib/only_alpha.py").write_text("from .reproduce import style\n")
    found = modules(mini_project, "from edgedl_lib.only_alpha import VALUE")
    assert {
        "__init__.py",
        "only_alpha.py",
        "reproduce/__init__.py",
        "reproduce/style.py",
        "reproduce/ledger.py",
    } <= found
    assert "only_beta.py" not in found


def test_import_inside_a_function_counts(mini_project):
    (mini_project / "edgedl_lib/only_alpha.py").write_text("def f():\n    from . import only_beta\n")
    assert "only_beta.py" in modules(mini_project, "import edgedl_lib.only_alpha")


def test_magics_are_passed_over_and_wrong_syntax_is_told(mini_project):
    source = "if colab:\n    %pip install edgedl\n!ls\nimport edgedl_lib.only_beta"
    assert modules(mini_project, source) >= {"only_beta.py"}
    with pytest.raises(NotebookError, match="x.ipynb does not parse"):
        modules(mini_project, "import edgedl_lib.(")


def test_declared_file_must_exist(mini_project):
    write_notebook(mini_project / "notebooks/x.ipynb", data=["data/absent.csv"])
    with pytest.raises(NotebookError, match="x.ipynb declares data/absent.csv, which does not exist"):
        declared_data(mini_project / "notebooks/x.ipynb", mini_project)


def test_fingerprint_follows_content_and_parameters_not_times(mini_project):
    notebook = mini_project / "notebooks/alpha.ipynb"
    first = fingerprint(notebook, mini_project, seed=0)
    (mini_project / "edgedl_lib/only_alpha.py").touch()
    assert fingerprint(notebook, mini_project, seed=0) == first
    assert fingerprint(notebook, mini_project, seed=1) != first
    for path in ("edgedl_lib/only_alpha.py", "data/facts.csv", "data/claims/alpha.csv", "constraints.txt"):
        before = fingerprint(notebook, mini_project, seed=0)
        with open(mini_project / path, "a") as file:
            file.write("\n")
        assert fingerprint(notebook, mini_project, seed=0) != before, path


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_data_file_that_a_chapters_modules_name_is_declared(notebook):
    """Else a changed fact would leave the chapter as it was."""
    known = {path.name for path in (ROOT / "data").rglob("*.csv")}
    code = "".join(module.read_text() for module in notebook_modules(notebook, ROOT))
    named = {Path(name).name for name in re.findall(r"[\w/]+\.csv", code)} & known
    assert named <= {path.name for path in declared_data(notebook, ROOT)}
