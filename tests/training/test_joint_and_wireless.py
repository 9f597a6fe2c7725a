"""Radio formulas against known answers, matchings against brute force, and averaging with lost packets."""

from dataclasses import replace

import numpy as np
import pytest

from edgedl_lib.training.models import flatten
from edgedl_lib.training.resources.joint import cell, matching, study
from edgedl_lib.training.resources.joint.strategy import RadioAveraging
from edgedl_lib.training.run import run
from edgedl_lib.training.wireless import (
    bit_rate,
    computing_energy,
    computing_time,
    nat_rate,
    packet_error,
    power_for_nats,
)


def test_known_rates():
    assert nat_rate(1e6, 1.0, 1.0) == pytest.approx(1e6 * np.log(2))
    assert bit_rate(1e6, 1.0, 0.5, 0.5) == pytest.approx(1e6)
    assert bit_rate(2e6, 3.0, 1.0, 1.0) == pytest.approx(4e6)


def test_power_is_the_inverse_of_the_rate():
    power = power_for_nats(25_000, 0.04, 1e6, 0.3)
    assert nat_rate(1e6, power, 0.3) * 0.04 == pytest.approx(25_000)


def test_packets_are_lost_by_the_waterfall():
    assert packet_error(1.0, 1.0, 1.0, 1.0) == pytest.approx(1 - np.exp(-1))
    errors = packet_error(np.array([0.1, 1, 10]), 1.0, 1.0, 1.08)
    assert (np.diff(errors) < 0).all() and 0 < errors.min() and errors.max() <= 1


def test_twice_the_clock_is_four_times_the_energy():
    assert computing_energy(1e9, 2e9, 2e-28) == pytest.approx(4 * computing_energy(1e9, 1e9, 2e-28))
    assert computing_time(1e9, 2e9) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nat_rate(0.0, 1.0, 1.0), "bandwidth must be positive"),
        (lambda: power_for_nats(1.0, 0.0, 1e6, 1.0), "seconds must be positive"),
        (lambda: packet_error(1.0, -1.0, 1.0, 1.0), "gain must be positive"),
        (lambda: computing_time(1.0, np.array([1e9, 0.0])), "clock must be positive"),
        (lambda: cell.pairs(np.ones(2), np.ones(2), 0, np.random.default_rng(0)), "at least one"),
        (
            lambda: RadioAveraging(scheme="luck", distance=np.ones(2), samples=np.ones(2), blocks=1),
            "choose proposed",
        ),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("number", range(25))
def test_matching_equals_brute_force(number):
    pairs = study.random_pairs(3, number, users=5, blocks=3)
    assert matching.residual(pairs, matching.hungarian(pairs)) == pytest.approx(matching.brute_force(pairs), abs=1e-12)


@pytest.mark.parametrize("scheme", matching.SCHEMES)
def test_every_assignment_is_feasible_and_uses_a_block_once(scheme):
    for number in range(20):
        pairs = study.random_pairs(1, number)
        blocks = matching.SCHEMES[scheme](pairs, np.random.default_rng(number))
        users = np.flatnonzero(blocks != matching.UNSELECTED)
        assert pairs.feasible[users, blocks[users]].all() and len(set(blocks[users])) == len(users)


def test_one_block_goes_to_whoever_brings_most():
    pairs = replace(study.random_pairs(0, 0), feasible=np.ones((15, 12), bool))
    alone = cell.Pairs(pairs.power[:, :1], pairs.error[:, :1], pairs.feasible[:, :1], pairs.samples)
    chosen = matching.hungarian(alone)
    assert chosen.argmax() == (alone.samples * (1 - alone.error[:, 0])).argmax() and (chosen == 0).sum() == 1


def test_nobody_is_chosen_where_nothing_is_feasible():
    pairs = replace(study.random_pairs(0, 0), feasible=np.zeros((15, 12), bool))
    for scheme in matching.SCHEMES.values():
        blocks = scheme(pairs, np.random.default_rng(0))
        assert (blocks == matching.UNSELECTED).all() and matching.residual(pairs, blocks) == 1


def test_perfect_channels_are_all_heard():
    perfect = cell.Pairs(np.ones((3, 5)), np.full((3, 5), 1e-9), np.ones((3, 5), bool), np.array([100, 200, 300]))
    assert matching.residual(perfect, matching.hungarian(perfect)) < 1e-5


def test_the_power_spends_the_energy_limit_or_is_the_largest():
    gain, disturbance = np.array([[1e-5], [1e-4], [3e-6]]), np.array([[2e-8, 1e-7]])
    power = cell.energy_limited_power(gain, disturbance)
    energy = cell.upload_energy(power, gain, disturbance)
    full = power == cell.MAXIMUM_POWER
    reached = ~full & (power > 1e-8)
    np.testing.assert_allclose(energy[reached], cell.ENERGY_LIMIT, rtol=1e-6)
    assert (energy[full] <= cell.ENERGY_LIMIT).all() and full.any() and reached.any()


def radio(scheme, seed=0):
    task, distance, samples = study.radio_task(seed)
    return task, RadioAveraging(scheme=scheme, distance=distance, samples=samples, blocks=study.BLOCKS, seed=seed)


def test_only_those_who_were_heard_are_averaged():
    task, strategy = radio("proposed")
    start = task.initial_arrays()
    chosen = strategy.choose(1, list(range(15)))
    heard = [client for client in chosen if client in strategy._heard]
    assert 0 < len(heard) < len(chosen)
    from edgedl_lib.training.strategy import ClientUpdate

    def update(client, value):
        return ClientUpdate(client, {name: np.full_like(each, value) for name, each in start.items()}, 10, {}, 0)

    updates = [update(client, 1.0 if client in heard else 1e6) for client in chosen]
    assert np.unique(flatten(strategy.aggregate(1, start, updates))).tolist() == [1.0]
    strategy._heard = frozenset()
    assert strategy.aggregate(1, start, updates) is start


def test_schemes_of_one_seed_see_the_same_fading():
    _, first = radio("proposed")
    _, second = radio("random")
    np.testing.assert_array_equal(first.round_pairs(4).error, second.round_pairs(4).error)


def test_lockstep_equals_the_engine():
    losses, accuracies = study.learning([2], rounds=2)
    for row, scheme in enumerate(matching.SCHEMES):
        task, strategy = radio(scheme, 2)
        history = run(task, strategy, 2, engine="vectorised")
        np.testing.assert_allclose(history.loss, losses[row, 0], atol=1e-5)
        np.testing.assert_allclose(history.accuracy, accuracies[row, 0], atol=1e-6)


def test_users_are_uniform_in_the_radius_not_in_the_area():
    distance = cell.draw_distances(20_000, np.random.default_rng(0))
    assert distance.mean() == pytest.approx(250, rel=0.02) and distance.max() <= 500  # in the area the mean is 333


def test_pairs_without_a_feasible_edge_are_dropped_after_matching():
    """The solver assigns everybody it can; an edge of weight zero is no assignment."""
    pairs = study.random_pairs(0, 0, users=4, blocks=4)
    only = np.zeros((4, 4), bool)
    only[2, 1] = True
    chosen = matching.hungarian(cell.Pairs(pairs.power, pairs.error, only, pairs.samples))
    assert chosen.tolist() == [-1, -1, 1, -1]
