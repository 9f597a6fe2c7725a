"""Wrong ways to factor a layer, and wrong ways to call it faster."""

from functools import cache

import numpy as np
import torch
from torch import nn

from edgedl_lib.inference.compression.factors import factor_checks, low_rank, low_rank_study, monochromatic, separable
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, train
from edgedl_lib.reproduce.sabotage import sabotage

GAINS = (2, 4, 8, 16, 32)


@cache
def trained_dense():
    data = digits(0)
    network = build(lambda: low_rank_study.dense_network(64), 0)
    train(network, data.train, epochs=6, seed=0, learning_rate=3e-3)
    return network, data


def smallest_first(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left[:, -rank:] * values[-rank:]) @ right[-rank:]


@cache
def errors_of_the_smallest() -> tuple[float, list[float]]:
    network, data = trained_dense()
    errors = []
    for gain in GAINS:
        layer = nn.Linear(64, 200)
        layer.weight.data = smallest_first(network.dense1.weight.detach(), low_rank.rank_for_gain(200, 64, gain))
        layer.bias.data = network.dense1.bias.detach()
        errors.append(error(low_rank.replace_layers(network, {"dense1": layer}), data.test))
    return error(network, data.test), errors


@sabotage("lowrank.redundancy", "lowrank.fc_loss.2x", "lowrank.fc_params")
def singular_values_upwards():
    """A routine that sorts eigenvalues upwards gives the smallest first; more rank then looks worse, not better."""
    baseline, errors = errors_of_the_smallest()
    losses = np.array(errors) - baseline
    within = [gain for gain, loss in zip(GAINS, losses, strict=True) if loss <= 1]
    largest = max(within, default=1)
    return {
        "lowrank.redundancy": 100 * (1 - 1 / largest),
        "lowrank.fc_loss.2x": losses[0],
        "lowrank.fc_params": float(largest),
    }


@cache
def trained_conv():
    data = digits(0)
    network = build(lambda: low_rank_study.conv_network(8), 0)
    train(network, data.train, epochs=6, seed=0, learning_rate=5e-3)
    return network, data


@sabotage("lowrank.monotone")
def gains_read_as_ranks():
    """The grid 2, 4, ..., 32 read as ranks runs from the thinnest to the thickest: the error falls."""
    network, data = trained_dense()
    errors = []
    for rank in GAINS:
        factored = low_rank.factored_linear(network.dense1, rank)
        errors.append(error(low_rank.replace_layers(network, {"dense1": factored}), data.test))
    return low_rank_study.largest_fall(np.array([errors]))


