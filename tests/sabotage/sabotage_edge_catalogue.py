"""Wrong readings of data sheets (survey Table II)."""

from edgedl_lib.offloading.platform import catalogue_check
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system import catalogue


@sabotage("table2.jetson_nano_fp32", "table2.derived_cells")
def half_precision_as_float():
    """The advertised 472 GFLOPS are FP16: twice the float32 rate."""
    wrong = 2 * catalogue_check.derived_peak("Jetson Nano") / 1e9
    listed = catalogue.specification("Jetson Nano", "peak_gflops_fp32").value
    return {"table2.jetson_nano_fp32": wrong, "table2.derived_cells": abs(wrong / listed - 1)}


@sabotage("table2.ncs_memory")
def gigabit_as_gigabyte():
    """The press wrote 4 GB; the documentation says 4 Gbit."""
    return facts("table2_facts", "Movidius NCS (Myriad 2)")["memory_bits"] / 1e9


@sabotage("table2.ascend310_int8", "table2.ascend910_int8", "table2.t4_int8", "table2.t4_fp32")
def precision_mixed_up():
    """FP16 rates read as int8, and tensor-core FP16 read as float32."""
    half = catalogue_check.turing_peak("int8") / 2 / 1e12
    return {
        "table2.ascend310_int8": catalogue_check.doubled_fp16("Ascend 310") / 2e12,
        "table2.ascend910_int8": catalogue_check.doubled_fp16("Ascend 910") / 2e12,
        "table2.t4_int8": half,
        "table2.t4_fp32": half,
    }


@sabotage("table2.heliop60_macs")
def operations_as_macs():
    """560 GOPS taken for multiply-accumulates."""
    return catalogue.specification("Helio P60", "peak_gops_int8").value


@sabotage("table2.xeon_d2100_tdp")
def idle_power():
    """A wall meter on an idle server shows less than the family's lowest design power."""
    return facts("table2_facts", "Xeon D-2100 family")["lowest_power"] / 2


@sabotage("table2.ridge_rows")
def blank_is_zero():
    """Filling unknown cells with zero gives every device with a bandwidth a ridge point, of zero."""
    table = catalogue.device_table()
    filled = (table["peak_gflops_fp32"].fillna(0) / table["memory_bandwidth_gbs"]).notna().sum()
    return filled / len(catalogue.device_names(complete=True))
