"""Edgent: known answers, the brute force, degenerate links and deadlines, and the traps of its published form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.early_exit.edgent import baselines, dynamic, exhaustive, own_profile, study
from edgedl_lib.inference.early_exit.edgent import training as exit_training
from edgedl_lib.inference.early_exit.edgent.networks import branchy_alexnet, branchy_alexnet_exit, weight_bytes
from edgedl_lib.inference.early_exit.edgent.optimiser import (
    NONE,
    ExitCosts,
    choose,
    optimise,
    plans_changed,
    split_latency,
)
from edgedl_lib.inference.early_exit.edgent.regressions import (
    LinearLatency,
    UnknownLayerKind,
    edgent_variables,
    fit_regressions,
    published_regressions,
)
from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.nets import layers
from edgedl_lib.nets.graph import chain
from edgedl_lib.nets.zoo import lenet5
from edgedl_lib.system.trace import Trace, synthetic_trace

TOTAL = study.published_exits("total")
SEEDS = st.integers(0, 10_000)


def test_layer_counts_on_the_way_to_each_exit():
    assert [len(graph) for graph in branchy_alexnet()] == [12, 16, 19, 20, 22]


def test_model_size_is_the_published_one():
    assert weight_bytes(branchy_alexnet()[-1]) == 1_714_560  # 1.71 MB


def test_golden_sums_of_the_published_lines():
    sums = study.published_sums()
    milliseconds = [1e3 * value for value in (sums.device, sums.server, sums.device_load, sums.server_load)]
    assert milliseconds == pytest.approx([106.8, 5.15, 849.8, 4.5], abs=0.05)


def test_edge_only_curve_passes_both_published_points():
    bits, constant = 115.5e3, 7.5e-3
    for rate, seconds in study.REPORTED_EDGE_ONLY.items():
        assert bits / rate + constant == pytest.approx(seconds, rel=0.02)


def test_no_line_promises_less_than_nothing():
    small = layers.conv("small", (3, 32, 32), 32, kernel=3, padding=1)
    line = published_regressions("device").layers["conv"]
    assert line.constant + line.second * 288 < 0
    assert line(*edgent_variables(small)) == 0.0
    wide = layers.dense("wide", (10,), 4096)
    assert published_regressions("server").layers["dense"](*edgent_variables(wide)) == 0.0


def test_variables_ignore_the_size_of_the_map_but_not_the_stride():
    small = layers.conv("small", (8, 16, 16), 4, kernel=3, padding=1)
    large = layers.conv("large", (8, 64, 64), 4, kernel=3, padding=1)
    strided = layers.conv("strided", (8, 16, 16), 4, kernel=4, stride=2)
    assert edgent_variables(small) == edgent_variables(large) == (8.0, 36.0)
    assert edgent_variables(strided) == (8.0, 16.0)


def test_loading_is_no_part_of_a_query():
    assert split_latency(TOTAL[-1], 1e6)[0, 0] == pytest.approx(study.REPORTED_DEVICE_ONLY)


def test_unknown_side_kind_exit_and_view_are_refused():
    with pytest.raises(ValueError, match="cloud"):
        published_regressions("cloud")
    with pytest.raises(UnknownLayerKind, match="softmax"):
        published_regressions("device").layer_latency(chain("net", (4,), (layers.softmax("prob", (4,)),)))
    with pytest.raises(ValueError, match="exit 6"):
        branchy_alexnet_exit(6)
    with pytest.raises(ValueError, match="guess"):
        study.device_view("guess")
    with pytest.raises(ValueError, match="factor"):
        published_regressions("device").scaled(0.0, "none")


def test_fit_recovers_its_own_lines():
    truth = published_regressions("server")
    timed = own_profile.random_layer_configurations(0, 60, types=("conv", "dense", "pool", "activation"))
    latency = np.array([truth.layers[layer.kind](*edgent_variables(layer)) for layer in timed])
    kept = latency > 0  # a clamped line is no line
    fitted = fit_regressions(
        "fitted", [each for each, k in zip(timed, kept, strict=True) if k], latency[kept], truth.load
    )
    for kind in ("conv", "pool", "activation"):
        assert fitted.layers[kind].constant == pytest.approx(truth.layers[kind].constant, rel=1e-6)
        assert fitted.layers[kind].first == pytest.approx(truth.layers[kind].first, rel=1e-6)


@pytest.mark.parametrize("latency", [[1.0, np.nan, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0]])
def test_fit_refuses_bad_latencies(latency):
    dense = [layers.dense(f"fc{n}", (n + 1,), 2) for n in range(3)]
    with pytest.raises(ValueError, match="positive latencies"):
        fit_regressions("bad", dense, latency, LinearLatency(0, 0, 0))


def test_fit_needs_three_layers_of_a_kind():
    with pytest.raises(ValueError, match="at least three"):
        fit_regressions("few", [layers.dense("fc", (3,), 2)], [1.0], LinearLatency(0, 0, 0))


def test_equals_brute_force_on_500_instances():
    assert exhaustive.agreement(seed=7, instances=500) == 100


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_chosen_split_costs_what_the_equation_says(seed):
    rng = np.random.default_rng(seed)
    exits, rate = exhaustive.random_exits(rng), float(10 ** rng.uniform(3, 8))
    found = optimise(exits, rate, np.inf)
    chain_of_exit = exits[found.exit[0, 0]].chain
    assert exhaustive.pair_latency(chain_of_exit, int(found.split[0, 0]), rate) == pytest.approx(found.latency[0, 0])


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_device_first_is_neurosurgeons_problem(seed):
    rng = np.random.default_rng(seed)
    for costs in exhaustive.random_exits(rng):
        rates = 10 ** rng.uniform(3, 8, 5)
        ours = split_latency(costs, rates, "device-first")
        assert np.array_equal(ours, scan_cuts(costs.chain, rates).table)
        both_ends = split_latency(costs, rates)
        assert both_ends[:, 0] == pytest.approx(ours[:, -1])  # device only
        assert both_ends[:, -1] == pytest.approx(ours[:, 0])  # edge only


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_server_first_is_device_first_with_swapped_sides_and_the_input_on_top(seed):
    """Inner splits of the published direction: swap the computers and add the input to every intermediate."""
    rng = np.random.default_rng(seed)
    for costs in exhaustive.random_exits(rng):
        given_chain, rate = costs.chain, float(10 ** rng.uniform(3, 8))
        moved = given_chain.transfer_bytes[0] + given_chain.transfer_bytes
        moved[0] = moved[-1] = 0
        swapped = ChainCosts(given_chain.names, given_chain.server_latency, given_chain.device_latency, moved)
        assert split_latency(costs, rate)[0, :-1] == pytest.approx(scan_cuts(swapped, rate).table[0, :-1])


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_accuracy_never_falls_with_bandwidth_or_deadline(seed):
    rng = np.random.default_rng(seed)
    choices = optimise(exhaustive.random_exits(rng), np.geomspace(1e3, 1e8, 30), np.geomspace(1e-3, 2, 30))
    assert (np.diff(choices.accuracy, axis=0) >= 0).all()
    assert (np.diff(choices.accuracy, axis=1) >= 0).all()


@pytest.mark.parametrize("view", ["lines", "total"])
def test_exit_moves_only_later(view):
    exits = study.published_exits(view)
    choices = optimise(exits, np.geomspace(10e3, 100e6, 80), np.arange(1, 1200) / 1000)
    assert (np.diff(choices.exit, axis=0) >= 0).all()
    assert (np.diff(choices.exit, axis=1) >= 0).all()


def test_deadline_zero_is_null():
    choices = optimise(TOTAL, [50e3, np.inf], 0.0)
    assert (choices.exit == NONE).all()
    assert (choices.split == NONE).all()
    assert np.isinf(choices.latency).all()


def test_free_link_is_last_exit_on_the_edge():
    choices = optimise(TOTAL, np.inf, 1.0)
    assert choices.exit[0, 0] == 4
    assert choices.split[0, 0] == 22


def test_dead_link_is_device_only():
    choices = optimise(TOTAL, 0.0, 10.0)
    assert choices.exit[0, 0] == 4
    assert choices.split[0, 0] == 0
    assert choices.latency[0, 0] == pytest.approx(2.0)


def test_equal_accuracy_goes_to_the_faster_exit():
    slow = ExitCosts(ChainCosts(("conv",), [0.5], [0.4], [10, 0]), 0.9)
    fast = ExitCosts(ChainCosts(("conv",), [0.2], [0.1], [10, 0]), 0.9)
    assert optimise([slow, fast], 1e6, 1.0).exit[0, 0] == 1


def test_more_accurate_early_exit_wins():
    early = ExitCosts(ChainCosts(("conv",), [0.2], [0.1], [10, 0]), 0.95)
    late = ExitCosts(ChainCosts(("conv", "conv2"), [0.2, 0.2], [0.1, 0.1], [10, 10, 0]), 0.90)
    assert optimise([early, late], 1e6, 1.0).exit[0, 0] == 0


def test_loaded_server_makes_inner_cuts():
    """Convolutions are still faster on the server, its dense layers no longer: the cut moves inside."""
    graph = chain("two", (1000,), (layers.dense("a", (1000,), 10), layers.dense("b", (10,), 10)))
    costs = ExitCosts(chain_costs(graph, [1.0, 0.05], [0.02, 0.01]), 0.9)
    assert optimise([costs], 1e6, np.inf).split[0, 0] == 2
    assert optimise([costs], 1e6, np.inf, server_load=20).split[0, 0] == 1


def test_published_network_has_no_inner_cut():
    choices = optimise(TOTAL, study.RATES, study.DEADLINES)
    depth = np.array([each.layers for each in TOTAL])[choices.exit]
    assert not (choices.feasible & (choices.split > 0) & (choices.split < depth)).any()


def test_edgent_answers_every_cell_of_its_baselines():
    for view in ("lines", "total"):
        choices = study.feasibility(study.published_exits(view))
        assert not (study.union_of_baselines(choices) & ~choices["Edgent"].feasible).any()


def test_accuracy_is_at_least_that_of_right_sizing():
    exits = study.published_exits("total", [0.92, 0.94, 0.944, 0.933, 0.909])
    assert study.accuracy_gain(study.feasibility(exits)).min() >= 0


def test_testing_the_last_partition_misses_what_the_device_could_answer():
    """The bug of a public replication: only the last partition's time is compared with the deadline."""
    last = [table[:, -1:] for table in (split_latency(each, study.RATES) for each in TOTAL)]
    wrong = choose(last, [each.accuracy for each in TOTAL], study.RATES, study.DEADLINES)
    right = optimise(TOTAL, study.RATES, study.DEADLINES)
    assert (right.feasible & ~wrong.feasible).any()


