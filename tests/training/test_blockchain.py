"""BlockFL: its race against the formula, two simulations against each other, blocks, learning with faults, rewards."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from edgedl_lib.training.security.blockchain import chain, events, latency, learning, rewards, study
from edgedl_lib.training.security.blockchain.race import draw_race, race
from edgedl_lib.training.security.blockchain.regression import draw_samples, least_squares, svrg
from edgedl_lib.training.security.blockchain.setting import Setting, letter_setting

LETTER = letter_setting(0)


def test_golden_numbers_of_the_letter():
    assert LETTER.links[0].rate == pytest.approx(1.038e6, rel=1e-3)
    assert LETTER.hops == pytest.approx(np.full(10, 0.241), abs=1e-3)
    assert LETTER.upload == pytest.approx(4.8e-3, rel=0.01)
    assert latency.repeated(LETTER, latency.best_rate(LETTER)) == pytest.approx(1.187, abs=1e-3)
    for miners, rate, least in ((2, 1.95, 0.87), (5, 0.568, 1.11), (20, 0.126, 1.22)):
        setting = letter_setting(0, miners=miners)
        assert latency.best_rate(setting) == pytest.approx(rate, rel=5e-3)
        assert latency.repeated(setting, latency.best_rate(setting)) == pytest.approx(least, abs=0.01)


@given(miners=st.integers(2, 40), wait=st.floats(0, 5), header=st.floats(1e3, 1e6))
@settings(max_examples=40, deadline=None)
def test_the_closed_form_is_where_a_search_ends(miners, wait, header):
    setting = Setting((20,) * 10, miners=miners, wait=wait, header_bytes=header)
    best = latency.best_rate(setting)
    cost = lambda logarithm: float(latency.repeated(setting, np.exp(logarithm)))  # noqa: E731
    found = minimize_scalar(cost, bracket=(np.log(best) - 1, np.log(best) + 1)).x
    assert np.exp(found) == pytest.approx(best, rel=1e-4)


def test_the_printed_form_agrees_for_two_miners_only():
    two, ten = letter_setting(0, miners=2), LETTER
    assert latency.printed_rate(two) == pytest.approx(latency.best_rate(two))
    assert latency.printed_rate(ten) == pytest.approx(1.035, abs=1e-3)
    assert latency.repeated(ten, latency.printed_rate(ten)) == pytest.approx(3.65, abs=0.01)


def test_a_single_miner_never_forks_and_is_best_at_full_speed():
    alone = letter_setting(0, miners=1)
    assert latency.best_rate(alone) == np.inf and latency.fork_probability(alone, 100.0) == 0
    values = latency.epoch_latency(alone, [0.1, 1, 10, 100])
    assert np.all(np.diff(values) < 0)
    assert not race(alone, 100.0, draw_race(alone, 1000, 0)).forked.any()


@pytest.mark.parametrize("rate", [0.05, 0.26, 1.0])
def test_simulated_forks_follow_the_formula(rate):
    share = race(LETTER, rate, draw_race(LETTER, 40_000, 1)).fork_share
    assert share == pytest.approx(float(latency.fork_probability(LETTER, rate)), abs=0.01)


@pytest.mark.parametrize("setting", [LETTER, letter_setting(1, miners=3, snr_db=(5.0, 10.0, 20.0))])
@pytest.mark.parametrize("rate", [0.1, 0.3, 2.0])
def test_events_and_arrays_are_the_same(setting, rate):
    assert study.twin_difference(setting, rate, 100, 0) < 1e-9


def test_an_attempt_in_events_has_the_fork_that_its_draws_say():
    setting = letter_setting(0, miners=3)
    hop = setting.hops[0]
    draws = np.array([[1.0, 1 + hop / 2, 9.0], [1.0, 1 + 2 * hop, 9.0]])
    forked, clean = events.simulate(setting, 1.0, draws)
    assert forked.forked and [miner for miner, _ in forked.rivals] == [1] and not clean.forked
    assert forked.end - forked.start == pytest.approx(setting.wait + 1 + hop)
    (epoch,) = events.epochs((forked, clean), finish=5.0)
    assert epoch == pytest.approx(2 * (setting.wait + 1 + hop) + 5.0)  # the whole bracket again, the end once


def test_forever_forking_is_an_infinite_epoch():
    crowded = race(LETTER, 1e9, draw_race(LETTER, 50, 0))
    assert crowded.forked.all() and crowded.mean_epoch == np.inf and crowded.epochs().size == 0


def test_updates_that_are_late_miss_the_block():
    assert LETTER.in_time.all()
    hurried = replace(LETTER, wait=LETTER.upload + 2.05e-3)
    assert hurried.in_time.tolist() == [count <= 20 for count in LETTER.samples]
    devices = draw_samples(LETTER.samples, 0)
    block = learning.train_with_chain(hurried, devices, 1, 0, ()).blocks[0]
    assert [update.device for update in block.updates] == np.flatnonzero(hurried.in_time).tolist()


@pytest.mark.parametrize("changes", [{"miners": 0}, {"samples": ()}, {"samples": (3, 0)}, {"snr_db": (1.0, 2.0)}])
def test_wrong_settings_are_refused(changes):
    with pytest.raises(ValueError, match="at least 1|give one for each"):
        replace(LETTER, **changes)


def test_every_alteration_of_a_chain_is_rejected():
    assert study.rejected_alterations(0) == 1
    assert study.rejected_alterations(0, check=lambda blocks: None) == 0


def test_a_block_mined_again_is_still_given_away_by_its_successor():
    devices = draw_samples(LETTER.samples, 0)
    blocks = list(learning.train_with_chain(LETTER, devices, 3, 0, ()).blocks)
    chain.verify_chain(blocks)
    blocks[1] = chain.mine(blocks[1].previous, 5, blocks[1].updates[1:])
    with pytest.raises(chain.TamperedBlock, match="follows"):
        chain.verify_chain(blocks)
    chain.verify_chain(blocks[:2])  # the newest block can be replaced by whoever mines it again


def test_a_digest_without_work_is_rejected():
    block = chain.mine(chain.GENESIS, 0, (), difficulty=0)
    while block.digest.startswith("00"):
        block = chain.mine(block.digest, 0, (), difficulty=0)
    with pytest.raises(chain.TamperedBlock, match="proves no work"):
        chain.verify(block, block.previous)


def test_updates_with_shifted_bytes_have_different_payloads():
    one, two = chain.Update(1, 23, 0.1, b"ab", b"c"), chain.Update(1, 23, 0.1, b"a", b"bc")
    assert one.payload != two.payload


def test_svrg_without_variance_is_gradient_descent_and_stays_at_the_solution():
    (samples,) = draw_samples((30,), 0)
    solution = least_squares((samples,))
    stays = svrg(samples, solution, samples.gradient(solution) / 30, np.random.default_rng(0))
    assert stays == pytest.approx(solution)
    one = type(samples)(samples.features[:1], samples.targets[:1])
    start = np.ones(10)
    stepped = svrg(one, start, one.gradient(start), np.random.default_rng(0), step=0.01)
    assert stepped == pytest.approx(start - 0.01 * one.gradient(start))


def test_without_faults_chain_and_server_learn_the_same_bit_for_bit():
    devices = draw_samples(LETTER.samples, 0)
    server = learning.train_with_server(LETTER, devices, 20, 0, fault_probability=0)
    block = learning.train_with_chain(LETTER, devices, 20, 0)
    clean = learning.train_with_chain(LETTER, devices, 20, 0, ())
    assert np.array_equal(server.weights, clean.weights) and clean.errors[-1].max() < 1e-3
    assert not np.array_equal(block.weights, clean.weights)


def test_the_combined_weights_are_those_of_federated_averaging():
    devices = draw_samples(LETTER.samples, 0)
    block = learning.train_with_chain(LETTER, devices, 1, 0, ()).blocks[0]
    weights, _ = learning.combine(block.updates)
    stack = np.stack([np.frombuffer(update.weights) for update in block.updates])
    assert weights == pytest.approx(np.average(stack, axis=0, weights=LETTER.samples))


@pytest.mark.parametrize("seed", range(3))
def test_one_faulty_miner_hurts_its_own_devices(seed):
    faults = study.faulty_aggregator(seed)
    assert faults.ratio < 0.5
    last = faults.chain.errors[-10:].mean(axis=0)
    assert last.argmax() == 0 and faults.verifying.median_error() < 1e-3


def test_a_device_that_verifies_refuses_a_noisy_block():
    devices = draw_samples(LETTER.samples, 0)
    (block,) = learning.train_with_chain(LETTER, devices, 1, 0, ()).blocks
    noisy = chain.add_noise(block, np.full(10, 0.1))
    shift = learning.combine(noisy.updates)[0] - learning.combine(block.updates)[0]
    assert shift == pytest.approx(0.1)
    with pytest.raises(chain.TamperedBlock, match="content"):
        chain.verify(noisy, chain.GENESIS)


def test_rewards_follow_samples_and_claims_follow_time():
    devices = draw_samples(LETTER.samples, 0)
    (block,) = learning.train_with_chain(LETTER, devices, 1, 0, ()).blocks
    paid = rewards.data_rewards(block.updates)
    assert paid == dict(enumerate(LETTER.samples)) and study.reward_correlation(block.updates, paid) == pytest.approx(1)
    assert study.reward_correlation(block.updates, dict.fromkeys(paid, 1.0)) == 0
    assert all(rewards.plausible(update, LETTER) for update in block.updates)
    assert study.rejected_claims(block.updates, LETTER) == 1


def test_the_winning_miner_is_paid_for_its_devices_alone():
    updates = tuple(chain.Update(device, 10 + device, 0.1, b"", b"") for device in range(4))
    assert rewards.mining_rewards(updates, miners=2, winner=1).tolist() == [0, 11 + 13]


def test_completion_counts_attempts_until_enough_epochs_are_done():
    rate = latency.best_rate(LETTER)
    mean = study.completion(LETTER, rate, 400, 0) / 400
    assert mean == pytest.approx(float(latency.epoch_latency(LETTER, rate)), rel=0.15)
