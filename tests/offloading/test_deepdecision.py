"""DeepDecision: an exact decision, honest about delay, and its borders."""

from dataclasses import replace

import numpy as np
import pytest

from edgedl_lib.offloading.integral.deepdecision import connection, exhaustive, policies, study
from edgedl_lib.offloading.integral.deepdecision.decision import Goal, NoFeasiblePlan, optimise, require_feasible
from edgedl_lib.offloading.integral.deepdecision.profile import (
    BITRATES,
    PIXELS,
    Profile,
    SaturatingQuality,
    phone_profile,
)

PROFILE, GOAL = phone_profile(), Goal()
LINK = connection.decisions(connection.moving_phone(3))


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_whole_grid_whatever_the_goal(seed):
    generator = np.random.default_rng(seed)
    goal = Goal(
        alpha=float(10 ** generator.uniform(0, 3)),
        power=float(generator.uniform(0.7, 4)),
        least_accuracy=float(generator.uniform(0, 0.3)),
        least_frame_rate=float(generator.uniform(0, 8)),
    )
    profile = phone_profile(
        network_delay=float(generator.uniform(0, 0.2)), delay_scale=float(10 ** generator.uniform(-1.3, 1))
    )
    bandwidth = np.append(generator.uniform(0, 10e6, 20), [0.0, 1e5, 5e6])
    assert exhaustive.agreement(profile, goal, bandwidth) == 100


@pytest.mark.parametrize("alpha", [0.0, np.inf])
def test_equals_the_whole_grid_at_both_ends_of_alpha(alpha):
    assert exhaustive.agreement(PROFILE, Goal(alpha=alpha), LINK) == 100


def test_plans_keep_every_constraint():
    plans = require_feasible(optimise(PROFILE, GOAL, LINK), LINK)
    assert np.all(plans.frame_rate * plans.latency <= 1 + 1e-8)
    assert np.all(plans.bitrate[plans.remote] <= LINK[plans.remote])
    assert np.all(plans.power <= GOAL.power + 1e-9)
    assert np.all(plans.accuracy >= GOAL.least_accuracy)
    assert np.all(plans.frame_rate >= GOAL.least_frame_rate)


def test_bitrate_is_per_second_and_not_per_frame():
    detector = PROFILE.detectors[0]
    slow, fast = (PROFILE.latency(detector, 0, 1e6, rate, 2e6) for rate in (5.0, 10.0))
    assert slow == pytest.approx(0.1 + 0.04) and fast == pytest.approx(0.05 + 0.04)


def test_a_late_answer_is_worth_less():
    detector = PROFILE.detectors[0]
    now, late = (PROFILE.accuracy(detector, 2, 2e6, latency) for latency in (0.0, PROFILE.delay_scale))
    assert late == pytest.approx(now / np.e)


def test_accuracy_rises_with_resolution_and_bitrate():
    quality = SaturatingQuality(0.75)
    assert np.all(np.diff(quality(np.array(PIXELS), 1e6)) > 0)
    assert np.all(np.diff(quality(PIXELS[0], BITRATES)) > 0)


def test_without_a_link_the_phone_answers_and_sends_nothing():
    plans = optimise(PROFILE, GOAL, [0.0])
    assert plans.feasible[0] and not plans.remote[0] and study.bytes_sent(plans)[0] == 0


def test_alpha_zero_is_the_fastest_and_infinity_the_most_accurate():
    fastest, truest = (optimise(PROFILE, Goal(alpha=alpha), LINK) for alpha in (0.0, np.inf))
    for alpha in (10.0, 100.0, 1000.0):
        between = optimise(PROFILE, Goal(alpha=alpha), LINK)
        assert np.all(fastest.frame_rate >= between.frame_rate)
        assert np.all(truest.accuracy >= between.accuracy - 1e-12)
    assert fastest.frame_rate.max() > truest.frame_rate.max()


def test_a_tighter_battery_never_costs_energy():
    energy = study.energy_by_budget(PROFILE, LINK)
    assert study.increases(energy) == 0 and energy[0].sum() > energy[-1].sum()


def test_no_plan_is_said_and_not_hidden():
    poor = Goal(power=0.4)
    plans = optimise(PROFILE, poor, [5e6])
    assert not plans.feasible[0] and plans.frame_rate[0] == 0 and plans.power[0] == 0
    with pytest.raises(NoFeasiblePlan, match="interval 0 .*5e\\+06 bit/s.* allow more power"):
        require_feasible(plans, [5e6])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Goal(alpha=-1), "alpha must be zero or positive, not -1"),
        (lambda: Goal(alpha=float("nan")), "alpha must be zero or positive, not nan"),
        (lambda: optimise(PROFILE, GOAL, [-1.0]), "bandwidth"),
        (lambda: optimise(PROFILE, GOAL, [np.nan]), "bandwidth"),
        (lambda: Profile((replace(PROFILE.detectors[0], latency=(0.03,)),)), "1 latencies for 3 resolutions"),
    ],
)
def test_bad_input_is_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_the_fixed_video_is_inside_the_model():
    """Its frames are dropped, so its bitrate falls; it never beats the exact decision by more than the grid's step."""
    runs = policies.run_policies(PROFILE, replace(GOAL, least_accuracy=0.0, least_frame_rate=0.0), LINK)
    fixed = runs[policies.FIXED]
    assert np.all(fixed.frame_rate * fixed.latency <= 1 + 1e-9) and fixed.feasible.sum() > 80
    assert np.all(fixed.bitrate <= LINK)
    assert np.all(runs[policies.OURS].objective >= fixed.objective - 1.0)


def test_limits_hold_for_every_policy_and_nobody_beats_the_exact_decision():
    for name, plans in policies.run_policies(PROFILE, GOAL, LINK).items():
        kept = plans.accuracy[plans.feasible]
        assert np.all(kept >= GOAL.least_accuracy), name
        assert np.all(plans.objective[~plans.feasible] == 0), name
        if name != policies.FIXED:
            assert np.all(optimise(PROFILE, GOAL, LINK).objective >= plans.objective - 1e-9), name


@pytest.mark.parametrize("seed", range(4))
def test_every_habit_about_the_place_is_beaten_where_the_link_nearly_dies(seed):
    runs = policies.run_policies(PROFILE, GOAL, connection.decisions(connection.moving_phone(seed)))
    for quantity in ("objective", "accuracy"):
        assert policies.least_lead(runs, quantity) > 0
        assert policies.least_lead(runs, quantity, policies.BOUND_TO_A_PLACE) > 0


def test_recordings_that_are_too_short_are_refused(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("trace,time_s,throughput_mbps\na,0,1\na,60,1\n")
    with pytest.raises(ValueError, match="holds no recording of two minutes among 1"):
        connection.recorded_phones(path)


def test_measured_networks_decide_and_are_counted_on_test_images():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from edgedl_lib.offloading.integral.deepdecision import measured

    pair = measured.train_classifiers(0)
    profile = measured.measured_profile(pair, 0)
    assert exhaustive.agreement(profile, GOAL, LINK[:20]) == 100
    plans = optimise(profile, GOAL, np.full(30, 8e6))
    now = measured.watch(pair, plans, replace(profile, delay_scale=1e9), 0).accuracy.mean()
    late = measured.watch(pair, plans, replace(profile, delay_scale=0.05), 0).accuracy.mean()
    assert now > 0.85 and late < 0.6
    again = measured.watch(pair, plans, replace(profile, delay_scale=1e9), 0).accuracy.mean()
    assert again == now
