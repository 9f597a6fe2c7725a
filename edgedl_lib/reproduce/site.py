"""Building the HTML book from executed notebooks: stage, build with warnings as errors, swap the result in."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from .dependencies import read_notebook
from .ledger import load_claims
from .project import project_root


class BookError(RuntimeError):
    """A book that could not be built; the earlier book, if any, is left in place."""


def build_site(profile: str, seed: int = 0, *, solutions: bool = True, root: Path | None = None) -> Path:
    """Build the book of a profile and return its front page.

    Parameters
    ----------
    profile : str
        Whose executed notebooks and results to use.
    seed : int
        Which seed's notebooks to show.
    solutions : bool
        Without them, the cells that solve exercises are left out.
    root : Path, optional
        The checkout.

    Raises
    ------
    BookError
        If Sphinx warns or fails, or if pages are missing from what it built.
    """
    root = root or project_root()
    folder = root / "build" / profile
    source = stage(root, folder, seed, solutions)
    built = folder / "book-out"
    shutil.rmtree(built, ignore_errors=True)
    log = _run_jupyter_book(source, built, folder / "book.log")
    html = built / "_build" / "html"
    _check_pages(root, html, log)
    return _swap(html, folder / "html")


def stage(root: Path, folder: Path, seed: int, solutions: bool) -> Path:
    """Lay out the book's sources, generated pages included, in ``folder/book-src``."""
    from .pages import write_generated_pages

    source = folder / "book-src"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book")
    shutil.copytree(root / "data", source / "data")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, source / name)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    shutil.copy(folder / "results.json", source / "results.json")
    (source / "notebooks").mkdir()
    for path in sorted((folder / "notebooks").glob(f"*.seed-{seed}.ipynb")):
        name = path.name.replace(f".seed-{seed}", "")
        if (root / "notebooks" / name).is_file():
            _stage_notebook(path, source / "notebooks" / name, solutions)
    write_generated_pages(source, results, load_claims(root / "data" / "claims"))
    return source


def _stage_notebook(executed: Path, target: Path, solutions: bool) -> None:
    content = read_notebook(executed)
    content["cells"] = [cell for cell in content["cells"] if not _left_out(cell, solutions)]
    target.write_text(json.dumps(content), encoding="utf-8")


def _left_out(cell: dict, solutions: bool) -> bool:
    """papermill's injected parameters repeat the parameters cell; a solution is left out on request."""
    metadata = cell.get("metadata", {})
    injected = "injected-parameters" in metadata.get("tags", [])
    return injected or (not solutions and metadata.get("nbgrader", {}).get("solution", False))


def _run_jupyter_book(source: Path, built: Path, log: Path) -> str:
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(source), "--path-output", str(built)]
    environment = {**os.environ, "EDGEDL_ROOT": str(project_root()), "PYTHONHASHSEED": "0"}
    with open(log, "w", encoding="utf-8") as file:
        status = subprocess.run(
            [*command, "-n", "-W", "--keep-going"], stdout=file, stderr=subprocess.STDOUT, env=environment
        ).returncode
    text = log.read_text(encoding="utf-8")
    if status:
        lines = [line for line in text.splitlines() if "WARNING" in line or "ERROR" in line] or text.splitlines()[-20:]
        raise BookError(f"the book was not built; {log} holds the log:\n" + "\n".join(lines[:40]))
    return text


def _check_pages(root: Path, html: Path, log: str) -> None:
    """Count what was built: some versions of the builder build nothing and call that success."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    missing = [name for name in toc_files(toc) if not (html / f"{name}.html").is_file()]
    if missing:
        raise BookError(f"the builder left out {', '.join(missing)}; its last words: {log.splitlines()[-1:]}")


def toc_files(toc: dict) -> list[str]:
    """Return every page that a table of contents names, the root first.

    >>> toc_files({"root": "index", "chapters": [{"file": "a", "sections": [{"file": "b"}]}]})
    ['index', 'a', 'b']
    """
    names = [toc[key] for key in ("root", "file") if key in toc]
    for key in ("parts", "chapters", "sections"):
        for entry in toc.get(key, []):
            names += toc_files(entry)
    return names


def _swap(new: Path, place: Path) -> Path:
    """Put the new book in the place of the old one; at no moment is there half a book."""
    old = place.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return place / "index.html"


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the pipeline's ``site`` rule."""
    parser = argparse.ArgumentParser(prog="python -m edgedl_lib.reproduce.site", description=main.__doc__)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--solutions", choices=("yes", "no"), default="yes")
    options = parser.parse_args(arguments)
    try:
        build_site(options.profile, options.seed, solutions=options.solutions == "yes")
    except (BookError, ValueError) as error:
        print(f"edgedl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
