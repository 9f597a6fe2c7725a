"""ADSP: its rule, the event loop against plain training, and what must not stop it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.clock import ClientClock
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import perceptron as make_perceptron
from edgedl_lib.training.resources import perceptron
from edgedl_lib.training.resources.adsp import barrier, study
from edgedl_lib.training.resources.adsp.events import Fleet, StaleSynchronous, run_events
from edgedl_lib.training.resources.adsp.problem import digits_problem
from edgedl_lib.training.resources.adsp.rule import AdaptiveSynchronous, commit_interval, decrease_speed, highest_rate
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def problem():
    return digits_problem(0)


def constant(rate=1, **options):
    return AdaptiveSynchronous(rate, search=False, **options)


def test_one_worker_is_plain_sgd():
    alone = digits_problem(0, workers=1)
    run_ = run_events(alone, [ClientClock(1.0)], constant(), 1.0, target=0.0, until=130.0)
    layers, rng = alone.start(), np.random.default_rng([0, 0])
    committed = 59 * run_.fleet.commits[0]  # steps that had been committed
    assert run_.fleet.commits[0] == 2
    for _ in range(committed):
        layers = alone.step(layers, 0, rng)
    for own, right in zip(run_.layers, layers, strict=True):
        np.testing.assert_allclose(own, right, atol=1e-5)


def test_with_endless_commits_the_server_learns_nothing(problem):
    run_ = run_events(problem, study.clocks(study.MIDDLE), constant(), np.inf, target=0.0, until=400.0)
    assert all(np.array_equal(*pair) for pair in zip(run_.layers, problem.start(), strict=True))
    assert run_.fleet.commits.tolist() == [0, 0, 0]
    assert not run_.reached and run_.time_to_loss == np.inf


def test_a_worker_that_dies_does_not_stop_the_others(problem):
    run_ = run_events(problem, study.clocks(study.MIDDLE, dies_at=100.0), constant(), 1.0)
    assert run_.reached
    assert run_.fleet.steps[2] <= 33 < run_.fleet.steps[0]
    blocked = run_events(problem, study.clocks(study.MIDDLE, dies_at=100.0), StaleSynchronous(40), 1.0, until=2000.0)
    assert not blocked.reached and blocked.fleet.steps.max() <= blocked.fleet.steps[2] + 40


def test_a_worker_that_has_reached_the_goal_trains_on(problem):
    rule = constant()
    fleet = Fleet(np.zeros(3, int), np.array([4, 1, 0]), np.zeros(3), np.zeros(3), 1.0, np.ones(3))
    rule.check(fleet, 0.0, ())
    assert rule.intervals.tolist() == [np.inf, np.inf, 59.0]
    assert not rule.wants_commit(fleet, 0, 1e6) and rule.may_go_on(fleet, 0)


def test_commits_are_equalised_and_steps_are_not(problem):
    run_ = study.run_adsp(problem, 5.5, 1.0, constant(2), target=0.0, until=600.0)
    assert run_.commit_spread <= 1 and len(run_.checks) == 10
    assert run_.fleet.steps[0] > 6 * run_.fleet.steps[2]


def test_without_the_division_training_diverges():
    crowd = digits_problem(0, workers=12, learning_rate=0.5)
    clients = [ClientClock(1.0)] * 12
    with np.errstate(all="ignore"):
        whole = run_events(crowd, clients, constant(), 1.0, target=0.0, until=400.0, divide=False)
    divided = run_events(crowd, clients, constant(), 1.0, target=0.0, until=400.0)
    assert not whole.looks[-1][1] < 5 * divided.looks[-1][1]


def test_all_time_is_accounted_for(problem):
    run_ = study.run_adsp(problem, study.MIDDLE, 5.0, constant(), target=0.0, until=300.0, keep_spans=True)
    for worker in range(3):
        spans = [each for each in run_.spans if each.worker == worker]
        assert all(a.end == pytest.approx(b.start) for a, b in zip(spans, spans[1:], strict=False))
        busy = sum(each.end - each.start for each in spans if each.kind == "compute")
        assert busy == pytest.approx(run_.fleet.busy[worker])
    assert {each.kind for each in run_.spans} == {"compute", "commit"}


def test_ssp_never_exceeds_its_limit_and_waits(problem):
    run_ = study.run_ssp(problem, study.MIDDLE, 1.0, limit=5, target=0.0, until=200.0, keep_spans=True)
    assert np.ptp(run_.fleet.steps) <= 5
    assert any(each.kind == "wait" and each.worker < 2 for each in run_.spans)
    assert not any(each.kind == "wait" and each.worker == 2 for each in run_.spans)


def test_averaging_is_what_the_engine_does():
    whole = digits_problem(1, batch_size=None, learning_rate=0.2)
    start = perceptron.to_arrays(whole.start())
    inputs, labels = torch.from_numpy(whole.inputs), torch.from_numpy(whole.labels)
    clients = tuple(Split(inputs[rows], labels[rows]) for rows in map(torch.from_numpy, whole.parts))
    data = FederatedData("digits", clients, Split(inputs, labels), 10)
    task = Task("averaging", data, partial(make_perceptron, 64, 64, 10), LocalTraining(0.2, batch_size=None, steps=4))
    object.__setattr__(task, "initial_arrays", lambda: start)
    history = run(task, FederatedAveraging(clients_per_round=3), 3)
    own = whole.start()
    for _ in range(3):
        own = barrier.averaged_round(whole, own, 4, whole.generators())
    for name, values in perceptron.to_arrays(own).items():
        np.testing.assert_allclose(history.arrays[name], values, atol=1e-5)


def test_equal_workers_that_commit_once_are_almost_a_barrier(problem):
    fixed = barrier.train_with_barrier(problem, 59).time_to_loss((1, 1, 1), 1.0)
    assert study.run_adsp(problem, 1.0, 1.0, constant()).time_to_loss == pytest.approx(fixed, rel=0.01)


def test_time_and_waiting_of_a_barrier_are_arithmetic():
    run_ = barrier.BarrierRun(np.array([4, 2]), np.array([2.0, 1.0, 0.05]), ())
    assert run_.seconds((1, 1, 3), 1.0).tolist() == [0, 13, 20]
    assert run_.time_to_loss((1, 1, 3), 1.0) == 20 and run_.time_to_loss((1, 1, 3), 1.0, target=0.01) == np.inf
    assert run_.waiting_share((1, 1, 3), 1.0) == pytest.approx(1 - 6 * 5 / 3 / 20)


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.01, 0.0])
def test_adacomm_never_lengthens_its_period(ratio):
    period = 40
    for _ in range(10):
        shorter = barrier.shorter_period(period, 40, ratio)
        assert 1 <= shorter <= period and (shorter < period or period == 1)
        period = shorter


def test_the_interval_shares_the_period_and_has_a_floor():
    assert commit_interval(3, 2.0) == 18.0
    assert commit_interval(6, 1.0) == 10.0 and commit_interval(6, 1.0, shortest=0.0) == 9.0
    assert commit_interval(-2, 1.0) == np.inf


def test_only_rates_that_the_slowest_keeps_are_tried():
    fleet = Fleet(*[np.zeros(2)] * 4, 5.0, np.array([1.0, 5.0]))
    assert highest_rate(fleet) == 3
    assert highest_rate(replace(fleet, step_times=np.array([1.0, 500.0]))) == 1


def test_the_speed_of_a_curve_is_one_over_its_time_to_the_target():
    times = np.linspace(100, 160, 12)
    for slope, offset in ((0.05, 0.5), (0.2, 1.0)):
        losses = 1 / (slope * times + offset)
        assert 1 / decrease_speed(list(zip(times, losses, strict=True))) == pytest.approx(
            (10 - offset) / slope, rel=1e-3
        )
    assert decrease_speed([(t, 2.0) for t in times]) == pytest.approx(0.0, abs=1e-9)
    assert decrease_speed([(t, 1 + t / 100) for t in times]) == 0


def test_wrong_input_is_refused(problem):
    with pytest.raises(ValueError, match="2 clocks for 3 workers"):
        run_events(problem, [ClientClock(1.0)] * 2, constant(), 1.0)
    with pytest.raises(ValueError, match="at least one commit"):
        AdaptiveSynchronous(0)


def test_the_same_seed_gives_the_same_weights(problem):
    first, second = (study.run_adsp(problem, study.MIDDLE, 1.0, until=200.0) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(first.layers, second.layers, strict=True))
