"""Recording a measurement: ``claim(id, value)`` shows a card and writes the one typed output that is ever collected."""

from __future__ import annotations

import html
import math
import numbers
import os
from dataclasses import dataclass

from .ledger import Claim, find_claim

MIME = "application/vnd.edgedl.claim+json"


class RecordError(ValueError):
    """A measurement that cannot be recorded: the message names the claim, the value and the remedy."""


@dataclass(frozen=True)
class Record:
    """One measured figure beside the reported one; shows itself as a card in a notebook."""

    claim: Claim
    value: float
    interval: tuple[float, float] | None = None

    @property
    def verdict(self) -> str:
        """What the measurement says of the claim."""
        return self.claim.verdict(self.value)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        interval = list(self.interval) if self.interval else None
        data = {"id": self.claim.id, "value": self.value, "interval": interval}
        return {MIME: data, "text/html": card(self), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return (
            f"{self.claim.id}: reported {reported_text(self.claim)}, measured {measured_text(self)}, "
            f"band {band_text(self.claim)}: {self.verdict}"
        )


@dataclass(frozen=True)
class NotRun:
    """A claim that cannot be measured on this machine, and why; shows itself as a card too."""

    claim: Claim
    reason: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        data = {"id": self.claim.id, "value": None, "interval": None, "reason": self.reason}
        return {MIME: data, "text/html": _card(self.claim, "not run", "–", self.reason), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"{self.claim.id}: not run, {self.reason}"


_recorded: dict[str, object] = {}


def claim(identifier: str, value: float, interval: tuple[float, float] | None = None) -> Record:
    """Record the measured ``value`` of a claim and return its card.

    Parameters
    ----------
    identifier : str
        The id of a row of ``data/claims/*.csv``.
    value : float
        The measured figure, in the unit of that row; an integer for a count.
    interval : (float, float), optional
        The 95 % interval of a figure that is a mean over seeds.

    Raises
    ------
    UnknownClaim
        If no ledger holds the id.
    RecordError
        If the value is not a finite number of the right type, the interval does not hold it, the ledger calls the
        claim not run, or the claim has been recorded already.
    """
    entry = find_claim(identifier)
    if entry.not_run:
        raise RecordError(f"{identifier} is not run ({entry.not_run}); give its row a band before measuring it")
    record = Record(entry, _checked_value(entry, value), _checked_interval(entry, value, interval))
    _refuse_second_recording(identifier)
    return record


def not_run(identifier: str, reason: str) -> NotRun:
    """Say that a claim with a band cannot be measured on this machine, for instance for want of an instruction.

    Raises
    ------
    UnknownClaim
        If no ledger holds the id.
    RecordError
        If there is no reason, or the claim has been recorded already.
    """
    entry = find_claim(identifier)
    if not str(reason).strip():
        raise RecordError(f"{identifier}: the reason is empty; say why it is not measured here")
    _refuse_second_recording(identifier)
    return NotRun(entry, str(reason))


def _checked_value(entry: Claim, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise RecordError(
            f"{entry.id}: {value!r} is a {type(value).__name__}; expected a number in {entry.unit or 'plain units'}"
        )
    if not math.isfinite(value):
        raise RecordError(f"{entry.id}: the value is {value!r}; expected a finite number, check the measurement")
    if entry.kind == "count" and value != int(value):
        raise RecordError(f"{entry.id}: {value!r} is not whole; a count of {entry.unit or 'things'} must be an integer")
    return int(value) if entry.kind == "count" else float(value)


def _checked_interval(entry: Claim, value: float, interval: object) -> tuple[float, float] | None:
    if interval is None:
        return None
    try:
        low, high = (float(bound) for bound in interval)
    except (TypeError, ValueError):
        raise RecordError(f"{entry.id}: the interval is {interval!r}; expected two numbers (low, high)") from None
    if not (math.isfinite(low) and math.isfinite(high) and low <= value <= high):
        raise RecordError(f"{entry.id}: the interval [{low}, {high}] does not hold the value {value}")
    return low, high


def _refuse_second_recording(identifier: str) -> None:
    """Refuse a second recording in one run of a notebook, but let a reader run a cell again in a live session."""
    moment = _execution_moment()
    strict = bool(os.environ.get("EDGEDL_BATCH"))
    if identifier in _recorded and (strict or _recorded[identifier] == moment):
        raise RecordError(f"{identifier} has been recorded already; record each claim in one place only")
    _recorded[identifier] = moment


def _execution_moment() -> object:
    import sys

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell.execution_count if shell is not None else "outside a notebook"


def format_number(value: float) -> str:
    """Write a number to four significant digits, integers in full.

    >>> [format_number(x) for x in (2.0812, 65536, 24000.0, 0.00041)]
    ['2.081', '65,536', '24,000', '0.00041']
    """
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


SYMBOLS = {"ratio": "×", "x": "×", "percent": " %", "share": "", "1": "", "": ""}
"""Units that print as a sign; any other unit follows its number after a space."""


def with_unit(text: str, unit: str) -> str:
    """Join a written number and its unit as print does.

    >>> with_unit("2.08", "ratio"), with_unit("44", "percent"), with_unit("3", "cases")
    ('2.08×', '44 %', '3 cases')
    """
    return text + SYMBOLS.get(unit, f" {unit}")


def reported_text(entry: Claim) -> str:
    """What the source reports, as text: a figure, a range, a bound or a direction."""
    low, high = entry.reported_low, entry.reported_high
    if entry.reported is not None:
        return with_unit(format_number(entry.reported), entry.unit)
    if low is not None and high is not None:
        return with_unit(f"{format_number(low)} to {format_number(high)}", entry.unit)
    if low is not None or high is not None:
        bound = f"≥ {format_number(low)}" if low is not None else f"≤ {format_number(high)}"
        return with_unit(bound, entry.unit)
    return "a direction"


def measured_text(record: Record) -> str:
    """The measured figure with its unit and, if it has one, its interval."""
    text = with_unit(format_number(record.value), record.claim.unit)
    if record.interval:
        text += f" [{format_number(record.interval[0])}, {format_number(record.interval[1])}]"
    return text


def band_text(entry: Claim) -> str:
    """The band of a claim, as text."""
    if entry.low is not None and entry.high is not None:
        return f"{format_number(entry.low)} to {format_number(entry.high)}"
    if entry.low is not None:
        return f"≥ {format_number(entry.low)}"
    return f"≤ {format_number(entry.high)}" if entry.high is not None else "none"


def anchor(identifier: str) -> str:
    """The HTML id of a claim's card, for links from the scoreboard.

    >>> anchor("neurosurgeon.latency_speedup.mean")
    'claim-neurosurgeon-latency-speedup-mean'
    """
    return "claim-" + identifier.replace(".", "-").replace("_", "-")


def card(record: Record) -> str:
    """Return the card as HTML: readable without the book's style sheet, coloured by it in both themes."""
    reason = record.claim.differs_because if record.verdict == "differs" else ""
    return _card(record.claim, record.verdict, measured_text(record), reason)


def _card(entry: Claim, verdict: str, measured: str, reason: str) -> str:
    recalled = " (recalled, unverified)" if entry.evidence == "memory" else ""
    facts = [
        ("reported", reported_text(entry) + recalled),
        ("measured", measured),
        ("band", band_text(entry)),
        ("source", f"{entry.survey_ref} {entry.source}".strip()),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts)
    told = f'<p class="edgedl-reason">{html.escape(reason)}</p>' if reason else ""
    style = "border:1px solid currentColor;border-radius:.5em;padding:.5em .8em;margin:.4em 0"
    return (
        f'<div class="edgedl-claim edgedl-verdict-{verdict.replace(" ", "")}" id="{anchor(entry.id)}" style="{style}">'
        f'<p class="edgedl-claim-head"><strong>{html.escape(entry.system)}</strong>: {html.escape(entry.metric)} '
        f'<span class="edgedl-verdict">{verdict}</span></p>'
        f'<dl class="edgedl-claim-facts">{cells}</dl>{told}<code>{html.escape(entry.id)}</code></div>'
    )
