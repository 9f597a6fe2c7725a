"""Magnitude pruning, masks that hold, the sensitivity scan, and filters that are really removed."""

import copy

import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.reference import digit_network, lenet5, lenet_300_100
from edgedl_lib.inference.compression.sparsity import filters
from edgedl_lib.inference.compression.sparsity.pruning import (
    FixedMasks,
    dropout_after_pruning,
    global_masks,
    largest,
    magnitude_masks,
    magnitude_prune,
    nonzero_weights,
    threshold_masks,
)
from edgedl_lib.inference.compression.sparsity.retraining import SurvivorCount, prune_and_retrain, pruning_steps
from edgedl_lib.inference.compression.sparsity.sensitivity import sensitivity_scan
from edgedl_lib.inference.compression.sparsity.trade_off import keep_for
from edgedl_lib.inference.compression.storage import published
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, error, train


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return digits(0)


@pytest.fixture
def network():
    return build(digit_network, 3)


@pytest.fixture
def inputs():
    return torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def same(first, second, inputs, tolerance=1e-5):
    with torch.inference_mode():
        torch.testing.assert_close(first.eval()(inputs), second.eval()(inputs), rtol=0, atol=tolerance)


def test_the_largest_weights_stay_and_the_count_is_exact(network):
    before = network.dense1.weight.detach().clone()
    masks = magnitude_prune(network, {"dense1": 0.09})
    kept = masks.masks["dense1"]
    assert int(kept.sum()) == round(0.09 * before.numel()) == nonzero_weights(network)["dense1"]
    assert before[kept].abs().min() >= before[~kept].abs().max()
    assert torch.equal(network.dense1.weight[kept], before[kept])


def test_equal_magnitudes_do_not_change_the_count():
    assert int(largest(torch.ones(10), 4).sum()) == 4
    assert largest(torch.tensor([1.0, -1.0, 2.0]), 2).tolist() == [True, False, True]


def test_biases_and_unnamed_layers_are_left_alone(network):
    before = copy.deepcopy(network.state_dict())
    magnitude_prune(network, {"dense1": 0.5})
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"dense1.weight"}


def test_published_densities_give_published_counts():
    for name, make, kept in (("lenet-300-100", lenet_300_100, 21_776), ("lenet-5", lenet5, 36_280)):
        masks = magnitude_prune(build(make, 0), published.published_network(name).keep)
        assert masks.kept == kept


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.1, float("nan")])
def test_a_layer_without_weights_is_refused(network, keep):
    with pytest.raises(ValueError, match=r"keep must lie in \(0, 1\]"):
        magnitude_masks(network, keep)


def test_unknown_layers_and_nan_weights_are_refused(network):
    with pytest.raises(ValueError, match="fc7; the layers with weights are conv1"):
        magnitude_masks(network, {"fc7": 0.5})
    network.dense1.weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        magnitude_masks(network, 0.5)


def test_masks_hold_at_every_step_of_retraining(network, data):
    masks = magnitude_prune(network, 0.1)
    count = SurvivorCount(masks)
    train(network, data.train.subset(256), epochs=2, seed=0, after_step=count)
    assert count.largest_change == 0
    assert len(count.counts) == 8


def test_without_a_mask_after_each_step_the_optimiser_revives_weights(network, data):
    kept = magnitude_prune(network, 0.1).kept
    train(network, data.train.subset(64), epochs=1, seed=0)
    assert sum(nonzero_weights(network).values()) > 2 * kept


def test_retraining_starts_from_the_survivors_values(network, data):
    values = network.dense1.weight.detach().clone()
    masks = prune_and_retrain(network, data, 0.2, epochs=0, seed=0)
    assert torch.equal(network.dense1.weight, values * masks.masks["dense1"])


def test_rounds_only_remove(network, data):
    seen = []
    for keep in pruning_steps({"dense1": 0.05}, rounds=3):
        seen.append(magnitude_prune(network, keep).masks["dense1"])
    assert all(bool((later <= earlier).all()) for earlier, later in zip(seen, seen[1:], strict=False))
    assert int(seen[-1].sum()) == round(0.05 * seen[-1].numel())
    with pytest.raises(ValueError, match="at least one round"):
        pruning_steps({"dense1": 0.05}, rounds=0)


def test_one_global_threshold_empties_layers_of_small_weights(network):
    with torch.no_grad():
        network.dense1.weight.mul_(0.01)
    assert int(global_masks(network, 0.2).masks["dense1"].sum()) == 0
    assert int(magnitude_masks(network, 0.2).masks["dense1"].sum()) == round(0.2 * 25_600)


def test_threshold_is_a_multiple_of_the_deviation(network):
    weight = network.dense1.weight.detach()
    mask = threshold_masks(network, {"dense1": 1.0}).masks["dense1"]
    assert torch.equal(mask, weight.abs() >= weight.std())
    assert threshold_masks(network, 0.0).density == 1
    with pytest.raises(ValueError, match="negative"):
        threshold_masks(network, -1.0)


def test_dropout_shrinks_with_the_square_root_of_what_is_left():
    assert dropout_after_pruning(0.5, 100, 100) == 0.5
    assert dropout_after_pruning(0.5, 100, 4) == pytest.approx(0.1)
    with pytest.raises(ValueError):
        dropout_after_pruning(0.5, 100, 0)


