"""q-FFL: the objective and its minimum, the two algorithms, degenerate losses, Flower's own aggregation."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from edgedl_lib.training.models import flatten, logistic
from edgedl_lib.training.resources.qffl import study
from edgedl_lib.training.resources.qffl.devices import Devices, Part, hybrid, minority
from edgedl_lib.training.resources.qffl.fairness import fairness, jain_index
from edgedl_lib.training.resources.qffl.objective import accuracies, minimise, objective
from edgedl_lib.training.resources.qffl.strategy import FixedStep, QFedAvg, QFedSGD, next_model
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import BadUpdate, ClientUpdate
from edgedl_lib.training.task import Task

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def devices():
    return minority(0, devices=8, odd=2, features=5, sizes=(60, 40))


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0, 5.0])
def test_the_gradient_of_the_objective_is_its_derivative(devices, q):
    target, rng = objective(devices, q), np.random.default_rng(0)
    point = rng.normal(size=12)
    assert check_grad(lambda w: target.power_mean(w)[0], lambda w: target.power_mean(w)[1], point) < 1e-6
    losses = target.losses(point)
    assert target.power_mean(point)[0] == pytest.approx(((q + 1) * target.value(losses)) ** (1 / (q + 1)), rel=1e-6)


def test_at_q_zero_it_is_the_mean_loss_and_at_a_large_q_the_worst(devices):
    losses = np.array([0.5, 1.0, 2.0])
    assert objective(minority(0, 3, 1), 0.0).value(losses) == pytest.approx(losses.mean())
    worst = [objective(devices, q).losses(minimise(objective(devices, q))).max() for q in (0.0, 1.0, 5.0, 50.0)]
    assert worst == sorted(worst, reverse=True)


def test_the_minimum_is_one(devices):
    target, rng = objective(devices, 2.0), np.random.default_rng(1)
    best = minimise(target)
    for _ in range(20):
        assert target.power_mean(best)[0] <= target.power_mean(best + 0.05 * rng.normal(size=12))[0]


def test_q_zero_is_the_plain_mean():
    rng = np.random.default_rng(0)
    model, trained = rng.normal(size=6), rng.normal(size=(4, 6))
    moved = next_model(model, trained, rng.uniform(0.1, 3, 4), 0.0, 7.0)
    np.testing.assert_allclose(moved, trained.mean(0), atol=1e-12)


@given(st.floats(0.1, 10), st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_scaling_losses_and_curvature_together_changes_nothing(scale, q):
    rng = np.random.default_rng(2)
    model, trained, losses = rng.normal(size=5), rng.normal(size=(3, 5)), rng.uniform(0.5, 2, 3)
    plain = next_model(model, trained, losses, q, 4.0)
    np.testing.assert_allclose(next_model(model, trained, scale * losses, q, scale * 4.0), plain, atol=1e-6)
    if q and abs(scale - 1) > 0.1:
        assert not np.allclose(next_model(model, trained, scale * losses, q, 4.0), plain, atol=1e-6)


@pytest.mark.parametrize("q", [0.0, 0.2, 1.0, 5.0, 50.0])
def test_losses_of_zero_are_no_accident(q):
    rng = np.random.default_rng(3)
    model, trained = rng.normal(size=5), rng.normal(size=(3, 5))
    assert np.isfinite(next_model(model, trained, np.array([0.0, 1.0, 0.5]), q, 2.0)).all()
    assert np.isfinite(next_model(model, trained, np.zeros(3), q, 2.0)).all()


def test_a_high_loss_pulls_the_model_towards_its_device():
    model, trained = np.zeros(2), np.array([[0.1, 0.0], [0.0, 0.1]])
    moves = [next_model(model, trained, np.array([2.0, 0.5]), q, 1.0) for q in (0.0, 1.0, 5.0)]
    shares = [move[0] / move.sum() for move in moves]
    assert shares[0] == pytest.approx(0.5) and shares == sorted(shares)


def test_our_next_model_is_flowers():
    assert study.flower_difference(1) < 1e-6


def test_with_one_full_step_q_fedavg_is_q_fedsgd(devices):
    one = study.descend(devices, 2.0, QFedAvg, 4, epochs=1)
    np.testing.assert_allclose(one.excess, study.descend(devices, 2.0, QFedSGD, 4).excess, rtol=1e-6)


def test_the_engine_takes_the_step_of_the_formula(devices):
    target, q = objective(devices, 1.0), 1.0
    task = _task(devices, QFedSGD.training(0.5))
    history = run(task, QFedSGD(q=q, learning_rate=0.5, clients_per_round=8), 1)
    start = flatten(task.initial_arrays()).astype(float)
    losses = target.losses(start)
    single = [objective(devices, 0.0).__class__(devices, 0.0, row) for row in np.eye(8)]
    trained = np.stack([start - 0.5 * each.power_mean(start)[1] for each in single])
    np.testing.assert_allclose(flatten(history.arrays), next_model(start, trained, losses, q, 2.0), atol=1e-6)


def test_the_fixed_step_of_the_study_is_that_of_the_engine(devices):
    q, task = 5.0, _task(devices, QFedSGD.training(1.0))
    object.__setattr__(task, "initial_arrays", lambda: {name: 0 * each for name, each in _start(task).items()})
    strategy = FixedStep(q=q, learning_rate=1.0, clients_per_round=8)
    run(task, strategy, 5, engine="vectorised")
    target = objective(devices, q)
    least = target.value(target.losses(minimise(target)))
    on_engine = [target.value(each) / least - 1 for each in strategy.losses]
    np.testing.assert_allclose(on_engine, study.descend_with_fixed_step(devices, q, 5).excess, rtol=1e-4)


def _task(devices, training):
    features = devices.train.inputs.shape[1]
    return Task("test", devices.federated(), partial(logistic, features, devices.classes), training)


def _start(task):
    return Task.initial_arrays(task)


def test_devices_are_drawn_in_proportion_to_their_samples():
    strategy = QFedAvg(q=1.0, learning_rate=0.1, clients_per_round=1, sizes=[1, 1, 8])
    drawn = [strategy.choose(number, [0, 1, 2])[0] for number in range(600)]
    assert np.mean(np.array(drawn) == 2) == pytest.approx(0.8, abs=0.06)
    assert drawn == [strategy.choose(number, [0, 1, 2])[0] for number in range(600)]
    assert sorted(QFedAvg(q=1.0, learning_rate=0.1, clients_per_round=3, sizes=[1, 1, 8]).choose(1, [0, 1, 2])) == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("loss", [float("nan"), -1.0, float("inf"), None])
def test_a_device_without_a_loss_is_refused(loss):
    arrays = {"weight": np.ones(2, np.float32)}
    metrics = {} if loss is None else {"loss_before": loss}
    with pytest.raises(BadUpdate, match="client 3"):
        QFedAvg(q=1.0, learning_rate=0.1, clients_per_round=1).inspect(ClientUpdate(3, arrays, 5, metrics, 8), arrays)


def test_wrong_settings_are_refused(devices):
    with pytest.raises(ValueError, match="q -1"):
        QFedAvg(q=-1, learning_rate=0.1, clients_per_round=1)
    with pytest.raises(ValueError, match="must not be negative"):
        objective(devices, -0.5)
    with pytest.raises(ValueError, match="another rule"):
        minority(0, devices=3, odd=4)
    with pytest.raises(ValueError, match="not negative"):
        jain_index(np.array([1.0, -1.0]))


def test_fairness_of_known_accuracies():
    measured = fairness(np.array([1.0] * 18 + [0.5, 0.3]))
    assert measured.worst == pytest.approx(40.0) and measured.best == 100.0
    assert measured.average == pytest.approx(94.0)
    assert measured.variance == pytest.approx((18 * 6**2 + 44**2 + 64**2) / 20)
    assert jain_index(np.ones(7)) == 1 and jain_index(np.eye(4)[0]) == 0.25 and jain_index(np.zeros(3)) == 1


def test_sums_favour_large_devices_and_means_do_not():
    """Trap: with summed losses a device counts by its samples to the power q, however well it is served."""
    losses, samples = np.array([0.5, 0.5]), np.array([100, 400])
    pulls = {name: values**5 for name, values in (("mean", losses), ("sum", losses * samples))}
    assert pulls["mean"][1] / pulls["mean"][0] == 1 and pulls["sum"][1] / pulls["sum"][0] == 4.0**5


def test_the_minority_follows_an_orthogonal_rule(devices):
    wide = minority(3, devices=6, odd=2, features=8, sizes=(4000, 10))
    rules = [minimise(objective(_only(wide, k), 0.0)) for k in range(6)]
    directions = np.array([each[8:16] - each[:8] for each in rules])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cosines = directions @ directions.T
    assert cosines[0, 1] > 0.97 and (cosines[2:, 2:] > 0.97).all() and (abs(cosines[:2, 2:]) < 0.15).all()


def _only(devices, number):
    size = devices.train.sizes[number]
    rows = slice(number * size, (number + 1) * size)
    part = Part(devices.train.inputs[rows], devices.train.labels[rows], np.array([size]))
    return Devices("one", part, part, devices.classes)


def test_the_synthetic_devices_hold_what_they_should():
    made = hybrid(0, devices=12)
    assert len(made.train.sizes) == 12 and made.train.inputs.shape[1] == 60
    assert (made.train.sizes >= 40).all() and made.train.sizes.sum() == len(made.train.labels)
    alike = hybrid(0, devices=12, alike=1.0)
    assert abs(alike.train.inputs.mean()) < 0.05 < made.train.inputs.std()
    assert accuracies(np.zeros(610), made.test, 10).shape == (12,)


def test_the_papers_rounds_run_and_repeat():
    made = hybrid(1, devices=12)
    first, second = (study.train_hybrid(made, 1.0, 3) for _ in range(2))
    assert first == second and first != study.train_hybrid(made, 0.0, 3)
    assert 0 <= first.worst <= first.average <= first.best <= 100
