"""Wrong planners of video queries, and wrong ways to compare them."""

import numpy as np

from edgedl_lib.offloading.vertical.videoedge import city, study
from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan, starting_plan
from edgedl_lib.offloading.vertical.videoedge.merging import mergeable, merged_problem
from edgedl_lib.offloading.vertical.videoedge.optimum import _one_each
from edgedl_lib.offloading.vertical.videoedge.pareto import pareto_band
from edgedl_lib.offloading.vertical.videoedge.queries import draw_queries, four_cameras
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.places import generated_city
from edgedl_lib.system.trace import synthetic_trace

SIZES, SEEDS = (8, 32), (0,)


@sabotage("videoedge.accuracy_vs_videostorm")
def no_frame_is_ever_lost():
    """A planner that is blind to the network and gets away with it."""
    sizes = study.size_study(SIZES, SEEDS)
    return float(np.mean(sizes.greedy / sizes.bound))


@sabotage("videoedge.gap_to_optimum", "videoedge.city_gap")
def everybody_stays_at_the_cheapest():
    """The start of the greedy, taken for its end."""
    return {
        "videoedge.gap_to_optimum": study.size_study(SIZES, SEEDS, plan=starting_plan).gap().max(),
        "videoedge.city_gap": city.plan_city(generated_city(0, 20, 60), 0, cameras=6, plan=starting_plan).gap,
    }


@sabotage("videoedge.accuracy_vs_fair")
def shares_are_lent_on():
    """Fair shares that use what others leave are the greedy itself."""
    sizes = study.size_study(SIZES, SEEDS)
    return float(np.mean(sizes.used / sizes.greedy))


@sabotage("videoedge.accuracy_vs_fair.scarce")
def capacity_is_never_scarce():
    """Shares that always admit a plan."""
    return study.scarcity_study(16, scales=(1.0, 0.7)).largest_ratio


@sabotage("videoedge.band_accuracy", "videoedge.band_configurations")
def the_band_is_the_front_or_everything():
    """The front alone forgets that the second best asks another resource; a band without end drops nothing."""
    given = study.random_problem(16, 0)
    full, front = (each.mean_accuracy(greedy_plan(each)) for each in (given, given.keep(pareto_band(given, 1.0))))
    return {
        "videoedge.band_accuracy": 100 * (1 - front / full),
        "videoedge.band_configurations": 100 * float(np.mean(~pareto_band(given, 1e9))),
    }


@sabotage("videoedge.band_speed")
def planning_first_and_dropping_afterwards():
    """The same work for both: a ratio of one."""
    return 1.0


@sabotage("videoedge.merging")
def everything_that_can_be_merged_is():
    """The pairs are forced, also where capacity is plenty and the common plan only costs accuracy."""
    hierarchy = four_cameras(50.0)
    queries = draw_queries(8, 4, 0, kinds=1)
    pairs = tuple(mergeable(queries))
    forced, alone = merged_problem(hierarchy, queries, pairs), merged_problem(hierarchy, queries, ())
    prefix = forced.keep(forced.accuracy < np.maximum.reduceat(forced.accuracy, forced.first)[forced.query] - 0.02)
    return 100 * (prefix.mean_accuracy(greedy_plan(prefix)) - alone.mean_accuracy(greedy_plan(alone)))


@sabotage("videoedge.bip_exact")
def the_relaxation_is_rounded():
    """The largest share of each query in the linear relaxation, whether it fits or not."""
    from scipy.optimize import linprog

    def rounded(problem):
        mixed = linprog(
            -problem.accuracy, problem.demand.T, problem.capacity, _one_each(problem), np.ones(problem.queries),
            bounds=(0, 1),
        )  # fmt: skip
        return problem.best_of(mixed.x) if mixed.x is not None else problem.first

    return study.exact_share(0, rounded, instances=15)


@sabotage("videoedge.replanning")
def the_plan_is_never_changed():
    """One plan for the mean, on both sides of the comparison but a moment late on one."""
    run = city.follow_uplinks(synthetic_trace(0), 0, moments=6, count=4)
    return float(run.once.mean() / run.anew.mean())
