"""Wrong ways to build a large convolution out of small ones."""

import numpy as np

from edgedl_lib.offloading.platform import streaming
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("streaming_accel.arbitrary_size")
def partial_sums_not_shifted():
    """All passes read the same window: the partial sums belong to other pixels."""
    generator = np.random.default_rng(0)
    image, kernels = generator.standard_normal((1, 12, 12)), generator.standard_normal((1, 1, 5, 5))
    direct = streaming.convolve(image, kernels)
    padded = np.pad(kernels, ((0, 0), (0, 0), (0, 1), (0, 1)))
    window = image[:, :10, :10]
    blocks = (padded[:, :, i : i + 3, j : j + 3] for i in (0, 3) for j in (0, 3))
    wrong = sum(streaming.convolve(window, block) for block in blocks)
    return float(np.abs(wrong - direct).max() / np.abs(direct).max())


@sabotage("streaming_accel.parallel_pool")
def pooling_is_free():
    """Without pooling cycles there is nothing to hide: the ratio is one."""
    stages = streaming.pooled_stages()
    return sum(s.convolution_cycles for s in stages) / sum(s.parallel for s in stages)


@sabotage(*(f"streaming_accel.utilisation.k{kernel}" for kernel in (5, 7, 11)))
def padding_costs_nothing():
    """Counting true taps only: every multiplier always busy."""
    return 1.0


@sabotage("streaming_accel.efficiency")
def macs_per_watt():
    """Multiply-accumulates instead of operations."""
    chip = facts("sparse_accelerators", "streaming")
    return chip["peak"] / 2 / chip["power"] / 1e9
