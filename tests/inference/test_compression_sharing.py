"""K-means in one dimension, shared weights and the training of their values."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import parametrize

from edgedl_lib.inference.compression.reference import digit_network
from edgedl_lib.inference.compression.sparsity.pruning import magnitude_prune
from edgedl_lib.inference.compression.storage.sharing import (
    CodeBookGather,
    cluster,
    fine_tune_code_books,
    share_weights,
    sharing_rate,
)
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, cross_entropy


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return digits(0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60),
    st.integers(1, 12),
    st.sampled_from(["linear", "density", "random"]),
)
def test_no_cluster_is_empty_and_every_value_is_at_its_nearest_centroid(values, clusters, initial):
    values = np.array(values)
    centroids, nearest = cluster(values, clusters, initial)
    assert len(centroids) == min(clusters, len(np.unique(values)))
    assert len(np.unique(nearest)) == len(centroids)
    assert np.all(np.diff(centroids) > 0)
    distance = np.abs(values[:, None] - centroids)
    np.testing.assert_allclose(distance[np.arange(len(values)), nearest], distance.min(1), atol=1e-9)


def test_centroids_are_the_means_of_their_members():
    values = np.random.default_rng(0).normal(size=2_000)
    centroids, nearest = cluster(values, 8, iterations=1_000)
    means = [values[nearest == code].mean() for code in range(8)]
    np.testing.assert_allclose(centroids, means, atol=1e-9)


def test_a_linear_start_over_a_gap_leaves_no_empty_cluster():
    values = np.concatenate([np.linspace(0, 1e-3, 500), [1.0]])  # even steps would be alone in between
    centroids, nearest = cluster(values, 16)
    assert np.bincount(nearest, minlength=16).min() >= 1
    assert centroids[-1] == 1.0


def test_starting_points_follow_their_names():
    values = np.concatenate([np.zeros(90) + np.linspace(0, 0.1, 90), np.linspace(5, 10, 10)])
    starts = {initial: cluster(values, 4, initial, iterations=0)[0] for initial in ("linear", "density")}
    assert np.sum(starts["linear"] > 1) >= 2  # large values get centroids although they are few
    assert np.sum(starts["density"] > 1) <= 1


def test_bad_clustering_is_refused():
    for values, clusters, initial in (([], 2, "linear"), ([1.0], 0, "linear"), ([np.nan, 1.0], 2, "linear")):
        with pytest.raises(ValueError):
            cluster(np.array(values), clusters, initial)
    with pytest.raises(ValueError, match="unknown initialisation 'best'; choose one of linear"):
        cluster(np.arange(10.0), 2, "best")


def test_a_pruned_layer_shares_one_value_less_because_zero_has_a_code():
    model = build(digit_network, 0)
    magnitude_prune(model, {"dense1": 0.1})
    shared = share_weights(model, 4)
    assert len(shared["dense1"].code_book) == 15 and len(shared["dense2"].code_book) == 16
    assert shared["dense1"].sparse and not shared["dense2"].sparse
    assert len(torch.unique(model.dense1.weight)) == 16  # with zero
    assert int(torch.count_nonzero(model.dense1.weight)) == 2_560
    np.testing.assert_array_equal(model.dense2.weight.detach().numpy(), shared["dense2"].weight())


def test_each_layer_has_a_code_book_of_its_own():
    shared = share_weights(build(digit_network, 0), {"conv1": 8, "dense1": 2})
    assert set(shared) == {"conv1", "dense1"}
    assert len(shared["conv1"].code_book) == 180  # fewer weights than values: each keeps its own
    assert len(shared["dense1"].code_book) == 4


@pytest.mark.parametrize("bits", [0, 13])
def test_impossible_bits_are_refused(bits):
    with pytest.raises(ValueError, match="takes 1 to 12 bits"):
        share_weights(build(digit_network, 0), bits)


def test_the_gradient_of_a_value_is_the_sum_over_its_members():
    members, places = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([0, 2, 3, 5, 6])
    code_book = torch.tensor([0.3, -0.7], requires_grad=True)
    slope = torch.arange(8.0)
    weight = CodeBookGather.apply(code_book, members, places, 8)
    (weight * slope).sum().backward()
    assert weight.tolist() == pytest.approx([0.3, 0, -0.7, -0.7, 0, 0.3, -0.7, 0])
    assert code_book.grad.tolist() == [0 + 5, 2 + 3 + 6]


def test_the_gradient_of_a_whole_network_agrees_with_finite_differences(data):
    model = build(digit_network, 0)
    magnitude_prune(model, {"dense1": 0.1})
    shared = share_weights(model, {"dense1": 2})
    before = copy.deepcopy(model).double()
    batch, targets = data.train.inputs[:32].double(), data.train.targets[:32]
    weight_gradient = torch.autograd.grad(cross_entropy(before, batch, targets), before.dense1.weight)[0].numpy()
    expected = [weight_gradient[shared["dense1"].codes == code].sum() for code in (1, 2, 3)]
    step = 1e-8  # small, or some ReLU changes sides
    for code, slope in zip((1, 2, 3), expected, strict=True):
        losses = [_loss_after(before, shared["dense1"].codes == code, sign * step, batch, targets) for sign in (1, -1)]
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(slope, rel=1e-3, abs=1e-6)


def _loss_after(model, members, step, batch, targets):
    moved = copy.deepcopy(model)
    with torch.no_grad():
        moved.dense1.weight[torch.from_numpy(members)] += step
    return cross_entropy(moved, batch, targets).item()


def test_fine_tuning_moves_values_but_no_code_and_lowers_the_loss(data):
    model = build(digit_network, 0)
    magnitude_prune(model, 0.3)
    shared = share_weights(model, 3)
    loss = cross_entropy(model, data.train.inputs, data.train.targets).item()
    tuned = fine_tune_code_books(model, shared, data, epochs=1, seed=0)
    assert not any(parametrize.is_parametrized(module) for module in model.modules())
    for name, layer in tuned.items():
        np.testing.assert_array_equal(layer.codes, shared[name].codes)
        np.testing.assert_array_equal(model.get_submodule(name).weight.detach().numpy(), layer.weight())
    assert not np.array_equal(tuned["dense1"].code_book, shared["dense1"].code_book)
    assert cross_entropy(model, data.train.inputs, data.train.targets).item() < loss


def test_the_papers_example_of_the_rate():
    assert sharing_rate(16, 4) == 3.2
    assert sharing_rate(10**6, 32) == pytest.approx(32 / 5, rel=1e-3)
    with pytest.raises(ValueError):
        sharing_rate(0, 4)
