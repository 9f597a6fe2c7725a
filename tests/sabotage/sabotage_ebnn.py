"""Wrong folding, wrong padding and wrong counting of embedded binarised networks."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.inference.compression.one_bit import embedded_study as study
from edgedl_lib.inference.compression.one_bit.embedded_binary import embedded_network, export, integer_pixels
from edgedl_lib.inference.compression.one_bit.embedded_execution import run_fused, run_layerwise
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build
from edgedl_lib.reproduce.sabotage import sabotage

LEVELS = 16


@lru_cache
def _network():
    """Untrained but for its norms: half of the gammas are negative, as training may leave them."""
    torch.set_num_threads(1)
    network = build(lambda: embedded_network(8, (16, 32)), 0)
    network.train()
    network(_images())
    for place in (1, 2):
        norm = network.get_submodule(f"norm{place}")
        norm.weight.data[::2] *= -1
    return network.eval()


def _images():
    return integer_pixels(digits(0).test.subset(60), LEVELS).inputs


@lru_cache
def _runs(wrong: bool):
    program = export(_network(), LEVELS)
    if wrong:
        program = replace(program, blocks=tuple(_ignoring_gamma(block) for block in program.blocks))
    return run_layerwise(_network(), _images()), run_fused(program, _images()), program


def _ignoring_gamma(block):
    folded = block.thresholds
    return replace(block, thresholds=replace(folded, direction=np.abs(folded.direction)))


@sabotage("ebnn.mismatches", "ebnn.folding_mismatches", "ebnn.accuracy", "ebnn.accuracy.mnist")
def thresholds_that_ignore_the_sign_of_gamma():
    """z >= tau, whatever gamma: wrong in every channel with a negative one."""
    layerwise, fused, program = _runs(True)
    result = study.EmbeddedStudy(program, layerwise, fused, (0.0,))
    right = 100 * float((fused.predictions == digits(0).test.targets[:60].numpy()).mean())
    return {
        "ebnn.mismatches": result.mismatches,
        "ebnn.folding_mismatches": result.folding_mismatches,
        "ebnn.accuracy": right,
        "ebnn.accuracy.mnist": right,
    }


@sabotage("ebnn.temp_reduction")
def fuse_but_keep_floats():
    """The loops are fused, but the maps between the blocks stay float32."""
    layerwise, _, _ = _runs(False)
    between = 4 * layerwise.maps[0][0].size
    return layerwise.peak_bytes / between


@sabotage("ebnn.memory")
def float_weights_of_the_authors_geometry():
    """The weights of a network of that class, stored as float32 beside the float maps."""
    network = embedded_network(28, (16, 32))
    layerwise = run_layerwise(network.eval(), torch.zeros(1, 1, 28, 28))
    return (4 * sum(value.numel() for value in network.parameters()) + layerwise.peak_bytes) / 1e3


@sabotage("ebnn.latency")
def multiply_in_floats():
    """One software multiply-add of 100 cycles per weight and position instead of 32 signs per word."""
    macs = 28 * 28 * 16 * 9 + 14 * 14 * 32 * 16 * 9 + 7 * 7 * 32 * 10
    return 1e3 * 100 * macs / study.CLOCK_HZ