@pytest.mark.parametrize("direction", ["server-first", "device-first"])
def test_baselines_mean_the_same_in_both_directions(direction):
    device = baselines.policy_choices("device only", TOTAL, 1e6, 10.0, direction=direction)
    edge = baselines.policy_choices("edge only", TOTAL, 1e6, 10.0, direction=direction)
    assert device.latency[0, 0] == pytest.approx(2.0)
    assert edge.latency[0, 0] == pytest.approx(8 * 12_288 / 1e6 + study.published_sums().server)


def test_baseline_definitions():
    partition = baselines.policy_choices("partition only", TOTAL, study.RATES, study.DEADLINES)
    assert set(np.unique(partition.exit)) <= {NONE, 4}
    sizing = baselines.policy_choices("right-sizing only", TOTAL, study.RATES, study.DEADLINES)
    assert set(np.unique(sizing.split)) <= {NONE, 0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimise([], 1e6, 1.0), "empty"),
        (lambda: optimise(TOTAL, -1.0, 1.0), "rate"),
        (lambda: optimise(TOTAL, np.nan, 1.0), "rate"),
        (lambda: optimise(TOTAL, 1e6, -0.1), "deadlines"),
        (lambda: optimise(TOTAL, 1e6, np.nan), "deadlines"),
        (lambda: split_latency(TOTAL[0], 1e6, "sideways"), "sideways"),
        (lambda: split_latency(TOTAL[0], 1e6, server_load=0), "server_load"),
        (lambda: ExitCosts(TOTAL[0].chain, 1.2), "accuracy"),
        (lambda: ExitCosts(TOTAL[0].chain, math.nan), "accuracy"),
        (lambda: baselines.policy_choices("luck", TOTAL, 1e6, 1.0), "luck"),
        (lambda: plans_changed(TOTAL, 1.0, 1e6, 0.0), "no cell"),
        (lambda: study.published_exits("total", [0.5]), "1 accuracies"),
    ],
)
def test_bad_requests_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_moved_later_counts_a_gap_as_a_step_back():
    assert study.moved_later([NONE, 0, NONE, 4]) == -1


