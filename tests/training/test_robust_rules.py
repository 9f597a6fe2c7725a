"""Robust averages: known answers, SciPy's trimmed mean, breakdown, and what a rule must refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import trim_mean

from edgedl_lib.training.security.robust import rules


@pytest.fixture
def stack():
    return np.random.default_rng(0).normal(size=(10, 7))


@pytest.mark.parametrize("trim", range(5))
def test_trimmed_mean_equals_scipy(stack, trim):
    expected = trim_mean(stack, (trim + 1e-9) / 10, axis=0)  # a hair more: SciPy rounds the count down
    np.testing.assert_allclose(rules.trimmed_mean(stack, trim), expected, rtol=1e-14)


@given(clients=some.integers(1, 60), seed=some.integers(0, 99), data=some.data())
def test_trimmed_mean_lies_between_the_values_that_are_left(clients, seed, data):
    trim = data.draw(some.integers(0, (clients - 1) // 2))
    values = np.random.default_rng(seed).normal(size=(clients, 2))
    ordered = np.sort(values, axis=0)
    answer = rules.trimmed_mean(values, trim)
    assert np.all(ordered[trim] <= answer + 1e-12) and np.all(answer <= ordered[clients - trim - 1] + 1e-12)


def test_no_trimming_is_the_mean(stack):
    np.testing.assert_array_equal(rules.trimmed_mean(stack, 0), rules.mean(stack))


@pytest.mark.parametrize("rule", [lambda s: rules.trimmed_mean(s, 2), rules.median, rules.mean])
def test_rules_ignore_the_order_of_the_clients(stack, rule):
    shuffled = stack[np.random.default_rng(1).permutation(10)]
    np.testing.assert_allclose(rule(shuffled), rule(stack), rtol=1e-13)


@pytest.mark.parametrize(
    "rule", [lambda s: rules.trimmed_mean(s, 2), rules.median, lambda s: rules.krum(s, 2), rules.mean]
)
def test_equal_models_come_back_unchanged(rule):
    model = np.random.default_rng(2).normal(size=6)
    np.testing.assert_allclose(rule(np.tile(model, (10, 1))), model, rtol=1e-15)


@pytest.mark.parametrize("liars", range(6))
def test_trimming_breaks_exactly_when_more_lie_than_are_trimmed(stack, liars):
    stack[:liars] = 1e6
    moved = np.abs(rules.trimmed_mean(stack, 2)).max() > 100
    assert moved == (liars > 2)


def test_stacks_of_stacks_are_averaged_one_by_one(stack):
    both = np.stack([stack, -stack])
    np.testing.assert_allclose(rules.trimmed_mean(both, 3)[1], rules.trimmed_mean(-stack, 3))


def test_krum_returns_one_of_the_honest(stack):
    stack[[3, 8]] += 50
    chosen = rules.krum(stack, 2)
    rows = np.flatnonzero((stack == chosen).all(1))
    assert len(rows) == 1 and rows[0] not in (3, 8)


def test_krum_scores_equal_the_definition(stack):
    distances = ((stack[:, None] - stack[None]) ** 2).sum(-1)
    expected = [np.sort(np.delete(row, number))[:6].sum() for number, row in enumerate(distances)]
    np.testing.assert_allclose(rules.krum_scores(stack, 2), expected, rtol=1e-10)


def test_krum_agrees_with_flowers(stack):
    pytest.importorskip("edgedl_lib.training.flower")  # switches telemetry off before Flower is imported
    from flwr.app import ArrayRecord, MetricRecord, RecordDict
    from flwr.serverapp.strategy.multikrum import select_multikrum

    records = [RecordDict({"a": ArrayRecord([row]), "m": MetricRecord({"num-examples": 1})}) for row in stack]
    (flowers,) = select_multikrum(records, num_malicious_nodes=2, num_nodes_to_select=1)
    np.testing.assert_array_equal(flowers["a"].to_numpy_ndarrays()[0], rules.krum(stack, 2))


def test_distances_survive_a_large_common_offset(stack):
    np.testing.assert_allclose(rules.krum_scores(stack + 1e6, 2), rules.krum_scores(stack, 2), rtol=1e-6)


@pytest.mark.parametrize("trim", [-1, 5, 1.5])
def test_impossible_trims_are_refused(stack, trim):
    with pytest.raises(ValueError, match="choose 0 to 4"):
        rules.trimmed_mean(stack, trim)


def test_krum_needs_a_neighbourhood(stack):
    with pytest.raises(ValueError, match="needs 11 or more, got 10"):
        rules.krum(stack, 8)


def test_values_that_are_no_numbers_are_named(stack):
    stack[4, 2], stack[7, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"rows \[4, 7\]"):
        rules.median(stack)


def test_no_client_is_no_average():
    with pytest.raises(ValueError, match="one row a client"):
        rules.mean(np.empty((0, 3)))
