"""Releasing chapters as assignments and grading what comes back: right, partly right, empty, and malicious."""

import json
import shutil

import pytest

from edgedl_lib.reproduce import assignments
from edgedl_lib.reproduce.assignments import AssignmentError, autograde, chapters, release
from edgedl_lib.reproduce.dependencies import read_notebook
from tests.reproduce.mini import ROOT, code_cell, write_notebook

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")


def graded(cell, name, **settings):
    blank = dict(grade=False, grade_id=name, locked=False, schema_version=3, solution=False, task=False)
    cell["metadata"]["nbgrader"] = blank | settings
    return cell


def solution_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]


def test_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade")]


test_cells.__test__ = False


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A project with one small chapter of three exercises, and its released assignment."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("notebooks", "data/claims"):
        (root / folder).mkdir(parents=True)
    cells = []
    for n in (1, 2, 3):
        source = f"### BEGIN SOLUTION\ndef answer_{n}():\n    return {n * 11}\n### END SOLUTION"
        cells.append(graded(code_cell(source), f"exercise-{n}", solution=True))
        check = code_cell(f"assert answer_{n}() == {n * 11}, 'a hint'")
        cells.append(graded(check, f"exercise-{n}-check", grade=True, locked=True, points=2, cell_type="code"))
    write_notebook(root / "notebooks/small.ipynb", *cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEDL_ROOT", str(root))
        release("small", root / "course", root=root)
        yield root / "course"


def submit(course, student, edit):
    """Hand in the released notebook after ``edit`` has changed it in place; return the grade."""
    content = read_notebook(course / "release/small/small.ipynb")
    edit(content)
    target = course / "submitted" / student / "small" / "small.ipynb"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(content))
    return autograde("small", student, course)


def solve(content, answers=(11, 22, 33)):
    for n, (cell, answer) in enumerate(zip(solution_cells(content), answers, strict=True), start=1):
        cell["source"] = f"def answer_{n}():\n    return {answer}"


def test_students_version_holds_no_solution_but_every_check(course):
    content = read_notebook(course / "release/small/small.ipynb")
    assert all("NotImplementedError" in "".join(cell["source"]) for cell in solution_cells(content))
    assert len(test_cells(content)) == 3
    assert all(cell["metadata"]["editable"] is False for cell in test_cells(content))


def test_right_partly_right_and_empty_submissions(course):
    assert submit(course, "right", solve).score == 6
    partly = submit(course, "partly", lambda content: solve(content, (11, 0, 33)))
    assert partly.points == {"exercise-1-check": 2, "exercise-2-check": 0, "exercise-3-check": 2}
    assert submit(course, "empty", lambda content: None).score == 0


def test_edited_check_stolen_solution_and_endless_cell_earn_nothing(course, monkeypatch):
    def cheat(content):
        test_cells(content)[0]["source"] = "pass"
        steal = f"import json\ncells = json.load(open({str(course / 'source/small/small.ipynb')!r}))['cells']\n"
        solution_cells(content)[1]["source"] = steal + "exec(''.join(cells[3]['source']))"
        solution_cells(content)[2]["source"] = "while True:\n    pass"

    monkeypatch.setattr(assignments, "CELL_SECONDS", 4)
    grade = submit(course, "cheat", cheat)
    assert grade.score == 0 and sum(grade.possible.values()) == 6
    graded_notebook = (course / "autograded/cheat/small/small.ipynb").read_text()
    assert "may not read notebooks while it is graded" in graded_notebook
    assert "CellTimeoutError" in graded_notebook or "KeyboardInterrupt" in graded_notebook


