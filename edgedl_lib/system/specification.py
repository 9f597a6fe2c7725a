"""One published figure with its provenance, and the error for a figure that nobody published."""

from __future__ import annotations

from dataclasses import dataclass


class MissingSpecification(ValueError):
    """A figure that the catalogue does not hold; an unknown figure is never taken for zero."""


@dataclass(frozen=True)
class Specification:
    """One cell of the device table.

    Attributes
    ----------
    device, column : str
        Row and column of ``data/devices.csv``.
    value : float
        In the unit that the column's name carries.
    source : str
        Where the figure comes from.
    evidence : str
        ``seen``, ``derived`` (formula in `source`), ``mixed`` or ``memory`` (recalled: show it, never test against it).
    """

    device: str
    column: str
    value: float
    source: str
    evidence: str

    @property
    def recalled(self) -> bool:
        """Whether the figure is recalled, not seen."""
        return self.evidence == "memory"
