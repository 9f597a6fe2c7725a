"""How the survey's Table V prints the rows of DeepCham [104] and of its neighbour [130]."""

from __future__ import annotations

from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import read_rows

ROWS = ("104", "130")


def misprinted_names() -> dict[str, tuple[str, str]]:
    """Reference to (name as printed, name that belongs there), from the list of the survey's slips.

    >>> misprinted_names()
    {'130': ('DeepCham', 'fused-layer CNN'), '104': ('', 'DeepCham')}
    """
    slips = read_rows(DATA / "survey" / "errata.csv", ("place", "reference", "column", "printed", "correction"))
    return {
        slip["reference"]: (slip["printed"], slip["correction"])
        for slip in slips
        if slip["place"] == "Table V" and slip["column"] == "system" and slip["reference"] in ROWS
    }
