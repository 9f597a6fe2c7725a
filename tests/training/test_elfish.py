"""ELFISH: what a volume costs, which neurons rotate, how partial models are merged, and that the engine agrees."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.models import perceptron as make_perceptron
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.elfish import study
from edgedl_lib.training.resources.elfish.masks import Rotation, cycles_to_cover
from edgedl_lib.training.resources.elfish.merging import merge
from edgedl_lib.training.resources.elfish.strategy import SoftTraining, masked_sgd
from edgedl_lib.training.resources.elfish.volume import active_neurons, cost_share, volume_for
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data():
    return study.fleet(0)


@pytest.mark.parametrize("widths", [(64, 64, 10), (64, 64, 64, 10), (30, 17, 5)])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
def test_a_volume_fits_its_share_and_the_next_one_does_not(widths, share):
    volume = volume_for(widths, share)
    assert cost_share(widths, volume) <= share + 1e-12
    if volume < 1:
        assert cost_share(widths, volume + 1e-6) > share


def test_volumes_that_make_no_sense_are_refused():
    for volume in (0, -0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="volume"):
            active_neurons(64, volume)
    with pytest.raises(ValueError, match="leave the device out"):
        volume_for((64, 64, 10), 0.001)


@pytest.mark.parametrize("volume", [0.1, 0.25, 0.3, 0.5, 0.7, 1.0])
def test_by_age_every_neuron_is_trained_within_the_promised_cycles(volume):
    rotation = Rotation(64, volume, np.random.default_rng(1))
    assert cycles_to_cover(rotation, np.zeros(64)) <= np.ceil(1 / volume - 1e-9)


def test_what_is_kept_by_contribution_is_in_every_mask():
    contributions = np.arange(64.0)
    rotation = Rotation(64, 0.5, np.random.default_rng(0), kept=0.25)
    masks = np.array([rotation.next_mask(contributions) for _ in range(8)])
    assert masks[:, -16:].all() and (masks.sum(1) == 32).all() and masks.any(0).all()


def test_a_fixed_mask_never_covers():
    with pytest.raises(ValueError, match="32 neurons are never trained"):
        cycles_to_cover(Rotation(64, 0.5, np.random.default_rng(0), rotate=False), np.zeros(64), most=20)


def test_a_neuron_is_averaged_over_those_who_trained_it():
    layers = perceptron.initial_layers((3, 4, 2), 0)
    models = tuple(np.stack([each + 1, each + 4]) for each in layers)
    masks = np.array([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=bool)
    merged = merge(layers, models, masks, [2, 1])
    change = [1, 2, 4, 0]  # alone, both by weight, alone, nobody
    np.testing.assert_allclose(merged[0] - layers[0], np.repeat([change], 3, 0).T, atol=1e-6)
    np.testing.assert_allclose(merged[1] - layers[1], change, atol=1e-6)
    np.testing.assert_allclose(merged[2] - layers[2], [change] * 2, atol=1e-6)
    np.testing.assert_allclose(merged[3] - layers[3], [2, 2], atol=1e-6)


def test_masked_neurons_keep_the_global_values(data):
    layers = perceptron.initial_layers(study.WIDTHS, 0)
    gates = np.ones((4, 64), np.float32)
    gates[2:, 10:] = 0
    first, bias, second, _ = study.train_devices(data, range(4), perceptron.repeated(layers, 4), 1, gates=gates)
    assert np.array_equal(first[2:, 10:], np.stack([layers[0][10:]] * 2))
    assert np.array_equal(bias[2:, 10:], np.stack([layers[1][10:]] * 2))
    assert np.array_equal(second[2:, :, 10:], np.stack([layers[2][:, 10:]] * 2))
    assert not np.array_equal(first[0, 10:], layers[0][10:])


def test_gradients_by_hand_are_those_of_autograd():
    rng = np.random.default_rng(3)
    layers = perceptron.repeated(perceptron.initial_layers((6, 5, 4), 2), 3)
    layers = tuple((each + 0.1 * rng.normal(size=each.shape)).astype(np.float32) for each in layers)
    inputs, labels = rng.normal(size=(3, 7, 6)).astype(np.float32), rng.integers(0, 4, (3, 7))
    gates = rng.uniform(0, 2, (3, 5)).astype(np.float32)
    slopes = perceptron.gradient(layers, inputs, np.eye(4, dtype=np.float32)[labels], gates)
    tensors = [torch.from_numpy(each).requires_grad_() for each in layers]
    hidden = torch.relu(torch.from_numpy(inputs) @ tensors[0].mT + tensors[1][:, None])
    scores = (hidden * torch.from_numpy(gates)[:, None]) @ tensors[2].mT + tensors[3][:, None]
    loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), torch.from_numpy(labels).flatten()) * 3
    for own, right in zip(slopes, torch.autograd.grad(loss, tensors), strict=True):
        np.testing.assert_allclose(own, right.numpy(), atol=1e-6)


def _task(data, step, seed=0):
    held = zip(data.inputs, data.labels, strict=True)
    splits = tuple(Split(torch.from_numpy(inputs), torch.from_numpy(labels)) for inputs, labels in held)
    test = Split(torch.from_numpy(data.test_inputs), torch.from_numpy(data.test_labels))
    held = FederatedData("fleet", splits, test, 10)
    return Task("soft", held, partial(make_perceptron, *study.WIDTHS), study.TRAINING, seed, client_step=step)


def test_on_the_engine_soft_training_takes_the_same_steps(data, monkeypatch):
    task = _task(data, masked_sgd)
    strategy = SoftTraining(volumes={2: 0.5, 3: 0.5}, neurons=64, clients_per_round=4)
    history = run(task, strategy, 3)
    start = perceptron.from_arrays(task.initial_arrays())
    monkeypatch.setattr(perceptron, "initial_layers", lambda _widths, _seed: start)
    curve = study.train_rounds(data, study.SOFT, units=3.0)
    np.testing.assert_allclose(history.accuracy, curve.accuracy, atol=1.5 / len(data.test_labels))


def test_volume_one_is_federated_averaging(data):
    soft = run(_task(data, masked_sgd), SoftTraining(volumes={2: 1.0, 3: 1.0}, neurons=64, clients_per_round=4), 2)
    plain = run(Task(**_plain(data)), FederatedAveraging(clients_per_round=4), 2)
    for name, values in plain.arrays.items():
        np.testing.assert_allclose(soft.arrays[name], values, atol=1e-6)


def _plain(data):
    task = _task(data, masked_sgd)
    return {"name": "plain", "data": task.data, "make_model": task.make_model, "training": task.training}


def test_time_is_what_the_slowest_needs_for_its_volume(data):
    assert study.train_rounds(data, study.SYNCHRONOUS, units=4).times.tolist() == [0, 2, 4]
    assert study.train_rounds(data, study.SOFT, units=3).times.tolist() == [0, 1, 2, 3]
    assert study.train_rounds(data, replace(study.SOFT, volume=0.25), units=1.9).times.tolist() == [0, 1]


def test_devices_hold_what_they_should(data):
    for labels, low in zip(data.labels, (True, True, False, False), strict=True):
        assert np.mean((labels < 5) == low) == pytest.approx(0.85, abs=0.01)
    rows = data.inputs.reshape(-1, 64)
    assert len(np.unique(rows, axis=0)) > 0.99 * len(rows)


def test_time_to_a_target_is_interpolated_and_may_be_never():
    curve = study.Curve(np.array([0.0, 2.0, 4.0]), np.array([0.1, 0.8, 0.9]))
    assert curve.time_to(0.85) == pytest.approx(3.0)
    assert curve.time_to(0.95) == np.inf
    assert curve.time_to(0.05) == 0
