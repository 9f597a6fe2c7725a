"""Wrong versions of DeepDecision: what it leaves out of the objective, of the constraints, of the comparison."""

from dataclasses import replace

import numpy as np
import torch

from edgedl_lib.offloading.integral.deepdecision import connection, decision, exhaustive, measured, policies, study
from edgedl_lib.offloading.integral.deepdecision.decision import Goal, optimise
from edgedl_lib.offloading.integral.deepdecision.profile import phone_profile
from edgedl_lib.reproduce.sabotage import sabotage


def rate_first(profile, goal, bandwidth):
    """Frame rate alone decides; accuracy is what is left."""
    return optimise(profile, replace(goal, alpha=0.0), bandwidth)


@sabotage("deepdecision.fps", "deepdecision.fps_share")
def frame_rate_alone():
    """Without accuracy in the objective the planner takes all the frames that the server can answer."""
    rates = rate_first(phone_profile(), Goal(), study.STEADY).frame_rate
    return {"deepdecision.fps": rates.mean(), "deepdecision.fps_share": study.share_within(rates)}


@sabotage(
    "deepdecision.accuracy_vs_baselines", "deepdecision.accuracy_vs_places", "deepdecision.objective_vs_baselines"
)
def never_at_home():
    """A planner that tunes the video, but never leaves the server."""
    bandwidth = connection.decisions(connection.moving_phone(0))
    runs = policies.run_policies(phone_profile(), Goal(), bandwidth)
    runs[policies.OURS] = runs["remote only"]
    return {
        "deepdecision.accuracy_vs_baselines": 100 * policies.least_lead(runs, "accuracy"),
        "deepdecision.accuracy_vs_places": 100 * policies.least_lead(runs, "accuracy", policies.BOUND_TO_A_PLACE),
        "deepdecision.objective_vs_baselines": policies.least_lead(runs, "objective"),
    }


@sabotage("deepdecision.equals_exhaustive")
def largest_bitrate_that_fits():
    """More bits are better pictures, so the encoder takes all the link has; but then few frames come late."""
    profile, bandwidth = phone_profile(), connection.decisions(connection.moving_phone(0))
    best = exhaustive.best_scores(profile, Goal(), bandwidth)
    found = []
    for each in bandwidth:
        fitting = profile.bitrates[profile.bitrates <= 0.9 * each][-1:]
        narrow = replace(profile, bitrates=fitting if len(fitting) else profile.bitrates[:1])
        found.append(optimise(narrow, Goal(), np.array([each])).objective[0])
    return 100 * np.mean(np.isclose(found, best))


def hopeful(profile, goal, bandwidth):
    """The link that was there a moment ago: its rate now is not asked for."""
    return optimise(profile, goal, np.maximum(bandwidth, 5e6))


@sabotage("deepdecision.zero_bandwidth_bytes", "deepdecision.zero_bandwidth_local")
def link_not_asked():
    """Decided once for an ordinary link, and kept."""
    sent, local = study.unconnected(phone_profile(), hopeful)
    return {"deepdecision.zero_bandwidth_bytes": sent, "deepdecision.zero_bandwidth_local": local}


def spent_instead_of_left(profile, goal, bandwidth):
    """What is left of the budget taken for what was spent of it."""
    return optimise(profile, replace(goal, power=4.8 - goal.power), bandwidth)


@sabotage("deepdecision.battery_increases")
def budget_used_up():
    """A budget that is read the wrong way round: the less is left, the more is spent."""
    bandwidth = connection.decisions(connection.moving_phone(0))
    return study.increases(study.energy_by_budget(phone_profile(), bandwidth, spent_instead_of_left))


def weight_of_the_rate(profile, goal, bandwidth):
    """alpha on the frame rate instead of on accuracy."""
    weight = 1e4 / (goal.alpha + 1) if np.isfinite(goal.alpha) else 0.0
    return optimise(profile, replace(goal, alpha=weight), bandwidth)


@sabotage("deepdecision.alpha_reversals")
def alpha_on_the_other_term():
    """The formula has two terms, and the weight can land on either."""
    bandwidth = connection.decisions(connection.moving_phone(0))
    return study.reversals(study.against_alpha(phone_profile(), bandwidth, weight_of_the_rate))


@sabotage("deepdecision.delay_penalty")
def scored_as_planned():
    """The blind planner's own opinion of its plans: against the frame that was looked at nothing is lost."""
    bandwidth = connection.decisions(connection.moving_phone(0))
    honest = optimise(phone_profile(), Goal(), bandwidth)
    blind = optimise(replace(phone_profile(), delay_scale=np.inf), Goal(), bandwidth)
    return study.mean_loss(honest, blind)


@sabotage("deepdecision.factors")
def battery_never_checked():
    """Battery is a matter for tomorrow."""
    return study.factors_that_matter(lambda p, goal, b: decision.optimise(p, replace(goal, power=np.inf), b))


@sabotage("deepdecision.measured_large_over_small", "deepdecision.measured_accuracy")
def roles_exchanged():
    """The small network on the server, the large one on the phone; and a stream judged by what was looked at."""
    torch.set_num_threads(1)
    data = measured.digits(0)
    networks = [measured.build(make, 0) for make in (measured.small_network, measured.large_network)]
    for network in networks:
        measured.train(network, measured.Split(data.train.inputs, data.train.targets), epochs=2, seed=0)
    pair = measured.Classifiers(*networks, data)
    profile = measured.measured_profile(pair, 0)
    bandwidth = connection.decisions(connection.moving_phone(0))[:40]
    runs = policies.run_policies(profile, Goal(), bandwidth)
    runs[policies.OURS] = runs["remote only"]
    seen = {name: measured.watch(pair, plans, profile, 0) for name, plans in runs.items()}
    return {
        "deepdecision.measured_large_over_small": measured.large_over_small(pair, 0),
        "deepdecision.measured_accuracy": 100 * policies.least_lead(seen, "accuracy"),
    }
