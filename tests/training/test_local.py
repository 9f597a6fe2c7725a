"""What one client does, and its twin that trains all clients at once."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build
from edgedl_lib.training.data import digits_pool
from edgedl_lib.training.local import LocalTraining, batches, local_sgd
from edgedl_lib.training.models import logistic, perceptron, small_cnn, to_arrays
from edgedl_lib.training.vectorised import local_sgd_all, pool

ONE = partial(np.random.default_rng, 0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    return digits_pool(0)[0]


def part(split, start, count):
    return Split(split.inputs[start : start + count], split.targets[start : start + count])


def test_one_full_batch_is_one_gradient_step(digits):
    model = build(partial(logistic, 64, 10), 0)
    start, split = to_arrays(model), part(digits, 0, 30)
    loss = functional.cross_entropy(model(split.inputs), split.targets)
    gradient = torch.autograd.grad(loss, model.weight)[0].numpy()
    result = local_sgd(model, start, split, LocalTraining(0.5, 1, None), ONE())
    np.testing.assert_allclose(result.arrays["weight"], start["weight"] - 0.5 * gradient, atol=1e-7)
    assert result.metrics["loss_before"] == pytest.approx(loss.item())
    assert result.examples == 30


@pytest.mark.parametrize(
    "settings", [{"momentum": 0.9}, {"weight_decay": 0.1}, {"momentum": 0.5, "weight_decay": 0.01}]
)
def test_momentum_and_decay_are_those_of_torch(digits, settings):
    training = LocalTraining(0.1, 2, 8, **settings)
    model = build(partial(perceptron, 64, 12, 10), 1)
    start, split = to_arrays(model), part(digits, 0, 30)
    optimiser = torch.optim.SGD(model.parameters(), 0.1, **settings)
    for rows in batches(30, training, ONE()):
        optimiser.zero_grad()
        functional.cross_entropy(model(split.inputs[rows]), split.targets[rows]).backward()
        optimiser.step()
    expected = to_arrays(model)
    result = local_sgd(build(partial(perceptron, 64, 12, 10), 5), start, split, training, ONE())
    for name, values in result.arrays.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)


def test_every_epoch_visits_every_sample_once_and_keeps_the_last_small_batch():
    seen = list(batches(30, LocalTraining(epochs=3, batch_size=20), ONE()))
    assert [len(rows) for rows in seen] == [20, 10] * 3
    for epoch in range(3):
        assert sorted(np.concatenate(seen[2 * epoch : 2 * epoch + 2])) == list(range(30))
    assert not np.array_equal(seen[0], seen[2])


@pytest.mark.parametrize(("steps", "sizes"), [(1, [4]), (3, [4, 3, 4]), (5, [4, 3, 4, 3, 4])])
def test_a_number_of_steps_replaces_the_epochs(steps, sizes):
    assert [len(rows) for rows in batches(7, LocalTraining(epochs=9, batch_size=4, steps=steps), ONE())] == sizes


def test_a_batch_larger_than_the_data_is_all_of_it():
    assert [len(rows) for rows in batches(3, LocalTraining(batch_size=10), ONE())] == [3]
    assert [len(rows) for rows in batches(1, LocalTraining(epochs=2, batch_size=None), ONE())] == [1, 1]


def test_a_client_leaves_the_global_generators_alone(digits):
    net = partial(nn.Sequential, nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 10))
    model = net()
    before = torch.random.get_rng_state()
    first = local_sgd(model, to_arrays(model), part(digits, 0, 20), LocalTraining(), ONE())
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(99)
    again = local_sgd(model, dict(first.arrays), part(digits, 0, 20), LocalTraining(), ONE())
    other = local_sgd(model, dict(first.arrays), part(digits, 0, 20), LocalTraining(), np.random.default_rng(1))
    repeated = local_sgd(model, dict(first.arrays), part(digits, 0, 20), LocalTraining(), ONE())
    assert np.array_equal(again.arrays["0.weight"], repeated.arrays["0.weight"])
    assert not np.array_equal(again.arrays["0.weight"], other.arrays["0.weight"])


def test_what_was_sent_is_not_changed(digits):
    model = build(partial(logistic, 64, 10), 0)
    sent = to_arrays(model)
    kept = {name: values.copy() for name, values in sent.items()}
    local_sgd(model, sent, part(digits, 0, 20), LocalTraining(), ONE())
    local_sgd_all(model, sent, [part(digits, 0, 20)], LocalTraining(), [ONE()])
    assert all(np.array_equal(sent[name], kept[name]) for name in sent)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"learning_rate": float("nan")}, "finite"),
        ({"learning_rate": -0.1}, "not negative"),
        ({"epochs": 0}, "epochs 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"steps": 0}, "steps 0"),
        ({"momentum": 1.0}, "momentum"),
    ],
)
def test_impossible_settings_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        LocalTraining(**bad)


def test_a_server_changes_what_it_names_and_nothing_else():
    training = LocalTraining(0.1, 3, 10)
    assert training.changed({"epochs": 5, "server-round": 2}) == replace(training, epochs=5)
    assert training.changed({}) is training


TWINS = {
    "equal": (perceptron, (64, 12, 10), (20, 20, 20), LocalTraining(0.2, 2, 6)),
    "uneven": (perceptron, (64, 12, 10), (5, 40, 17), LocalTraining(0.2, 2, 10)),
    "one sample": (logistic, (64, 10), (1, 30, 2), LocalTraining(0.2, 3, 10)),
    "full batches": (logistic, (64, 10), (5, 40, 17), LocalTraining(0.2, 4, None)),
    "steps": (logistic, (64, 10), (5, 40, 17), LocalTraining(0.2, 1, 10, steps=7)),
    "momentum": (perceptron, (64, 12, 10), (5, 40, 17), LocalTraining(0.1, 2, 10, momentum=0.9, weight_decay=0.01)),
}


@pytest.mark.parametrize("case", TWINS)
def test_the_twin_agrees_with_the_loop(digits, case):
    make, widths, sizes, training = TWINS[case]
    model = build(partial(make, *widths), 0)
    splits = [part(digits, 100 * k, size) for k, size in enumerate(sizes)]
    agree(model, to_arrays(model), splits, training)


def test_the_twin_agrees_on_a_convolutional_network(digits):
    images = Split(digits.inputs.view(-1, 1, 8, 8), digits.targets)
    model = build(small_cnn, 0)
    agree(
        model,
        to_arrays(model),
        [part(images, 100 * k, size) for k, size in enumerate((7, 12))],
        LocalTraining(0.1, 1, 5),
    )


def test_clients_may_start_from_different_models(digits):
    models = [to_arrays(build(partial(logistic, 64, 10), seed)) for seed in range(3)]
    splits = [part(digits, 100 * k, 15) for k in range(3)]
    agree(logistic(64, 10), models, splits, LocalTraining(0.2, 2, 10))


def agree(model, arrays, splits, training):
    received = [arrays] * len(splits) if isinstance(arrays, dict) else arrays
    rngs = [np.random.default_rng([7, k]) for k in range(len(splits))]
    twins = local_sgd_all(model, arrays, splits, training, [np.random.default_rng([7, k]) for k in range(len(splits))])
    for sent, split, rng, twin in zip(received, splits, rngs, twins, strict=True):
        plain = local_sgd(model, sent, split, training, rng)
        assert list(plain.arrays) == list(twin.arrays) and plain.examples == twin.examples
        assert plain.metrics["loss_before"] == pytest.approx(twin.metrics["loss_before"], abs=1e-5)
        for name, values in plain.arrays.items():
            np.testing.assert_allclose(twin.arrays[name], values, atol=1e-6)


def test_some_of_a_pool_are_trained_as_if_alone(digits):
    splits = [part(digits, 100 * k, 10 + k) for k in range(5)]
    model, training = build(partial(logistic, 64, 10), 0), LocalTraining()
    start = to_arrays(model)
    (chosen,) = local_sgd_all(model, start, pool(splits).of([3]), training, [ONE()])
    alone = local_sgd(model, start, splits[3], training, ONE())
    np.testing.assert_allclose(chosen.arrays["weight"], alone.arrays["weight"], atol=1e-6)
    assert chosen.metrics["loss_before"] == pytest.approx(alone.metrics["loss_before"], abs=1e-5)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(10)])
def test_models_with_a_life_of_their_own_are_not_vectorised(digits, layer):
    model = nn.Sequential(nn.Linear(64, 10), layer)
    with pytest.raises(ValueError, match="in-process"):
        local_sgd_all(model, to_arrays(model), [part(digits, 0, 10)], LocalTraining(), [ONE()])


def test_the_numbers_of_clients_must_agree(digits):
    model = logistic(64, 10)
    with pytest.raises(ValueError, match="one for each"):
        local_sgd_all(model, to_arrays(model), [part(digits, 0, 10)], LocalTraining(), [ONE(), ONE()])
