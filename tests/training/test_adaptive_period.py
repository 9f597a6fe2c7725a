"""The adaptive aggregation period: the bound, the estimates, the four cases, the clock, and the degenerate settings."""

import numpy as np
import pytest

from edgedl_lib.training.communication.adaptive import study
from edgedl_lib.training.communication.adaptive.clock import Clock, Times
from edgedl_lib.training.communication.adaptive.control import (
    Control,
    Costs,
    Estimates,
    best_period,
    divergence,
    loss_bound,
    measure,
)
from edgedl_lib.training.communication.adaptive.descent import descend_adaptively, descend_centrally, descend_fixed
from edgedl_lib.training.communication.adaptive.nodes import Nodes, case_parts, digit_halves, even_or_odd, spread

KNOWN = Estimates(1.0, 10.0, 1.0)


def test_divergence_is_zero_after_one_step_and_grows():
    drift = divergence(np.arange(101), 0.01, 10.0, 1.0)
    assert drift[:2] == pytest.approx(0, abs=1e-15)
    assert (np.diff(drift[1:]) > 0).all()
    assert (divergence(np.arange(50), 0.01, 10.0, 0.0) == 0).all()
    assert (divergence(np.arange(50), 0.01, 0.0, 1.0) == 0).all()


def test_the_bound_is_the_printed_formula():
    costs = Costs(2.0, 30.0, 1000.0)
    steps = (1000 - 32) * 7 / (2 * 7 + 30)
    h = (1 / 10) * ((0.01 * 10 + 1) ** 7 - 1) - 0.01 * 7
    a = 1 / (2 * 0.01 * 0.025 * steps)
    assert loss_bound(7, KNOWN, costs, Control()) == pytest.approx(a + np.sqrt(a**2 + h / (0.01 * 0.025 * 7)) + h)


def test_the_scarcest_resource_decides():
    both = Costs(np.array([1.0, 1.0]), np.array([10.0, 100.0]), np.array([1000.0, 1000.0]))
    assert both.steps(5) == pytest.approx(Costs(1.0, 100.0, 1000.0).steps(5))


@pytest.mark.parametrize("ratio", [1, 3, 10, 30, 100])
def test_dear_aggregation_lengthens_the_period(ratio):
    periods = [best_period(KNOWN, Costs(1.0, b, 5000.0), Control(), 100) for b in (ratio, 3 * ratio)]
    assert periods[1] > periods[0]


def test_the_search_grows_at_most_tenfold_and_ends_at_the_largest():
    alike = Estimates(1.0, 10.0, 0.0)
    assert [best_period(alike, Costs(1.0, 10.0, 1e4), Control(), previous) for previous in (1, 3, 50)] == [10, 30, 100]


def test_a_budget_below_one_round_is_refused():
    with pytest.raises(ValueError, match="raise it"):
        best_period(KNOWN, Costs(1.0, 10.0, 11.0), Control(), 1)


def test_estimates_keep_what_was_known_where_nobody_moved():
    zeros, flat = np.zeros(2), np.zeros((2, 3))
    weights = np.array([0.5, 0.5])
    kept = measure(zeros, zeros, flat, flat, zeros, weights, Estimates(3.0, 4.0, 5.0))
    assert kept == Estimates(3.0, 4.0, 0.0)
    assert measure(zeros, zeros, flat, flat, zeros, weights, None) == Estimates(0.0, 0.0, 0.0)


def test_estimates_are_ratios_weighted_by_data():
    gradients = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = measure(
        np.array([2.0, 5.0]),
        np.array([1.0, 1.0]),
        gradients,
        0 * gradients,
        np.array([0.5, 2.0]),
        np.array([0.25, 0.75]),
        None,
    )
    assert found == Estimates(0.25 * 2 + 0.75 * 2, 0.25 * 2 + 0.75 * 0.5, 0.0)


