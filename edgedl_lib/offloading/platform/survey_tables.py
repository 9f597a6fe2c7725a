"""The survey's own tables as data: libraries (Table III) and preferred hardware of edge devices (Table IV)."""

from __future__ import annotations

from collections.abc import Mapping

from edgedl_lib.system.catalogue import DATA, UnknownName, read_rows

#: Feature columns of Table III, in its order.
FEATURES = ("edge_support", "android", "ios", "arm", "fpga", "dsp", "gpu", "mobile_gpu", "training")
#: Entries of Table III that documentation of the time contradicts (recalled): the survey's word stands in the data.
DISPUTED = (
    ("TensorFlow Lite", "ios", "the survey says no; iOS was supported"),
    ("TensorFlow", "android", "the survey says no; TensorFlow Mobile existed"),
    ("MXNet", "fpga", "the survey says yes; not a mainstream feature"),
    ("MNN", "fpga", "the survey says yes; not a mainstream feature"),
)


def library_matrix() -> Mapping[str, frozenset[str]]:
    """Features marked yes for each library of Table III, in the survey's order."""
    rows = read_rows(DATA / "survey" / "table_3_libraries.csv", ("library", *FEATURES))
    return {row["library"]: frozenset(name for name in FEATURES if _yes(row, name)) for row in rows}


def libraries_with(*features: str) -> frozenset[str]:
    """Libraries that the survey marks for all the given features.

    Raises
    ------
    UnknownName
        If a feature is no column of Table III.

    Examples
    --------
    >>> sorted(libraries_with("android", "ios", "training"))
    ['(Py)Torch', 'MXNet']
    """
    for name in features:
        if name not in FEATURES:
            raise UnknownName(f"{name!r} is no feature of Table III: use one of {', '.join(FEATURES)}")
    return frozenset(library for library, marked in library_matrix().items() if marked.issuperset(features))


def yes_entries() -> int:
    """Number of yes entries of Table III."""
    return sum(len(marked) for marked in library_matrix().values())


def most_features() -> int:
    """Features of the library that has the most."""
    return max(len(marked) for marked in library_matrix().values())


def preferences() -> Mapping[str, frozenset[str]]:
    """Preferred hardware for each metric of Table IV; a cell such as ``CPU/FPGA`` prefers both.

    Examples
    --------
    >>> sorted(preferences()["Space occupation"])
    ['CPU', 'FPGA']
    """
    rows = read_rows(DATA / "survey" / "table_4_edge_node_solutions.csv", ("metric", "preferred_hardware"))
    return {row["metric"]: frozenset(row["preferred_hardware"].split("/")) for row in rows}


def rows_preferring(hardware: str) -> int:
    """Rows of Table IV that name ``CPU``, ``GPU`` or ``FPGA`` as preferred."""
    return sum(hardware in preferred for preferred in preferences().values())


def _yes(row: Mapping[str, str], feature: str) -> bool:
    if row[feature] not in ("yes", "no"):
        raise ValueError(f"Table III, {row['library']}, {feature}: {row[feature]!r} is neither yes nor no")
    return row[feature] == "yes"
