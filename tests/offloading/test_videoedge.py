"""VideoEdge: optima by enumeration, the greedy against plain loops, bands, merging, degenerate capacities."""

import numpy as np
import pytest

from edgedl_lib.offloading.vertical.videoedge.baselines import fair_accuracies, network_blind
from edgedl_lib.offloading.vertical.videoedge.city import follow_uplinks, plan_city
from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan, greedy_plan_plainly
from edgedl_lib.offloading.vertical.videoedge.merging import merge_queries, mergeable, merged_problem
from edgedl_lib.offloading.vertical.videoedge.optimum import accuracy_bound, exhaustive_plan, optimal_plan
from edgedl_lib.offloading.vertical.videoedge.pareto import pareto_band
from edgedl_lib.offloading.vertical.videoedge.problem import InfeasiblePlan, PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import GRID, draw_queries, four_cameras, plan_problem
from edgedl_lib.offloading.vertical.videoedge.study import exact_share, random_problem, small_problem
from edgedl_lib.system.places import generated_city
from edgedl_lib.system.trace import Trace


def problem(accuracy, demand, capacity, query=None) -> PlanProblem:
    """A small problem; by default one query for every two configurations."""
    demand = np.array(demand, dtype=float)
    query = np.arange(len(accuracy)) // 2 if query is None else np.array(query)
    names = tuple(f"resource {index}" for index in range(demand.shape[1]))
    return PlanProblem(query, np.array(accuracy, dtype=float), demand, np.array(capacity, dtype=float), names)


@pytest.mark.parametrize("seed", range(5))
def test_the_binary_programme_is_an_optimum(seed):
    assert exact_share(seed, instances=15) == 100


@pytest.mark.parametrize("seed", range(20))
def test_bound_optimum_and_greedy_are_ordered(seed):
    small = small_problem(np.random.default_rng(seed))
    try:
        best = small.mean_accuracy(exhaustive_plan(small))
    except InfeasiblePlan:
        return
    chosen = greedy_plan(small)
    assert small.fits(chosen)
    assert small.mean_accuracy(chosen) <= best + 1e-9 <= accuracy_bound(small) + 2e-9


@pytest.mark.parametrize("seed", range(10))
def test_the_vectorised_greedy_is_the_plain_one(seed):
    small = small_problem(np.random.default_rng(seed), queries=4)
    try:
        expected = greedy_plan_plainly(small)
    except InfeasiblePlan:
        with pytest.raises(InfeasiblePlan):
            greedy_plan(small)
        return
    assert np.array_equal(greedy_plan(small), expected)


def test_with_one_resource_the_greedy_goes_by_accuracy_for_demand():
    choice = problem([0.1, 0.5, 0.1, 0.9], [[1], [2], [1], [5]], [6])
    assert greedy_plan(choice).tolist() == [1, 2]  # 0.4 for 1, then 0.8 for 4 no longer fits
    assert optimal_plan(choice).tolist() == [0, 3]


def test_unlimited_capacity_gives_everybody_the_best_plan():
    plenty = random_problem(8, 0)
    plenty = plenty.with_capacity(np.full_like(plenty.capacity, 1e12))
    best = np.maximum.reduceat(plenty.accuracy, plenty.first)
    assert plenty.mean_accuracy(greedy_plan(plenty)) == pytest.approx(best.mean())
    assert accuracy_bound(plenty) == pytest.approx(best.mean())


@pytest.mark.parametrize("solve", [greedy_plan, optimal_plan, accuracy_bound, exhaustive_plan])
def test_too_little_capacity_is_an_error_that_names_the_remedy(solve):
    with pytest.raises(InfeasiblePlan, match="fits"):
        solve(problem([0.5, 0.9], [[2, 0], [3, 0]], [1, 1], query=[0, 0]))


def test_the_greedys_complaint_names_the_resource():
    with pytest.raises(InfeasiblePlan, match="ask 2 of resource 0, which has 1; add capacity"):
        greedy_plan(problem([0.5, 0.9], [[2, 0], [3, 0]], [1, 1], query=[0, 0]))


