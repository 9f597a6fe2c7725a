"""Chapters as assignments: nbgrader releases the student's version from the notebook itself, and grades submissions."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .dependencies import read_notebook
from .project import project_root

CELL_SECONDS = 60
"""How long one cell of a submission may run before it is stopped and counts as wrong."""


class AssignmentError(RuntimeError):
    """An assignment that could not be released or graded; the message holds nbgrader's own words."""


@dataclass(frozen=True)
class Grade:
    """What a submission earned: points for each exercise, in order, and the points there were."""

    student: str
    chapter: str
    points: dict[str, float]
    possible: dict[str, float]

    @property
    def score(self) -> float:
        """All points together."""
        return sum(self.points.values())


def has_exercises(notebook: Path) -> bool:
    """Whether a notebook has cells that nbgrader grades."""
    return any(cell["metadata"].get("nbgrader", {}).get("grade") for cell in read_notebook(notebook)["cells"])


def chapters(root: Path | None = None) -> list[str]:
    """Return the names of the notebooks that have exercises."""
    folder = (root or project_root()) / "notebooks"
    return [path.stem for path in sorted(folder.glob("*.ipynb")) if has_exercises(path)]


def release(chapter: str, course: Path, *, root: Path | None = None) -> Path:
    """Let nbgrader make the student's version of a chapter: the same notebook, its solutions taken out.

    Parameters
    ----------
    chapter : str
        The name of a notebook with exercises, for instance ``"05c-partitioning"``.
    course : Path
        The course folder; nbgrader's ``source``, ``release`` and gradebook lie there.

    Returns
    -------
    Path
        The notebook to hand out.

    Raises
    ------
    ValueError
        If there is no such chapter.
    AssignmentError
        If nbgrader refuses the notebook.
    """
    known = chapters(root)
    if chapter not in known:
        raise ValueError(f"no chapter with exercises is called {chapter!r}; there are {', '.join(known) or 'none'}")
    source = course / "source" / chapter / f"{chapter}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy((root or project_root()) / "notebooks" / source.name, source)
    with _environment():
        _succeed(_api(course).generate_assignment(chapter), f"releasing {chapter}")
    return course / "release" / chapter / source.name


def autograde(chapter: str, student: str, course: Path) -> Grade:
    """Execute one submission (``submitted/<student>/<chapter>``) and return its grade.

    The test cells are put back as they were released; the kernel may not open notebooks or start other programs; a
    cell that does not end is stopped.  That is a fence against cheating, not a prison: grade people whom you do not
    trust in a container.

    Raises
    ------
    AssignmentError
        If nbgrader cannot grade it, for instance because a graded cell is missing.
    """
    api = _api(course)
    with _environment(**_fence(course)):
        _succeed(api.autograde(chapter, student), f"grading {chapter} of {student}")
        with api.gradebook as book:
            grades = book.find_submission_notebook(chapter, chapter, student).grades
            points = {grade.cell.name: grade.score for grade in grades}
            possible = {grade.cell.name: grade.max_score for grade in grades}
    return Grade(student, chapter, points, possible)


def _api(course: Path):
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(course.resolve())
    config.CourseDirectory.course_id = "edgedl"
    config.Execute.timeout = CELL_SECONDS
    config.NbGraderAPI.log_level = config.Application.log_level = "ERROR"
    course.mkdir(parents=True, exist_ok=True)
    return NbGraderAPI(config=config)


def _succeed(outcome: dict, what: str) -> None:
    if not outcome["success"]:
        words = [line for line in (outcome.get("log") or "").splitlines() if "ERROR" in line]
        raise AssignmentError(
            f"{what} failed: {words[-1] if words else outcome.get('error', 'nbgrader gives no reason')}"
        )


@contextmanager
def _environment(**settings: str) -> Iterator[None]:
    """Set environment variables for a while; nbgrader finds its database tool by ``PATH``."""
    settings["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _fence(course: Path) -> dict[str, str]:
    """The environment in which a kernel's first act is to fence itself in (``exercises/guard/sitecustomize.py``)."""
    guard = Path(__file__).resolve().parents[1] / "exercises" / "guard"
    return {
        "PYTHONPATH": os.pathsep.join([str(guard), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "EDGEDL_GUARD": json.dumps([str(project_root() / "notebooks"), str(course.resolve() / "source")]),
    }


def release_command(names: list[str], course: Path | None) -> None:
    """Release the named chapters, or all, and say where they lie."""
    course = course or project_root() / "build" / "assignments"
    for chapter in names or chapters():
        print(release(chapter, course))
