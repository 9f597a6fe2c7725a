"""Wrong ways to train and to count binary weights."""

from functools import lru_cache

import torch

from edgedl_lib.inference.compression.one_bit import binary, binary_checks, binary_study
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
WIDTHS = (64, 30, 30, 10)


def _data():
    return [digits(seed).flat() for seed in SEEDS]


def _trained(code, after_step, norm_learns=True, epochs=2):
    torch.set_num_threads(1)

    def make():
        return binary.dense_network(WIDTHS, code, norm_learns)

    return binary_study.train_method(make, _data(), SEEDS, epochs, after_step)


@lru_cache
def _full():
    return _trained(None, None)


@sabotage("binaryconnect.mnist_det", "binaryconnect.error", "binaryconnect.no_real_copy")
def round_after_every_step():
    """Storing only the signs saves the real copy and looks like the same algorithm; every step is rounded away."""
    signs = _trained(binary.Sign(), binary.forget_real_weights, norm_learns=False)
    again = _trained(binary.Sign(), binary.forget_real_weights, norm_learns=False)
    return {
        "binaryconnect.mnist_det": signs.mean_error - _full().mean_error,
        "binaryconnect.error": signs.mean_error,
        "binaryconnect.no_real_copy": again.mean_error - signs.mean_error,
    }


@sabotage("binaryconnect.mnist_stoch", "binaryconnect.few_images_test")
def stochastic_network_with_statistics_of_coins():
    """Real weights at test time, but batch norm statistics that were taken while coins were thrown."""
    torch.set_num_threads(1)
    data = _data()
    errors = []
    for seed, each in zip(SEEDS, data, strict=True):
        network = binary_study.build(lambda: binary.dense_network(WIDTHS, binary.StochasticSign()), seed)
        binary_study.train(network, each.train, epochs=2, seed=seed, after_step=binary.clip_weights)
        errors.append(binary_study.error(network, each.test))
    return sum(errors) / len(errors) - _full().mean_error


@sabotage("binaryconnect.few_images_train")
def throw_coins_at_a_network_without_codes():
    """The network under test has plain layers: nothing is coded, no coin falls, and both losses are the same."""
    data, full = _data(), _full()
    return binary_study.training_losses(full, data, coins=True)[0] - binary_study.training_losses(full, data)[0]


@sabotage("binaryconnect.binary_share")
def answer_with_real_weights():
    """The deterministic variant tested like the stochastic one: real copies are used, which are no bits."""
    network = binary.dense_network(WIDTHS, binary.StochasticSign()).eval()
    return binary_study.binary_share(binary_study.Trained((network,), (0.0,)))


@sabotage("binaryconnect.largest_weight", "binaryconnect.no_clip_growth")
def clip_in_the_wrong_run():
    """The two runs are mixed up: clipped where weights should grow, unclipped where they should stay."""
    layer = torch.nn.Linear(4, 4)
    layer.code = binary.Sign()
    layer.weight.data.fill_(1.7)
    free = binary_study.Trained((torch.nn.Sequential(layer),), (0.0,))
    largest = binary_study.largest_weight(free)
    binary.clip_weights(layer)
    return {"binaryconnect.largest_weight": largest, "binaryconnect.no_clip_growth": binary_study.largest_weight(free)}


@sabotage("binaryconnect.no_clip_output")
def answer_with_the_real_copies():
    """The real weights at test time, for the deterministic variant: clipping them changes the answers."""
    network = binary.dense_network(WIDTHS, binary.StochasticSign())
    for layer in binary.coded_layers(network):
        layer.weight.data.mul_(20)
    network.eval()
    return binary_study.change_by_clipping(binary_study.Trained((network,), (0.0,)), _data()[:1])


@sabotage("binaryconnect.mult_removed")
def count_the_forward_pass_alone():
    """Only the forward pass loses its multiplications; the gradient of the inputs is forgotten."""
    sizes = [784 * 1024, 1024 * 1024, 1024 * 1024, 1024 * 10]
    return 100 * sum(sizes) / (2 * sum(sizes) + sum(sizes[1:]))


@sabotage("binaryconnect.memory_factor")
def one_byte_per_sign():
    """NumPy stores a boolean in a byte."""
    return binary_checks.HALF_BITS / 8
