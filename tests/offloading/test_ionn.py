"""IONN: golden plans of the authors' profile, Dijkstra as oracle, degenerate links and servers, contention."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.nets.zoo import alexnet, lenet5, resnet18
from edgedl_lib.offloading.partial.ionn import contention, execution_graph, live, other_networks, planner, study
from edgedl_lib.offloading.partial.ionn import profile as profiles
from edgedl_lib.offloading.partial.ionn.execution_graph import placement_cost, shortest_paths, time_weights
from edgedl_lib.offloading.partial.ionn.timeline import incremental_upload, upload_at_once

ALEXNET = profiles.alexnet_profile()
SEEDS = st.integers(0, 10_000)


def chain(client, server, output, model, **options):
    n = len(client)
    options = {"load_time": np.zeros(n), "input_bytes": 1e6, **options}
    return profiles.UnitProfile(
        tuple(f"u{i}" for i in range(n)),
        client,
        server,
        options.pop("load_time"),
        output,
        model,
        **options,
    )


def test_profile_agrees_with_the_network_of_the_zoo():
    graph = alexnet()
    assert ALEXNET.names[1:] == graph.layer_names
    assert np.array_equal(ALEXNET.output_bytes[1:], graph.output_bytes_per_layer())
    assert np.array_equal(ALEXNET.parameter_bytes[1:], graph.parameter_bytes_per_layer())
    assert ALEXNET.model_bytes == 4 * 60_965_224


def test_profile_sums_are_the_reported_ones():
    assert 1e3 * ALEXNET.local_time == pytest.approx(821.7, abs=0.05)
    assert 1e3 * ALEXNET.server_time.sum() == pytest.approx(1.640, abs=5e-4)


def test_load_times_follow_the_three_lines():
    graph = alexnet()
    assert profiles.load_time(graph["conv2"]) == pytest.approx(0.003e-3 * 256 + 0.7e-3)
    assert profiles.load_time(graph["fc6"]) == pytest.approx(3e-10 * 4096 * 36_864 + 1.3e-3)
    assert profiles.load_time(graph["relu1"]) == 5e-8


@pytest.mark.parametrize("megabits", study.GOLDEN_RATES)
def test_golden_plans_and_times(megabits):
    steps, at_once = study.golden_timelines()[megabits]
    golden = study.GOLDEN[megabits]
    assert tuple(planner.unit_range(ALEXNET, each) for each in steps.plans) == golden.plans
    assert 1e3 * steps.arrival == pytest.approx(golden.arrival_ms, rel=5e-3)
    assert 1e3 * steps.latency[1:] == pytest.approx(golden.query_ms, rel=5e-3)
    assert 1e3 * at_once.total == pytest.approx(golden.at_once_ms, rel=5e-3)
    assert steps.total <= 1.01 * at_once.total


@pytest.mark.parametrize("megabits", study.GOLDEN_QUERIES)
def test_golden_numbers_of_queries(megabits):
    uploads = study.golden_timelines()[megabits]
    assert study.query_counts(uploads) == study.GOLDEN_QUERIES[megabits]


@pytest.mark.parametrize(("megabits", "skipped"), [(5, True), (20, True), (22.7, True), (22.8, False), (40, False)])
def test_on_a_slow_link_conv1_is_never_uploaded(megabits, skipped):
    # Sending the picture instead of pool1's output costs 338 kB; processing it on the client 113.5 ms.
    steps = incremental_upload(ALEXNET, study.bits_per_second(megabits))
    assert ({"conv1", "relu1", "norm1", "pool1"} <= set(study.never_uploaded(ALEXNET, steps))) == skipped


def test_slow_link_golden_times():
    local, whole, plan = study.slow_link(5)
    assert [1e3 * each for each in (local, whole, plan)] == pytest.approx([822, 951, 548], rel=2e-3)


def test_number_of_plans_by_base():
    assert study.plan_counts([0.0, 1e-6]) == [2, 2]
    assert set(study.plan_counts(np.linspace(0.1, 0.95, 18))) == {3}


@pytest.mark.parametrize("base", [-0.1, 1.0, 0.99999])
def test_bases_that_never_end_are_refused(base):
    with pytest.raises(ValueError, match="base"):
        planner.discounts(base)


def test_example_discounts_end_at_one_and_rise():
    ladder = planner.discounts(0.8)
    assert ladder[0] == 0
    assert ladder[-1] == 1
    assert (np.diff(ladder) > 0).all()
    assert ladder[-2] <= planner.FREE


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_sweep_equals_dijkstra(seed):
    weights = study.random_weights(np.random.default_rng(seed))
    swept, slow = shortest_paths(weights), execution_graph.dijkstra(weights)
    assert swept.cost == pytest.approx(slow.cost)
    assert placement_cost(weights, swept.on_server) == pytest.approx(slow.cost)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_placement_is_shorter(seed):
    rng = np.random.default_rng(seed)
    profile = study.random_profile(rng, 7)
    weights = time_weights(profile, 10 ** rng.uniform(5, 8), rng.random())
    codes = np.arange(2 ** len(profile))
    every = (codes[:, None] >> np.arange(len(profile))) & 1 == 1
    least = min(float(placement_cost(weights, each)) for each in every)
    assert float(shortest_paths(weights).cost) == pytest.approx(least)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_queries_never_slow_down_along_the_upload(seed):
    rng = np.random.default_rng(seed)
    profile, rate = study.random_profile(rng, 9), 10 ** rng.uniform(5, 8)
    assert (np.diff(incremental_upload(profile, rate).latency) <= 1e-12).all()


def test_all_discounts_at_once_equal_one_at_a_time():
    ladder = planner.discounts(0.8)
    rate = study.bits_per_second(40)
    together = shortest_paths(time_weights(ALEXNET, np.full(ladder.shape, rate), ladder))
    single = [shortest_paths(time_weights(ALEXNET, rate, k)) for k in ladder]
    assert np.array_equal(together.on_server, [each.on_server for each in single])
    assert np.allclose(together.cost, [each.cost for each in single])


def test_graph_has_the_stated_nodes_and_edges():
    graph = execution_graph.execution_graph(time_weights(ALEXNET, 1e7, 0.3))
    n = len(ALEXNET)
    assert graph.number_of_nodes() == 3 * n + 2
    assert graph.number_of_edges() == 1 + 4 * n + (n - 1)
    assert graph[4 + 1][4 + 2]["weight"] == pytest.approx(
        ALEXNET.server_time[1] + 0.7 * (8 * ALEXNET.parameter_bytes[1] / 1e7 + ALEXNET.load_time[1])
    )
    assert graph[3][5]["weight"] == 0
    assert networkx.is_directed_acyclic_graph(graph)


def test_dead_link_uploads_nothing():
    assert planner.plan(ALEXNET, 0.0) == ()
    timeline = incremental_upload(ALEXNET, 0.0)
    assert timeline.total == 0
    assert timeline.latency == pytest.approx([ALEXNET.local_time])


def test_free_link_is_one_plan_with_everything():
    (only,) = planner.plan(ALEXNET, np.inf)
    assert np.array_equal(only.on_server, planner.everything(ALEXNET))


def test_slower_server_gets_nothing():
    slow = chain([1.0, 2.0], [1.5, 2.5], [10, 10], [100, 100])
    assert planner.plan(slow, 1e9) == ()


def test_path_may_leave_the_server_and_come_back():
    # The middle unit is so large, and the client so fast at it, that the data come home for it.
    profile = chain([5, 0.01, 5], [0.1, 1.0, 0.1], [10, 10, 10], [1e3, 1e9, 1e3], input_bytes=10)
    assert planner.plan(profile, 8e6)[-1].on_server.tolist() == [True, False, True]


def test_uploaded_units_are_never_sent_again():
    for step_rate in (10, 40, 160):
        steps = planner.plan(ALEXNET, study.bits_per_second(step_rate))
        assert (np.sum([step.new for step in steps], axis=0) <= 1).all()
        assert np.array_equal(np.any([s.new for s in steps], axis=0), np.any([s.on_server for s in steps], axis=0))


def test_data_layer_stays_with_the_client():
    assert not planner.plan(ALEXNET, 1e12)[-1].on_server[0]


def test_energy_prefers_the_server_when_idling_is_cheap():
    local, plans = study.energy_of_plans(80)
    assert local == pytest.approx(7.239 * ALEXNET.local_time)
    assert (np.diff(plans) < 0).all()
    costly_idle = planner.energy_rule(execution_graph.ClientPower(idle=1e4))
    assert not planner.plan(ALEXNET, study.bits_per_second(10), weights=costly_idle)


def test_branches_collapse_between_dominators():
    graph = resnet18()
    profile = profiles.unit_profile(graph, graph.flop_per_layer(), graph.flop_per_layer())
    assert len(profile) < len(graph)
    assert profile.client_time.sum() == pytest.approx(graph.flop)
    assert profile.model_bytes == graph.parameter_bytes


def test_latency_at_steps_down_when_a_partition_has_arrived():
    timeline = incremental_upload(ALEXNET, study.bits_per_second(80))
    moments = np.array([0.0, 0.2, 1.0, 30.0])
    assert timeline.latency_at(moments) == pytest.approx(timeline.latency)


def test_rates_and_discounts_outside_their_range_are_refused():
    with pytest.raises(ValueError, match="-1"):
        time_weights(ALEXNET, -1.0)
    with pytest.raises(ValueError, match="discount"):
        time_weights(ALEXNET, 1e6, 1.5)
    with pytest.raises(ValueError, match="pinned"):
        chain([1.0], [1.0], [1], [1], pinned=2)
    with pytest.raises(ValueError, match="client_time"):
        chain([-1.0], [1.0], [1], [1])
    with pytest.raises(ValueError, match="positive and finite"):
        contention.simulate_upload(ALEXNET, 0.0, upload_at_once(ALEXNET, 1e6))


def test_query_steps_add_up_to_the_query_time():
    rate = study.bits_per_second(10)
    for step in planner.plan(ALEXNET, rate):
        steps = contention.query_steps(ALEXNET, step.on_server)
        seconds = sum(8 * amount / rate if place == "link" else amount for place, amount in steps)
        assert seconds == pytest.approx(planner.query_time(ALEXNET, rate, step.on_server))


def test_without_queries_on_the_link_contention_changes_nothing():
    rate = study.bits_per_second(80)
    upload = upload_at_once(ALEXNET, rate)
    run = contention.simulate_upload(ALEXNET, rate, upload)
    assert run.total == pytest.approx(upload.total)
    assert run.started_until(upload.total) == len(upload.query_starts())
    assert run.latency[:-1] == pytest.approx(np.full(len(run.latency) - 1, ALEXNET.local_time))


def test_contention_loses_no_bit():
    rate = study.bits_per_second(80)
    upload = incremental_upload(ALEXNET, rate)
    run = contention.simulate_upload(ALEXNET, rate, upload)
    finished = run.start[:-1] + run.latency[:-1] <= run.total
    plans = np.searchsorted(run.arrival, run.start[:-1][finished], side="right")
    per_plan = [
        sum(amount for place, amount in contention.query_steps(ALEXNET, plan) if place == "link")
        for plan in (np.zeros(len(ALEXNET), bool), *upload.plans)
    ]
    carried = sum(per_plan[index] for index in plans) + upload.sent_bytes.sum()
    assert carried <= rate * run.total / 8 * (1 + 1e-9)
    assert run.total > upload.total


def test_live_profile_scales_the_server():
    profile = live.measured_profile(lenet5(), budget=0.05, server_factor=10)
    assert profile.server_time * 10 == pytest.approx(profile.client_time)
    rate = live.rate_for(profile, queries=5)
    assert 8 * profile.model_bytes / rate == pytest.approx(5 * profile.local_time)


def test_other_networks_keep_the_reported_sums():
    profile = other_networks.scaled_profile("googlenet")
    assert profile.local_time == pytest.approx(1.33996)
    assert profile.server_time.sum() == pytest.approx(6.058e-3)
    with pytest.raises(ValueError, match="not reported"):
        other_networks.scaled_profile("mobilenet")


def test_dense_layers_make_alexnets_stairs_short():
    uploads = other_networks.uploads(study.bits_per_second(80))
    halved = {
        name: steps.arrival[np.argmax(steps.latency[1:] < 0.5 * steps.latency[0])] / at_once.total
        for name, (steps, at_once) in uploads.items()
    }
    assert halved["AlexNet"] < 0.05 < min(halved["GoogLeNet"], halved["ResNet-50"])


def test_lines_reproduce_a_network_that_follows_lines():
    graph = alexnet()
    seconds = np.array([1e-3 + 2e-10 * other_networks.work_of(layer) for layer in graph])
    assert other_networks.fit_kind_lines(graph, seconds).predict(graph) == pytest.approx(seconds)
