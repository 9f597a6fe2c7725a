"""Compact blocks: cost, groups, shortcuts, export, and towers that train side by side as they would alone."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.compact_filters import compact, compact_study, residual
from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.nets import collapse_to_chain
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.training import build, train
from edgedl_lib.nets.zoo import googlenet, shufflenet
from edgedl_lib.nets.zoo.googlenet import INCEPTION


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("channels", "filters", "kernel"), [(512, 512, 3), (32, 64, 3), (7, 5, 5), (1, 1, 1)])
def test_separable_layer_costs_one_over_n_plus_one_over_the_kernel(channels, filters, kernel):
    split = counts.separable_layer(9, channels, filters, kernel)
    whole = counts.standard_layer(9, channels, filters, kernel)
    assert split.mac / whole.mac == pytest.approx(1 / filters + 1 / kernel**2, rel=1e-12)


def test_trained_separable_block_has_that_ratio_and_a_grouped_one_has_not():
    plain, split = (
        layer_graph(make(), (1, 8, 8)) for make in (compact.plain_digit_network, compact.separable_digit_network)
    )
    assert compact_study.separable_deviation(plain, split) < 1e-9
    assert compact_study.separable_deviation(plain, plain) > 100


@pytest.mark.parametrize("name", compact.DIGIT_NETWORKS)
def test_digit_networks_run_export_and_can_be_cut(name):
    model = compact.DIGIT_NETWORKS[name]().eval()
    graph = layer_graph(model, (1, 8, 8))
    assert graph.parameter_count == sum(parameter.numel() for parameter in model.parameters())
    assert model(torch.rand(3, 1, 8, 8)).shape == (3, 10)
    assert to_torch(graph)(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    chain = collapse_to_chain(graph)
    latency = np.ones(len(chain))
    assert len(chain_costs(chain, latency, latency).names) == len(chain)


@pytest.mark.parametrize("width", [0.25, 0.5, 1.5])
def test_width_multiplier_scales_cost_between_once_and_twice_its_power(width):
    whole, scaled = (layer_graph(compact.separable_digit_network(w), (1, 8, 8)).mac for w in (1.0, width))
    low, high = sorted((width, width**2))
    assert low * 0.8 < scaled / whole < high * 1.2


def test_networks_of_one_skeleton_take_larger_pictures():
    assert compact.separable_digit_network()(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_shuffle_costs_nothing_and_only_it_connects_the_groups():
    apart, joined = (layer_graph(compact.DIGIT_NETWORKS[name](), (1, 8, 8)) for name in ("no shuffle", "shuffle"))
    assert (apart.mac, apart.parameter_count) == (joined.mac, joined.parameter_count)
    shares = []
    for shuffled in (False, True):
        jacobian = compact_study.channel_jacobian(compact_study.two_grouped_layers(24, 4, shuffled, seed=2), 24)
        shares.append(compact_study.connected_share(compact_study.group_influence(jacobian, 4)))
    assert shares == [0.25, 1.0]


def test_without_shuffle_no_derivative_crosses_a_group():
    jacobian = compact_study.channel_jacobian(compact_study.two_grouped_layers(12, 3, False), 12)
    mask = torch.block_diag(*[torch.ones(4, 4)] * 3).bool()
    assert not jacobian[~mask].any()
    assert jacobian[mask].all()


def test_unit_of_the_paper_costs_its_formula():
    channels, narrow, groups, pixels = 480, 120, 3, 14
    graph = shufflenet(groups)
    unit = sum(layer.mac for layer in graph if layer.name.startswith("stage3_2_"))
    assert unit == pixels**2 * (2 * channels * narrow // groups + 9 * narrow)


def test_landscape_shows_that_small_is_not_cheap():
    networks = {label: graph for family in counts.landscape().values() for label, graph in family.items()}
    small, large = networks["SqueezeNet"], networks["AlexNet"]
    assert small.parameter_count < large.parameter_count / 40
    assert small.mac > large.mac


def test_unit_with_equal_width_adds_its_input():
    unit = compact.ShuffleUnit(8, 8).eval()
    nn.init.zeros_(unit.expand[0].weight)
    maps = torch.rand(2, 8, 4, 4)
    torch.testing.assert_close(unit(maps), maps)


def test_residual_block_with_zero_change_is_the_identity_and_the_plain_one_forgets():
    features = torch.rand(5, 6)
    for shortcut in (True, False):
        block = residual.ResidualBlock(6, shortcut).eval()
        nn.init.zeros_(block.second.weight)
        expected = features if shortcut else torch.zeros_like(features)
        torch.testing.assert_close(block(features), expected)


def test_plain_and_residual_towers_have_equal_parameters_and_export():
    plain, shortcut = (layer_graph(residual.dense_tower(64, 8, kind), (64,)) for kind in (False, True))
    assert plain.parameter_count == shortcut.parameter_count
    assert plain.mac == shortcut.mac
    assert sum(layer.kind == "add" for layer in shortcut) == 4
    assert not any(layer.kind == "add" for layer in plain)


def test_stack_computes_and_trains_what_its_towers_do_alone():
    data = digits(0).flat().train.subset(96)
    towers = [build(lambda k=kind: residual.dense_tower(64, 4, k), seed) for kind, seed in ((False, 1), (True, 2))]
    stack = residual.TowerStack(towers)
    stack.train()
    together = stack(data.inputs)
    for tower, logits in zip(towers, together, strict=True):
        torch.testing.assert_close(tower.train()(data.inputs), logits, atol=1e-5, rtol=1e-4)
    fresh = [build(lambda k=kind: residual.dense_tower(64, 4, k), seed) for kind, seed in ((False, 1), (True, 2))]
    stack = residual.TowerStack(fresh)
    train(stack, data, epochs=1, seed=3, objective=residual.stack_loss)
    for tower, logits in zip(fresh, stack(data.inputs), strict=True):
        train(tower, data, epochs=1, seed=3)
        torch.testing.assert_close(tower(data.inputs), logits, atol=2e-3, rtol=1e-2)


def test_depth_without_shortcuts_hurts_the_training_loss():
    (deep,) = residual.degradation(digits(0), (24,), seeds=(0,), epochs=3)
    assert deep.plain_loss[0] > 2 * deep.residual_loss[0]


def test_inception_reductions_pay_in_every_block_and_sum_to_the_network():
    costs = counts.inception_costs()
    assert costs.keys() == INCEPTION.keys()
    assert all(reduced < full / 2 for reduced, full in costs.values())
    graph = googlenet()
    in_blocks = sum(layer.mac for layer in graph if layer.name.startswith("inception"))
    assert sum(reduced for reduced, _ in costs.values()) == in_blocks


def test_shares_sum_to_one_hundred_as_the_printed_column_does_not():
    shares = counts.mobilenet_shares()
    for quantity in ("macs", "params"):
        assert sum(value for name, value in shares.items() if name.endswith(quantity)) == pytest.approx(100)
    assert 94.86 + 3.06 + 1.19 + 0.18 == pytest.approx(99.29)


def test_compressed_size_is_a_sum_of_parts():
    assert counts.squeezenet_size(8, density=1.0, gap_bits=0) > 1_248_424 - 10_000
    smaller = counts.squeezenet_size(6)
    assert smaller < counts.squeezenet_size(8)
    assert counts.squeezenet_size(8, density=0.2) < counts.squeezenet_size(8)
    assert 100 * counts.implied_density() == pytest.approx(33, abs=2)


def test_gain_of_a_fourfold_cut():
    assert counts.gain_per_fourfold_cut([1, 4], [1, 4]) == pytest.approx(4)
    assert counts.gain_per_fourfold_cut([1, 4], [3, 3]) == pytest.approx(1)
    for work, time in (([1.0], [1.0]), ([1.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, float("nan")])):
        with pytest.raises(ValueError, match="two points"):
            with np.errstate(divide="ignore"):
                counts.gain_per_fourfold_cut(work, time)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="width multiplier 0"):
        compact.separable_digit_network(0)
    with pytest.raises(ValueError, match=r"squeeze ratio 1.5 lies outside \(0, 1\]"):
        compact.FireModule(8, 8, 1.5)
    with pytest.raises(ValueError, match="depth 5 must be a positive even number"):
        residual.dense_tower(64, 5)
    with pytest.raises(ValueError, match="3 groups must divide 16"):
        compact_study.two_grouped_layers(16, 3, True)
    for density in (0.0, 1.2, float("nan")):
        with pytest.raises(ValueError, match="density"):
            counts.squeezenet_size(8, density=density)
    with pytest.raises(ValueError, match="no gaps"):
        counts.gap_saving(1.0)
