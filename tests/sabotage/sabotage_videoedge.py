"""Wrong versions of VideoEdge: its greedy, its baselines, its band, its merging, its optimum."""

from dataclasses import replace

import numpy as np

from edgedl_lib.offloading.vertical.videoedge import city, merging, queries, study
from edgedl_lib.offloading.vertical.videoedge.baselines import fair_accuracies
from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.optimum import accuracy_bound
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.places import generated_city
from edgedl_lib.system.trace import synthetic_trace


def first_come(problem):
    """One query after the other takes the most accurate configuration that still fits."""
    chosen = problem.best_of(-problem.dominant)
    for query in range(problem.queries):
        used = problem.used(chosen) - problem.demand[chosen[query]]
        mine = np.flatnonzero(problem.query == query)
        fitting = mine[np.all(used + problem.demand[mine] <= problem.capacity, axis=1)]
        chosen[query] = fitting[np.argmax(problem.accuracy[fitting])]
    return chosen


@sabotage("videoedge.gap_to_optimum", "videoedge.city_gap")
def serves_in_turn():
    """The best configuration for whoever comes first: the last ones find nothing."""
    shown = study.random_problem(32, 0)
    gap = 100 * (1 - shown.mean_accuracy(first_come(shown)) / accuracy_bound(shown))
    town = city.camera_city(generated_city(0, 20, 60), 8, 0, queries_per_camera=6)
    problem = town.problem(np.full(8, 1e6))
    return {
        "videoedge.gap_to_optimum": gap,
        "videoedge.city_gap": 100 * (1 - problem.mean_accuracy(first_come(problem)) / accuracy_bound(problem)),
    }


@sabotage("videoedge.accuracy_vs_videostorm")
def no_frame_is_lost():
    """Links that carry whatever a plan asks of them."""
    hierarchy = queries.four_cameras()
    free = replace(hierarchy, camera_uplink=np.full(4, np.inf), cluster_uplink=np.array([np.inf]))
    drawn = queries.draw_queries(16, 4, 0)
    problem = queries.plan_problem(hierarchy, drawn)
    from edgedl_lib.offloading.vertical.videoedge.baselines import network_blind

    blind = network_blind(queries.plan_problem(free, drawn), free, drawn)
    return problem.mean_accuracy(greedy_plan(problem)) / blind.wrong_when_lost.mean()


@sabotage("videoedge.accuracy_vs_fair")
def shares_are_lent_on():
    """Fair shares that others may use when they are not: hardly different from planning together."""
    problem = study.random_problem(16, 0)
    return problem.mean_accuracy(greedy_plan(problem)) / problem.mean_accuracy(greedy_plan(problem, measure="used"))


@sabotage("videoedge.accuracy_vs_fair.scarce")
def everybody_is_served():
    """Without queries that go unserved the scenario ends before shares are short."""
    problem = study.random_problem(32, 0)
    return problem.mean_accuracy(greedy_plan(problem)) / fair_accuracies(problem).mean()


@sabotage("videoedge.band_accuracy")
def half_of_everybody():
    """Keeping the cheaper half of each query's configurations."""
    problem = study.random_problem(32, 0)
    cheap = problem.dominant < np.quantile(problem.dominant, 0.2)
    return 100 * (1 - problem.keep(cheap).mean_accuracy(greedy_plan(problem.keep(cheap))) / _planned(problem))


def _planned(problem):
    return problem.mean_accuracy(greedy_plan(problem))


@sabotage("videoedge.band_configurations", "videoedge.band_speed")
def band_of_any_width():
    """A band that holds everything saves nothing."""
    wide = study.band_study(8, (0,), factor=1e9)
    return {"videoedge.band_configurations": wide.outside.mean(), "videoedge.band_speed": 1.0}


@sabotage("videoedge.merging")
def merges_whatever_it_can():
    """Merging by force where there is room for both: the common plan costs, and the freed resource buys nothing."""
    hierarchy = queries.four_cameras()
    drawn = queries.draw_queries(8, 4, 0, kinds=1)
    forced = merging.merged_problem(hierarchy, drawn, tuple(merging.mergeable(drawn)))
    worst = forced.best_of(-forced.dominant)
    alone = merging.merged_problem(hierarchy, drawn, ())
    return 100 * (forced.mean_accuracy(worst) - _planned(alone))


@sabotage("videoedge.bip_exact")
def greedy_for_the_optimum():
    """The greedy passed off as an optimum."""
    return study.exact_share(0, plan=greedy_plan, instances=20)


@sabotage("videoedge.replanning")
def plans_for_the_opposite_moment():
    """Planning with the rates in reverse order: worse than not planning anew at all."""
    town = city.camera_city(generated_city(0, 12, 60), 4, 0)
    rates = city.uplink_rates([synthetic_trace(k, low=0.3e6, high=6e6, duration=100) for k in range(4)], 4, 6)
    plans = [city._plan(town, row) for row in rates[::-1]]
    anew = np.mean([city._delivered(town, row, plan) for row, plan in zip(rates, plans, strict=True)])
    once = city._plan(town, rates.min(axis=0))
    return anew / np.mean([city._delivered(town, row, once) for row in rates])