@pytest.mark.parametrize("theft", [
    "import subprocess\ntext = subprocess.check_output(['cat', PATH]).decode()",
    "import os\nos.system('cp ' + PATH + ' stolen.txt')\ntext = open('stolen.txt').read()",
    "import os\nos.symlink(PATH, 'stolen.txt')\ntext = open('stolen.txt').read()",
    "import subprocess, sys\nargs = [sys.executable, '-c', 'import sys; print(open(sys.argv[1]).read())', PATH]\n"
    "text = subprocess.run(args, env={}, capture_output=True, text=True, check=True).stdout",
])  # fmt: skip
def test_detours_to_the_solution_are_closed(course, theft):
    path = course / "source/small/small.ipynb"
    lines = f"PATH = {str(path)!r}\n{theft}\nimport json\nexec(''.join(json.loads(text)['cells'][1]['source']))"
    student = f"thief-{abs(hash(theft))}"
    assert submit(course, student, lambda content: solution_cells(content)[0].update(source=lines)).score == 0


def test_without_the_fence_the_theft_would_pay(course, monkeypatch):
    """The control: the test above fails for the reason it says, not because the theft is clumsy."""
    path = course / "source/small/small.ipynb"
    lines = f"import json\nexec(''.join(json.load(open({str(path)!r}))['cells'][1]['source']))"
    monkeypatch.setattr(assignments, "_fence", lambda course: {})
    grade = submit(course, "unfenced", lambda content: solution_cells(content)[0].update(source=lines))
    assert grade.points["exercise-1-check"] == 2


def test_submission_without_a_graded_cell_is_told(course):
    def mutilate(content):
        content["cells"] = [cell for cell in content["cells"] if "nbgrader" not in cell["metadata"]]

    target = course / "submitted" / "mutilated" / "small" / "small.ipynb"
    shutil.rmtree(target.parent, ignore_errors=True)
    grade = submit(course, "mutilated", mutilate)
    assert grade.score == 0


def test_missing_submission_and_unknown_chapter_are_told(course):
    with pytest.raises(AssignmentError, match="grading small of nobody failed"):
        autograde("small", "nobody", course)
    with pytest.raises(ValueError, match="no chapter with exercises is called 'large'; there are small"):
        release("large", course)


@pytest.mark.parametrize("chapter", chapters(ROOT))
def test_every_chapter_can_be_released(chapter, tmp_path):
    released = read_notebook(release(chapter, tmp_path, root=ROOT))
    original = read_notebook(ROOT / "notebooks" / f"{chapter}.ipynb")
    assert len(test_cells(released)) >= 3 and len(solution_cells(released)) >= 3
    assert "BEGIN SOLUTION" in json.dumps(original) and "BEGIN SOLUTION" not in json.dumps(released)


def exercises_of(chapter, root):
    """A project whose one notebook is a chapter's imports and exercises, without the lecture between them."""
    for folder in ("notebooks", "data/claims"):
        (root / folder).mkdir(parents=True)
    content = read_notebook(ROOT / "notebooks" / f"{chapter}.ipynb")
    kept = [cell for cell in content["cells"] if "nbgrader" in cell["metadata"] or cell["id"] in ("setup", "imports")]
    write_notebook(root / "notebooks/small.ipynb", *kept)
    return root, ["".join(cell["source"]) for cell in solution_cells({"cells": kept})]


@pytest.mark.parametrize("chapter", chapters(ROOT))
def test_chapters_own_solutions_earn_full_marks_and_wrong_ones_partial_or_none(chapter, tmp_path, monkeypatch):
    root, solutions = exercises_of(chapter, tmp_path / "project")
    monkeypatch.setenv("EDGEDL_ROOT", str(root))
    release("small", root / "course", root=root)

    def answer(*numbers):
        def edit(content):
            for n, cell in enumerate(solution_cells(content)):
                if n in numbers:
                    cell["source"] = solutions[n]

        return edit

    assert submit(root / "course", "right", answer(0, 1, 2)).score == 6
    partly = submit(root / "course", "partly", answer(1))
    assert list(partly.points.values()) == [0, 2, 0]
    assert submit(root / "course", "empty", answer()).score == 0
