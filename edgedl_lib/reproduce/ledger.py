"""The claim ledger: what papers reported, in which band our measurement confirms it, and the verdict.

One CSV file a notebook, ``data/claims/<notebook>.csv``; one row a claim.  The columns are those of :class:`Claim`.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from .project import project_root

KINDS = ("ratio", "percent", "count", "absolute", "trend")
EVIDENCE = ("survey", "paper", "memory")
SCALES = ("same", "reduced", "model")
MEASUREMENTS = ("exact", "seeded", "timed")
VERDICTS = ("reproduced", "trend", "differs", "not run")


class LedgerError(ValueError):
    """A claims file that cannot be trusted: the message names the file, the line, the value and the remedy."""


class UnknownClaim(KeyError):
    """A claim id that no ledger holds."""

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class Claim:
    """One reported figure and the band in which we call it confirmed.

    ``low`` and ``high`` bound our own measurement; either may be ``None``.  A row whose ``evidence`` is ``memory`` is
    shown and judged, but never fails a run.  ``differs_because`` says why a known deviation is a result and not a
    fault; ``not_run`` says why a figure is not measured here.
    """

    id: str
    system: str
    survey_ref: str
    survey_section: str
    survey_table: str
    metric: str
    unit: str
    kind: str
    reported: float | None
    reported_low: float | None
    reported_high: float | None
    baseline: str
    setting: str
    source: str
    evidence: str
    low: float | None
    high: float | None
    scale: str
    measurement: str
    rationale: str
    differs_because: str
    not_run: str
    notebook: str

    @property
    def banded(self) -> bool:
        """Whether the claim has a band, that is, whether it can be wrong."""
        return self.low is not None or self.high is not None

    @property
    def enforced(self) -> bool:
        """Whether leaving the band fails a run: never for recalled figures, nor for known deviations."""
        return self.banded and self.evidence != "memory" and not self.differs_because

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the band; an empty side is open."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def verdict(self, value: float) -> str:
        """Judge a measured ``value``: ``reproduced``, ``trend`` or ``differs``.

        ``reproduced`` needs the band to hold the reported figure too; a band that had to be moved away from it (other
        scale, other hardware) confirms the direction only, hence ``trend``.  A claim that reports a direction and no
        figure is reproduced inside its band.
        """
        if not self.holds(value):
            return "differs"
        figures = [f for f in (self.reported, self.reported_low, self.reported_high) if f is not None]
        return "reproduced" if all(self.holds(figure) for figure in figures) else "trend"


_NUMBERS = ("reported", "reported_low", "reported_high", "low", "high")
COLUMNS = tuple(field.name for field in fields(Claim) if field.name != "notebook")


def read_ledger(path: Path) -> list[Claim]:
    """Read one claims file and check every row.

    Raises
    ------
    LedgerError
        For a missing or unreadable file, other columns, a malformed number, a repeated id, a word outside the
        vocabulary, or a row that contradicts itself.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames is None or tuple(rows.fieldnames) != COLUMNS:
                raise LedgerError(f"{path.name}: the header is {rows.fieldnames}; expected {','.join(COLUMNS)}")
            claims = [_parse(row, f"{path.name} line {rows.line_num}", path.stem) for row in rows]
    except OSError as error:
        raise LedgerError(
            f"cannot read the claims file {path}: {error.strerror}; restore it from version control"
        ) from error
    except UnicodeDecodeError as error:
        raise LedgerError(f"{path.name} is not UTF-8 text ({error.reason}); restore it from version control") from error
    _refuse_repeats([claim.id for claim in claims], path.name)
    return claims


def _parse(row: dict, where: str, notebook: str) -> Claim:
    if None in row or None in row.values():
        raise LedgerError(f"{where}: {len([v for v in row.values() if v is not None])} cells; expected {len(COLUMNS)}")
    numbers = {name: _number(row[name], f"{where}, column {name}") for name in _NUMBERS}
    claim = Claim(**{**{name: row[name].strip() for name in COLUMNS}, **numbers}, notebook=notebook)
    _check(claim, where)
    return claim


def _number(text: str, where: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise LedgerError(f"{where}: {text!r} is not a number; write a plain decimal or leave the cell empty") from None
    if not math.isfinite(value):
        raise LedgerError(f"{where}: {text!r} is not finite; leave an open side of a band empty")
    return value


def _check(claim: Claim, where: str) -> None:
    for name, allowed in (("kind", KINDS), ("evidence", EVIDENCE), ("scale", SCALES), ("measurement", MEASUREMENTS)):
        value = getattr(claim, name)
        if value not in allowed and not (claim.not_run and name in ("scale", "measurement") and not value):
            raise LedgerError(f"{where}: {name} is {value!r}; expected one of {', '.join(allowed)}")
    if not claim.id or claim.id != claim.id.lower() or "." not in claim.id or " " in claim.id:
        raise LedgerError(f"{where}: id {claim.id!r} is not a dotted slug such as 'neurosurgeon.latency_speedup'")
    if claim.low is not None and claim.high is not None and claim.low > claim.high:
        raise LedgerError(f"{where}: the band [{claim.low}, {claim.high}] is empty; low must not exceed high")
    if claim.banded and not claim.rationale:
        raise LedgerError(f"{where}: {claim.id} has a band and no rationale; say what a wrong method would give")
    if claim.banded == bool(claim.not_run):
        raise LedgerError(
            f"{where}: {claim.id} needs either a band (low or high) or a reason in not_run, not both or none"
        )


def _refuse_repeats(ids: list[str], where: str) -> None:
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise LedgerError(f"{where}: the id {repeated[0]!r} stands on two rows; every claim needs an id of its own")


def load_claims(folder: Path | None = None) -> dict[str, Claim]:
    """Return every claim of every ledger, keyed by id, in file order.

    Parameters
    ----------
    folder : Path, optional
        The folder of claims files; the checkout's ``data/claims`` by default.

    Raises
    ------
    LedgerError
        If a file is malformed or an id stands in two files.
    """
    folder = Path(folder) if folder is not None else project_root() / "data" / "claims"
    stamps = tuple((path, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.csv")))
    if not stamps:
        raise LedgerError(f"no claims files in {folder}; expected <notebook>.csv, one for each notebook")
    return dict(_load(stamps))


@lru_cache(maxsize=4)
def _load(stamps: tuple) -> dict[str, Claim]:
    claims = [claim for path, _ in stamps for claim in read_ledger(path)]
    _refuse_repeats([claim.id for claim in claims], "data/claims")
    return {claim.id: claim for claim in claims}


def find_claim(identifier: str, claims: dict[str, Claim] | None = None) -> Claim:
    """Return the claim called ``identifier``.

    Raises
    ------
    UnknownClaim
        Naming the nearest ids.
    """
    claims = load_claims() if claims is None else claims
    if identifier in claims:
        return claims[identifier]
    from difflib import get_close_matches

    near = get_close_matches(str(identifier), claims, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "add its row to data/claims/<notebook>.csv"
    raise UnknownClaim(f"no ledger holds the claim {identifier!r}; {hint}")
