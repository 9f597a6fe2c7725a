"""Coded weights: exact signs, straight-through gradients, what is stored, and seeds trained side by side."""

import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.one_bit.binary import (
    Sign,
    StochasticSign,
    clip_weights,
    dense_network,
    forget_real_weights,
    multiplications_removed,
    sign,
)
from edgedl_lib.inference.compression.one_bit.coded_layers import CodedConv2d, CodedLinear, stored_bytes, with_codes
from edgedl_lib.inference.compression.one_bit.side_by_side import SideBySide, train_side_by_side
from edgedl_lib.inference.compression.one_bit.ternary import Ternary
from edgedl_lib.inference.compression.one_bit.xnor import ScaledSign
from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, train

torch.set_num_threads(1)


def test_zero_is_positive_with_either_sign_bit():
    assert sign(torch.tensor([0.0, -0.0, 1e-30, -1e-30])).tolist() == [1, 1, 1, -1]


def test_coded_weights_are_exactly_signs_and_the_gradient_passes_straight_through():
    layer, inputs = CodedLinear(5, 3, Sign()), torch.randn(2, 5)
    assert (layer.coded_weight.abs() == 1).all()
    layer(inputs).sum().backward()
    assert torch.allclose(layer.weight.grad, inputs.sum(0).expand(3, 5))


def test_coins_have_the_probability_of_the_weight_and_rest_in_use():
    weights = torch.full((20_000,), 0.5)
    torch.manual_seed(0)
    drawn = StochasticSign()(weights, training=True)
    assert (drawn > 0).float().mean() == pytest.approx(0.75, abs=0.02)
    assert torch.equal(StochasticSign()(weights, training=False), weights)


def test_clip_and_forgetting_touch_coded_layers_alone():
    network = nn.Sequential(CodedLinear(4, 4, Sign()), nn.Linear(4, 4))
    for layer in network:
        layer.weight.data.fill_(-3.0)
    clip_weights(network)
    assert network[0].weight.unique().tolist() == [-1] and network[1].weight.unique().tolist() == [-3]
    network[0].weight.data.fill_(0.2)
    forget_real_weights(network)
    assert network[0].weight.unique().tolist() == [1]


@pytest.mark.parametrize("code", [Sign(), ScaledSign(), Ternary()])
def test_padding_contributes_nothing(code):
    layer = CodedConv2d(1, 2, 3, code, padding=1, bias=False)
    corner = (layer.coded_weight[:, 0, 1:, 1:]).sum((1, 2))  # four taps lie on the image
    assert torch.allclose(layer(torch.ones(1, 1, 5, 5))[0, :, 0, 0], corner)


def test_stored_bytes_count_codes_scales_and_biases():
    assert stored_bytes(CodedLinear(100, 10, Sign())) == 1000 // 8 + 40
    assert stored_bytes(CodedLinear(100, 10, ScaledSign())) == 1000 // 8 + 40 + 40
    assert stored_bytes(CodedLinear(100, 10, Ternary(), bias=False)) == 2000 // 8 + 40


def test_coded_copy_of_the_digit_network_keeps_its_ends_and_exports():
    network = digit_network()
    coded = with_codes(network, ScaledSign(), keep_real=("conv1", "dense2"))
    assert type(coded.conv1) is nn.Conv2d and isinstance(coded.conv2, CodedConv2d) and type(network.conv2) is nn.Conv2d
    assert torch.equal(coded.dense1.weight, network.dense1.weight)
    graph, plain = layer_graph(coded, (1, 8, 8)), layer_graph(network, (1, 8, 8))
    assert (graph.flop, graph.parameter_count) == (plain.flop, plain.parameter_count)
    assert stored_bytes(coded) < stored_bytes(network) / 10
    with pytest.raises(ValueError, match="no layers"):
        with_codes(network, Sign(), keep_real=("conv9",))


def test_two_thirds_of_the_multiplications_less_those_of_the_first_layer():
    assert multiplications_removed((1, *[1000] * 30)) == pytest.approx(2 / 3, abs=1e-3)
    assert multiplications_removed((10, 10)) == 0.5


@pytest.mark.parametrize("code", [None, Sign(), Ternary()])
def test_side_by_side_trains_as_each_alone(code):
    torch.manual_seed(0)
    splits = [Split(torch.randn(40, 6), torch.randint(0, 3, (40,))) for _ in range(2)]
    together = [build(lambda: dense_network((6, 5, 3), code), seed) for seed in range(2)]
    alone = [build(lambda: dense_network((6, 5, 3), code), seed) for seed in range(2)]
    options = {"epochs": 2, "seed": 3, "batch_size": 20, "optimiser": "sgd", "learning_rate": 0.01}
    train_side_by_side(together, splits, **options | {"learning_rate": 0.02})  # the mean over two halves each gradient
    for network, split in zip(alone, splits, strict=True):
        train(network, split, **options)
    for one, other in zip(together, alone, strict=True):
        for name, value in one.state_dict().items():
            assert torch.allclose(value, other.state_dict()[name], atol=1e-5), name


def test_networks_of_different_shape_cannot_stand_side_by_side():
    with pytest.raises(ValueError, match="one shape"):
        SideBySide([dense_network((6, 5, 3), None), dense_network((6, 4, 3), None)])


def test_a_network_without_layers_is_refused():
    with pytest.raises(ValueError, match="name no layer"):
        dense_network((5,), None)
