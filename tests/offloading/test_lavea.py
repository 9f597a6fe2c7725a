"""LAVEA: selection, Johnson's order, placement; known answers, twins, degenerate cases, bad input."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from edgedl_lib.offloading.horizontal.lavea import city, flow_shop, frames, placement, schemes, selection, study
from edgedl_lib.offloading.horizontal.lavea.cluster import (
    EdgeCluster,
    JobStream,
    draw_stream,
    front_and_neighbours,
    periodic_stream,
)
from edgedl_lib.offloading.horizontal.lavea.placement_events import SimulatedCluster
from edgedl_lib.system.places import generated_city
from edgedl_lib.system.trace import Trace


def test_johnson_is_optimal_by_plain_enumeration():
    generator = np.random.default_rng(3)
    for _ in range(40):
        jobs = flow_shop.Jobs(*generator.integers(1, 6, (2, 5)).astype(float))
        best = np.inf
        for order in permutations(range(5)):
            uploaded = done = 0.0
            for job in order:
                uploaded += jobs.upload[job]
                done = max(uploaded, done) + jobs.processing[job]
            best = min(best, done)
        assert flow_shop.best_makespan(jobs) == pytest.approx(best)
        assert flow_shop.makespan(jobs, flow_shop.johnson_order(jobs)) == pytest.approx(best)


def test_equal_stage_times_make_every_order_equal_and_johnson_keeps_the_order_of_arrival():
    jobs = flow_shop.Jobs([2.0] * 5, [2.0] * 5)
    assert flow_shop.johnson_order(jobs).tolist() == [0, 1, 2, 3, 4]
    assert np.ptp(flow_shop.makespan(jobs, flow_shop.all_orders(5))) == 0
    tied = flow_shop.Jobs([1.0, 3.0, 3.0], [1.0, 3.0, 3.0])
    assert flow_shop.makespan(tied, flow_shop.johnson_order(tied)) == flow_shop.best_makespan(tied)


def test_one_job_and_no_job():
    one = flow_shop.Jobs([0.5], [0.25])
    assert flow_shop.makespan(one, flow_shop.johnson_order(one)) == 0.75
    assert flow_shop.johnson_order(flow_shop.Jobs([], [])).size == 0


@pytest.mark.parametrize(
    ("times", "message"), [(([1, 2], [1]), "one each"), (([-1], [1]), "zero or more"), (([np.nan], [1]), "finite")]
)
def test_bad_jobs_are_named(times, message):
    with pytest.raises(ValueError, match=message):
        flow_shop.Jobs(*times)


def test_too_many_jobs_to_try():
    with pytest.raises(ValueError, match="at most 8"):
        flow_shop.best_makespan(flow_shop.Jobs(np.ones(9), np.ones(9)))


def test_a_stream_that_arrives_at_once_is_a_batch():
    jobs = study.random_jobs(np.random.default_rng(5))
    zero = np.zeros(study.JOBS)
    latencies = flow_shop.stream_latencies(zero, jobs, flow_shop.by_johnson)
    assert latencies.max() == pytest.approx(flow_shop.makespan(jobs, flow_shop.johnson_order(jobs)))
    in_order = flow_shop.stream_latencies(zero, jobs, flow_shop.by_arrival)
    assert in_order == pytest.approx(flow_shop.completion_times(jobs, np.arange(study.JOBS)))


def test_a_stream_never_serves_before_arrival_or_two_at_once():
    generator = np.random.default_rng(1)
    jobs = flow_shop.Jobs(*generator.uniform(0, 1, (2, 200)))
    arrivals = np.cumsum(generator.exponential(0.7, 200))
    for rule in flow_shop.RULES.values():
        finish = arrivals + flow_shop.stream_latencies(arrivals, jobs, rule)
        assert np.all(finish >= arrivals + jobs.upload + jobs.processing - 1e-9)
        order = np.argsort(finish)
        assert np.all(np.diff(finish[order]) >= jobs.processing[order][1:] - 1e-9)


def plain_response(problem, choice):
    """The objective in plain loops, with the uplink divided numerically and not by the closed form."""
    total = sum(problem.edge_seconds[v] if choice[v] else problem.local_seconds[v] for v in range(problem.tasks))
    bits = np.zeros(problem.client.max() + 1)
    for source, target, size in zip(problem.sources, problem.targets, problem.size_bytes, strict=True):
        if (False if source < 0 else choice[source]) != choice[target]:
            bits[problem.client[target]] += 8 * size
    sending = bits[bits > 0]
    if not sending.size:
        return total
    from scipy.optimize import minimize

    def seconds(logits):
        shares = np.exp(logits) / np.exp(logits).sum()
        return np.sum(sending / (problem.uplink * shares))

    return total + minimize(seconds, np.zeros(sending.size), tol=1e-12).fun


def test_total_response_against_plain_loops_and_numerical_shares():
    generator = np.random.default_rng(0)
    problem = study.random_selection(generator)
    for choice in generator.integers(2, size=(6, problem.tasks)).astype(bool):
        assert selection.total_response(problem, choice) == pytest.approx(plain_response(problem, choice), rel=1e-6)


def test_exhaustive_selection_equals_a_plain_search():
    generator = np.random.default_rng(2)
    problem = study.random_selection(generator)
    small = replace(
        problem,
        **{name: getattr(problem, name)[:6] for name in ("client", "local_seconds", "edge_seconds")},
        **{name: getattr(problem, name)[:6] for name in ("sources", "targets", "size_bytes")},
    )
    best = min(product((False, True), repeat=6), key=lambda c: float(selection.total_response(small, np.array(c))))
    assert selection.exhaustive_selection(small).tolist() == list(best)


def test_the_relaxation_bounds_every_binary_selection_from_below():
    generator = np.random.default_rng(4)
    for _ in range(10):
        problem = study.random_selection(generator)
        fractions = selection.relaxation(problem)
        assert np.all((fractions >= 0) & (fractions <= 1))
        bound, _ = selection._convex_response(fractions, problem)
        best = selection.total_response(problem, selection.exhaustive_selection(problem))
        assert bound <= best * (1 + 1e-3)  # the softened root lifts the bound a little


def test_gradient_of_the_relaxation():
    from scipy.optimize import check_grad

    problem = study.random_selection(np.random.default_rng(6))
    where = np.random.default_rng(0).uniform(0.2, 0.8, problem.tasks)
    value, slope = selection._convex_response(where, problem)
    error = check_grad(
        lambda x: selection._convex_response(x, problem)[0], lambda x: selection._convex_response(x, problem)[1], where
    )
    assert error < 1e-4 * np.linalg.norm(slope)


def test_a_dead_and_a_free_uplink():
    pixels, cameras = city.CAMERA_PIXELS, city.CAMERAS
    assert not selection.relaxed_selection(study.selection_problem(pixels, cameras, 1.0)).any()
    assert selection.relaxed_selection(study.selection_problem(pixels, cameras, 1e12)).all()
    with pytest.raises(ValueError, match="positive rate"):
        study.selection_problem(pixels, cameras, 0.0)


def test_shares_of_the_uplink_grow_with_the_root_of_the_bits_and_use_it_all():
    problem = study.selection_problem(frames.PIXELS[[0, 3]], city.CAMERAS[:2], 10e6)
    shares = selection.uplink_shares(problem, np.ones(problem.tasks))
    assert shares.sum() == pytest.approx(10e6)
    assert shares[1] / shares[0] == pytest.approx(2.5)  # 6.25 times the bytes
    assert selection.uplink_shares(problem, np.zeros(problem.tasks)).tolist() == [0, 0]


def test_too_many_binaries_for_the_exhaustive_search():
    problem = study.selection_problem(city.CAMERA_PIXELS, city.CAMERAS, 1e6)
    with pytest.raises(ValueError, match="18 binary decisions"):
        selection.exhaustive_selection(problem)


@pytest.mark.parametrize("name", schemes.SCHEMES)
@pytest.mark.parametrize("period", [0.7, 10.0])
def test_the_twin_and_the_simulator_place_every_job_alike(name, period):
    cluster = front_and_neighbours(3.5)
    stream = draw_stream(cluster, 80.0, seed=2)
    fast = placement.place(cluster, stream, schemes.SCHEMES[name], period)
    events = SimulatedCluster(cluster, stream, schemes.SCHEMES[name], period).run()
    assert np.array_equal(fast.node, events.node)
    assert fast.finish == pytest.approx(events.finish)


def test_the_twin_and_the_simulator_agree_in_a_city():
    cluster = city.city_cluster(generated_city(1, 12, 80))
    stream = draw_stream(cluster, 30.0, seed=1)
    fast = placement.place(cluster, stream, schemes.shortest_scheduling)
    events = SimulatedCluster(cluster, stream, schemes.shortest_scheduling).run()
    assert np.array_equal(fast.node, events.node)
    assert fast.finish == pytest.approx(events.finish)


def test_front_only_is_one_queue_by_lindley():
    from edgedl_lib.system.queueing import lindley_waits

    cluster = front_and_neighbours(1.5)
    stream = draw_stream(cluster, 400.0, seed=0)
    run = placement.place(cluster, stream, schemes.front_only)
    mine = stream.home == 0
    waits = lindley_waits(stream.arrival[mine], stream.seconds[mine])
    assert run.response[mine] == pytest.approx(waits + stream.seconds[mine])


@pytest.mark.parametrize("name", ["STTF", "SQLF", "SSLF"])
def test_an_unloaded_front_node_keeps_everything(name):
    cluster = front_and_neighbours(0.25)
    run = placement.place(cluster, periodic_stream(4.0, 100, 0), schemes.SCHEMES[name])
    assert run.kept_share == 1.0


def test_a_neighbour_that_is_free_and_near_gets_the_second_of_two_jobs():
    cluster = EdgeCluster(np.array([1.0, 0.0]), ((1,), ()), ((1e9,), ()), np.array([True, False]))
    two = JobStream(np.array([1.0, 1.1]), np.zeros(2, int), np.full(2, 0.5), np.full(2, 1e5), np.zeros(2))
    for name in ("STTF", "SQLF", "SSLF"):
        assert placement.place(cluster, two, schemes.SCHEMES[name]).node.tolist() == [0, 1]
    slow = replace(cluster, link_rates=((1e6,), ()))  # 0.8 s to the neighbour: waiting 0.4 s at home is better
    assert placement.place(slow, two, schemes.shortest_scheduling).node.tolist() == [0, 0]
    assert placement.place(slow, two, schemes.shortest_transmission).node.tolist() == [0, 1]


def test_every_scheme_serves_the_same_work():
    cluster = front_and_neighbours(2.5)
    stream = draw_stream(cluster, 100.0, seed=3)
    for scheme in schemes.SCHEMES.values():
        run = placement.place(cluster, stream, scheme)
        assert np.all(np.isfinite(run.finish))
        assert np.all(run.response >= stream.seconds - 1e-9)
        for node in range(cluster.nodes):
            ends = np.sort(run.finish[run.node == node])
            assert np.all(np.diff(ends) >= stream.seconds.min() - 1e-9)


def test_a_report_is_brought_up_to_date():
    report = schemes.Report(time=10.0, present=4, backlog=3.0, own_load=0.5)
    assert schemes._predicted_wait(12.0, report, sent=0.0) == 2.0
    assert schemes._predicted_wait(12.0, report, sent=1.5) == 3.5
    assert schemes._predicted_wait(30.0, report, sent=0.0) == 0.0
    assert schemes._predicted_wait(12.0, report._replace(own_load=2.0), sent=0.0) == 3.0


def test_bad_clusters_and_streams():
    with pytest.raises(ValueError, match="neighbours among 0..1"):
        EdgeCluster(np.ones(2), ((5,), ()), ((1e6,), ()), np.ones(2, bool))
    with pytest.raises(ValueError, match="positive rates"):
        front_and_neighbours(1.0, links=(0.0, 1e6, 1e6))
    with pytest.raises(ValueError, match="lasts a positive number"):
        draw_stream(front_and_neighbours(1.0), 0.0, 0)
    with pytest.raises(ValueError, match="period must be positive"):
        placement.place(front_and_neighbours(1.0), periodic_stream(1.0, 2, 0), schemes.front_only, 0.0)


def test_the_city_moves_work_without_losing_any():
    places = generated_city(2, 15, 100)
    runs = city.run_city(places, seed=0, duration=60.0)
    for run in runs.values():
        assert run.asked.sum() == pytest.approx(run.served.sum())
        assert np.all(np.diag(run.moved) == 0)
        nearest, _ = places.neighbours(3)
        reached = [set(np.flatnonzero(row)) <= set(nearest[site].tolist()) for site, row in enumerate(run.moved)]
        assert all(reached)
    assert runs["front only"].moved.sum() == 0
    assert runs["SSLF"].served.max() < runs["front only"].served.max()
    with pytest.raises(ValueError, match="cannot keep up"):
        city.city_cluster(places, mean_load=1.2)


def test_selection_follows_a_trace():
    trace = Trace("steps", [0.0, 20.0, 40.0], [1e4, 5e7, 5e7])
    run = city.follow_trace(trace, period=10.0)
    assert run.offloaded[0] < run.offloaded[-1]
    assert np.all(run.selected <= np.minimum(run.all_local, run.all_edge) + 1e-9)
    assert run.saving <= 1
