"""What an executed notebook depends on: its own file, the library modules it imports (transitively), its data."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "edgedl_lib"


class NotebookError(ValueError):
    """A notebook file that cannot be used: missing, not JSON, or syntactically wrong."""


def read_notebook(path: Path) -> dict:
    """Return the JSON of a notebook.

    Raises
    ------
    NotebookError
        If the file is missing or is not a notebook.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookError(f"cannot read the notebook {path}: {error.strerror}") from error
    except ValueError as error:
        raise NotebookError(f"{path} is not a notebook: {error}; restore it from version control") from error
    if not isinstance(content, dict) or "cells" not in content:
        raise NotebookError(f"{path} has no cells; restore it from version control")
    return content


def notebook_modules(notebook: Path, root: Path) -> list[Path]:
    """Return the library files that a notebook imports, directly or through others, in sorted order."""
    cells = [cell for cell in read_notebook(notebook)["cells"] if cell["cell_type"] == "code"]
    code = "\n".join(_plain_python("".join(cell["source"])) for cell in cells)
    return sorted(_closure(_imported(_parsed(code, notebook), "", root), root))


def _plain_python(source: str) -> str:
    """A cell's source with IPython's magic and shell lines as ``pass``, so that a block of them stays a block."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def declared_data(notebook: Path, root: Path) -> list[Path]:
    """Return the data files that a notebook declares in its metadata, its claims file among them.

    Raises
    ------
    NotebookError
        If a declared file does not exist.
    """
    names = read_notebook(notebook).get("metadata", {}).get("edgedl", {}).get("data", [])
    ledger = root / "data" / "claims" / f"{notebook.stem}.csv"
    files = [root / name for name in names] + ([ledger] if ledger.exists() else [])
    for path in files:
        if not path.is_file():
            raise NotebookError(f"{notebook.name} declares {path.relative_to(root)}, which does not exist")
    return sorted(set(files))


def is_exclusive(notebook: Path) -> bool:
    """Whether a notebook measures wall-clock time and must therefore run alone."""
    return bool(read_notebook(notebook).get("metadata", {}).get("edgedl", {}).get("exclusive"))


def dependencies(notebook: Path, root: Path) -> list[Path]:
    """Everything that decides whether an executed notebook can be used again, except its parameters."""
    return [notebook, *notebook_modules(notebook, root), *declared_data(notebook, root), root / "constraints.txt"]


def fingerprint(notebook: Path, root: Path, **parameters: object) -> str:
    """Return a hash over the contents of all dependencies and the parameters of the run."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True, default=str).encode())
    for path in dependencies(notebook, root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _parsed(code: str, where: Path) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        raise NotebookError(f"{where.name} does not parse: {error.msg}: {(error.text or '').strip()!r}") from error


def _closure(start: set[Path], root: Path) -> set[Path]:
    found, waiting = set(), list(start)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(direct_imports(path, root))
    return found


def direct_imports(path: Path, root: Path) -> frozenset[Path]:
    """Return the library files that one library file imports itself."""
    return _direct_imports(path, root, path.stat().st_mtime_ns)


@cache
def _direct_imports(path: Path, root: Path, stamp: int) -> frozenset[Path]:
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    package = module.removesuffix(".__init__") if path.name == "__init__.py" else module.rpartition(".")[0]
    return frozenset(_imported(_parsed(path.read_text(encoding="utf-8"), path), package, root))


def _imported(tree: ast.Module, package: str, root: Path) -> set[Path]:
    files: set[Path] = set()
    for node in _walk_what_runs(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            files |= _module_files(name, root)
    return files


def _walk_what_runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING:``, which never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _walk_what_runs(node)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _module_files(name: str, root: Path) -> set[Path]:
    """The file of a module of the package, and the ``__init__.py`` of every package above it."""
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return set()
    files = {root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)}
    files.add(root.joinpath(*parts).with_suffix(".py"))
    return {path for path in files if path.is_file()}
