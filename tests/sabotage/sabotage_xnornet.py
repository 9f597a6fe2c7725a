"""Wrong scales, orders and counts of binary networks with binary inputs, and of ternary weights."""

import numpy as np
import torch

from edgedl_lib.inference.compression.one_bit import binary, binary_checks, binary_study, xnor
from edgedl_lib.inference.compression.one_bit.coded_layers import pass_through
from edgedl_lib.inference.compression.one_bit.ternary import Ternary
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
WIDTHS = (64, 30, 30, 10)


def _trained(make, after_step=None, epochs=2):
    torch.set_num_threads(1)
    data = [digits(seed).flat() for seed in SEEDS]
    return binary_study.train_method(make, data, SEEDS, epochs, after_step)


class _NoGradient:
    """Scaled signs whose gradient is the true one: zero almost everywhere."""

    bits, scales_per_filter = 1, 1

    def __call__(self, weights, training):
        fixed = weights.detach()
        return pass_through(0.0 * weights, xnor.optimal_scale(fixed) * binary.sign(fixed))


def _frozen_network(make_norm=True):
    network = binary.dense_network(WIDTHS, _NoGradient(), norm_learns=False)
    return network


@sabotage("xnornet.alexnet_bwn_top1", "xnornet.error", "xnornet.alexnet_xnor_top1", "ternary.loss")
def true_gradient_of_the_sign():
    """Without the straight-through estimator the sign's gradient is zero and no weight ever moves."""
    frozen = _trained(_frozen_network)
    full = _trained(lambda: binary.dense_network(WIDTHS, None))
    loss = frozen.mean_error - full.mean_error
    return {
        "xnornet.alexnet_bwn_top1": loss,
        "xnornet.error": frozen.mean_error,
        "xnornet.alexnet_xnor_top1": loss,
        "ternary.loss": loss,
    }


@sabotage("xnornet.input_scale_ablation")
def ablation_that_also_drops_the_norm():
    """Leaving out batch norm together with K blames K for what the norm did."""
    without = _trained(lambda: xnor.xnor_network(WIDTHS, input_scale=False, norm_before_sign=False), epochs=3)
    whole = _trained(lambda: xnor.xnor_network(WIDTHS), epochs=3)
    return without.mean_error - whole.mean_error


@sabotage("xnornet.order_ablation", "xnornet.scale_ablation", "xnornet.no_norm_before_sign")
def a_switch_that_nobody_reads():
    """The ablated network is built by the same call as the other one, its switch is ignored: the same error twice."""
    first, second = (_trained(lambda: xnor.xnor_network(WIDTHS)) for _ in range(2))
    return first.mean_error - second.mean_error


@sabotage("xnornet.speedup_theory", "xnornet.speedup_theory.small")
def forget_the_real_scaling():
    """64 bits per word, hence 64 times: the one real multiplication per output is forgotten."""
    return float(xnor.WORD_BITS)


@sabotage("xnornet.speedup_cpu", "xnornet.packed_over_float")
def report_bytes_or_theory_as_time():
    """The saving in bytes, or the formula, is taken for a measurement."""
    return {
        "xnornet.speedup_cpu": binary_checks.packed_saving(),
        "xnornet.packed_over_float": xnor.theoretical_speedup(256, 9),
    }


@sabotage("xnornet.memory_saving", "ternary.memory_saving")
def one_byte_per_code():
    """An array of bytes holds one code per byte."""
    return np.dtype(np.float32).itemsize / np.dtype(np.int8).itemsize


@sabotage("xnornet.alpha_optimal")
def root_mean_square_as_scale():
    """The root mean square keeps the norm of the filter, but not the least error."""
    filters = binary_checks.normal_filters()
    return binary_checks.excess_over_grid(filters, lambda rows: rows.square().mean(1, keepdim=True).sqrt())


@sabotage("xnornet.scale_gain")
def scale_both_sides():
    """The scaled sign is compared with itself."""
    filters = binary_checks.normal_filters()
    return xnor.approximation_error(filters, xnor.ScaledSign()) / xnor.approximation_error(filters, xnor.ScaledSign())


@sabotage("xnornet.relative_error", "ternary.relative_error")
def sign_without_scale():
    """The plain sign has the wrong size."""
    return xnor.approximation_error(binary_checks.normal_filters(), binary.Sign())


@sabotage("xnornet.packed_dot")
def product_that_counts_equal_bits():
    """n minus the number of differing bits: each difference must count twice."""
    left, right = np.array([1, -1, 1, 1.0]), np.array([1, 1, 1, -1.0])
    return float(abs((4 - np.sum(left != right)) - left @ right))


@sabotage("ternary.threshold", "ternary.zero_share")
def threshold_from_the_deviation():
    """0.7 standard deviations instead of 0.7 times the mean absolute weight."""
    weights = binary_checks.normal_filters().flatten()
    limit = 0.7 * weights.std()
    return {
        "ternary.threshold": float(weights.abs().max() / 2 / weights.abs().mean()),
        "ternary.zero_share": 100 * float((weights.abs() <= limit).double().mean()),
    }


def test_the_code_under_attack_is_the_one_in_use():
    assert Ternary().threshold == 0.7
