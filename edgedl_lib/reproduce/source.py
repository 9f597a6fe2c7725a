"""Showing library code in a notebook, so that text and library cannot differ."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Python source that shows itself with syntax colours in a notebook."""

    code: str
    origin: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/plain": self.code, "text/markdown": f"*{self.origin}*\n\n```python\n{self.code}\n```"}

    def __repr__(self) -> str:
        return self.code


def show_source(subject: object, *, docstring: bool = False) -> Source:
    """Return the source of a function, class or module of the library, as the reader should see it.

    Parameters
    ----------
    subject : object
        What to show.
    docstring : bool
        Keep the docstrings; without them the method fits on a slide.

    Raises
    ------
    TypeError
        If Python knows no source for ``subject``.
    """
    try:
        code = textwrap.dedent(inspect.getsource(subject)).rstrip()
    except (OSError, TypeError) as error:
        raise TypeError(f"{subject!r} has no Python source to show; pass a function, a class or a module") from error
    origin = getattr(subject, "__module__", None) or getattr(subject, "__name__", "")
    return Source(
        code if docstring else _without_docstrings(code), f"{origin}.{getattr(subject, '__qualname__', '')}".rstrip(".")
    )


def _without_docstrings(code: str) -> str:
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) or ast.get_docstring(node) is None:
            continue
        if len(node.body) > 1:
            text = node.body[0]
            lines[text.lineno - 1 : text.end_lineno] = [None] * (text.end_lineno - text.lineno + 1)
    kept = [line for line in lines if line is not None]
    return "\n".join(
        line for previous, line in zip(["x", *kept], kept, strict=False) if line.strip() or previous.strip()
    )