def test_stream_on_a_steady_link_takes_the_predicted_time():
    rate = 400e3
    run = dynamic.run_policies(TOTAL, Trace("steady", [0.0, 100.0], [rate, rate]), deadline=1.0)["Edgent"]
    assert run.latency == pytest.approx(np.full(50, optimise(TOTAL, rate, 1.0).latency[0, 0]))
    assert run.met_share == 1.0
    assert run.switches == 0


def test_stream_gives_up_where_nothing_fits():
    run = dynamic.run_policies(TOTAL, Trace("poor", [0.0, 20.0], [1e3, 1e3]), deadline=0.5)["Edgent"]
    assert (run.exit == NONE).all()
    assert run.useful_share == run.mean_accuracy == 0.0


def test_rate_that_falls_during_the_transfer_breaks_the_promise():
    trace = Trace("drop", [0.0, 0.05, 1000.0], [1e6, 1e3, 1e3])
    run = dynamic.run_stream("Edgent", TOTAL, trace, np.array([0.0]), 1.0)
    assert run.exit[0] == 4
    assert not run.in_time[0]


def test_inner_splits_pay_both_ways_on_the_trace():
    costs = ExitCosts(ChainCosts(("a", "b"), [5.0, 0.1], [0.5, 9.0], [1000, 500, 0]), 0.9)
    trace = Trace("halving", [0.0, 1.0], [8e3, 4e3])  # up in 1 s, server half a second, then half the rate
    latency = dynamic.stream_latency([costs], np.array([0]), np.array([1]), trace, np.array([0.0]))
    assert latency[0] == pytest.approx(1.0 + 0.5 + 1.0 + 0.1)


