"""The authors' tables, ``data/ddnn.csv``, and what can be computed from their numbers alone."""

from functools import lru_cache

import numpy as np
import pandas

from edgedl_lib.system.catalogue import DATA, read_rows

COLUMNS = ("table", "case", "quantity", "value", "unit", "source", "evidence")


@lru_cache
def _rows() -> tuple[dict, ...]:
    return tuple(read_rows(DATA / "ddnn.csv", COLUMNS))


def published(table: str) -> pandas.DataFrame:
    """One of the authors' tables: a row a case, a column a quantity.

    Parameters
    ----------
    table : str
        ``"cameras"``, ``"missing"``, ``"filters"``, ``"threshold"``, ``"patches"`` or ``"mvmc"``.

    >>> float(published("filters").loc["8", "memory"])
    2028.0
    """
    rows = [row for row in _rows() if row["table"] == table]
    if not rows:
        raise KeyError(f"no table {table!r}; the file has {', '.join(dict.fromkeys(row['table'] for row in _rows()))}")
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        values.setdefault(row["case"], {})[row["quantity"]] = float(row["value"])
    return pandas.DataFrame.from_dict(values, orient="index")


def memory_of(filters: int) -> float:
    """Published bytes of a device's model as the *other* rows of the table predict them, by a straight line.

    The rows give 204 + 228 f.  The authors' code does not say which layers are counted (and its function adds bits to
    bytes), so the line is all that can be checked.

    >>> round(memory_of(8))
    2028
    """
    memory = published("filters")["memory"]
    others = memory.drop(str(filters), errors="ignore")
    slope, constant = np.polyfit(others.index.astype(float), others, 1)
    return float(constant + slope * filters)
