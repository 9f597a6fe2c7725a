"""FEDL: the authors' stored solutions, borders, degenerate cells, the surrogate, and the same step on the engine."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import flatten, logistic
from edgedl_lib.training.partition import shards
from edgedl_lib.training.resources.fedl import allocation, study, surrogate
from edgedl_lib.training.resources.fedl.cell import FedlCell, distance_study, drawn_cell, size_study, stored_instance
from edgedl_lib.training.resources.fedl.numerical import differences, numerical_cost
from edgedl_lib.training.resources.fedl.strategy import Fedl, surrogate_step
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

GOLDEN = {  # kappa: T_cp, E_cp, T_co, E_co, theta, objective, energy, time as the authors' program stores them
    0.0001: (4.455725, 0.042063, 1.158689, 0.231738, 0.116186, 0.365864, 0.364648, 12.163086),
    0.1: (2.173335, 0.113721, 0.366635, 0.250580, 0.339076, 0.976345, 0.565229, 4.111160),
    10.0: (1.023436, 0.506950, 0.273003, 0.273003, 0.514226, 20.888301, 1.256080, 1.963222),
}


def eight(plan):
    parts = (plan.computing_time, plan.computing_energy, plan.sending_time, plan.sending_energy)
    return (*parts, plan.local_accuracy, plan.cost, plan.energy, plan.time)


@pytest.mark.parametrize("kappa", GOLDEN)
def test_stored_solutions(kappa):
    np.testing.assert_allclose(eight(allocation.allocate(stored_instance(), kappa)), GOLDEN[kappa], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kappa", [1e-3, 0.05, 1.0, 50.0])
def test_closed_forms_equal_a_general_solver(seed, kappa):
    cell = drawn_cell(seed, 6, size_spread=0.1)
    ours = allocation.allocate(cell, kappa).cost
    assert numerical_cost(cell, kappa) == pytest.approx(ours, rel=1e-5)


def test_the_optimal_time_is_a_minimum():
    cell = stored_instance()
    for kappa in (0.002, 0.009, 0.2, 3.0):
        time = (cell.cycles / allocation.optimal_clock(cell, kappa)).max()

        def cost(time, kappa=kappa):
            clock = np.clip(cell.cycles / time, cell.minimum_clock, cell.maximum_clock)
            return (cell.capacitance / 2 * cell.cycles * clock**2).sum() + kappa * (cell.cycles / clock).max()

        assert cost(time) <= min(cost(time * 1.001), cost(time * 0.999)) + 1e-12


def test_clocks_keep_their_limits_and_the_bottleneck_runs_flat_out():
    cell = stored_instance()
    clock = allocation.optimal_clock(cell, 1e3)
    assert clock[0] == cell.maximum_clock[0] and (clock[1:] < cell.maximum_clock[1:]).all()
    np.testing.assert_array_equal(allocation.optimal_clock(cell, 1e-4), cell.minimum_clock)


def test_slots_lie_between_the_powers():
    cell = stored_instance()
    for kappa in (1e-5, 1.0, 1e5):
        power = cell.power(allocation.optimal_slot(cell, kappa))
        assert (power >= cell.minimum_power * (1 - 1e-9)).all() and (power <= cell.maximum_power * (1 + 1e-9)).all()


@pytest.mark.parametrize(("computing", "sending"), [(1.0, 1.0), (1.0, 0.01), (1.0, 50.0), (1.0, 1e4)])
def test_local_accuracy_solves_its_equation(computing, sending):
    theta = allocation.optimal_accuracy(computing, sending)
    assert 0 < theta < 1
    assert np.log(theta) + 1 / theta == pytest.approx((computing + sending) / computing, rel=1e-9)


def test_dearer_sending_asks_for_more_exact_clients():
    accuracies = [allocation.optimal_accuracy(1.0, sending) for sending in (0.1, 1, 10, 100)]
    assert accuracies == sorted(accuracies, reverse=True)


def test_progress_is_lost_where_clients_are_sloppy():
    assert allocation.progress(0.01, 0.1, 2.0) > 0 > allocation.progress(0.5, 0.1, 2.0)


def test_domination_by_hand():
    energy, time = np.array([1.0, 2.0, 3.0, 2.0]), np.array([3.0, 2.0, 1.0, 2.5])
    assert study.dominated(energy, time).tolist() == [False, False, False, True]
    assert study.trade_share(energy[:3], time[:3]) == 1 and study.trade_share(energy, time) == pytest.approx(2 / 3)


def test_along_the_sweep_energy_rises_time_falls_and_clients_get_sloppier():
    plans = study.sweep(stored_instance())
    assert study.trade_share(np.array([each.energy for each in plans]), np.array([each.time for each in plans])) == 1
    assert (np.diff([each.local_accuracy for each in plans]) > -1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_random_cells_trade_energy_for_time_too(seed):
    plans = study.sweep(drawn_cell(seed, 8, size_spread=0.1, distance_spread=0.2), np.geomspace(1e-4, 1e3, 25))
    assert study.trade_share(np.array([each.energy for each in plans]), np.array([each.time for each in plans])) == 1


def test_the_time_rests_on_the_kink_of_the_first_device():
    cell = stored_instance()
    kink = cell.cycles[0] / cell.minimum_clock
    times = [allocation.allocate(cell, kappa).computing_time for kappa in (0.0085, 0.01)]
    np.testing.assert_allclose(times, kink, rtol=1e-9)
    assert allocation.allocate(cell, 0.006).computing_time > kink > allocation.allocate(cell, 0.02).computing_time


def test_large_cell_costs_what_the_authors_store():
    assert study.distance_cost(1.0) == pytest.approx(9.732, abs=1e-3)
    assert study.distance_cost(0.001) == pytest.approx(13.578, abs=1e-3)


def test_the_studies_spread_what_they_say_around_the_same_mean():
    for spread, equal in ((size_study(0.001, 0).bits, 60e6), (distance_study(0.001).noise_over_gain, None)):
        assert len(spread) == 50 and spread.max() / spread.min() > 500
        assert equal is None or spread.mean() == pytest.approx(equal)
    assert np.ptp(size_study(1.0, 0).bits) == 0 and np.ptp(distance_study(1.0).noise_over_gain) == 0


def test_each_closed_form_is_confirmed_alone_and_a_wrong_one_is_not():
    cell = stored_instance()
    plan = allocation.allocate(cell, 0.1)
    assert max(differences(cell, plan)) < 1e-6
    wrong = replace(plan, computing_time=1.01 * plan.computing_time, sending_energy=1.1 * plan.sending_energy)
    assert min(differences(cell, wrong)[:2]) > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: allocation.allocate(stored_instance(), 0.0), "kappa 0.0 must be positive"),
        (lambda: replace(stored_instance(), nats=-1.0), "nats must be positive"),
        (lambda: replace(stored_instance(), minimum_clock=5e9), "lies below its smallest"),
        (lambda: drawn_cell(0, size_spread=0.0), "smallest over largest"),
        (lambda: surrogate.linear_clients(0, condition=0.5), "at least 1"),
        (lambda: Fedl(eta=-1.0, clients_per_round=1), "eta -1.0"),
        (lambda: FedlCell(np.ones(2), np.ones(2), np.array([1e9, np.nan]), np.ones(2)), "maximum_clock"),
    ],
)
def test_impossible_cells_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_surrogates_slope_at_the_received_model_is_the_same_for_all():
    problem = surrogate.linear_clients(0, clients=4, dimension=6)
    points = np.tile(np.ones(6), (4, 1))
    pull = np.arange(6.0)
    slopes = surrogate.surrogate_gradients(problem, points, 0.3, pull, problem.gradients(points))
    np.testing.assert_allclose(slopes, np.tile(0.3 * pull, (4, 1)))


def test_the_global_gradient_is_taken_at_the_local_ends_one_round_stale():
    """Plain loops over rounds, clients and steps, as one would write them from the paper."""
    problem, rate = surrogate.linear_clients(3, clients=4, dimension=5), 0.5
    point, pull, gaps = np.zeros(5), None, []
    for _ in range(4):
        gaps.append(problem.gap(point))
        ends = []
        for curvature, slope in zip(problem.curvature, problem.slope, strict=True):
            end, received = point, curvature @ point - slope
            for _ in range(20):
                end = end - 0.04 * (curvature @ end - slope + (0 if pull is None else rate * pull - received))
            ends.append(end)
        slopes = [a @ end - b for a, b, end in zip(problem.curvature, problem.slope, ends, strict=True)]
        point, pull = problem.weight @ np.array(ends), problem.weight @ np.array(slopes)
    np.testing.assert_allclose(surrogate.fedl_gaps(problem, rate, 3), gaps, rtol=1e-10)


def test_eta_zero_stops_after_the_first_round():
    gaps = surrogate.fedl_gaps(surrogate.linear_clients(1), 0.0, 5)
    np.testing.assert_allclose(gaps[1:], gaps[1], rtol=1e-9)


def test_an_accuracy_of_nearly_one_stops_after_a_step():
    problem = surrogate.linear_clients(0, clients=3, dimension=5)
    early = surrogate.fedl_gaps(problem, 1.0, 4, accuracy=0.999)
    np.testing.assert_allclose(early, surrogate.fedl_gaps(problem, 1.0, 4, steps=1), rtol=1e-9)


def test_the_optimum_has_no_gap_and_no_gradient():
    problem = surrogate.linear_clients(2)
    optimum = problem.optimum()
    assert problem.gap(optimum) == 0
    assert np.abs(problem.weight @ problem.gradients(np.tile(optimum, (30, 1)))).max() < 1e-10


def learn(strategy, client_step, rounds=3, steps=4):
    train, test = digits_pool(0)
    data = federated(train, test, shards(train.targets.numpy(), 6, 0), classes=10, name="digits")
    training = LocalTraining(learning_rate=0.2, batch_size=None, steps=steps)
    task = Task("fedl", data, partial(logistic, 64, 10), training, client_step=client_step)
    return run(task, strategy, rounds)


def test_the_first_round_on_the_engine_is_federated_averaging():
    from edgedl_lib.training.local import local_sgd

    ours = learn(Fedl(eta=0.5, clients_per_round=6), surrogate_step, rounds=1)
    plain = learn(FederatedAveraging(clients_per_round=6), local_sgd, rounds=1)
    np.testing.assert_allclose(flatten(ours.arrays), flatten(plain.arrays), atol=1e-6)


def test_eta_zero_on_the_engine_moves_once():
    one = learn(Fedl(eta=0.0, clients_per_round=6), surrogate_step, rounds=1)
    three = learn(Fedl(eta=0.0, clients_per_round=6), surrogate_step, rounds=3)
    np.testing.assert_allclose(flatten(one.arrays), flatten(three.arrays), atol=1e-6)


def test_the_engine_takes_one_step_along_the_mean_gradient():
    """With a single local step the surrogate's slope is eta times the global gradient for everybody."""
    first = learn(Fedl(eta=0.7, clients_per_round=6), surrogate_step, rounds=1, steps=1)
    second = learn(Fedl(eta=0.7, clients_per_round=6), surrogate_step, rounds=2, steps=1)
    again = learn(Fedl(eta=1.4, clients_per_round=6), surrogate_step, rounds=2, steps=1)
    start = flatten(first.arrays)
    np.testing.assert_allclose(flatten(again.arrays) - start, 2 * (flatten(second.arrays) - start), atol=1e-6)


def test_both_halves_travel_and_are_counted():
    history = learn(Fedl(eta=0.5, clients_per_round=6), surrogate_step, rounds=2)
    assert history.uplink_bytes[0] == 2 * 6 * 650 * 4


def test_a_client_with_a_bad_gradient_is_left_out():
    def spoiled(model, arrays, split, training, rng, *, state, config):
        result = surrogate_step(model, arrays, split, training, rng, state=state, config=config)
        if split.targets[0] == 0:
            result.arrays["gradient of bias"][:] = np.nan
        return result

    history = learn(Fedl(eta=0.5, clients_per_round=6), spoiled, rounds=2)
    assert history.rejected and np.isfinite(flatten(history.arrays)).all()


def test_all_golden_rows_of_the_ledger_are_there():
    from edgedl_lib.reproduce.ledger import load_claims

    assert sum(name.startswith("fedl.ue5_") for name in load_claims()) == 7 * 8
