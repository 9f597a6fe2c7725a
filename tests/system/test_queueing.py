"""Queues: the simulator against the recursion, the recursion against theory, and Little's law."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.system.queue_theory import little_number, mmk_wait_percentile, sharing_latency, wait_probability
from edgedl_lib.system.queueing import (
    deterministic,
    exponential,
    lindley_waits,
    md1_wait,
    mg1_wait,
    mm1_wait,
    mmk_wait,
    multi_server_waits,
    poisson_arrivals,
    simulate_queue,
    utilisation,
)

LOADS = (0.3, 0.6, 0.8)
gaps = st.lists(st.floats(0, 5), min_size=1, max_size=30)


def times_in_turn(times):
    """A service that takes the given times, one after the other."""
    turn = iter(times)
    return lambda batch, generator: next(turn)


@settings(deadline=None)
@given(gaps=gaps, seed=st.integers(0, 99), servers=st.integers(1, 4))
def test_simulator_equals_the_recursions(gaps, seed, servers):
    arrivals, services = np.cumsum(gaps), np.random.default_rng(seed).exponential(2, len(gaps))
    simulated = simulate_queue(arrivals, times_in_turn(services.tolist()), servers=servers).wait
    np.testing.assert_allclose(simulated, multi_server_waits(arrivals, services, servers), atol=1e-9)
    if servers == 1:
        np.testing.assert_allclose(simulated, lindley_waits(arrivals, services), atol=1e-9)


def test_a_long_simulation_equals_the_recursion_and_obeys_little():
    arrivals = poisson_arrivals(rate=8.0, count=20_000, seed=0)
    services = np.random.default_rng(1).exponential(0.1, len(arrivals))
    run = simulate_queue(arrivals, times_in_turn(services.tolist()))
    np.testing.assert_allclose(run.wait, lindley_waits(arrivals, services), atol=1e-9)
    assert run.mean_in_system == pytest.approx(run.throughput * run.latency.mean(), rel=1e-9)
    assert run.busy_share == pytest.approx(services.sum() / run.makespan, rel=1e-9)


@pytest.mark.parametrize("load", LOADS)
def test_recursion_agrees_with_theory(load):
    generator = np.random.default_rng(7)
    arrivals = poisson_arrivals(load, 8_000_000, generator)
    random_waits = lindley_waits(arrivals, generator.exponential(1.0, len(arrivals)))
    assert random_waits.mean() == pytest.approx(mm1_wait(load, 1.0), rel=0.02)
    assert lindley_waits(arrivals, 1.0).mean() == pytest.approx(md1_wait(load, 1.0), rel=0.02)


@pytest.mark.parametrize("load", LOADS)
def test_several_servers_agree_with_erlang(load):
    generator = np.random.default_rng(11)
    arrivals = poisson_arrivals(3 * load, 1_000_000, generator)
    waits = multi_server_waits(arrivals, generator.exponential(1.0, len(arrivals)), 3)
    assert waits.mean() == pytest.approx(mmk_wait(3 * load, 1.0, 3), rel=0.02)


def test_closed_forms():
    assert mm1_wait(0.5, 1.0) == 1.0 and md1_wait(0.5, 1.0) == 0.5
    assert mg1_wait([0.0, 0.8], 1.0, 0.25).tolist() == pytest.approx([0.0, 2.5])
    assert mmk_wait(1.5, 1.0, 2) == pytest.approx(1.5**2 / (4 - 1.5**2))  # textbook form for two servers
    assert utilisation(30, 0.1, servers=4) == pytest.approx(0.75)
    assert mmk_wait(0.0, 1.0, 3) == 0.0


def test_probability_and_percentiles_of_waits_agree_with_a_long_run():
    generator = np.random.default_rng(5)
    arrivals = poisson_arrivals(3.2, 400_000, generator)
    waits = multi_server_waits(arrivals, generator.exponential(1.0, len(arrivals)), 4)
    assert np.mean(waits > 0) == pytest.approx(wait_probability(3.2, 1.0, 4), rel=0.02)
    assert np.percentile(waits, [50, 95]) == pytest.approx(mmk_wait_percentile([50, 95], 3.2, 1.0, 4), rel=0.06)


def test_closed_forms_of_probabilities_percentiles_and_sharing():
    assert wait_probability(0.7, 1.0) == pytest.approx(0.7)
    assert wait_probability(1.5, 1.0, 2) == pytest.approx(2 * 0.75**2 / (1 + 0.75))  # textbook form for two servers
    assert mmk_wait_percentile([0, 29.9], 0.7, 1.0).tolist() == [0.0, 0.0] and mmk_wait_percentile(31, 0.7, 1.0) > 0
    assert mmk_wait_percentile(99, 0.0, 1.0) == 0.0
    mean = np.mean(mmk_wait_percentile((np.arange(20_000) + 0.5) / 200, 0.7, 1.0))
    assert mean == pytest.approx(mm1_wait(0.7, 1.0), rel=1e-3)  # the quantile function integrates to the mean
    assert sharing_latency(0.7, 1.0) == pytest.approx(mm1_wait(0.7, 1.0) + 1.0)
    assert sharing_latency(0.5, [0.1, 3.0], 1.0).tolist() == pytest.approx([0.2, 6.0])
    assert little_number(4.0, [0.5, 2.0]).tolist() == [2.0, 8.0]


@pytest.mark.parametrize("load", [1.0, 1.5])
def test_an_overloaded_server_has_no_mean_wait(load):
    assert mm1_wait(load, 1.0) == md1_wait(load, 1.0) == mmk_wait(2 * load, 1.0, 2) == math.inf
    assert sharing_latency(load, 1.0) == mmk_wait_percentile(50, load, 1.0) == math.inf
    assert wait_probability(2 * load, 1.0, 2) == 1.0


def test_one_fast_server_beats_two_slow_ones_in_latency():
    assert mm1_wait(0.8, 1.0) + 1.0 < mmk_wait(0.8, 2.0, 2) + 2.0


def test_batching_serves_what_waits_and_never_waits_to_fill():
    run = simulate_queue([0.0, 0.1, 0.2, 0.3], deterministic(1.0), largest_batch=2)
    assert run.start.tolist() == [0.0, 1.0, 1.0, 2.0] and run.batch.tolist() == [1, 2, 2, 1]


def test_batching_lifts_the_throughput_of_a_costly_launch():
    arrivals = poisson_arrivals(rate=50.0, count=2000, seed=2)
    launch = deterministic(0.1, seconds_per_item=0.001)  # alone: at most 10 requests/s
    assert simulate_queue(arrivals, launch).throughput < 10
    assert simulate_queue(arrivals, launch, largest_batch=64).throughput > 40


def test_same_seed_same_run():
    arrivals = poisson_arrivals(1.0, 100, seed=0)
    first, second, other = (simulate_queue(arrivals, exponential(0.5), seed=seed).wait for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_no_requests():
    run = simulate_queue([], 1.0)
    assert run.wait.size == 0 and run.throughput == run.busy_share == run.mean_in_system == 0.0
    assert lindley_waits([], 1.0).size == 0 and multi_server_waits([], 1.0, 2).size == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate_queue([1.0, 0.5], 1.0), "not decreasing"),
        (lambda: lindley_waits([0.0, math.nan], 1.0), "must be finite"),
        (lambda: lindley_waits([0.0, 1.0], -1.0), "service time must be zero or more, not -1.0"),
        (lambda: simulate_queue([0.0], 1.0, servers=0), "servers must be a whole number of at least 1, not 0"),
        (lambda: simulate_queue([0.0], 1.0, largest_batch=1.5), "largest_batch must be a whole number"),
        (lambda: simulate_queue([0.0], lambda batch, generator: -1.0), "service time must be a finite number"),
        (lambda: deterministic(math.nan), "service time must be a finite number"),
        (lambda: exponential(-1.0), "mean service time must be a finite number"),
        (lambda: poisson_arrivals(0.0, 5, seed=0), "arrival rate must be a positive number"),
        (lambda: mm1_wait(-1.0, 1.0), "arrival_rate must be zero or more"),
        (lambda: mmk_wait(1.0, math.nan, 2), "service_time must be zero or more"),
        (lambda: mmk_wait_percentile(100, 0.5, 1.0), "percent must lie in"),
        (lambda: mmk_wait_percentile(-1, 0.5, 1.0), "percent must be zero or more"),
        (lambda: sharing_latency(0.5, -1.0), "work must be zero or more"),
        (lambda: little_number(-0.5, 1.0), "arrival_rate must be zero or more"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
