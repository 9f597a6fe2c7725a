"""Hierarchical learning: fair sub-carriers, bits, the extra downlink, identities, clusters that never meet."""

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from edgedl_lib.training import partition
from edgedl_lib.training.communication.hierarchical import cells, latency, study
from edgedl_lib.training.communication.hierarchical.learning import Hierarchy, learn
from edgedl_lib.training.communication.hierarchical.strategy import HierarchicalAveraging
from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import logistic
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

WORLD = cells.Cells()


def test_greedy_sub_carriers_are_max_min():
    rng = np.random.default_rng(0)
    for _ in range(10):
        received = WORLD.user_power * WORLD.gain(rng.uniform(10, 700, (3, 2)), np.zeros(2))
        best = max(
            WORLD.rate(np.array(split), received).min() for split in product(range(1, 9), repeat=3) if sum(split) == 10
        )
        assert cells.uplink(WORLD, received, 10) == pytest.approx(best)


def test_more_users_than_sub_carriers_is_refused():
    with pytest.raises(ValueError, match="every user needs one"):
        cells.max_min_carriers(WORLD, np.ones(5), 4)
    with pytest.raises(ValueError, match="cannot serve 0"):
        cells.max_min_carriers(WORLD, np.ones(0), 4)


def test_a_user_at_the_antenna_has_a_finite_rate():
    assert np.isfinite(WORLD.gain(np.zeros((1, 2)), np.zeros(2))).all()


def test_users_stand_in_their_hexagon():
    users = WORLD.users(0, per_cluster=50)
    gaps = np.linalg.norm(users[:, :, None] - WORLD.stations[None, None], axis=-1)
    assert (gaps.argmin(axis=-1) == np.arange(7)[:, None]).all()


@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.99])
def test_bits_hold_positions_and_never_exceed_a_bitmap(sparsity):
    values = 32 * (1 - sparsity) * 1e6
    bits = latency.message_bits(1_000_000, sparsity)
    entropy = -sparsity * np.log2(sparsity) - (1 - sparsity) * np.log2(1 - sparsity)
    assert values + entropy * 1e6 <= bits <= values + 1e6


def test_a_period_costs_one_more_downlink():
    rates = latency.Rates(1.0, 1.0, np.full(7, 2.0), np.full(7, 4.0), np.inf)
    seconds = latency.hierarchical_latency(rates, latency.DENSE, 2, parameters=1)
    assert seconds == pytest.approx((2 * (32 / 2 + 32 / 4) + 32 / 4) / 2)


def test_the_slowest_cluster_decides():
    rates = latency.Rates(1.0, 1.0, np.array([8.0] * 6 + [1.0]), np.full(7, np.inf), np.inf)
    assert latency.hierarchical_latency(rates, latency.DENSE, 1, parameters=1) == 32


def test_interference_costs_rate():
    users = WORLD.users(0)
    free, full = (latency.rates(WORLD, users, reuse) for reuse in cells.REUSE[1:])
    assert (full.small_up < free.small_up).all() and (full.small_down < free.small_down).all()


def test_meeting_always_with_dense_links_is_flat_learning():
    assert study.identity_gap(0) < 1e-6


def test_one_cluster_is_flat_learning():
    plan = replace(Hierarchy(*digits_pool(0)), iterations=10, clusters=1)
    assert all((a == b).all() for a, b in zip(learn(plan, 0).weights, learn(plan.flat(), 0).weights, strict=True))


def test_clusters_that_never_meet_drift_apart():
    plan = replace(Hierarchy(*digits_pool(0)), iterations=40)
    apart, together = learn(replace(plan, period=1000), 0), learn(plan, 0)
    assert together.spread < 1e-5 < 0.1 < apart.spread


def test_empty_cluster_and_period_zero_are_refused():
    for changes in ({"users_per_cluster": 0}, {"period": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            replace(Hierarchy(*digits_pool(0)), **changes)


def test_on_the_engine_equal_clusters_that_always_meet_are_federated_averaging():
    pool, test = digits_pool(0)
    data = federated(pool, test, partition.iid(1500, 6, 0), 10, "digits")
    task = Task("clusters", data, partial(logistic, 64, 10), LocalTraining(batch_size=None))
    flat = run(task, FederatedAveraging(clients_per_round=6), 3)
    met = run(task, HierarchicalAveraging(cluster_of=(0, 0, 1, 1, 2, 2), period=1, clients_per_round=6), 3)
    rare = run(task, HierarchicalAveraging(cluster_of=(0, 0, 1, 1, 2, 2), period=9, clients_per_round=6), 3)
    for name in flat.arrays:
        np.testing.assert_allclose(met.arrays[name], flat.arrays[name], atol=1e-6)
    assert max(np.abs(rare.arrays[name] - flat.arrays[name]).max() for name in flat.arrays) > 1e-6
