"""Low rank: exact at full rank, monotone, gain only below the threshold, costs as the formulas say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgedl_lib.inference.compression.factors import factor_checks, low_rank, low_rank_study, monochromatic
from edgedl_lib.inference.compression.factors.factor_timing import mac_count, time_network
from edgedl_lib.inference.compression.factors.factorise import factored, factorise, weight_count
from edgedl_lib.inference.compression.factors.separable import separable_conv, separable_matrix
from edgedl_lib.inference.compression.factors.tucker import tucker_conv
from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.inference.partition.chain import scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, predict, train


@pytest.fixture(scope="module")
def trained():
    data = digits(0)
    network = build(lambda: low_rank_study.dense_network(64), 0)
    train(network, data.train, epochs=5, seed=0, learning_rate=3e-3)
    return network, data


def matrix(rows=7, columns=12, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_full_rank_changes_nothing():
    assert max(factor_checks.full_rank_errors(3).values()) < 1e-5


@pytest.mark.parametrize("pairs", [(1, 7), (6, 9), (2, 3)])
def test_tucker_error_falls_to_zero_only_at_full_rank(pairs):
    conv = build(lambda: nn.Conv2d(6, 9, 3), 0)
    maps = torch.randn(2, 6, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        distance = float((conv(maps) - tucker_conv(conv, pairs)(maps)).abs().max())
    assert (distance < 1e-5) == (pairs == (6, 9))


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 5))
def test_svd_error_is_the_discarded_energy_and_falls_with_the_rank(rows, columns, seed):
    weight = matrix(rows, columns, seed)
    values = torch.linalg.svdvals(weight.double())
    distances = []
    for rank in range(1, min(rows, columns) + 1):
        left, right = low_rank.svd_factors(weight, rank)
        distances.append(float((weight - left @ right).norm()))
        assert distances[-1] == pytest.approx(float(values[rank:].norm()), abs=1e-4)
    assert all(np.diff(distances) <= 1e-5)


def test_data_norm_changes_answers_less_and_weights_more(trained):
    network, data = trained
    inputs, layer = data.train.inputs.flatten(1), network.dense1
    with torch.no_grad():
        plain, aware = (low_rank.factored_linear(layer, 6, given)(inputs) for given in (None, inputs))
        truth = layer(inputs)
    assert float((aware - truth).norm()) < float((plain - truth).norm())
    products = [
        f.expand.weight @ f.reduce.weight for f in (low_rank.factored_linear(layer, 6, g) for g in (None, inputs))
    ]
    nearer, farther = (float((product - layer.weight).detach().norm()) for product in products)
    assert nearer < farther


def test_inputs_that_never_vary_cost_no_direction():
    """The mean of the inputs belongs into the bias, not into the factors."""
    layer = build(lambda: nn.Linear(5, 4), 0)
    inputs = torch.zeros(50, 5)
    inputs[:, 0] = torch.linspace(-1, 1, 50)
    inputs[:, 1] = 9.0
    with torch.no_grad():
        assert torch.allclose(low_rank.factored_linear(layer, 1, inputs)(inputs), layer(inputs), atol=1e-4)


def test_ranks_by_gain_and_energy():
    assert factor_checks.break_even_mismatches() == 0
    assert low_rank.rank_for_energy(torch.diag(torch.tensor([2.0, 1.0, 1.0])), 4 / 6) == 1
    assert low_rank.rank_for_energy(torch.diag(torch.tensor([2.0, 1.0, 1.0])), 0.7) == 2
    assert low_rank.rank_for_energy(torch.eye(4), 1.0) == 4
    assert low_rank.rank_for_gain(3, 3, 100) == 1


@pytest.mark.parametrize("rank", [0, 65, -1, 2.5])
def test_impossible_rank_names_the_possible_ones(rank):
    with pytest.raises(ValueError, match="ranks 1 to 64"):
        low_rank.factored_linear(nn.Linear(64, 200), rank)


@pytest.mark.parametrize("call, words", [
    (lambda: separable_conv(nn.Conv2d(2, 4, 3), 7), "ranks 1 to 6"),
    (lambda: tucker_conv(nn.Conv2d(2, 4, 3), (3, 1)), "ranks 1 to 2"),
    (lambda: separable_conv(nn.Conv2d(4, 4, 3, groups=2), 1), "2 groups"),
    (lambda: low_rank.svd_factors(torch.full((2, 2), float("nan")), 1), "NaN"),
    (lambda: low_rank.svd_factors(torch.eye(3), 1, torch.eye(2)), r"needs \(3, 3\)"),
    (lambda: low_rank.rank_for_energy(torch.eye(3), 1.5), "no share"),
    (lambda: low_rank.rank_for_gain(3, 3, 0), "positive factor"),
    (lambda: factorise(digit_network()), "either energy or ranks"),
    (lambda: factorise(digit_network(), energy=0.9, ranks={}), "either energy or ranks"),
    (lambda: factorise(digit_network(), ranks={"conv9": 1}), "no layer 'conv9'"),
    (lambda: factored(nn.ReLU(), 1), "cannot factor ReLU"),
])  # fmt: skip
def test_bad_requests_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_separable_filters_of_rank_one_are_found_exactly():
    conv = nn.Conv2d(2, 3, (5, 3), bias=False)
    vertical, horizontal = torch.randn(2, 5), torch.randn(3, 3)
    conv.weight.data = torch.einsum("cy,fx->fcyx", vertical, horizontal)
    maps = torch.randn(1, 2, 9, 9)
    with torch.no_grad():
        assert torch.allclose(separable_conv(conv, 1)(maps), conv(maps), atol=1e-5)
    assert torch.linalg.matrix_rank(separable_matrix(conv.weight.detach())) == 1


def test_costs_are_those_of_the_formulas():
    assert factor_checks.formula_mismatches() == []


def test_factorise_by_energy_shrinks_and_exports_for_the_partitioner():
    network = build(digit_network, 0)
    small = factorise(network, energy=0.6)
    assert weight_count(small) < weight_count(network)
    graph = layer_graph(small, (1, 8, 8))
    assert graph.parameter_count == weight_count(small)
    device, server = 1e-9 * graph.flop_per_layer() + 1e-6, 1e-11 * graph.flop_per_layer() + 1e-7
    scan = scan_cuts(chain_costs(graph, device, server), np.array([1e4, 1e6, 1e9]))
    assert 0 <= scan.cuts.min() and scan.cuts.max() <= len(graph)


def test_factorise_leaves_the_original_alone():
    network = build(digit_network, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    small = factorise(network, ranks={"dense1": 8, "conv2": 5})
    small.dense2.weight.data.zero_()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert mac_count(small, (1, 8, 8)) < mac_count(network, (1, 8, 8))
    with pytest.raises(ValueError, match="no layer 'dense7'"):
        low_rank.replace_layers(network, {"dense7": nn.ReLU()})


def test_truncation_reports_what_it_measures(trained):
    network, data = trained
    study = low_rank_study.truncate_dense(network, data.test, (2, 8, 64))
    assert study.ranks == (24, 6, 1)
    assert study.loss_at(64) > 20
    assert study.largest_gain(100) == 64 and study.largest_gain(-100) == 1
    assert low_rank_study.largest_fall(np.array([[1.0, 2.0, 3.0]])) == 0


def test_trained_spectrum_is_steeper_than_a_random_one(trained):
    network, _ = trained
    untrained = build(lambda: low_rank_study.dense_network(64), 0)
    quarter = low_rank_study.energy_of_quarter
    assert quarter(network.dense1.weight) > quarter(untrained.dense1.weight)


def test_alexnets_dense_layers_hold_what_the_ratio_implies():
    assert factor_checks.implied_dense_factor(60_965_224) == pytest.approx(1.0)
    assert factor_checks.implied_dense_factor(11.9e6) > 61 / 11.9


def test_timing_reports_the_counted_gain():
    network = build(lambda: low_rank_study.dense_network(64), 0)
    timed = time_network(network, (1, 8, 8), {"dense1": 12}, windows=2)
    assert timed.mac_gain == pytest.approx((64 * 200 + 2000) / (12 * 264 + 2000))
    assert timed.speedup > 0


def test_one_colour_per_filter_is_found_and_shared():
    generator = np.random.default_rng(0)
    colours = np.linalg.qr(generator.standard_normal((3, 3)))[0]
    group = generator.integers(3, size=12)
    filters = np.einsum("fc,fyx->fcyx", colours[group], generator.standard_normal((12, 5, 5)))
    assert np.allclose(monochromatic.monochromatic(filters, 3).filters(), filters)
    one = monochromatic.monochromatic(filters, 1)
    assert np.linalg.norm(one.filters() - filters) > 0.3 * np.linalg.norm(filters)
    with pytest.raises(ValueError, match="choose 1 to 12"):
        monochromatic.monochromatic(filters, 13)


def test_outer_products_never_rise_and_find_a_rank_one_tensor():
    generator = np.random.default_rng(0)
    a, b, c = (generator.standard_normal(size) for size in (6, 4, 9))
    tensor = np.einsum("f,c,p->fcp", a, b, c).reshape(6, 4, 3, 3)
    approximation, residuals = monochromatic.outer_products(tensor, 1)
    assert np.allclose(approximation, tensor) and residuals[1] < 1e-6
    residuals = monochromatic.outer_products(generator.standard_normal((6, 4, 3, 3)), 8)[1]
    assert (np.diff(residuals) < 1e-12).all()


def test_blocks_of_similar_channels_beat_neighbours_where_blocks_exist():
    generator = np.random.default_rng(0)
    order = generator.permutation(8)
    block = np.kron(generator.standard_normal((2, 1)), np.ones((4, 1)))  # two kinds of filters, shuffled
    filters = (block + 0.01 * generator.standard_normal((8, 1)))[order][:, :, None, None] * np.ones((8, 4, 3, 3))
    filters[:, :, 0, 0] += np.sign(filters[:, :, 1, 1])
    similar, neighbours = (
        np.linalg.norm(monochromatic.bicluster(filters, (2, 1), 1, similar=s) - filters) for s in (True, False)
    )
    assert similar <= neighbours + 1e-9
    with pytest.raises(ValueError, match="evenly"):
        monochromatic.bicluster(filters, (3, 1), 1)


def test_predictions_change_little_at_a_mild_truncation(trained):
    network, data = trained
    mild = factorise(network, ranks={"dense1": 48})
    same = predict(mild, data.test.inputs).argmax(1) == predict(network, data.test.inputs).argmax(1)
    assert float(same.float().mean()) > 0.97
