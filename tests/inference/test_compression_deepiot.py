"""DeepIoT: the compressor, its degenerate cases, and small networks that answer like the masked ones."""

import dataclasses

import numpy as np
import pytest
import torch

from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.inference.compression.taught import compressor as c
from edgedl_lib.inference.compression.taught import deepiot_study as study
from edgedl_lib.inference.compression.taught import dense_cost, unit_pruning
from edgedl_lib.inference.compression.taught.stacked_mlp import StackedMLP, mlp
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import accuracy, build, predict, train

SHAPE = (64, 30, 20, 10)
QUICK = c.SearchSettings(iterations=2, ramp=(0.3, 0.6, 0.79))


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return digits().flat()


@pytest.fixture(scope="module")
def dense(data):
    return study.train_dense(data.train, (0, 1), SHAPE, epochs=6)


def test_lstm_is_pytorchs():
    compressor = c.Compressor(SHAPE, (0,), size=6)
    cell = torch.nn.LSTMCell(6, 6)
    with torch.no_grad():
        cell.weight_ih.copy_(compressor.input_gates[0].T)
        cell.weight_hh.copy_(compressor.state_gates[0].T)
        cell.bias_ih.copy_(compressor.gate_bias[0, 0])
        cell.bias_hh.zero_()
    inputs, state, memory = torch.randn(3, 1, 1, 6)
    wanted = cell(inputs[0], (state[0], memory[0]))
    for ours, theirs in zip(compressor._lstm(inputs, state, memory), wanted, strict=True):
        torch.testing.assert_close(ours[0], theirs)


def test_compressor_reads_detached_weights_and_starts_near_keep():
    weights = [torch.randn(1, 64, 30, requires_grad=True), torch.randn(1, 30, 20, requires_grad=True)]
    probabilities = c.Compressor(SHAPE, (0,), keep=0.8)(weights)
    sum(p.sum() for p in probabilities).backward()
    assert all(weight.grad is None for weight in weights)
    assert all(abs(float(p.detach().mean()) - 0.8) < 0.1 for p in probabilities)


def test_later_layers_see_earlier_ones():
    compressor = c.Compressor(SHAPE, (0,))
    first, second = torch.randn(1, 64, 30), torch.randn(1, 30, 20)
    changed = compressor([first * 3, second])[1]
    assert not torch.allclose(compressor([first, second])[1], changed)


def test_thresholds_soft_and_hard():
    assert c.thresholds()[-1] == pytest.approx(0.825)
    p = torch.tensor([0.2, 0.5, 0.9])
    assert c.soft_prune(p, 0.5).tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert c.hard_prune(p, 0.5).tolist() == pytest.approx([0, 0.5, 0.9])
    assert torch.equal(c.hard_prune(p, 0.0), p)


def test_runs_do_not_depend_on_their_neighbours(data, dense):
    together = c.search(StackedMLP.of([dense.network(0), dense.network(1)]), data.train, (0, 1), QUICK)
    alone = c.search(StackedMLP.of([dense.network(1)]), data.train, (1,), QUICK)
    for both, one in zip(together.probabilities, alone.probabilities, strict=True):
        torch.testing.assert_close(both[1], one[0], atol=1e-4, rtol=1e-3)


def test_fixed_critic_is_not_changed_and_threshold_zero_keeps_all(data, dense):
    before = [weight.clone() for weight in dense.weights]
    settings = dataclasses.replace(QUICK, critic_rate=0.0, ramp=(0.0, 0.0))
    found = c.search(dense, data.train, (0, 1), settings)
    assert all(torch.equal(a, b) for a, b in zip(before, dense.weights, strict=True))
    assert found.kept.min() == 1
    assert all(mask.all() for mask in found.masks)


def test_reversed_reward_raises_the_loss(data, dense):
    ratio = study.flipped_ratio(data, dense, (0, 1), dataclasses.replace(QUICK, iterations=4, ramp=(0.0,) * 20))
    assert min(ratio.values) > 1.05


def test_a_layer_never_loses_all_units():
    found = c.Search([torch.tensor([[0.1, 0.3, 0.2]])], 0.9, np.zeros((1, 1, 1)), np.zeros((1, 1)))
    assert found.masks[0].tolist() == [[False, True, False]]


def test_small_network_answers_like_the_masked_one_and_exports(data, dense):
    critic = StackedMLP.of([dense.network(0)])
    found = c.search(critic, data.train, (0,), QUICK)
    small = study.reinstantiate(critic, found)[0]
    masked = critic(data.test.inputs, [scale.unsqueeze(1) for scale in found.scales])[0].detach()
    torch.testing.assert_close(predict(small, data.test.inputs), masked, atol=1e-4, rtol=1e-4)
    graph = layer_graph(small, (64,))
    assert (
        graph.parameter_count
        == unit_pruning.dense_parameters(study.widths(small))
        < dense_cost.dense_graph(dense.network(0)).parameter_count
    )


def test_rivals_are_equally_large():
    target = unit_pruning.dense_parameters((64, 21, 9, 10))
    kept = unit_pruning.equal_share(SHAPE, target)
    assert unit_pruning.dense_parameters((64, *kept, 10)) == pytest.approx(target, rel=0.05)
    assert [int(m.sum()) for m in unit_pruning.random_units(SHAPE, kept, 0)] == kept


def test_largest_units_are_kept():
    network = mlp((4, 3, 2))
    with torch.no_grad():
        network.dense1.weight.copy_(torch.tensor([[1.0] * 4, [0.1] * 4, [2.0] * 4]))
    assert unit_pruning.largest_units(network, [2])[0].tolist() == [True, False, True]


def test_tail_of_a_convolutional_network(data):
    images = digits()
    network = build(digit_network, 0)
    train(network, images.train, epochs=4, seed=0, learning_rate=3e-3)
    small = study.compress_tail(network, images.train, 0, c.SearchSettings(iterations=3), fine_tuning=60)
    before, after = (layer_graph(n, images.input_shape).parameter_count for n in (network, small))
    assert after < before
    assert accuracy(small, images.test) > accuracy(network, images.test) - 0.05
    assert [n for n, _ in small.named_children()] == [n for n, _ in network.named_children()]


def test_bad_masks_and_settings():
    network, yes = mlp((4, 3, 2)), torch.ones(3, dtype=torch.bool)
    with pytest.raises(ValueError, match="lose all its units"):
        unit_pruning.shrink(network, [~yes])
    with pytest.raises(ValueError, match="expected 3 booleans"):
        unit_pruning.shrink(network, [yes[:2]])
    with pytest.raises(ValueError, match="give one for each"):
        unit_pruning.shrink(network, [])
    with pytest.raises(ValueError, match="dense part"):
        unit_pruning.shrink(digit_network(), [yes])
    with pytest.raises(ValueError, match="must lie between"):
        c.Compressor(SHAPE, (0,), keep=1.0)
    with pytest.raises(ValueError, match="no Flatten"):
        study.compress_tail(network, digits().flat().train, 0)


def test_distinct_values_and_reduction():
    network = mlp((64, 20, 10))
    assert dense_cost.distinct_values(network) > 0.99
    with torch.no_grad():
        network.dense1.weight.fill_(1)
        network.dense2.weight.fill_(1)
    assert dense_cost.distinct_values(network) < 0.01
    with pytest.raises(ValueError, match="positive"):
        dense_cost.reduction(0, 1)
