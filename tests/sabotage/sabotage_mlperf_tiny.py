"""Wrong models of a microcontroller."""

import numpy as np

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import tiny_anchor
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.reproduce.sabotage import sabotage

TASKS = tuple(tiny_anchor.TASKS)


@sabotage(*(f"mlperf_tiny.{task}_m4_rate" for task in TASKS))
def data_sheet_rate():
    """Two multiply-accumulates a cycle, as the data sheet says."""
    board = facts("mlperf_tiny", "cortex-m4")
    rate = board["clock"] * board["peak_macs_per_cycle"]
    return {f"mlperf_tiny.{task}_m4_rate": rate / tiny_anchor.task_macs(task) for task in TASKS}


@sabotage(*(f"mlperf_tiny.{task}_m4_energy" for task in TASKS))
def energy_by_work():
    """A fixed energy per multiply-accumulate, the mean of the four tasks."""
    rows = tiny_anchor.tiny_study()
    per_mac = np.mean([row.energy / row.macs for row in rows.values()])
    return {f"mlperf_tiny.{task}_m4_energy": per_mac * rows[task].macs * 1e6 for task in TASKS}


@sabotage(*(f"mlperf_tiny.{task}_rpi4_int8_gain" for task in TASKS))
def ratio_upside_down():
    """Int8 over float32."""
    rows = tiny_anchor.tiny_study()
    return {f"mlperf_tiny.{task}_rpi4_int8_gain": 1 / rows[task].int8_speedup for task in TASKS}


@sabotage(*(f"mlperf_tiny.{task}_macs" for task in TASKS))
def all_operations_halved():
    """Half of all operations: activations, pooling and normalisation are counted as well."""
    counts = {task: model(name).flop // 2 for task, name in tiny_anchor.TASKS.items()}
    return {f"mlperf_tiny.{task}_macs": count for task, count in counts.items()}


@sabotage("mlperf_tiny.m4_power", "mlperf_tiny.macs_per_cycle.lowest", "mlperf_tiny.macs_per_cycle.highest")
def energy_over_rate():
    """Energy divided by the rate, and operations for multiply-accumulates."""
    rows = tiny_anchor.tiny_study().values()
    per_cycle = [2 * row.macs_per_cycle for row in rows]
    return {
        "mlperf_tiny.m4_power": float(np.mean([row.energy / row.rate for row in rows])) * 1e3,
        "mlperf_tiny.macs_per_cycle.lowest": min(per_cycle),
        "mlperf_tiny.macs_per_cycle.highest": max(per_cycle),
    }