def test_queries_may_go_unserved_if_asked():
    scarce = problem([0.5, 0.9], [[2], [3]], [1], query=[0, 0]).with_nobody()
    assert scarce.mean_accuracy(greedy_plan(scarce)) == 0


def test_too_many_queries_for_the_programme_are_refused():
    with pytest.raises(ValueError, match="too many for the binary program: use accuracy_bound"):
        optimal_plan(random_problem(17, 0))


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="measure 'sum' is unknown"):
        greedy_plan(random_problem(2, 0), measure="sum")


@pytest.mark.parametrize("bad", [{"query": [1, 0]}, {"capacity": [-1]}, {"demand": [[np.nan], [1]]}, {"accuracy": [1]}])
def test_problems_that_make_no_sense_are_refused(bad):
    given = {"accuracy": [0.5, 0.9], "demand": [[1], [2]], "capacity": [3], "query": [0, 0]} | bad
    with pytest.raises(ValueError, match="demands|queries|query|configurations"):
        problem(**given)


def test_a_band_of_one_is_the_front_and_a_wide_one_keeps_all():
    given = random_problem(3, 0)
    front = pareto_band(given, 1.0)
    for query in range(given.queries):
        mine = np.flatnonzero((given.query == query) & front)
        demand, accuracy = given.dominant[mine], given.accuracy[mine]
        cheaper = demand[:, None] < demand[None]
        assert np.all(accuracy[:, None] < accuracy[None], where=cheaper)
    assert pareto_band(given, 1e9).all()
    with pytest.raises(ValueError, match="would not hold the front"):
        pareto_band(given, 0.5)


def test_accuracy_does_not_depend_on_the_placement():
    given = random_problem(1, 0)
    table = given.accuracy.reshape(-1, 6)
    assert np.all(table == table[:, :1]) and GRID.count == 360


@pytest.mark.parametrize("seed", range(4))
def test_merging_never_lowers_the_mean(seed):
    hierarchy = four_cameras(0.5)
    queries = draw_queries(8, hierarchy.cameras, seed, kinds=1)
    merged = merge_queries(hierarchy, queries)
    assert merged.accuracy >= merged.alone
    assert set(merged.pairs) <= set(mergeable(queries))


def test_merged_queries_run_their_detector_once():
    hierarchy = four_cameras()
    queries = draw_queries(8, hierarchy.cameras, 0, kinds=1)
    pair = mergeable(queries)[0]
    merged, apart = merged_problem(hierarchy, queries, (pair,)), plan_problem(hierarchy, queries)
    assert merged.members == 8 and merged.queries == 7
    cheapest = [apart.demand[apart.query == query].sum(axis=1).min() for query in pair]
    assert merged.demand[merged.query == 0].sum(axis=1).min() < sum(cheapest)
    with pytest.raises(ValueError, match="disjoint"):
        merged_problem(hierarchy, queries, (pair, pair))


def test_fair_shares_never_exceed_a_capacity_together():
    given = random_problem(12, 1)
    fair = fair_accuracies(given)
    assert np.all(fair <= np.maximum.reduceat(given.accuracy, given.first))
    assert np.all(fair > 0)


def test_a_blind_planner_on_links_that_never_fill_loses_nothing():
    hierarchy = four_cameras()
    queries = draw_queries(4, 4, 0)
    free = type(hierarchy)(
        hierarchy.cluster, hierarchy.camera_cores, np.full(4, 1e12), hierarchy.cluster_cores, np.full(1, 1e12)
    )
    run = network_blind(plan_problem(free, queries), free, queries)
    assert np.all(run.arriving == 1) and np.array_equal(run.planned, run.wrong_when_lost)


def test_a_city_is_planned_within_its_bound():
    city = plan_city(generated_city(0, servers=20, users=60), 0, cameras=6)
    assert 0 <= city.gap < 100 and city.accuracy.shape == (6,)
    assert city.hierarchy.clusters == len(set(city.places.server_of_user[city.users]))


def test_over_a_constant_uplink_planning_anew_gains_nothing():
    trace = Trace("constant", np.arange(10.0), np.full(10, 3e6))
    run = follow_uplinks(trace, 0, moments=4, count=4)
    assert run.gain == pytest.approx(1.0)
