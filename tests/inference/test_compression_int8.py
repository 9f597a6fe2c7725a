"""Linear quantisation: grids, calibration, integer arithmetic, training through the rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgedl_lib.inference.compression.eight_bits import int8, int8_study
from edgedl_lib.inference.compression.eight_bits.integer_arithmetic import code_mismatches, run_integer
from edgedl_lib.inference.compression.eight_bits.quantisation_aware import compare_bits, quantisation_aware
from edgedl_lib.inference.compression.factors import low_rank_study
from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, error, predict, train

FINITE = st.floats(-1e3, 1e3, allow_nan=False, width=32)


@pytest.fixture(scope="module")
def trained():
    data = digits(0)
    network = build(digit_network, 0)
    train(network, data.train, epochs=4, seed=0, learning_rate=3e-3)
    return network, data


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=30), st.integers(2, 8))
def test_activation_grid_keeps_zero_and_errs_by_one_step_at_most(values, bits):
    tensor = torch.tensor(values)
    grid = int8.activation_grid(*int8.calibrated_range(tensor), bits)
    assert float(grid.round_trip(torch.zeros(1))) == 0
    assert float((grid.round_trip(tensor) - tensor).abs().max()) <= 1.001 * float(grid.scale) + 1e-6
    assert len(grid.codes(tensor).unique()) <= 2**bits


@settings(deadline=None)
@given(st.lists(FINITE, min_size=4, max_size=4), st.integers(2, 8))
def test_weight_grid_is_symmetric_and_errs_by_half_a_step(values, bits):
    weight = torch.tensor(values).reshape(2, 2)
    grid = int8.weight_grid(weight, bits)
    assert torch.equal(grid.round_trip(-weight), -grid.round_trip(weight))
    assert bool(((grid.round_trip(weight) - weight).abs() <= 0.5001 * grid.scale + 1e-6).all())


def test_each_filter_has_a_scale_of_its_own_unless_they_share():
    weight = torch.tensor([[1.27, 0.0], [0.0127, 0.005]])
    assert int8.weight_grid(weight, 8).scale.flatten().tolist() == pytest.approx([0.01, 0.0001])
    assert float(int8.weight_grid(weight, 8, per_channel=False).scale) == pytest.approx(0.01)
    assert float(int8.weight_grid(torch.zeros(2, 2), 8).round_trip(torch.zeros(2, 2)).abs().sum()) == 0


def test_percentile_ignores_one_wild_value():
    values = torch.cat([torch.linspace(0, 1, 999), torch.tensor([500.0])])
    assert int8.calibrated_range(values) == (0.0, 500.0)
    assert int8.calibrated_range(values, 99.5)[1] <= 1.0


@pytest.mark.parametrize("call, words", [
    (lambda: int8.activation_grid(1.0, -1.0, 8), "cannot be quantised"),
    (lambda: int8.activation_grid(0.0, float("inf"), 8), "cannot be quantised"),
    (lambda: int8.activation_grid(0.0, float("nan"), 8), "cannot be quantised"),
    (lambda: int8.weight_grid(torch.ones(2, 2), 9), "choose 2 to 8"),
    (lambda: int8.weight_grid(torch.ones(2, 2), 1), "choose 2 to 8"),
    (lambda: int8.calibrated_range(torch.tensor([float("nan")])), "hold NaN"),
    (lambda: int8.calibrated_range(torch.ones(3), 40), "above 50"),
    (lambda: int8.quantise_int8(nn.Sequential(nn.ReLU()), torch.ones(1, 2)), "no dense or convolutional"),
    (lambda: run_integer(nn.Sequential(nn.Tanh()), torch.ones(1, 2)), "does not run on integers"),
])  # fmt: skip
def test_bad_requests_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_eight_bits_answer_as_float_and_the_original_is_untouched(trained):
    network, data = trained
    before = network.dense1.weight.clone()
    small = int8.quantise_int8(network, data.train.inputs[:128])
    same = predict(small.module, data.test.inputs).argmax(1) == predict(network, data.test.inputs).argmax(1)
    assert float(same.float().mean()) > 0.98
    assert torch.equal(network.dense1.weight, before) and type(network.dense1) is nn.Linear


def test_bytes_are_those_of_codes_biases_and_scales(trained):
    network, data = trained
    small = int8.quantise_int8(network, data.train.inputs[:16])
    weights, filters, layers = 36_268 - 208, 20 + 50 + 128 + 10, 4
    assert small.stored_bytes == weights + 4 * filters + 4 * (filters + layers) + layers
    four = int8.quantise_int8(network, data.train.inputs[:16], bits=4)
    assert small.stored_bytes - four.stored_bytes == weights // 2
    assert int8.float_bytes(network) == 4 * 36_268


@pytest.mark.parametrize("shift", [0.0, 0.4])
@pytest.mark.parametrize("bits", [8, 4])
def test_integers_alone_give_the_simulated_codes(trained, shift, bits):
    network, data = trained
    inputs = data.test.inputs[:60] - shift  # negative inputs need a zero point in the first layer
    module = int8.quantise_int8(network, data.train.inputs[:64] - shift, bits=bits).module
    assert code_mismatches(module, inputs) == 0
    logits = run_integer(module, inputs).logits
    assert np.allclose(logits, predict(module, inputs).numpy(), atol=1e-3 * np.abs(logits).max())


def test_quantised_network_exports_with_its_bits(trained):
    network, data = trained
    graph = layer_graph(int8.quantise_int8(network, data.train.inputs[:16]).module, (1, 8, 8))
    plain = layer_graph(network, (1, 8, 8))
    assert (graph.flop, graph.parameter_count) == (plain.flop, plain.parameter_count)
    assert graph["conv1"].config["weight_bits"] == 8


def test_straight_through_rounds_forwards_and_passes_gradients_inside_the_range():
    grid = int8.activation_grid(0.0, 3.0, 2)
    values = torch.tensor([-1.0, 0.4, 1.6, 9.0], requires_grad=True)
    result = int8.straight_through(values, grid)
    assert result.tolist() == [0.0, 0.0, 2.0, 3.0]
    result.sum().backward()
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_training_through_the_rounding_moves_weights_and_keeps_them_on_the_grid():
    data = digits(0)
    network = build(lambda: low_rank_study.dense_network(64), 0)
    train(network, data.train, epochs=2, seed=0)
    aware = quantisation_aware(network, data.train, data.train.inputs[:64], bits=3, epochs=1, seed=0)
    assert not torch.equal(aware.dense1.layer.weight, network.dense1.weight)
    rounded = aware.dense1.weight_grid.round_trip(aware.dense1.layer.weight.detach())
    assert max(len(row.unique()) for row in rounded) <= 7


def test_two_bits_break_a_network_that_training_repairs(trained):
    network, data = trained
    run = compare_bits(network, data.train, data.test, bits=2, epochs=2, seed=0)
    assert run.rounding_loss > 10 and run.recovered > 0.3
    assert run.aware_loss == pytest.approx(run.rounding_loss * (1 - run.recovered))


def test_hot_pixel_touches_one_value():
    images = torch.zeros(3, 1, 8, 8)
    spoiled = int8_study.with_hot_pixel(images)
    assert int((spoiled != images).sum()) == 1 and float(spoiled.max()) == int8_study.HOT_PIXEL
    assert float(images.sum()) == 0


def test_choices_of_the_quantiser_are_measured(trained):
    network, data = trained
    errors = int8_study.outlier_errors(network, data.train.inputs[:256], data.test)
    assert errors["minimum and maximum"] >= error(network, data.test) - 1
    assert int8_study.per_channel_gain(network, data.test.inputs) > 0
    curve = int8_study.rounding_curve(network, data.train.inputs[:64], data.test, (8, 2))
    assert curve[1] > curve[0]
