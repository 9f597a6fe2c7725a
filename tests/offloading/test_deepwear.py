"""DeepWear: what pruning and grouping keep, cuts against brute force and minimum cut, contexts, streams."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.partition.dag import min_cut_partition
from edgedl_lib.inference.partition.exhaustive import closed_sets, exhaustive_partition
from edgedl_lib.inference.partition.random_costs import random_dag_costs
from edgedl_lib.nets import zoo
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.offloading.partial.deepwear import cuts, measured, networks, pipeline, reduction, study
from edgedl_lib.offloading.partial.deepwear.devices import Context, contexts, modelled_times

SEEDS = st.integers(0, 10_000)
NETWORKS = networks.cases()
BY_NAME = {case.name: case for case in NETWORKS}
QUIET = Context(latency=0.0)


@pytest.mark.parametrize("name", networks.MODELS)
def test_reduction_keeps_work_parameters_and_result(name):
    case = BY_NAME[name]
    for graph in (case.reduction.pruned, case.reduction.chain):
        assert graph.flop == case.reduction.graph.flop
        assert graph.parameter_count == case.reduction.graph.parameter_count
        assert graph.input_bytes == case.reduction.graph.input_bytes
    assert case.reduction.chain.is_chain
    assert case.reduction.times(case.watch).sum() == pytest.approx(case.watch.sum())


def test_cut_comes_behind_the_light_layers():
    lenet = reduction.reduce(zoo.lenet5())
    graph = lenet.graph
    first = lenet.pruned[lenet.pruned.layer_names[0]]
    assert graph[first.config["members"][0]].kind == "conv"
    assert graph[first.config["members"][-1]].kind == "pool"
    assert first.output_shape == graph[first.config["members"][-1]].output_shape


def test_light_layer_before_everything_joins_its_reader():
    net = ModelBuilder("pool first", (1, 8, 8))
    net.max_pool("pool", kernel=2)
    net.conv("conv", 4, kernel=3)
    pruned = reduction.prune(net.graph())
    assert len(pruned) == 1
    assert pruned.layers[0].config["members"] == ("pool", "conv")


def test_light_layer_of_a_shared_producer_is_not_merged_backwards():
    net = ModelBuilder("shared", (1, 8, 8))
    trunk = net.conv("conv", 4, kernel=3)
    left = net.relu("relu")
    right = net.conv("other", 4, kernel=1, after=trunk)
    net.add("sum", after=(left, right))
    pruned = reduction.prune(net.graph())
    assert "relu" not in pruned["conv"].config.get("members", ())


@pytest.mark.parametrize("name", networks.reductions())
def test_less_than_a_quarter_is_left(name):
    each = networks.reductions()[name]
    assert each.share < 0.25
    assert len(each.chain) < len(each.pruned) < len(each.graph)


def test_equal_blocks_are_one_class_and_googlenets_are_nine():
    equal = reduction.block_classes(networks.reductions()["nine equal Inception blocks"])
    # The last block has the global pool behind it.
    assert sorted(map(len, equal)) == [1, 8]
    assert len(reduction.block_classes(networks.reductions()["GoogLeNet"])) == 9
    assert len(reduction.block_classes(networks.reductions()["GoogLeNet"], shapes=False)) < 9


def test_equal_blocks_take_equal_times_and_googlenets_do_not():
    lines = networks.reductions()
    assert study.block_time_spread(lines["nine equal Inception blocks"]) < 1.05  # one has the last pool behind it
    assert study.block_time_spread(lines["GoogLeNet"]) > 1.5


def test_same_kinds_in_another_wiring_are_another_class():
    def network(crossed):
        net = ModelBuilder("wiring", (4, 8, 8))
        net.conv("stem", 4, kernel=1)
        for block, cross in (("a", False), ("b", crossed)):
            source = net.last
            one = net.conv(f"{block}1", 4, kernel=1, after=source)
            two = net.conv(f"{block}2", 4, kernel=1, after=one if cross else source)
            net.conv(f"{block}3", 4, kernel=1, after=two)
            net.add(f"{block}_add", after=(one, f"{block}3"))
        return reduction.block_classes(reduction.reduce(net.graph()))

    assert [len(names) for names in network(False)] == [2]
    assert [len(names) for names in network(True)] == [1, 1]


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_all_cuts_equal_the_loop_and_the_minimum_cut(seed):
    costs = random_dag_costs(np.random.default_rng(seed), 8)
    table = cuts.all_cuts(costs).table(QUIET)
    _, least = exhaustive_partition(costs, QUIET.rate)
    assert table.latency.min() == pytest.approx(least)
    assert min_cut_partition(costs, QUIET.rate).latency == pytest.approx(least)
    assert len(table.names) == len(closed_sets(costs))


@pytest.mark.parametrize("name", networks.MODELS)
def test_line_is_never_better_than_all_cuts_and_hardly_worse(name):
    gaps = study.line_gaps((BY_NAME[name],))[name]
    assert gaps.min() >= -1e-9
    assert gaps.max() <= 10


def test_line_of_a_linear_network_loses_nothing_to_its_pruned_graph():
    assert study.linear_gap(NETWORKS) <= 1e-9


def test_branched_networks_agree_with_the_minimum_cut():
    case = BY_NAME["GoogLeNet"].with_photo()
    for rate in (3e5, 1e6, 2e7):
        context = Context(rate=rate, latency=0.0)
        plan = min_cut_partition(case.original, rate)
        assert case.cuts.table(context).latency.min() == pytest.approx(plan.latency)


def test_scan_equals_the_partition_chapters_scan():
    case, context = BY_NAME["MobileNet"].with_photo(), Context(rate=4e6, phone_load=2.0)
    ours = case.table(context)
    theirs = scan_cuts(case.line, context.rate, rtt=context.latency, server_load=context.phone_load)
    assert ours.latency == pytest.approx(theirs.table[0])
    assert ours.names == theirs.names


def test_energy_counts_both_devices_and_the_radio():
    costs = ChainCosts(("a", "b"), [1.0, 2.0], [0.1, 0.2], [1e6, 5e5, 0])
    context = Context(rate=8e6, latency=0.5, phone_load=3.0)
    table = cuts.scan_line(costs, context)
    assert table.energy[0] == pytest.approx(0.15 * 1.0 + 2.5 * 0.3)
    assert table.energy[1] == pytest.approx(0.6 * 1.0 + 0.15 * 0.5 + 2.5 * 0.2)
    assert table.energy[2] == pytest.approx(0.6 * 3.0)
    assert table.latency[1] == pytest.approx(1.0 + 0.5 + 0.5 + 3 * 0.2)


def test_goal_and_bound():
    costs = ChainCosts(("a", "b"), [1.0, 2.0], [0.1, 0.2], [1e6, 1e3, 0])
    table = cuts.scan_line(costs, Context(rate=8e6, latency=0.0, phone_power=25.0))
    assert table.best("latency") == 1 or table.best("latency") == 0
    assert table.best("energy") == 2
    assert table.latency[table.best("energy", latency_bound=1.5)] <= 1.5
    assert table.best("energy", latency_bound=1e-6) == table.best("latency")
    with pytest.raises(ValueError, match="speed"):
        table.best("speed")


def test_degenerate_cases():
    assert all(study.degenerate_cases())


def test_one_layer_has_two_cuts():
    net = ModelBuilder("one", (8,))
    net.dense("only", 4)
    each = reduction.reduce(net.graph())
    assert len(cuts.scan_line(cuts.line_costs(each, [1.0], [0.1]), Context()).names) == 2


@pytest.mark.parametrize(
    "wrong", [{"rate": -1.0}, {"rate": np.nan}, {"phone_load": 0.0}, {"latency": -0.1}, {"watch_power": np.inf}]
)
def test_contexts_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="give"):
        Context(**wrong)


def test_too_many_cuts_are_refused():
    rng = np.random.default_rng(0)
    wide = random_dag_costs(rng, 3)
    names = ("input", *(f"l{i}" for i in range(20)))
    edges = tuple(("input", name) for name in names[1:])
    ones = np.ones(len(names))
    with pytest.raises(ValueError, match="too many"):
        cuts.all_cuts(type(wide)(names, edges, ones, ones, ones))


def test_never_slower_than_the_better_end():
    for goal in ("latency", "energy"):
        assert study.compare(NETWORKS, goal).excess <= 1e-9


def test_phone_that_is_busier_gets_less():
    case = BY_NAME["tiny YOLO"]
    layers = [case.table(Context(rate=2e6, phone_load=load)).best() for load in (1, 3, 9, 12)]
    assert layers == sorted(layers)
    assert layers[-1] == len(case.line.names)


@pytest.mark.parametrize("stages", [(0.3, 50_000, 0.1), (0.1, 100_000, 0.3), (0.5, 10_000, 0.2), (0.2, 0, 0.0)])
def test_throughput_is_one_over_the_longest_stage(stages):
    context = Context(rate=1e6)
    longest = max(stages[0], 8 * stages[1] / context.rate, stages[2])
    assert pipeline.stream_throughput(*stages, context) == pytest.approx(1 / longest, rel=1e-6)


def test_one_by_one_is_one_over_the_latency():
    context = Context(rate=1e6)
    throughput = pipeline.stream_throughput(0.3, 50_000, 0.1, context, pipelined=False)
    assert throughput == pytest.approx(1 / (0.3 + 0.4 + 0.02 + 0.1), rel=1e-6)
    with pytest.raises(ValueError, match="steady"):
        pipeline.stream_throughput(0.1, 1, 0.1, context, frames=3)


def test_stream_of_the_study_keeps_its_promise():
    for point in study.stream(BY_NAME["tiny YOLO"], [0.7e6, 1.5e6]):
        assert point.simulated == pytest.approx(point.promised, rel=0.03)
        assert point.one_by_one < point.simulated


def test_block_kinds_are_checked():
    with pytest.raises(ValueError, match="dense"):
        networks.repeated_blocks("dense", 3)


def test_measured_times_take_googlenet_as_scale():
    with pytest.raises(ValueError, match="GoogLeNet"):
        measured.measured_cases(("LeNet-5",))


def test_photo_changes_the_input_and_nothing_else():
    case = BY_NAME["LeNet-5"]
    photo = case.with_photo()
    assert photo.line.transfer_bytes[0] == networks.PHOTO_BYTES
    assert np.array_equal(photo.line.transfer_bytes[1:], case.line.transfer_bytes[1:])


def test_modelled_phone_is_a_stated_factor_faster():
    watch, phone = modelled_times(zoo.lenet5(), 4.0)
    assert watch == pytest.approx(4 * phone)
    assert len(contexts()) == 9
    assert replace(Context(), rate=1.0).rate == 1.0
