"""Wrong readings of the TPU paper and of the roofline."""

import numpy as np

from edgedl_lib.offloading.platform import tpu
from edgedl_lib.reproduce.sabotage import sabotage

TERA = 1e12


@sabotage("tpu.speedup", "tpu.cnn0_tops")
def memory_is_free():
    """Peak against peak looks like the obvious comparison: it forgets that most applications wait for weights."""
    peaks = {die: tpu.tpu_facts(die)["peak"] for die in ("tpu", "haswell")}
    return {"tpu.speedup": peaks["tpu"] / peaks["haswell"], "tpu.cnn0_tops": 2 * tpu.tpu_peak() / TERA}


@sabotage("tpu.perf_per_watt", "tpu.ppw_incr_cpu", "tpu.ppw_incr_cpu.weighted")
def host_counted_in():
    """Dividing by the whole server's power is natural, but the incremental figures leave the host out."""
    mean = tpu.geometric_mean(list(tpu.measured_speedups().values()))
    return {
        "tpu.perf_per_watt": tpu.performance_per_watt(tpu.bound_speedup(), incremental=False),
        "tpu.ppw_incr_cpu": tpu.performance_per_watt(mean, incremental=False),
        "tpu.ppw_incr_cpu.weighted": tpu.performance_per_watt(tpu.reported_weighted_speedup(), incremental=False),
    }


@sabotage("tpu.ppw_total_cpu", "tpu.ppw_total_cpu.weighted")
def watts_of_the_die_only():
    """Design power of the dies, not of the servers around them."""
    ratio = tpu.tpu_facts("haswell")["tdp"] / tpu.tpu_facts("tpu")["tdp"]
    mean = tpu.geometric_mean(list(tpu.measured_speedups().values()))
    return {
        "tpu.ppw_total_cpu": mean * ratio,
        "tpu.ppw_total_cpu.weighted": tpu.reported_weighted_speedup() * ratio,
    }


@sabotage("tpu.peak_int8")
def mac_is_one_operation():
    """Counting a multiply-accumulate once."""
    return tpu.tpu_peak() / tpu.OP_PER_MAC / TERA


@sabotage("tpu.ridge", "tpu.cpu_ridge", "tpu.gpu_ridge", "tpu.gddr5_ridge")
def ridge_in_operations():
    """Operations per byte, where the paper means multiply-accumulates per byte."""
    double = {f"tpu.{name}": 2 * tpu.die_ridge(die) for name, die in zip(_RIDGES, tpu.DIES, strict=True)}
    return double | {"tpu.gddr5_ridge": tpu.tpu_peak() / tpu.tpu_facts("tpu gddr5")["memory_bandwidth"]}


_RIDGES = ("cpu_ridge", "gpu_ridge", "ridge")


@sabotage("tpu.mlp0_tops", "tpu.mlp1_tops", "tpu.lstm0_tops", "tpu.points_below_roof")
def bound_in_macs():
    """Bandwidth times intensity without the factor two: the achieved rates then lie above the roof."""
    rows = {row.application: row for row in tpu.bound_table()}
    halved = {name: row.bound / 2 for name, row in rows.items()}
    below = [rows[name].achieved <= halved[name] for name in rows]
    values = {f"tpu.{name}_tops": halved[name] / TERA for name in ("mlp0", "mlp1", "lstm0")}
    return values | {"tpu.points_below_roof": float(np.mean(below))}


@sabotage("tpu.cnn1_tops", "tpu.lstm1_tops")
def operations_counted_twice():
    """A multiply-accumulate is two operations already; doubling again makes the loose bounds looser."""
    rows = {row.application: row for row in tpu.bound_table()}
    return {f"tpu.{name}_tops": 2 * rows[name].bound / TERA for name in ("cnn1", "lstm1")}


@sabotage("tpu.macs")
def thousands_not_powers_of_two():
    """64 K read as 64,000."""
    return 64_000


@sabotage("tpu.bandwidth")
def one_channel():
    """One memory channel instead of two."""
    return tpu.weight_bandwidth() / 2 / 1e9


@sabotage("tpu.onchip")
def narrow_accumulators():
    """Accumulators of 8 bits: sums of 8-bit products need 32."""
    chip = tpu.tpu_facts("tpu")
    return (chip["unified_buffer"] + chip["accumulator_rows"] * chip["array_columns"]) / 2**20


@sabotage("tpu.gm_vs_cpu", "tpu.gm_vs_gpu", "tpu.wm_vs_cpu")
def arithmetic_mean():
    """The plain mean of ratios favours the best application; unweighted by class it is off for the mix as well."""
    cpu, gpu = (list(tpu.measured_speedups(die).values()) for die in ("haswell", "k80"))
    return {
        "tpu.gm_vs_cpu": float(np.mean(cpu)),
        "tpu.gm_vs_gpu": float(np.mean(gpu)),
        "tpu.wm_vs_cpu": tpu.geometric_mean(cpu),
    }


@sabotage("tpu.deadline_fraction", "tpu.deadline_cuts_batch", "tpu.deadline_order")
def no_deadline():
    """Throughput benchmarks have no deadline: every die then keeps everything."""
    study = tpu.deadline_study(deadline=1.0)
    return {
        "tpu.deadline_fraction": 100 * study.share["tpu"],
        "tpu.deadline_cuts_batch": study.dies_cut,
        "tpu.deadline_order": study.ordered_pairs,
    }


@sabotage("tpu.load10_power")
def proportional_power():
    """Power proportional to load: ten percent of the work, ten percent of the watts."""
    return 10.0


@sabotage("tpu.bandwidth4x", "tpu.clock4x")
def bandwidth_and_clock_mixed_up():
    """Which of the two binds is the whole question: here each design change is applied to the other."""
    return {
        "tpu.bandwidth4x": tpu.design_speedup(clock_factor=4),
        "tpu.clock4x": tpu.design_speedup(bandwidth_factor=4),
    }


@sabotage("roofline.opteron_x2_peak", "roofline.opteron_x4_ridge")
def pins_and_one_socket():
    """Pin bandwidth instead of the sustained one, and one socket of two."""
    return {
        "roofline.opteron_x2_peak": tpu.opteron_peak("opteron x2") / 2 / 1e9,
        "roofline.opteron_x4_ridge": tpu.opteron_ridge("opteron x4", "pin_bandwidth"),
    }
