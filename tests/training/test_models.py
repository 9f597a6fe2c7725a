"""Models as named arrays, data on clients, histories."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.history import History, crossing
from edgedl_lib.training.models import (
    flatten,
    load_arrays,
    logistic,
    mnist_cnn,
    parameter_count,
    perceptron,
    to_arrays,
    two_nn,
    unflatten,
)
from edgedl_lib.training.partition import iid
from edgedl_lib.training.strategy import weighted_mean
from edgedl_lib.training.task import Task


@pytest.mark.parametrize(("make", "count"), [(two_nn, 199_210), (mnist_cnn, 1_663_370)])
def test_the_models_of_the_paper_have_its_numbers_of_parameters(make, count):
    arrays = to_arrays(make())
    assert parameter_count(arrays) == count == len(flatten(arrays))


def test_arrays_go_into_a_model_and_come_back():
    source, other = perceptron(5, 4, 3), perceptron(5, 4, 3)
    arrays = to_arrays(source)
    assert list(arrays) == list(source.state_dict())
    back = to_arrays(load_arrays(other, arrays))
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    arrays["0.weight"][...] = 9  # a copy: neither model changes
    assert source[0].weight.abs().max() < 9 and other[0].weight.abs().max() < 9


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: {**arrays, "0.weight": arrays["0.weight"].T},
        lambda arrays: {name: arrays[name] for name in list(arrays)[1:]},
        lambda arrays: {**arrays, "more": np.zeros(1)},
    ],
)
def test_arrays_of_another_model_are_refused(spoil):
    model = perceptron(5, 4, 3)
    with pytest.raises(ValueError, match="0.weight|more"):
        load_arrays(model, spoil(to_arrays(model)))


def test_flattening_is_undone():
    arrays = to_arrays(perceptron(5, 4, 3))
    back = unflatten(flatten(arrays), arrays)
    assert list(back) == list(arrays)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    with pytest.raises(ValueError, match="does not fill"):
        unflatten(np.zeros(3), arrays)


def test_counters_of_a_model_stay_integers_through_an_average():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    first, second = to_arrays(model), to_arrays(model)
    second["1.num_batches_tracked"] = np.array(3, dtype=np.int64)
    mean = weighted_mean([first, second], [1, 1])
    assert mean["1.num_batches_tracked"].dtype == np.int64 and mean["1.num_batches_tracked"] == 2
    assert mean["0.weight"].dtype == np.float32
    load_arrays(model, unflatten(flatten(mean), mean))
    assert model[1].num_batches_tracked.dtype == torch.int64


def test_a_mean_of_one_is_that_one_bit_for_bit():
    arrays = to_arrays(perceptron(30, 20, 3))
    for weight in (1, 7, 333):
        mean = weighted_mean([arrays], [weight])
        assert all(np.array_equal(mean[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize(("models", "weights"), [([], []), ([{"w": np.ones(1)}], [0])])
def test_nothing_cannot_be_averaged(models, weights):
    with pytest.raises(ValueError, match="cannot average"):
        weighted_mean(models, weights)


def small_data():
    train, test = digits_pool(0)
    return federated(train, test, iid(100, 4, 0), 10, "digits")


def test_clients_hold_their_parts():
    data = small_data()
    assert data.sizes.tolist() == [25] * 4
    counts = data.label_counts()
    assert counts.shape == (4, 10) and counts.sum(axis=1).tolist() == [25] * 4
    assert len(data.pooled()) == 100


@pytest.mark.parametrize(
    ("partition", "message"),
    [([[0, 1], [1, 2]], "same sample"), ([[0], [5000]], "sample 5000"), ([[0], []], "holds no sample")],
)
def test_parts_that_cannot_be_are_refused(partition, message):
    train, test = digits_pool(0)
    with pytest.raises(ValueError, match=message):
        federated(train, test, partition, 10, "digits")


def test_data_without_clients_is_refused():
    train, test = digits_pool(0)
    with pytest.raises(ValueError, match="no clients"):
        FederatedData("nothing", (), test, 10)


def test_the_digits_are_all_there_once():
    train, test = digits_pool(3)
    assert len(train) == 1500 and len(test) == 297
    assert train.inputs.min() == 0 and train.inputs.max() == 1
    with pytest.raises(ValueError, match="train 1797"):
        digits_pool(0, 1797)


def test_a_task_can_be_sent_and_starts_from_its_seed():
    task = Task("digits", small_data(), partial(logistic, 64, 10), seed=4)
    sent = pickle.loads(pickle.dumps(task))
    torch.manual_seed(1)
    first = task.initial_arrays()
    torch.manual_seed(2)
    assert np.array_equal(first["weight"], sent.initial_arrays()["weight"])
    assert task.client_rng(1, 2).random() == sent.client_rng(1, 2).random() != task.client_rng(2, 1).random()


def test_a_model_in_the_place_of_its_maker_is_refused():
    with pytest.raises(TypeError, match="partial"):
        Task("digits", small_data(), logistic(64, 10))


def test_evaluation_is_that_of_a_plain_loop():
    task = Task("digits", small_data(), partial(logistic, 64, 10))
    arrays = task.initial_arrays()
    loss, accuracy = task.evaluate(arrays)
    scores = load_arrays(logistic(64, 10), arrays)(task.data.test.inputs)
    assert accuracy == pytest.approx(float((scores.argmax(1) == task.data.test.targets).double().mean()))
    assert loss == pytest.approx(float(nn.functional.cross_entropy(scores, task.data.test.targets)), abs=1e-6)


@pytest.mark.parametrize(
    ("curve", "target", "rounds"),
    [
        ([0.1, 0.5, 0.9], 0.7, 1.5),
        ([0.1, 0.8, 0.2, 0.9], 0.85, 2.5),  # the dip does not count: the running maximum is crossed
        ([0.9, 0.1], 0.9, 0),
        ([0.1, np.nan, 0.5], 0.3, 1),
        ([0.1, 0.2], 0.3, np.inf),
        ([np.nan, np.nan], 0.3, np.inf),
    ],
)
def test_rounds_to_a_target(curve, target, rounds):
    assert crossing(curve, target) == pytest.approx(rounds)


def test_bytes_to_a_target():
    history = History(
        accuracy=np.array([0.0, 0.5, 1.0]),
        loss=np.zeros(3),
        uplink_bytes=np.array([10, 30]),
        downlink_bytes=np.array([100, 100]),
        participants=((0,), (1,)),
        rejected=(),
        abandoned=(),
        loss_before=np.zeros(2),
        arrays={},
    )
    assert history.bytes_to(0.75, "up") == 25
    assert history.bytes_to(0.75, "down") == 150
    assert history.bytes_to(0.75) == 175
    assert history.bytes_to(1.1) == np.inf
    with pytest.raises(ValueError, match="direction"):
        history.bytes_to(0.5, "sideways")


def test_splits_with_different_targets_do_not_pass():
    with pytest.raises(ValueError, match="one target"):
        Split(torch.zeros(3, 2), torch.zeros(2))
