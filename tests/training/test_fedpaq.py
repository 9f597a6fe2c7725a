"""FedPAQ: its message, its price, the engine's rounds against the vectorised ones, and the degenerate settings."""

import numpy as np
import pytest

from edgedl_lib.training.codecs import LowPrecision
from edgedl_lib.training.communication.fedpaq import rates, study
from edgedl_lib.training.communication.fedpaq.averaging import FedPAQ, averaged_rounds, quantised, zeros_and_eights
from edgedl_lib.training.communication.fedpaq.cost import CostModel, message_bits
from edgedl_lib.training.run import run


@pytest.fixture(scope="module")
def problem():
    return zeros_and_eights(5, nodes=8, samples=40)


@pytest.mark.parametrize("levels", [1, 3, 10])
def test_many_messages_at_once_are_the_codecs(levels):
    vector = np.random.default_rng(1).standard_normal(65)
    codec = LowPrecision(levels)
    packet = codec.encode(vector, np.random.default_rng(2))
    assert np.allclose(codec.decode(packet), quantised(vector, levels, np.random.default_rng(2).random(65)), atol=1e-5)
    assert packet.bits == message_bits(65, levels)


@pytest.mark.parametrize("levels", [1, 5, 10])
def test_unbiased_and_within_the_variance_bound(levels):
    assert 0.05 < study.variance_ratio(levels, 3) <= 1
    assert study.bias_ratio(3) < 1.5


def test_a_zero_update_stays_zero():
    assert (quantised(np.zeros((2, 4)), 1, np.full((2, 4), 0.3)) == 0).all()


@pytest.mark.parametrize(("levels", "period"), [(None, 3), (2, 3), (1, 6)])
def test_the_sweep_is_the_engine(problem, levels, period):
    rounds = 3
    strategy = FedPAQ(nodes=4, period=period, levels=levels, seed=7)
    history = run(problem.task(0.3, 7), strategy, rounds)
    _, models = averaged_rounds(
        problem, (0.3,), period=period, nodes=4, levels=levels, iterations=rounds * period, seed=7
    )
    assert np.allclose(history.arrays["weight"], models[0], atol=2e-4)


def test_step_sizes_do_not_disturb_each_other(problem):
    settings = {"period": 2, "nodes": 3, "levels": 1, "iterations": 8, "seed": 0}
    together = averaged_rounds(problem, (0.1, 1.0), **settings)[1]
    assert np.allclose(together[1], averaged_rounds(problem, (1.0,), **settings)[1][0])


def test_many_levels_are_federated_averaging(problem):
    settings = {"period": 2, "nodes": 8, "iterations": 6, "seed": 0}
    fine = averaged_rounds(problem, (0.5,), levels=1_000_000, **settings)[1]
    assert np.allclose(fine, averaged_rounds(problem, (0.5,), levels=None, **settings)[1], atol=1e-4)


def test_one_round_and_all_nodes(problem):
    losses, _ = averaged_rounds(problem, (0.1,), period=20, nodes=8, levels=None, iterations=20, seed=0)
    assert losses.shape == (2, 1) and losses[1] < losses[0]
    everybody = [FedPAQ(nodes=8, period=1, levels=1, seed=seed).choose(1, list(range(8))) for seed in (0, 1)]
    assert sorted(everybody[0]) == sorted(everybody[1]) == list(range(8))


def test_period_one_of_full_batches_is_gradient_descent(problem):
    """All nodes, one step, no quantiser: the mean of the nodes' steps is the step on the mean of their gradients."""
    _, model = averaged_rounds(problem, (0.2,), period=1, nodes=8, levels=None, iterations=1, seed=0)
    rows = [np.random.default_rng([0, 1, node]).permutation(40)[:10] for node in range(8)]
    inputs = np.concatenate([problem.inputs[node, row] for node, row in enumerate(rows)])
    labels = np.concatenate([problem.labels[node, row] for node, row in enumerate(rows)])
    assert np.allclose(model[0], -0.2 * ((0.5 - labels)[:, None] * inputs).mean(axis=0))


def test_a_round_costs_its_bits_and_its_slowest_node():
    cost = CostModel()
    assert cost.communication(65, None, 1) == pytest.approx(100)
    assert cost.communication(65, 1, 25) == pytest.approx(25 * 100 * 162 / 2080)
    rng = np.random.default_rng(0)
    draws = [cost.computation(5, 25, 10, rng) for _ in range(2000)]
    harmonic = sum(1 / k for k in range(1, 26))
    assert np.mean(draws) == pytest.approx(25 + 25 * harmonic, rel=0.03)


def test_ternary_takes_two_bits():
    assert message_bits(65, 1) == 32 + 2 * 65
    assert message_bits(65, 10) == 32 + 5 * 65


def test_the_theorems_slopes():
    assert -1.4 < rates.strongly_convex_slope(5) < -0.7
    assert rates.strongly_convex_slope(5, lambda number: 0.05) > -0.3


def test_a_target_never_reached_takes_forever():
    assert study.time_to(np.array([0.0, 1.0]), np.array([0.7, 0.5]), 0.1) == np.inf
    assert study.time_to(np.array([0.0, 10.0]), np.array([0.6, 0.4]), 0.5) == pytest.approx(5)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="period"):
        FedPAQ(nodes=2, period=0, levels=1)