@pytest.mark.parametrize("case", [1, 2, 4])
@pytest.mark.parametrize("nodes", [1, 5, 10, 37])
def test_cases_share_all_samples(case, nodes):
    labels = np.random.default_rng(0).integers(0, 10, 500)
    parts = case_parts(case, labels, nodes)
    assert sorted(np.concatenate(parts)) == list(range(500))
    if case == 2 and nodes == 5:
        assert all(set(labels[part] % 5) == {node} for node, part in enumerate(parts))
    if case == 4 and nodes == 5:
        assert all(labels[part].max() < 5 for part in parts[:3])
        assert all(labels[part].min() >= 5 for part in parts[3:])


def test_gradients_are_those_of_the_loss():
    held, _, _ = study.even_odd_nodes(4, 0)
    rng = np.random.default_rng(0)
    models, direction = rng.standard_normal((2, 5, 64, 1)) / 10
    numeric = (held.losses(models + 1e-5 * direction) - held.losses(models - 1e-5 * direction)) / 2e-5
    assert np.allclose(numeric[:, 0], (held.gradients(models) * direction).sum(axis=(1, 2)), atol=1e-7)


def test_labels_zero_and_one_are_refused():
    inputs, labels, _, _ = digit_halves(0)
    with pytest.raises(ValueError, match="-1 or"):
        spread(inputs, labels % 2, case_parts(1, labels, 5))


def test_a_period_of_one_is_centralised_descent():
    held = study.even_odd_nodes(2, 0)[0]
    union = study.even_odd_nodes(1, 0, nodes=1)[0]
    times = Times(0.01, 0.0, 1e-9, 0.0)
    together = descend_fixed(held, (1,), times=times, budget=0.5)[0]
    alone = descend_fixed(union, (1,), times=times, budget=0.5)[0]
    assert np.allclose(together.model, alone.model)


def test_copies_of_all_data_stay_copies():
    held = study.even_odd_nodes(3, 0)[0]
    one = Nodes(held.signed[:1], held.sizes[:1])
    runs = [descend_fixed(nodes, (3, 20), budget=3.0) for nodes in (held, one)]
    assert np.allclose([run.loss for run in runs[0]], [run.loss for run in runs[1]])


@pytest.mark.parametrize("case", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [3, 4])
def test_never_over_budget(case, seed):
    held = study.even_odd_nodes(case, seed)[0]
    runs = [descend_adaptively(held, budget=4.0, seed=seed), *descend_fixed(held, (1, 10, 100), budget=4.0, seed=seed)]
    assert max(run.spent for run in runs) <= 4.0
    assert all(run.loss == min(run.losses) for run in runs)


def test_identical_nodes_and_a_single_one_walk_as_long_as_allowed():
    for held in (study.even_odd_nodes(3, 0)[0], study.even_odd_nodes(1, 0, nodes=1)[0]):
        assert descend_adaptively(held, budget=6.0).periods[:4] == (1, 1, 10, 100)


def test_a_budget_without_room_for_a_round_leaves_the_start():
    held = study.even_odd_nodes(1, 0)[0]
    run = descend_adaptively(held, budget=0.1)
    assert run.periods == () and run.spent == 0 and (run.model == 0).all()


def test_the_last_round_is_shortened_not_dropped():
    clock = Clock(Times(0.01, 0.0, 0.1, 0.0), 1.0, np.random.default_rng(0))
    assert clock.affordable(1000) == int((1.0 - 0.2 - 0.01) / 0.01 + 1e-9)
    assert clock.affordable(5) == 5


def test_same_seed_same_run():
    held = study.even_odd_nodes(2, 0)[0]
    first, second = (descend_adaptively(held, budget=3.0, seed=1, batch=50) for _ in range(2))
    assert first.periods == second.periods and (first.model == second.model).all()


def test_the_centre_is_never_worse():
    union = study.even_odd_nodes(1, 0, nodes=1)[0]
    assert descend_centrally(union).loss <= min(run.loss for run in descend_fixed(union, (1, 100))) + 1e-9
    assert set(even_or_odd(np.arange(4)).tolist()) == {-1, 1}