@pytest.mark.parametrize("reduction", [1, 2, 12.2, 50])
def test_proportional_densities_reach_the_reduction(reduction):
    network = published.published_network("lenet-300-100")
    keep = keep_for(network, reduction)
    left = sum(layer.weights * keep[layer.name] for layer in network.layers)
    assert network.weights / left == pytest.approx(reduction, rel=1e-6)
    with pytest.raises(ValueError, match="at least 1"):
        keep_for(network, 0.5)


def test_the_scan_prunes_one_layer_at_a_time_and_leaves_the_model_alone(network, data):
    train(network, data.train, epochs=2, seed=0)
    before = copy.deepcopy(network.state_dict())
    scan = sensitivity_scan(network, data.validation, (0.1, 1.0))
    assert scan.layers == ("conv1", "conv2", "dense1", "dense2")
    assert scan.error[:, 1].tolist() == [scan.unpruned] * 4  # keeping everything changes nothing
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    pruned = copy.deepcopy(network)
    magnitude_prune(pruned, {"conv2": 0.1})
    assert scan.error[1, 0] == error(pruned, data.validation)
    assert scan.smallest_keep(100)["conv1"] == 0.1
    assert scan.smallest_keep(-1000)["conv1"] == 1.0


def test_removed_filters_leave_the_same_outputs_as_zeroed_ones(network, inputs):
    kept = filters.strongest_filters(network, {"conv1": 0.4, "conv2": 0.3, "dense1": 0.5})
    small = filters.extract(network, kept)
    same(filters.zero_filters(network, kept), small, inputs)
    assert small.conv1.weight.shape == (8, 1, 3, 3)
    assert small.conv2.weight.shape == (15, 8, 3, 3)
    assert small.dense1.weight.shape == (64, 60)
    assert small.dense2.weight.shape == (10, 64)


def test_removed_filters_with_batch_norm_and_average_pooling():
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(54, 4)
    )
    model[1].running_mean.uniform_(-1, 1)
    kept = filters.strongest_filters(model, {"0": 0.5})
    small = filters.extract(model, kept)
    same(filters.zero_filters(model, kept), small, torch.rand(5, 2, 8, 8))
    assert small[1].num_features == 3 and small[5].in_features == 27


def test_the_smaller_network_is_a_smaller_layer_graph_and_can_be_cut(network, data):
    small = filters.prune_filters(network, 0.5)
    whole_graph, small_graph = layer_graph(network, (1, 8, 8)), layer_graph(small, (1, 8, 8))
    assert whole_graph.mac / small_graph.mac == pytest.approx(182_400 / 48_800)
    assert small_graph["conv2"].mac == 25 * 10 * 9 * 16
    costs = chain_costs(small_graph, [1e-3] * len(small_graph), [1e-4] * len(small_graph))
    assert costs.transfer_bytes[-1] == 0
    train(small, data.train.subset(256), epochs=1, seed=0)  # its shapes fit, forwards and backwards


def test_filters_are_ranked_by_their_norm(network):
    with torch.no_grad():
        network.conv1.weight[[2, 7]] *= 100
    assert filters.strongest_filters(network, {"conv1": 0.1})["conv1"].tolist() == [2, 7]


def test_filters_of_other_models_are_refused(network):
    with pytest.raises(ValueError, match="dense2 is the last layer"):
        filters.prune_filters(network, {"dense2": 0.5})
    with pytest.raises(ValueError, match=r"keep must lie in \(0, 1\]"):
        filters.prune_filters(network, 0)
    with pytest.raises(ValueError, match="nn.Sequential chain"):
        filters.prune_filters(nn.Linear(3, 3), 0.5)
    grouped = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="plain chain"):
        filters.prune_filters(grouped, 0.5)


def test_dead_units_go_and_constants_move_into_the_next_bias():
    model = build(lambda: lenet_300_100(20, 4), 0)
    with torch.no_grad():
        model.dense1.weight[:200] = 0  # 200 units without inputs: constants
        model.dense1.bias[:200].uniform_(-1, 1)
        model.dense2.weight[:, 200:250] = 0  # 50 units that nobody reads
    small = filters.remove_dead_units(model)
    assert small.dense1.out_features == small.dense2.in_features == 50
    same(model, small, torch.rand(6, 20))


def test_removing_a_dead_unit_can_kill_another():
    model = build(lambda: lenet_300_100(20, 4), 0)
    with torch.no_grad():
        model.dense3.weight[:, :60] = 0
        model.dense2.weight[60:, :100] = 0  # the first 100 units feed only units that nobody reads
    small = filters.remove_dead_units(model)
    assert (small.dense1.out_features, small.dense2.out_features) == (200, 40)
    same(model, small, torch.rand(6, 20))


def test_a_constant_map_before_a_padded_convolution_stays(network, inputs):
    with torch.no_grad():
        network.conv1.weight[:3] = 0
        network.conv1.bias[:3] = torch.tensor([1.0, -1.0, -2.0])  # one constant, two that ReLU makes zero
    small = filters.remove_dead_units(network)
    assert small.conv1.out_channels == 18
    same(network, small, inputs)


def test_a_network_without_dead_units_keeps_its_shape(network, inputs):
    small = filters.remove_dead_units(network)
    assert nonzero_weights(small) == nonzero_weights(network)
    same(network, small, inputs)


def test_masks_know_their_density(network):
    masks = magnitude_masks(network, {"dense1": 0.25, "dense2": 0.25})
    assert masks.density == 0.25
    assert FixedMasks({"conv1": torch.ones(20, 1, 3, 3, dtype=torch.bool)}).kept == 180
