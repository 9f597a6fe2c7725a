"""DADS: what its graph construction needs, and the experiment of its paper."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.chain import scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.inference.partition.dag_plan import DagCosts, plan_of
from edgedl_lib.inference.partition.exhaustive import exhaustive_partition
from edgedl_lib.inference.partition.random_costs import random_dag_costs
from edgedl_lib.inference.studies import dads_random, dads_study
from edgedl_lib.system.catalogue import device, link


@pytest.fixture(scope="module")
def results():
    return [dads_random.examine(costs) for costs in dads_random.random_graphs(120, seed=5)]


@pytest.mark.parametrize("seed", range(8))
def test_vectorised_search_equals_the_plain_one(seed):
    costs = random_dag_costs(np.random.default_rng(seed), 8)
    stages = dads_random.all_stage_times(costs, dads_random.RATE)
    assert stages.sum(axis=1).min() == pytest.approx(exhaustive_partition(costs, dads_random.RATE)[1])
    longest = exhaustive_partition(costs, dads_random.RATE, objective="throughput")[1]
    assert stages.max(axis=1).min() == pytest.approx(longest)


def test_every_closed_plan_is_closed_and_the_two_ends_are_among_them():
    costs = random_dag_costs(np.random.default_rng(1), 7)
    plans = dads_random.closed_plans(costs)
    assert all(plan_of(costs, plan, 1e6).is_closed for plan in plans)
    counts = plans.sum(axis=1)
    assert counts.min() == 1 and counts.max() == len(costs.names)


def test_minimum_cut_is_optimal_and_its_shortcuts_are_not(results):
    assert all(result.min_cut_optimal for result in results)
    assert any(not result.printed_feasible for result in results)
    assert any(result.auxiliary_needed for result in results)


def test_topological_order_is_never_better_and_often_worse(results):
    excess = np.array([result.topological_excess for result in results])
    assert excess.min() > -1e-6
    assert 0.05 < np.mean(excess > 1e-4) < 0.5


def test_heavy_load_heuristic_keeps_its_bound():
    for costs in dads_random.random_graphs(4, seed=2):
        result = dads_random.examine_heavy_load(costs)
        assert result.optimal <= result.dsh * (1 + 1e-9) <= result.dsl * (1 + 1e-6)
        assert result.dsh <= 3 * result.optimal


def test_random_graphs_follow_from_the_seed():
    first, second = (dads_random.random_graphs(3, seed=4) for _ in range(2))
    assert all(np.array_equal(a.device_latency, b.device_latency) for a, b in zip(first, second, strict=True))


def test_server_time_is_the_printed_one():
    graph = dads_study.study_graph("tiny YOLOv2")
    server = dads_study.cloud_machine().layer_latency(graph).sum()
    assert server + 8 * graph.input_bytes / 18e6 == pytest.approx(0.59, rel=0.02)


def test_printed_sizes_are_float32_in_mebibytes():
    graph = dads_study.study_graph("tiny YOLOv2")
    assert round(graph.input_bytes / 2**20, 2) == 0.95
    assert round(graph["max5"].output_bytes / 2**20, 2) == 0.08


@pytest.mark.parametrize("network", dads_study.CHAINS)
def test_on_chains_dads_is_neurosurgeon(network):
    graph = dads_study.study_graph(network)
    board, server = device("Raspberry Pi 3 Model B"), dads_study.cloud_machine()
    chain = chain_costs(graph, board.layer_latency(graph), server.layer_latency(graph))
    for name in dads_study.LINKS:
        comparison_free = dads_study.min_cut_partition(dads_study.study_costs(network), link(name).rate)
        assert comparison_free.latency == pytest.approx(scan_cuts(chain, link(name).rate).values[0])


def test_plans_compare_as_they_must():
    comparison = dads_study.compare("tiny YOLOv2", "dads-wifi")
    assert comparison.latency_gain("light", "cloud_only") >= 1
    assert comparison.latency_gain("light", "edge_only") >= 1
    assert comparison.throughput_gain("heavy", "light") >= 1 - 1e-9
    assert comparison.latency_gain("light", "heavy") >= 1 - 1e-9


def test_pipeline_delivers_at_the_pace_of_its_slowest_stage():
    plan = dads_study.compare("NiN", "dads-4g").light
    assert dads_study.simulated_frame_rate(plan) == pytest.approx(1 / plan.stages.longest, rel=0.02)


def test_mode_switches_where_the_longest_stage_fills_the_frame_interval():
    costs = dads_study.study_costs("ResNet-18")
    limit = dads_study.light_mode_limit(costs, frame_rate=2.0)
    assert dads_study.min_cut_partition(costs, limit).stages.longest == pytest.approx(0.5, rel=1e-4)
    assert np.isnan(dads_study.light_mode_limit(costs, frame_rate=1e-3))
    with pytest.raises(ValueError, match="frame_rate is 0"):
        dads_study.light_mode_limit(costs, 0)


def test_reported_resnet_gains_agree_on_one_board():
    server, board = dads_study.implied_seconds()
    assert 1.5 < server < 3
    assert board.max() / board.min() < 1.1


def test_unknown_network_lists_the_known_ones():
    with pytest.raises(KeyError, match="choose one of NiN"):
        dads_study.study_graph("LeNet")


def test_a_dead_link_keeps_everything_on_the_edge_and_a_free_one_sends_everything():
    costs = dads_study.study_costs("AlexNet")
    assert len(dads_study.min_cut_partition(costs, 0.0).device_layers) == len(costs.names) - 1
    assert not dads_study.min_cut_partition(costs, np.inf).device_layers


def test_a_single_layer_graph_works():
    costs = DagCosts(("input", "layer"), [("input", "layer")], [0, 1.0], [0, 0.1], [1e5, 0])
    assert dads_random.examine(costs).min_cut_optimal
