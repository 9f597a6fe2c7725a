"""Pace steering: known answers, degenerate populations, and a device-by-device twin."""

import heapq

import numpy as np
import pytest

from edgedl_lib.training.run import RunFailed, run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.vanilla.pace import drop_outs, study
from edgedl_lib.training.vanilla.pace.eligibility import DAY, Eligibility
from edgedl_lib.training.vanilla.pace.over_selection import chance_to_report, least_factor, selected, simulated_chance
from edgedl_lib.training.vanilla.pace.rounds import RoundRules, first_come, hold_round, reservoir
from edgedl_lib.training.vanilla.pace.rules import Clock, FixedRetry, Steering, UniformReturn, mean_window
from edgedl_lib.training.vanilla.pace.simulation import simulate

HALF_DAY = Clock(duration=DAY / 2)
SIX_HOURS = Clock(duration=6 * 3600.0)
RULES = [FixedRetry(), UniformReturn(), Steering()]


def by_device(rule, devices, clock, eligibility, generator):
    """The same model with a queue of events, one device after another."""
    windows = rule.windows(clock, eligibility, devices)
    tick, end = rule.tick(clock), len(clock.times)
    check_ins = np.zeros(end, dtype=int)
    first, last = windows.first[0], windows.last[0]
    starts = np.zeros(devices, dtype=int) if rule.together else generator.integers(0, (first + last) // 2, devices)
    queue = [(start, device, generator.random() < eligibility.share(start * clock.interval))
             for device, start in enumerate(starts)]  # fmt: skip
    heapq.heapify(queue)
    while queue and queue[0][0] < end:
        now, device, eligible = heapq.heappop(queue)
        time = now * clock.interval
        if eligible:
            check_ins[now] += 1
            when = now + int(generator.integers(windows.first[now], windows.last[now] + 1))
            still = generator.random() < eligibility.still(time, when * clock.interval)
            heapq.heappush(queue, (when, device, still))
        else:
            when = (now // tick + 1) * tick
            back = generator.random() < eligibility.again(time, when * clock.interval)
            heapq.heappush(queue, (when, device, back))
    return check_ins


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_counting_equals_following_every_device(rule):
    """A steady share of eligible devices, so that both forget how they began."""
    clock, eligibility = Clock(duration=7200.0), Eligibility(low=0.6, high=0.6)
    followed = by_device(rule, 600, clock, eligibility, np.random.default_rng(0))
    counted = simulate(rule, 600, range(4), clock=clock, eligibility=eligibility).check_ins.mean(axis=0)
    later = slice(len(followed) // 2, None)
    assert counted[later].sum() == pytest.approx(followed[later].sum(), rel=0.06)
    assert counted[later].max() == pytest.approx(followed[later].max(), rel=0.5)


def test_with_a_fixed_retry_exactly_the_eligible_devices_come():
    check_ins = simulate(FixedRetry(), 1_000_000, clock=HALF_DAY).check_ins[0]
    ticks = slice(0, None, 60)
    assert check_ins[ticks] / 1e6 == pytest.approx(Eligibility().share(HALF_DAY.times[ticks]), abs=0.003)
    assert check_ins[ticks].sum() == check_ins.sum()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("devices", [1, 200, 30_000])
def test_no_device_is_lost(rule, devices):
    traffic = simulate(rule, devices, (3, 4), clock=SIX_HOURS)
    assert traffic.away.tolist() == [devices, devices]
    assert traffic.check_ins.min() >= 0


def test_same_seed_same_traffic():
    first, second = (simulate(Steering(), 5000, (7,), clock=SIX_HOURS).check_ins for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, simulate(Steering(), 5000, (8,), clock=SIX_HOURS).check_ins)


@pytest.mark.parametrize("devices", [1_000, 10_000, 100_000, 1_500_000])
def test_steering_gets_as_many_as_it_asks_for(devices):
    traffic = simulate(Steering(safety=1.6), devices, clock=Clock(duration=DAY))
    assert traffic.arrivals.mean() == pytest.approx(160, rel=0.05)


def test_a_wrong_estimate_of_the_population_shows_in_the_check_ins():
    traffic = simulate(Steering(population_error=0.5), 20_000, clock=Clock(duration=DAY))
    assert traffic.arrivals.mean() == pytest.approx(320, rel=0.05)


def test_small_populations_come_at_full_rounds():
    hours = simulate(Steering(), 200, clock=SIX_HOURS).check_ins[0].reshape(-1, 6)[60:]
    assert hours[:, 0].sum() / hours.sum() > 0.9


def test_fewer_devices_than_a_round_needs_abandon_every_round():
    traffic = simulate(Steering(), 99, clock=SIX_HOURS)
    assert not traffic.possible.any()
    assert traffic.fill_rate.tolist() == [0.0]
    assert traffic.abandoned[0] == traffic.arrivals.shape[1]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_nobody_comes_while_nobody_is_eligible(rule):
    closed = Eligibility(closed=(2 * 3600.0, 4 * 3600.0))
    check_ins = simulate(rule, 10_000, eligibility=closed, clock=SIX_HOURS).check_ins[0]
    times = SIX_HOURS.times
    shut = (times >= closed.closed[0]) & (times < closed.closed[1])
    assert check_ins[shut].sum() == 0
    assert check_ins[times >= closed.closed[1]].sum() > 0


def test_availability_is_four_to_one_and_devices_relax_to_it():
    eligibility = Eligibility()
    assert eligibility.share(0.0) == pytest.approx(0.25)
    assert eligibility.share(DAY / 2) == pytest.approx(1.0)
    assert eligibility.still(0.0, 0.0) == 1.0 and eligibility.again(0.0, 0.0) == 0.0
    assert eligibility.still(0.0, DAY) == pytest.approx(0.25) == eligibility.again(0.0, DAY)
    assert eligibility.still(0.0, 600.0) > eligibility.again(0.0, 600.0)


@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
@pytest.mark.parametrize("turn", [60.0, 3600.0, 1e6])
def test_window_and_waiting_take_one_turn(share, turn):
    window = float(mean_window(turn, np.array([share]), 1800.0)[0])
    waiting = (1 - share) * (1 - np.exp(-window / 1800)) * 1800 / share
    assert window + waiting == pytest.approx(turn, rel=1e-6)


@pytest.mark.parametrize("wrong", [{"low": -0.1}, {"low": 0.6, "high": 0.5}, {"turnover": 0.0}])
def test_impossible_availability_is_refused(wrong):
    with pytest.raises(ValueError, match="give"):
        Eligibility(**wrong)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="at least one of each"):
        simulate(Steering(), 0)
    with pytest.raises(ValueError, match="do not fit"):
        Clock(interval=7.0)
    with pytest.raises(ValueError, match="fewest <= target"):
        RoundRules(target=5, chosen=4, fewest=1)


@pytest.mark.parametrize("case", study.GOLDEN_CASES)
def test_golden_chances_of_the_binomial_distribution(case):
    factor, drop_out = case
    assert chance_to_report(100, selected(100, factor), drop_out) == pytest.approx(study.GOLDEN_CASES[case], abs=5e-4)


def test_chance_by_enumeration():
    """Two of three with a drop-out of a quarter: 27/64 + 27/64."""
    assert chance_to_report(2, 3, 0.25) == pytest.approx(54 / 64)
    assert simulated_chance(2, 3, 0.25, seed=0) == pytest.approx(54 / 64, abs=0.015)


def test_nobody_drops_out_or_everybody_does():
    assert chance_to_report(100, 100, 0.0) == 1.0 == least_factor(100, 0.0)
    assert chance_to_report(1, 1000, 1.0) == 0.0
    with pytest.raises(ValueError, match="every device drops out"):
        least_factor(100, 1.0)
    with pytest.raises(ValueError, match="factor of 1 or more"):
        selected(100, 0.9)


def test_the_least_factor_is_the_least():
    factor = least_factor(50, 0.2)
    chosen = round(50 * factor)
    assert chance_to_report(50, chosen, 0.2) >= 0.99 > chance_to_report(50, chosen - 1, 0.2)


SIX = RoundRules(target=2, chosen=3, fewest=2, selection_seconds=60.0, reporting_seconds=100.0)


def hold(arrivals, durations, rules=SIX):
    return hold_round(
        np.array(arrivals, float), np.array(durations, float), rules, np.random.default_rng(0), first_come
    )


def test_a_round_ends_with_the_report_that_fills_it():
    outcome = hold([0, 1, 2, 3], [50.0, 5.0, 20.0, 1.0])
    assert outcome.committed and outcome.seats.tolist() == [0, 1, 2]
    assert outcome.counted.tolist() == [1, 2] and outcome.seconds == 80.0


def test_a_straggler_or_a_dropped_device_does_not_stall_the_round():
    assert hold([0, 1, 2], [np.inf, 5.0, 20.0]).seconds == 80.0
    assert hold([0, 1, 2], [np.inf, np.inf, 5.0]).reason == "1 of 3 devices reported, 2 are needed"
    assert hold([0, 1, 2], [np.inf] * 3).seconds == 160.0  # abandoned at the limit, not never


def test_a_round_without_devices_is_abandoned_when_selection_ends():
    outcome = hold([0, 61, np.inf], [1.0, 1.0, 1.0])
    assert not outcome.committed and outcome.seconds == 60.0
    assert outcome.reason == "1 devices checked in, 2 are needed"


def test_a_round_may_commit_below_its_target_at_the_time_limit():
    rules = RoundRules(target=3, chosen=3, fewest=2, selection_seconds=60.0, reporting_seconds=100.0)
    outcome = hold([0, 1, 2], [5.0, 6.0, 101.0], rules)
    assert outcome.committed and outcome.counted.tolist() == [0, 1] and outcome.seconds == 160.0


def test_reservoir_gives_every_arrival_the_same_chance():
    generator = np.random.default_rng(0)
    counts = np.zeros(12)
    for _ in range(4000):
        seats = reservoir(np.arange(12), 4, generator)
        assert len(set(seats)) == 4
        counts[seats] += 1
    assert np.abs(counts / 4000 - 1 / 3).max() < 0.03
    assert first_come(np.arange(12), 4, generator).tolist() == [0, 1, 2, 3]


def test_a_served_population_fills_its_rounds_and_turns_few_away():
    columns = np.array([[1.0], [1.0], [4.0]]), np.ones((3, 1)), np.array([[0.95], [0.5], [1.0]])
    assert study.Sweep((200, 1000, 5000), *columns).largest_served == 200


def train(factor, drop_out, rounds=3, target=10):
    strategy = drop_outs.OverSelection(target=target, factor=factor, drop_out=drop_out, seed=0)
    return run(drop_outs.unreliable_digits(0), strategy, rounds)


def test_without_drop_outs_it_is_federated_averaging():
    history = train(1.0, 0.0)
    plain = run(drop_outs.unreliable_digits(0), Plain(clients_per_round=10, seed=0), 3)
    assert all(np.array_equal(history.arrays[name], plain.arrays[name]) for name in plain.arrays)
    assert history.participants == plain.participants and history.abandoned == ()


class Plain(FederatedAveraging):
    """Federated averaging whose clients are told that they are reliable."""

    def instructions(self, server_round, client):
        return {"drop-out": 0.0}


def test_a_round_uses_as_many_reports_as_it_needs():
    history = train(1.5, 0.1)
    assert all(len(used) == 10 for used in history.participants)
    assert all("idle" in bad.reason for bad in history.rejected)


def test_drop_outs_do_not_change_what_the_others_learn():
    """The same clients, chosen with the same seed: who drops out is decided apart from the batches."""
    unreliable, reliable = train(1.3, 0.2, rounds=1), train(1.3, 0.0, rounds=1)
    dropped = {bad.client for bad in unreliable.rejected}
    assert dropped and not dropped & set(unreliable.participants[0])
    assert reliable.rejected == ()


def test_if_every_device_drops_out_the_run_says_so():
    with pytest.raises(RunFailed, match="no longer idle and charging"):
        train(1.3, 1.0)


def test_an_abandoned_round_leaves_the_model_as_it_was():
    history = train(1.0, 0.1, rounds=12)
    assert history.abandoned
    for number in history.abandoned:
        assert history.accuracy[number] == history.accuracy[number - 1]
        assert history.participants[number - 1] == ()
