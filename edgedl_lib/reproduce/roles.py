"""Sphinx roles that print measured figures: ``{measured}`id```, ``{reported}`id``` and ``{verdict}`id```.

Prose never types a result.  The figures come from the ``results.json`` that ``edgedl_results`` in the configuration
names; an id that has no result is a warning, and the book is built with warnings as errors.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from .ledger import UnknownClaim, find_claim
from .record import Record, measured_text, reported_text

logger = logging.getLogger(__name__)


class ResultRole(SphinxRole):
    """Print one thing that the results say of a claim."""

    def run(self) -> tuple[list[nodes.Node], list]:
        """Look the claim up and print it; warn if the results lack it."""
        try:
            text = self.text_of(find_claim(self.text))
        except (UnknownClaim, LookupError) as error:
            logger.warning("%s", error, location=self.get_location(), type="edgedl", subtype="missing")
            text = "missing"
        return [nodes.inline(self.rawtext, text, classes=[f"edgedl-{self.name}"])], []

    def text_of(self, claim) -> str:
        """The text for one claim; raises LookupError if there is no result."""
        raise NotImplementedError

    def result(self, claim) -> dict:
        """The result of one claim."""
        results = self.env.app.edgedl_results
        if claim.id not in results or results[claim.id]["cell"] is None:
            raise LookupError(f"the results hold no measurement of {claim.id}; record it in its notebook")
        return results[claim.id]


class MeasuredRole(ResultRole):
    """The measured figure with its unit."""

    def text_of(self, claim) -> str:
        result = self.result(claim)
        if result["value"] is None:
            return "not measured here"
        interval = tuple(result["interval"]) if result["interval"] else None
        return measured_text(Record(claim, result["value"], interval))


class ReportedRole(ResultRole):
    """The reported figure with its unit, from the ledger."""

    def text_of(self, claim) -> str:
        return reported_text(claim)


class VerdictRole(ResultRole):
    """The verdict."""

    def text_of(self, claim) -> str:
        return self.result(claim)["verdict"]


def read_results(path: Path) -> dict[str, dict]:
    """Return the claims of a ``results.json`` by id; an absent path gives none."""
    if not path or not Path(path).is_file():
        return {}
    return {row["id"]: row for row in json.loads(Path(path).read_text(encoding="utf-8"))["claims"]}


def _load(app: Sphinx) -> None:
    configured = app.config.edgedl_results
    app.edgedl_results = read_results(Path(app.confdir, configured)) if configured else {}


def setup(app: Sphinx) -> dict:
    """Register the roles."""
    app.add_config_value("edgedl_results", "results.json", "env")
    app.connect("builder-inited", _load)
    for name, role in (("measured", MeasuredRole()), ("reported", ReportedRole()), ("verdict", VerdictRole())):
        app.add_role(name, role)
    return {"version": "1", "parallel_read_safe": True}