def test_link_that_dies_for_good_never_answers():
    trace = Trace("dead", [0.0, 1.0], [8e3, 0.0])
    costs = ExitCosts(ChainCosts(("a", "b"), [5.0, 0.1], [0.5, 9.0], [5000, 500, 0]), 0.9)
    latency = dynamic.stream_latency([costs], np.array([0]), np.array([1]), trace, np.array([0.0]))
    assert np.isinf(latency[0])


def test_states_see_through_noise_but_not_through_a_step():
    rng = np.random.default_rng(0)
    rates = np.repeat([1e6, 1e5], 100) * np.exp(rng.normal(0, 0.2, 200))
    states = dynamic.detect_states(rates)
    assert abs(np.log(states[99] / 1e6)) < 0.1
    assert abs(np.log(states[-1] / 1e5)) < 0.1
    assert np.abs(np.diff(np.log(states[20:95]))).max() < 0.05


def test_states_do_not_look_ahead():
    rates = synthetic_trace(0, duration=100).rate
    assert np.array_equal(dynamic.detect_states(rates)[:50], dynamic.detect_states(rates[:50]))


def test_state_of_a_gap_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        dynamic.detect_states([1e6, 0.0])


def test_exit_graphs_of_a_trained_network_feed_the_optimiser():
    network = exit_training.five_exit_network()
    graphs = exit_training.exit_graphs(network, (1, 8, 8))
    assert len(graphs) == 5
    assert all(graph.is_chain for graph in graphs)
    assert [len(graph) for graph in graphs] == sorted(len(graph) for graph in graphs)
    server = published_regressions("server")
    exits = study.exit_costs(graphs, server.scaled(20, "slow"), server, [0.9] * 5)
    assert optimise(exits, 1e6, 1.0).feasible.all()


def test_epochs_must_increase():
    with pytest.raises(ValueError, match="increase"):
        exit_training.train_exits(None, 0, (3, 3))


def test_too_few_recordings_are_named(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("trace,time_s,throughput_mbps\n" + "".join(f"only,{t},1.0\n" for t in range(200)))
    assert len(study.recorded_traces(path, 1)) == 1
    with pytest.raises(ValueError, match="begins with 1"):
        study.recorded_traces(path, 2)


def test_unfit_layers_have_no_line():
    with pytest.raises(UnknownLayerKind, match="knows"):
        fit_regressions(
            "dense only", [layers.dense(f"fc{n}", (n + 1,), 2) for n in range(3)], [1, 2, 3], LinearLatency(0, 0, 0)
        ).layer_latency(lenet5())


def test_configuration_map_never_promises_more_than_the_rate():
    states = np.geomspace(50e3, 1.5e6, 30)
    rates = np.geomspace(50e3, 5e6, 200)
    mapped = dynamic.mapped_rates(rates, states)
    assert (mapped <= rates * (1 + 1e-12)).all()
    assert set(mapped) <= set(states)


def test_configuration_map_with_disorder_is_refused():
    with pytest.raises(ValueError, match="increase"):
        dynamic.mapped_rates([1e6], [2e6, 1e6])


def test_noise_free_probe_reports_the_trace():
    trace = synthetic_trace(0, duration=60)
    start = np.arange(0.0, 60.0)
    assert np.array_equal(dynamic.measured_rates(trace, start, seed=1, noise=0.0), trace.rate_at(start))


def test_probe_of_a_dead_link_reports_its_floor():
    trace = Trace("gap", [0.0, 1.0], [0.0, 1e6])
    assert dynamic.measured_rates(trace, np.array([0.5]), seed=0, noise=0.0)[0] == dynamic.LEAST_RATE


def test_switch_ratio_needs_a_switch():
    steady = dynamic.run_policies(TOTAL, Trace("steady", [0.0, 20.0], [4e5, 4e5]), deadline=1.0)["Edgent"]
    with pytest.raises(ValueError, match="never changes"):
        dynamic.switch_ratio(steady, steady)
