"""Robust averaging on the engine: many runs side by side equal the engine's, and poison does what it says."""

from functools import partial

import numpy as np
import pytest

from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.models import flatten, perceptron, to_arrays
from edgedl_lib.training.partition import iid
from edgedl_lib.training.run import run
from edgedl_lib.training.security.robust import attacks, study
from edgedl_lib.training.security.robust.strategy import RobustAveraging
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

SETTINGS = [
    study.Setting(),
    study.Setting("trim 2", "reinitialise", 2),
    study.Setting("median", "flip", 3, split="two classes", damped_from=2),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_side_by_side_equals_the_engine(setting):
    curves = study.accuracy_curves([setting, study.Setting()], [3], 4)
    history = run(study.poison_task(setting, 3), setting.strategy(3), 4)
    np.testing.assert_allclose(curves[0, 0], history.accuracy, atol=1e-6)


def test_the_mean_is_federated_averaging_with_equal_weights():
    task = study.poison_task(study.Setting(), 0)
    ours = run(task, study.Setting().strategy(0), 3)
    plain = run(task, FederatedAveraging(clients_per_round=10, seed=0, weighting="equal"), 3)
    np.testing.assert_allclose(flatten(ours.arrays), flatten(plain.arrays), atol=1e-6)


def test_a_moving_weight_of_zero_point_three_moves_three_tenths_of_the_way():
    task = study.poison_task(study.Setting(), 0)
    full = flatten(run(task, study.Setting().strategy(0), 1).arrays)
    part = flatten(run(task, study.Setting(damped_from=1).strategy(0), 1).arrays)
    start = flatten(task.initial_arrays())
    np.testing.assert_allclose(part - start, 0.3 * (full - start), atol=1e-6)


def test_poison_flips_labels_and_replaces_the_model():
    train, test = digits_pool(0)
    data = federated(train, test, iid(60, 2, 0), classes=10, name="digits")
    arrays = to_arrays(perceptron(64, 8, 10))
    same, split = attacks.poison(arrays, data.clients[0], "flip", 10, np.random.default_rng(0))
    assert same is arrays and (split.targets + data.clients[0].targets == 9).all()
    other, _ = attacks.poison(arrays, data.clients[0], "reinitialise", 10, np.random.default_rng(0))
    again, _ = attacks.poison(arrays, data.clients[0], "reinitialise", 10, np.random.default_rng(0))
    assert not np.array_equal(flatten(other), flatten(arrays)) and np.array_equal(flatten(other), flatten(again))
    with pytest.raises(ValueError, match="unknown attack 'bribe'"):
        attacks.poison(arrays, data.clients[0], "bribe", 10, np.random.default_rng(0))


def test_another_model_starts_as_pytorch_starts():
    fresh = attacks.another_model(to_arrays(perceptron(64, 400, 10)), np.random.default_rng(0))
    for name, values in to_arrays(perceptron(64, 400, 10)).items():
        if values.size > 1000:
            assert fresh[name].std() == pytest.approx(values.std(), rel=0.05)
        assert np.abs(fresh[name]).max() <= 1 / np.sqrt(64 if name.startswith("0") else 400)


def test_as_many_attack_as_were_asked_for():
    strategy = RobustAveraging(clients_per_round=10, seed=0, attack="flip", poisoned=3)
    chosen = strategy.choose(1, list(range(50)))
    orders = [strategy.instructions(1, client) for client in chosen]
    assert [order.get("attack") for order in orders] == ["flip"] * 3 + [None] * 7


def test_more_attackers_than_clients_are_refused():
    with pytest.raises(ValueError, match="cannot poison 11 of 10"):
        RobustAveraging(clients_per_round=10, poisoned=11)


def test_relative_distance_of_an_honest_model_is_about_one():
    honest = np.random.default_rng(0).normal(size=(40, 500))
    distances = attacks.relative_distance(honest, np.random.default_rng(1).normal(size=(5, 500)))
    np.testing.assert_allclose(distances, 1, atol=0.1)
    with pytest.raises(ValueError, match="all honest models are equal"):
        attacks.relative_distance(np.ones((3, 2)), np.zeros((1, 2)))


def test_a_poisoned_task_can_be_sent_to_another_process():
    import pickle

    task = pickle.loads(pickle.dumps(study.poison_task(study.Setting(), 1)))
    assert isinstance(task, Task) and isinstance(task.make_model, partial)
