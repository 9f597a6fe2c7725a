"""The catalogues in ``data/``: devices, their calibrations, and links, each figure with its source.

Published peaks stand in ``devices.csv``; what a device reaches of them stands in ``device_calibration.csv``, by device
or, for a device that nobody measured, by kind of device.  An empty cell is unknown: asking for it is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgedl_lib.system.catalogue_file import UnknownName, named_row, read_rows
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link
from edgedl_lib.system.radio import radio_power
from edgedl_lib.system.specification import MissingSpecification, Specification

if TYPE_CHECKING:
    import pandas

DATA = Path(__file__).resolve().parents[2] / "data"

#: Name under which the measured machine of the reader is found.
HOST = "host"

#: Factors from the units of `devices.csv` to SI, by column.
SI_FACTORS = {
    "peak_gflops_fp32": 1e9,
    "peak_gops_int8": 1e9,
    "memory_bandwidth_gbs": 1e9,
    "memory_gb": 1e9,
    "power_w": 1.0,
}
PEAK_COLUMNS = {"fp32": "peak_gflops_fp32", "int8": "peak_gops_int8"}
CALIBRATION_COLUMNS = (
    "compute_efficiency",
    "bandwidth_efficiency",
    "overhead_s",
    "busy_power_w",
    "idle_power_w",
)


def device_names(*, complete: bool = False) -> list[str]:
    """Names in the device catalogue, in its order.

    Parameters
    ----------
    complete : bool
        Only those with a float32 peak and a memory bandwidth, so that :func:`device` can place them on a roofline.
    """
    needed = ("peak_gflops_fp32", "memory_bandwidth_gbs") if complete else ()
    return [name for name, row in _device_rows().items() if all(row[column] for column in needed)]


def specification(name: str, column: str) -> Specification:
    """One published figure of a device, with its source and evidence.

    Parameters
    ----------
    name : str
        Device name.
    column : str
        Numeric column of ``devices.csv``, for instance ``peak_gops_int8`` (GOPS; a multiply-add is two operations).

    Raises
    ------
    MissingSpecification
        If the cell is empty.
    UnknownName
        If there is no such device or column.

    Examples
    --------
    >>> specification("TPU v1", "peak_gops_int8").value
    92000.0
    """
    row = _device_row(name)
    if column not in SI_FACTORS:
        raise UnknownName(f"column {column!r} is no figure of a device: use one of {', '.join(SI_FACTORS)}")
    if not row[column]:
        raise MissingSpecification(
            f"{name!r} has no {column} in data/devices.csv: nobody published it, so choose another device or "
            "construct a Device with your own figure"
        )
    return Specification(name, column, float(row[column]), row["source"], cell_evidence(name, column))


def cell_evidence(name: str, column: str) -> str:
    """How we know one cell: ``seen``, ``derived``, ``mixed`` or ``memory`` (recalled, never tested against)."""
    return _evidence_rows().get((name, column)) or _device_row(name)["evidence"]


def device(name: str, *, precision: str = "fp32") -> Device:
    """A device of the catalogue, or ``"host"``, the machine that ``edgedl profile`` measured.

    Parameters
    ----------
    name : str
        Name in ``data/devices.csv``, or ``"host"``.
    precision : {"fp32", "int8"}
        Which peak becomes ``peak_flop_per_s`` (int8: operations per second, a multiply-add is two).

    Returns
    -------
    Device
        Peaks as published, efficiencies as calibrated; ``calibration`` says against what.

    Raises
    ------
    UnknownName
        If there is no such device; the message names the nearest.
    MissingSpecification
        If its peak or its bandwidth is unknown.

    Examples
    --------
    >>> tk1 = device("Jetson TK1")
    >>> tk1.peak_flop_per_s, tk1.memory_bandwidth
    (365200000000.0, 14900000000.0)
    """
    if name == HOST:
        from edgedl_lib.system.host import read_host

        return read_host().device()
    return _published_device(name, _peak_column(precision))


def device_table() -> pandas.DataFrame:
    """The whole device catalogue as a table, calibrations joined.

    Returns
    -------
    pandas.DataFrame
        One row per device: the columns of ``devices.csv`` (unknown cells are missing), those of
        ``device_calibration.csv``, ``ridge_flop_per_byte`` where both peaks are known, and ``recalled``: the columns
        whose figure is recalled and not seen.
    """
    import pandas

    table = pandas.DataFrame([{**row, **_calibration_columns(name)} for name, row in _device_rows().items()])
    numeric = [*SI_FACTORS, *CALIBRATION_COLUMNS, "year"]
    table[numeric] = table[numeric].apply(pandas.to_numeric)
    table["survey_table"] = table["survey_table"].replace("", None)
    table["ridge_flop_per_byte"] = table["peak_gflops_fp32"] / table["memory_bandwidth_gbs"]
    table["recalled"] = [", ".join(_recalled_columns(name)) for name in table["name"]]
    return table


def sustained_rate(name: str, *, precision: str = "fp32") -> float:
    """FLOP/s that a device keeps up on networks: its peak times its calibrated efficiency.

    Needs no memory bandwidth, so it also speaks for microcontrollers, whose data lie in on-chip memory.

    Raises
    ------
    UnknownName
        If there is no such device.
    MissingSpecification
        If its peak at that precision is unknown.

    Examples
    --------
    >>> round(sustained_rate("Nucleo-L4R5ZI (Cortex-M4)", precision="int8") / 1e6, 1)
    34.1
    """
    return _si(name, _peak_column(precision)) * float(_calibration_row(name)["compute_efficiency"])


def link_names() -> list[str]:
    """Names in the link catalogue, in its order."""
    return list(_link_rows())


def link(name: str) -> Link:
    """A link of the catalogue.

    The radio's energy per bit follows from the power model of its technology at the link's own rate; a wired link has
    none, and asking for its energy is an error.

    Raises
    ------
    UnknownName
        If there is no such link; the message names the nearest.

    Examples
    --------
    >>> link("neurosurgeon-wifi").transfer_time(152_000)
    0.095
    """
    row = named_row(_link_rows(), name, "link")
    rate = float(row["rate_bit_per_s"])
    return Link(
        name=name,
        rate=rate,
        rtt=float(row["rtt_s"]),
        energy_per_bit=radio_power(row["radio"], rate) / rate if row["radio"] else None,
        loss=float(row["loss"]),
        source=row["source"],
        evidence=row["evidence"],
    )


def link_table() -> pandas.DataFrame:
    """The whole link catalogue as a table: one row per link, the columns of ``links.csv``."""
    import pandas

    table = pandas.DataFrame(list(_link_rows().values()))
    numeric = ["rate_bit_per_s", "rtt_s", "loss"]
    table[numeric] = table[numeric].apply(pandas.to_numeric)
    return table


def _peak_column(precision: str) -> str:
    if precision not in PEAK_COLUMNS:
        raise ValueError(f"precision {precision!r} is unknown: use 'fp32' or 'int8'")
    return PEAK_COLUMNS[precision]


def _published_device(name: str, column: str) -> Device:
    row = _device_row(name)
    calibration = _calibration_row(name)
    return Device(
        name=name,
        peak_flop_per_s=_si(name, column),
        memory_bandwidth=_si(name, "memory_bandwidth_gbs"),
        compute_efficiency=float(calibration["compute_efficiency"]),
        bandwidth_efficiency=float(calibration["bandwidth_efficiency"]),
        overhead=float(calibration["overhead_s"]),
        busy_power=_number(calibration["busy_power_w"]) or _number(row["power_w"]),
        idle_power=_number(calibration["idle_power_w"]),
        calibration=calibration["calibration"],
        source=row["source"],
        evidence=weakest(cell_evidence(name, cell) for cell in (column, "memory_bandwidth_gbs")),
    )


def weakest(evidence: Iterable[str]) -> str:
    """The weakest of several evidence words.

    Examples
    --------
    >>> weakest(["seen", "memory", "derived"])
    'memory'
    """
    order = ("seen", "derived", "mixed", "memory")
    return max(evidence, key=order.index)


@lru_cache
def _device_rows() -> dict[str, dict[str, str]]:
    rows = read_rows(DATA / "devices.csv", ["name", "kind", *SI_FACTORS, "source", "evidence"])
    return {row["name"]: row for row in rows}


@lru_cache
def _calibration_rows() -> dict[str, dict[str, str]]:
    rows = read_rows(DATA / "device_calibration.csv", ["name", *CALIBRATION_COLUMNS, "calibration", "evidence"])
    return {row["name"]: row for row in rows}


@lru_cache
def _evidence_rows() -> dict[tuple[str, str], str]:
    rows = read_rows(DATA / "device_evidence.csv", ["name", "column", "evidence"])
    return {(row["name"], row["column"]): row["evidence"] for row in rows}


@lru_cache
def _link_rows() -> dict[str, dict[str, str]]:
    columns = ["name", "rate_bit_per_s", "rtt_s", "loss", "radio", "source", "evidence"]
    return {row["name"]: row for row in read_rows(DATA / "links.csv", columns)}


def _device_row(name: str) -> dict[str, str]:
    return named_row(_device_rows(), name, "device", [HOST])


def _calibration_row(name: str) -> dict[str, str]:
    rows = _calibration_rows()
    return rows.get(name) or rows[f"kind:{_device_row(name)['kind']}"]


def _calibration_columns(name: str) -> dict[str, str]:
    row = _calibration_row(name)
    kept = {column: row[column] for column in (*CALIBRATION_COLUMNS, "calibration")}
    return {**kept, "calibration_evidence": row["evidence"]}


def _si(name: str, column: str) -> float:
    return specification(name, column).value * SI_FACTORS[column]


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _recalled_columns(name: str) -> list[str]:
    row = _device_row(name)
    return [column for column in SI_FACTORS if row[column] and cell_evidence(name, column) == "memory"]
