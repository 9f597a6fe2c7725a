"""Does the device catalogue agree with its own formulas? Peaks from clocks, bandwidth from buses (survey Table II).

Vendors quote FP16 or int8 rates, gigabits or whole chips; the figures most often got wrong are recomputed here.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass

from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.system import catalogue

GIGA = 1e9
OP_PER_MAC = 2
BITS_PER_BYTE = 8

_FACTOR = r"\d+(?:\.\d+)?(?: (?:cores|PE|GHz|MHz|GMAC/s|MAC/cycle|MAC|flop))?"
_PEAK = re.compile(rf"(?:(fp32|int8|int) = )?({_FACTOR}(?:\*{_FACTOR})+)")
_BUS = re.compile(r"(\d+)-bit LPDDR\d-(\d+)|(\d+)-bit DDR\dL?-(\d+)")
_CHANNELS = re.compile(r"(\d+) channels \* DDR\d-(\d+) \* (\d+) B")


@dataclass(frozen=True)
class DerivedCell:
    """A figure of the catalogue beside what the formula in its source text gives, both in the column's unit."""

    device: str
    column: str
    formula: str
    listed: float
    computed: float

    @property
    def deviation(self) -> float:
        """Relative deviation of the formula from the listed figure."""
        return abs(self.computed / self.listed - 1)


def evaluate_product(formula: str) -> float:
    """Value in giga-units of a product such as ``2*128*0.9216 GHz``.

    Examples
    --------
    >>> round(evaluate_product("2*128*0.9216 GHz"), 1)
    235.9
    >>> round(evaluate_product("120 MHz*2 MAC/cycle*2"), 2)
    0.48
    """
    value = math.prod(float(number) for number in re.findall(r"\d+(?:\.\d+)?", formula))
    return value / 1e3 if "MHz" in formula else value


def peak_formula(source: str) -> tuple[str, float] | None:
    """Column and value of the first peak formula in a source text, or None.

    A product without a label is a float32 peak.
    """
    match = _PEAK.search(source)
    if match is None:
        return None
    column = "peak_gflops_fp32" if match[1] in (None, "fp32") else "peak_gops_int8"
    return column, evaluate_product(match[2])


def bandwidth_formula(source: str) -> float | None:
    """Bandwidth in GB/s from bus width and transfer rate in a source text, or None.

    Examples
    --------
    >>> bandwidth_formula("64-bit LPDDR4-3200 = 25.6 seen")
    25.6
    """
    if match := _BUS.search(source):
        bits, transfers = (float(group) for group in match.groups() if group)
        return bits / BITS_PER_BYTE * transfers / 1e3
    if match := _CHANNELS.search(source):
        return math.prod(float(group) for group in match.groups()) / 1e3
    return None


def derived_cells() -> tuple[DerivedCell, ...]:
    """Every figure of ``data/devices.csv`` that a formula in its source text explains."""
    cells = []
    for row in _rows():
        found = [peak_formula(row["source"]), ("memory_bandwidth_gbs", bandwidth_formula(row["source"]))]
        for column, computed in (pair for pair in found if pair and pair[1] is not None):
            if row[column]:
                cells.append(DerivedCell(row["name"], column, row["source"], float(row[column]), computed))
    return tuple(cells)


def derived_peak(device: str) -> float:
    """Peak in op/s of a device by the formula in its source text.

    Raises
    ------
    ValueError
        If its source text holds no formula.
    """
    source = next((row["source"] for row in _rows() if row["name"] == device), None)
    formula = peak_formula(source) if source else None
    if formula is None:
        raise ValueError(f"the catalogue gives no formula for the peak of {device!r}: choose one of derived_cells()")
    return formula[1] * GIGA


def ridge_share() -> float:
    """Catalogue rows with a ridge point over rows that know both peak and bandwidth: 1 if no blank counts as zero."""
    return int(catalogue.device_table()["ridge_flop_per_byte"].notna().sum()) / len(
        catalogue.device_names(complete=True)
    )


def doubled_fp16(chip: str) -> float:
    """Int8 peak in op/s of an Ascend chip: twice its FP16 rate."""
    return 2 * facts("table2_facts", chip)["fp16_peak"]


def turing_peak(precision: str) -> float:
    """Peak in op/s of a Tesla T4 from units and clock: ``fp32``, or ``int8`` at twice the tensor cores' FP16."""
    chip = facts("table2_facts", "Tesla T4")
    if precision == "fp32":
        return OP_PER_MAC * chip["cores"] * chip["clock"]
    return 2 * OP_PER_MAC * chip["tensor_cores"] * chip["multiply_adds_per_cycle"] * chip["clock"]


def stick_memory() -> float:
    """Memory of the Movidius stick in bytes: the vendor writes gigabit."""
    return facts("table2_facts", "Movidius NCS (Myriad 2)")["memory_bits"] / BITS_PER_BYTE


def mac_rate(device: str) -> float:
    """Multiply-accumulates per second behind a device's int8 rate in the catalogue."""
    return catalogue.specification(device, "peak_gops_int8").value * GIGA / OP_PER_MAC


def _rows() -> list[dict[str, str]]:
    with open(catalogue.DATA / "devices.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
