"""Wrong sparse engines and wrong gains for EIE."""

import dataclasses

import numpy as np

from edgedl_lib.offloading.platform import sparse_engine as engine
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.offloading.platform.sparse_encoding import compress, multiply
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("eie.functional_error")
def filler_advances_by_fifteen():
    """An index of 15 read as fifteen rows instead of fifteen zeros and one entry: later rows slip."""
    generator = np.random.default_rng(0)
    codes = generator.integers(1, 16, (300, 50)) * (generator.random((300, 50)) < 0.03)
    book, activations = np.arange(16), generator.integers(1, 9, 50)
    packed = compress(codes, elements=4)
    slipped = np.where(packed.codes == 0, packed.zeros - 1, packed.zeros)
    wrong = multiply(dataclasses.replace(packed, zeros=slipped), activations, book)
    return float(np.abs(wrong - book[codes] @ activations).max())


@sabotage("eie.utilisation.fifo8", "eie.fifo_gain_8_to_64", "eie.fifo_monotone", "eie.more_elements")
def no_queue():
    """All elements march in step (depth 1) whatever the depth; a deeper FIFO that drops work; averaged loads."""
    study = engine.fifo_study()
    return {
        "eie.utilisation.fifo8": study.at(1),
        "eie.fifo_gain_8_to_64": 100 * (study.at(64) / study.at(1) - 1),
        "eie.fifo_monotone": float(np.diff(study.utilisation[::-1]).min()),
        "eie.more_elements": 0.0,
    }


@sabotage("eie.fps")
def zeros_broadcast():
    """Sending zero activations as well costs their columns."""
    eie = facts("sparse_accelerators", "eie")
    cycles = 0
    for name in engine.ALEXNET_LAYERS:
        layer = facts("sparse_accelerators", name)
        cycles += layer["inputs"] * layer["outputs"] * layer["weight_density"] / eie["processing_elements"]
    return eie["clock"] / cycles


@sabotage("eie.speed_cpu", "eie.speed_gpu")
def eight_bit_rivals():
    """Charging the dense processors one byte a weight instead of four."""
    seconds = engine.alexnet_study().seconds
    names = {"eie.speed_cpu": "Core i7-5930K", "eie.speed_gpu": "GeForce GTX Titan X (Maxwell)"}
    return {claim: engine.roofline_speedup(name, seconds) / 4 for claim, name in names.items()}


@sabotage("eie.sram_trend", "eie.dram_sram")
def same_memory_and_register_file():
    """SRAM against itself; DRAM against a register file."""
    energy = facts("sparse_accelerators", "45 nm")
    return {
        "eie.sram_trend": engine.layer_energy(1, "sram") / engine.layer_energy(1, "sram"),
        "eie.dram_sram": energy["dram_read"] / energy["register_read"],
    }


@sabotage("eie.sparse_rate", "eie.dense_rate")
def macs_and_weights_only():
    """Multiply-accumulates called operations; the zero activations forgotten."""
    gain = facts("sparse_accelerators", "eie")["sparsity_gain"]
    return {"eie.sparse_rate": engine.sparse_rate() / 2e9, "eie.dense_rate": engine.sparse_rate() * gain / 1e12}


@sabotage("eie.sparsity_gain", "eie.zero_act_gain", "eie.sharing_gain")
def unweighted_densities():
    """One over the mean density of the layers; weight for activation density; the index counted as weight."""
    eie = facts("sparse_accelerators", "eie")
    densities = [facts("sparse_accelerators", name)["weight_density"] for name in engine.ALEXNET_LAYERS]
    return {
        "eie.sparsity_gain": 1 / np.mean(densities),
        "eie.zero_act_gain": engine.weight_gain(),
        "eie.sharing_gain": 32 / (eie["code_bits"] + eie["index_bits"]),
    }


@sabotage("eie.filler_knee")
def three_bit_index():
    """One bit less: gaps above seven need a filler, so the knee comes at twice the density."""
    return engine.filler_knee(index_bits=3)
