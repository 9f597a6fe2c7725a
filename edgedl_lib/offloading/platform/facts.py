"""Published figures, one a line in ``data/<name>.csv``: subject, quantity, value, unit, source, evidence.

Values are in SI units; the unit column says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from edgedl_lib.system.catalogue import DATA, UnknownName, read_rows

COLUMNS = ("subject", "quantity", "value", "unit", "source", "evidence")


class Facts(Mapping):
    """The figures of one subject: a mapping from quantity to value that names what it lacks."""

    def __init__(self, subject: str, values: Mapping[str, float]) -> None:
        self.subject = subject
        self._values = MappingProxyType(dict(values))

    def __getitem__(self, quantity: str) -> float:
        if quantity not in self._values:
            raise UnknownName(f"{self.subject!r} has no {quantity!r}: known are {', '.join(sorted(self._values))}")
        return self._values[quantity]

    def __iter__(self):
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@lru_cache
def _tables(file: str) -> Mapping[str, Facts]:
    values: dict[str, dict[str, float]] = {}
    for row in read_rows(DATA / f"{file}.csv", COLUMNS):
        subject = values.setdefault(row["subject"], {})
        if row["quantity"] in subject:
            raise ValueError(f"data/{file}.csv gives {row['quantity']} of {row['subject']!r} twice: remove one row")
        subject[row["quantity"]] = float(row["value"])
    return MappingProxyType({subject: Facts(subject, quantities) for subject, quantities in values.items()})


def facts(file: str, subject: str) -> Facts:
    """Published figures of one subject.

    Parameters
    ----------
    file : str
        Name of a facts file in ``data/``, without ending.
    subject : str
        First column of that file.

    Raises
    ------
    UnknownName
        If the file does not hold the subject, or (on look-up) the subject lacks a quantity.

    Examples
    --------
    >>> facts("tpu_v1", "tpu")["memory_bandwidth"]
    34000000000.0
    """
    tables = _tables(file)
    if subject not in tables:
        raise UnknownName(f"data/{file}.csv has no {subject!r}: known are {', '.join(tables)}")
    return tables[subject]
