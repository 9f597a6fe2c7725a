"""Wrong ways to share weights by a hash."""

import torch

from edgedl_lib.inference.compression.one_bit.side_by_side import train_side_by_side
from edgedl_lib.inference.compression.storage import hashed_study as study
from edgedl_lib.inference.compression.storage.hashed import equal_storage_width, hashed_network, plain_network
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
WIDTHS = (64, 60, 10)


def _mean_error(make, epochs=3):
    torch.set_num_threads(1)
    data = [digits(seed).flat() for seed in SEEDS]
    networks = [build(make, seed) for seed in SEEDS]
    train_side_by_side(networks, [each.train for each in data], epochs=epochs, seed=0)
    return sum(error(network, each.test) for network, each in zip(networks, data, strict=True)) / len(SEEDS)


@sabotage(
    "hashednets.storage_trend",
    "hashednets.gain_1_8",
    "hashednets.mnist_1_8",
    "hashednets.mnist_1_64",
    "hashednets.error_rise",
)
def a_small_dense_network_in_its_place():
    """The stored values are spent on a dense network without virtual width."""
    small = _mean_error(lambda: plain_network((64, equal_storage_width(WIDTHS, 1 / 64), 10)))
    loss = small - _mean_error(lambda: plain_network(WIDTHS))
    return {
        "hashednets.storage_trend": small - small,
        "hashednets.gain_1_8": -loss,
        "hashednets.mnist_1_8": loss,
        "hashednets.mnist_1_64": loss,
        "hashednets.error_rise": loss,
    }


@sabotage("hashednets.stored")
def keep_the_virtual_matrix():
    """The virtual matrix is a parameter: nothing is saved."""
    network = plain_network(WIDTHS)
    return 64 * sum(value.numel() for value in network.parameters()) / study.virtual_size(WIDTHS)


@sabotage("hashednets.inflation")
def width_that_is_not_expanded():
    """Both networks get the narrow virtual width; only the hash differs."""
    first = _mean_error(lambda: hashed_network((64, 50, 10), 1 / 8, 0))
    return first - _mean_error(lambda: hashed_network((64, 50, 10), 1 / 8, 0))
