"""Scaled signs, binary activations and packed products: closed forms, exact equality, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from edgedl_lib.inference.compression.one_bit.binary import sign
from edgedl_lib.inference.compression.one_bit.packed_bits import pack, pack_ternary, packed_product, unpack_ternary
from edgedl_lib.inference.compression.one_bit.ternary import Ternary, best_threshold
from edgedl_lib.inference.compression.one_bit.xnor import (
    BinaryInput,
    ScaledSign,
    XnorConv2d,
    approximation_error,
    binary_activation,
    optimal_scale,
    theoretical_speedup,
    xnor_network,
)
from edgedl_lib.nets.export import layer_graph

torch.set_num_threads(1)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(0, 2**31))
def test_packed_product_is_the_float_product_exactly(length, seed):
    signs = np.where(np.random.default_rng(seed).random((7, length)) < 0.5, -1, 1).astype(np.float32)
    left, right = pack(signs[:3]), pack(signs[3:])
    assert (left.unpack() == signs[:3]).all()
    assert (packed_product(left, right) == signs[:3] @ signs[3:].T).all()


@pytest.mark.parametrize("wrong", [np.zeros((2, 3)), np.ones(3), np.ones((2, 0)), np.full((1, 2), np.nan)])
def test_only_rows_of_signs_can_be_packed(wrong):
    with pytest.raises(ValueError, match="sign"):
        pack(wrong)


def test_rows_of_different_length_have_no_product():
    with pytest.raises(ValueError, match="no dot product"):
        packed_product(pack(np.ones((1, 3))), pack(np.ones((1, 4))))


def test_a_packed_row_takes_a_thirty_second_of_float32():
    signs = np.ones((16, 2304), np.float32)
    assert signs.nbytes == 32 * pack(signs).nbytes


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=30))
def test_ternary_values_survive_packing(values):
    assert unpack_ternary(pack_ternary(np.array(values)), len(values)).tolist() == values


def test_no_scale_on_a_grid_beats_the_closed_form():
    filters = torch.randn(16, 50, generator=torch.Generator().manual_seed(0))
    errors = [(filters - scale * sign(filters)).square().sum(1) for scale in torch.linspace(0, 2, 401)]
    best = (filters - optimal_scale(filters) * sign(filters)).square().sum(1)
    assert (best <= torch.stack(errors).min(dim=0).values + 1e-5).all()


def test_gradient_of_the_scaled_sign_is_the_papers():
    weights = torch.tensor([[0.5, -2.0, 0.0, -1.5]], requires_grad=True)
    ScaledSign()(weights, True).backward(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    window = torch.tensor([1.0, 0.0, 1.0, 0.0])
    expected = torch.tensor([1.0, 2.0, 3.0, 4.0]) * (1 / 4 + 1.0 * window)  # the mean of |w| is 1
    assert torch.allclose(weights.grad[0], expected)


def test_activation_passes_its_gradient_inside_the_window_alone():
    values = torch.tensor([-1.5, -1.0, 0.0, 0.4, 1.0, 1.1], requires_grad=True)
    outputs = binary_activation(values)
    outputs.sum().backward()
    assert outputs.tolist() == [-1, -1, 1, 1, 1, 1]
    assert values.grad.tolist() == [0, 1, 1, 1, 1, 0]


def test_xnor_convolution_is_signs_times_signs_times_both_scales():
    layer, images = XnorConv2d(3, 4, 3, padding=1), torch.randn(2, 3, 6, 6)
    plain = functional.conv2d(sign(images), sign(layer.weight), padding=1)
    scale = optimal_scale(layer.weight.flatten(1)).view(1, 4, 1, 1)
    mean = functional.pad(images.abs().mean(1, keepdim=True), (1, 1, 1, 1))
    box = functional.conv2d(mean, torch.full((1, 1, 3, 3), 1 / 9))
    assert torch.allclose(layer(images), plain * scale * box, atol=1e-5)


def test_speed_model_has_its_limits():
    assert theoretical_speedup(10**9, 9) == pytest.approx(64, rel=1e-6)
    assert round(theoretical_speedup(256, 9), 2) == 62.27
    with pytest.raises(ValueError, match="at least 1"):
        theoretical_speedup(0, 9)


def test_ternary_keeps_the_least_squares_scale_and_beats_the_binary_code():
    weights = torch.randn(64, 500, generator=torch.Generator().manual_seed(1))
    coded, values = Ternary()(weights, False), Ternary().values(weights)
    assert torch.allclose((coded * (weights - coded)).sum(1), torch.zeros(64), atol=1e-2)  # orthogonal residual
    assert set(values.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert approximation_error(weights, Ternary()) < approximation_error(weights, ScaledSign())


def test_best_threshold_agrees_with_a_grid():
    weights = torch.randn(20_000, generator=torch.Generator().manual_seed(2))
    grid = np.linspace(0.5, 0.95, 91)
    errors = [approximation_error(weights[None], Ternary(float(threshold))) for threshold in grid]
    assert best_threshold(weights) == pytest.approx(grid[int(np.argmin(errors))], abs=0.05)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_impossible_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match="outside"):
        Ternary(threshold)


def test_xnor_network_exports():
    graph = layer_graph(xnor_network((64, 30, 10), learned_scale=True).eval(), (64,))
    assert graph.is_chain and graph.layers[0].config["weight_bits"] == 1


def test_input_scale_is_the_mean_of_the_absolute_inputs():
    assert BinaryInput()(torch.tensor([[1.0, -3.0]])).tolist() == [[2.0, -2.0]]