@sabotage("lowrank.fc_loss.16x")
def gain_of_the_first_factor_alone():
    """``m n / (r n)``: the second factor forgotten, so that a sixteenth allows four times the rank."""
    network, data = trained_dense()
    factored = low_rank.factored_linear(network.dense1, 200 // 16)
    return error(low_rank.replace_layers(network, {"dense1": factored}), data.test) - error(network, data.test)


@sabotage("lowrank.data_metric")
def inverse_covariance():
    """Whitening in place of weighting: directions in which the images never vary count most."""
    network, data = trained_dense()
    inverse = torch.linalg.inv(torch.cov(data.train.inputs.flatten(1).T) + 1e-3 * torch.eye(64))
    layer, rank = network.dense1, low_rank.rank_for_gain(200, 64, 8)
    left, right = low_rank.svd_factors(layer.weight.detach(), rank, inverse)
    wrong = nn.Linear(64, 200)
    wrong.weight.data, wrong.bias.data = left @ right, layer.bias.detach()
    plain, wrong = (
        error(low_rank.replace_layers(network, {"dense1": changed}), data.test)
        for changed in (low_rank.factored_linear(layer, rank), wrong)
    )
    return plain - wrong


@sabotage("lowrank.random_spectrum")
def two_random_matrices():
    """Initial weights against initial weights of another seed: both are flat."""
    first, second = (build(lambda: nn.Linear(64, 200), seed).weight for seed in (0, 1))
    return low_rank_study.energy_of_quarter(first) - low_rank_study.energy_of_quarter(second)


@sabotage("lowrank.accuracy_loss", "lowrank.accuracy_loss.conv2")
def filters_flattened_in_the_wrong_order():
    """An SVD of (output, input x window), its factors then read as vertical and horizontal filters."""
    network, data = trained_conv()
    wrong = {name: wrongly_separated(network.get_submodule(name), rank) for name, rank in (("conv1", 2), ("conv2", 13))}
    baseline = error(network, data.test)
    second = low_rank.replace_layers(network, {"conv2": wrong["conv2"]})
    return {
        "lowrank.accuracy_loss": error(low_rank.replace_layers(network, wrong), data.test) - baseline,
        "lowrank.accuracy_loss.conv2": error(second, data.test) - baseline,
    }


def wrongly_separated(layer: nn.Conv2d, rank: int) -> nn.Conv2d:
    filters, channels = layer.weight.shape[:2]
    matrix = layer.weight.detach().reshape(channels * 5, filters * 5)  # not the order (c, y), (f, x)
    left, right = low_rank.svd_factors(matrix, rank)
    wrong = nn.Conv2d(channels, filters, 5, padding=2)
    wrong.weight.data = (left @ right).reshape(channels, 5, filters, 5).permute(2, 0, 1, 3).contiguous()
    wrong.bias.data = layer.bias.detach()
    return wrong


@sabotage("lowrank.fine_tuning")
def rate_a_thousand_times_too_small():
    """Factors that hardly move: the loss of the truncation stays."""
    network, data = trained_conv()
    factored = low_rank_study.factorise(network, ranks=low_rank_study.separable_ranks(network, 1e9))
    truncated = error(factored, data.test)
    train(factored, data.train, epochs=2, seed=0, learning_rate=1e-6)
    return low_rank_study.Recovery(error(network, data.test), truncated, error(factored, data.test)).recovered


@sabotage("lowrank.full_rank")
def one_singular_value_too_few():
    """An index that starts at zero: the smallest direction is lost, and with it exactness."""
    dense = build(lambda: nn.Linear(64, 200), 0)
    inputs = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float((dense(inputs) - low_rank.factored_linear(dense, 63)(inputs)).abs().max())


@sabotage("lowrank.mac_formula")
def second_factor_forgotten():
    """``r n`` for an SVD, as if expanding again were free: differs for every matrix."""
    return sum(rank * n != rank * (m + n) for m, n in factor_checks.SHAPES[:4] for rank in (1, min(m, n)))


@sabotage("lowrank.break_even")
def half_of_the_smaller_side():
    """``r < min(m, n) / 2`` is right for square layers only."""
    return factor_checks.break_even_mismatches(lambda m, n: (min(m, n) - 1) // 2)


@sabotage("lowrank.speedup", "lowrank.toy_speedup")
def multiplications_called_speed():
    """What the paper's table of theoretical gains holds: the ratio of multiply-accumulates."""
    conv = nn.Conv2d(64, 128, 5, padding=2)
    rank = separable.separable_rank_for_gain(conv, 3)
    dense_rank = low_rank.rank_for_gain(200, 64, 4)
    return {
        "lowrank.speedup": 25 * 64 * 128 / (5 * rank * (64 + 128)),
        "lowrank.toy_speedup": 64 * 200 / (dense_rank * 264),
    }


@sabotage("lowrank.large_speedup")
def factors_multiplied_out():
    """Storing the factors but multiplying them out again leaves the same layer to run: no gain at all."""
    left, right = torch.ones(8, 2), torch.ones(2, 8)
    return (8 * 8) / (left @ right).numel()


@sabotage("lowrank.monochromatic_theory")
def a_colour_for_each_filter():
    """Without clustering, every filter needs a colour map of its own."""
    return monochromatic.monochromatic_gain(96, 3, 96, kernel=7, stride=2)


@sabotage("lowrank.svd_alexnet_factor")
def convolutions_shrunk_as_well():
    """The ratio of the whole network, 61 M over 11.9 M, taken for that of the dense layers."""
    return 61 / 11.9
