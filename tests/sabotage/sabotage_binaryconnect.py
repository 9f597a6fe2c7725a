"""Wrong ways to train and to count binary weights."""

import torch

from edgedl_lib.inference.compression import binary, binary_study
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
WIDTHS = (64, 30, 30, 10)


def _trained(code, after_step, norm_learns=True, epochs=2):
    torch.set_num_threads(1)
    data = [digits(seed).flat() for seed in SEEDS]

    def make():
        return binary.dense_network(WIDTHS, code, norm_learns)

    return binary_study.train_method(make, data, SEEDS, epochs, after_step)


@sabotage("binaryconnect.mnist_det", "binaryconnect.error", "binaryconnect.no_real_copy")
def round_after_every_step():
    """Storing only the signs saves the real copy and looks like the same algorithm; every step is rounded away."""
    signs = _trained(binary.Sign(), binary.forget_real_weights, norm_learns=False)
    full = _trained(None, None)
    return {
        "binaryconnect.mnist_det": signs.mean_error - full.mean_error,
        "binaryconnect.error": signs.mean_error,
        "binaryconnect.no_real_copy": 0.0,  # the real copy is kept after all
    }
