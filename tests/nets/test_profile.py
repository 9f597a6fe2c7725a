"""Measuring: shapes and bounds of what comes back, the order of magnitude, and the state left behind."""

import time

import numpy as np
import pytest
import torch

from edgedl_lib.nets import layers
from edgedl_lib.nets.graph import chain
from edgedl_lib.nets.profile import measure_layers, measure_whole
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import lenet5


def test_profile_has_one_positive_time_per_layer():
    profile = measure_layers(lenet5(), budget=0.3)
    assert profile.latency.shape == profile.minimum.shape == (8,)
    assert np.all(profile.minimum > 0)
    assert np.all(profile.minimum <= profile.latency)
    assert profile.total == pytest.approx(profile.latency.sum())
    assert profile.warm_up == 10
    assert list(profile.table()["layer"]) == list(lenet5().layer_names)


def test_a_thousand_times_the_work_takes_much_longer():
    small, large = layers.dense("small", (64,), 64), layers.dense("large", (64,), 65_536)
    graph = chain("two", (64,), (small, large))
    small_time, large_time = measure_layers(graph, budget=0.5).minimum
    assert large_time > 5 * small_time


def test_layers_add_up_to_the_whole_within_a_factor_of_two():
    model = to_torch(lenet5().with_batch(16))
    layered = measure_layers(model.graph, model=model, budget=0.6)
    whole = measure_whole(model.graph, model=model, budget=0.6)
    assert 0.5 < layered.minimum.sum() / whole.minimum < 2


def test_batch_of_the_graph_is_what_runs():
    one, many = measure_whole(lenet5(), budget=0.3), measure_whole(lenet5().with_batch(64), budget=0.6)
    assert many.minimum > 4 * one.minimum


def test_budget_ends_the_measurement_of_a_slow_model(monkeypatch):
    model = to_torch(lenet5())
    monkeypatch.setattr(model.layers["conv1"], "forward", lambda x: (time.sleep(0.05), torch.zeros(1, 20, 24, 24))[1])
    start = time.perf_counter()
    profile = measure_layers(model.graph, model=model, budget=0.5)
    assert time.perf_counter() - start < 1.5
    assert 3 <= profile.rounds <= 10
    assert profile.warm_up < 10
    assert 0.05 <= profile.latency[0] < 0.1


def test_rounds_bound_the_measurement():
    assert measure_layers(lenet5(), budget=10, rounds=2).rounds == 2


def test_threads_and_gradients_are_restored():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    measure_whole(lenet5(), budget=0.05)
    assert torch.get_num_threads() == 2
    assert torch.is_grad_enabled()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("options", [{"budget": 0}, {"budget": -1}, {"budget": float("nan")}, {"rounds": 0}])
def test_budget_and_rounds_must_be_positive(options):
    with pytest.raises(ValueError, match="must be positive"):
        measure_layers(lenet5(), **options)
