"""Wrong accelerator models: no launch, no pipeline, peaks for latencies."""

import dataclasses

import numpy as np

from edgedl_lib.offloading.platform import accelerators
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system import specification


def _peak_ratio():
    names = (accelerators.GPU_NAME, accelerators.FPGA_NAME)
    gpu, fpga = (specification(name, "peak_gflops_fp32").value for name in names)
    return gpu / fpga


@sabotage("fpga_gpu.gpu_variation", "fpga_gpu.crossover_batch", "fpga_gpu.served_latency")
def launch_is_free():
    """A GPU by its peak rate alone: flat, ahead from the first item, and fast for single requests."""
    study = accelerators.accelerator_study()
    ideal = dataclasses.replace(study.gpu, setup=0.0, wave=study.gpu.wave / study.gpu.width, width=1)
    flat = dataclasses.replace(study, gpu=ideal)
    return {
        "fpga_gpu.gpu_variation": flat.gpu_variation,
        "fpga_gpu.crossover_batch": flat.crossover_batch,
        "fpga_gpu.served_latency": flat.latency_ratio,
    }


@sabotage("fpga_gpu.workload", "fpga_gpu.concurrency")
def pipeline_drained_for_every_item():
    """An FPGA treated like a GPU: throughput with a setup, and a fill paid for each item."""
    study = accelerators.accelerator_study()
    rates = study.batches / study.gpu.latency(study.batches)
    return {
        "fpga_gpu.workload": float(np.std(rates) / np.mean(rates)),
        "fpga_gpu.concurrency": study.fpga.wave / study.fpga.latency(1),
    }


@sabotage("fpga_gpu.dependency")
def chains_hurt_both_alike():
    """One slow-down for both machines."""
    return accelerators.fpga_kept(0.5) / accelerators.fpga_kept(0.5)


@sabotage("fpga_gpu.energy", "fpga_gpu.energy_max", "fpga_gpu.energy_falls")
def power_alone():
    """Watts for joules: the ratio then ignores time and batch; and the mean of the ratio upside down."""
    study = accelerators.accelerator_study()
    return {
        "fpga_gpu.energy": float(np.mean(1 / study.energy_ratio)),
        "fpga_gpu.energy_max": study.power_ratio,
        "fpga_gpu.energy_falls": study.power_ratio / study.power_ratio,
    }


@sabotage("fpga_gpu.power_low", "table4.timing_latency")
def peaks_for_power_and_latency():
    """The ratio of peak rates says nothing of power, and has the wrong sign for latency."""
    return {"fpga_gpu.power_low": 1 / _peak_ratio(), "table4.timing_latency": 1 / _peak_ratio()}


@sabotage("table4.training")
def one_item_at_a_time():
    """Training without batches: the launches eat the GPU's lead."""
    return accelerators.training_ratio(batch=1)
