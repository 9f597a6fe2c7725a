"""DADS against brute force, against the chain's scan, and what goes wrong without its two tricks."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.partition import (
    DagCosts,
    chain_as_dag,
    dads,
    evaluate_plan,
    exhaustive_partition,
    heavy_load_partition,
    min_cut_partition,
    printed_construction,
    random_chain_costs,
    random_dag_costs,
    scan_cuts,
    topological_neurosurgeon,
)
from edgedl_lib.inference.partition.exhaustive import closed_sets, set_cost

RATE = 1e6
DIAMOND = {
    "names": ("input", "conv", "left", "right", "add"),
    "edges": (("input", "conv"), ("conv", "left"), ("conv", "right"), ("left", "add"), ("right", "add")),
    "device_latency": [0, 0.1, 0.4, 0.4, 0.1],
    "server_latency": [0, 0.1, 0.1, 0.1, 0.1],
    "output_bytes": [200_000, 50_000, 50_000, 50_000, 0],
}


def random_dags(count, seed=2019, **options):
    rng = np.random.default_rng(seed)
    return [random_dag_costs(rng, int(rng.integers(5, 13)), **options) for _ in range(count)]


@pytest.fixture(scope="module")
def small_dags():
    """400 random graphs of 5 to 12 nodes; in every other one the server is faster at every layer."""
    return random_dags(200) + random_dags(200, seed=2020, faster_server=True)


@pytest.fixture(scope="module")
def optima(small_dags):
    return [exhaustive_partition(costs, RATE) for costs in small_dags]


def test_minimum_cut_equals_brute_force_on_400_random_graphs(small_dags, optima):
    for costs, (device_layers, latency) in zip(small_dags, optima, strict=True):
        plan = min_cut_partition(costs, RATE)
        assert plan.is_closed and plan.device_layers == device_layers
        assert plan.latency == pytest.approx(latency, rel=1e-9)


@pytest.mark.parametrize("objective", ["latency", "energy"])
@pytest.mark.parametrize("rate", [0.0, 2e5, 5e6, np.inf])
def test_minimum_cut_equals_brute_force_with_load_round_trip_and_other_rates(rate, objective):
    options = {"server_load": 3.0, "rtt": 0.25, "objective": objective}
    for costs in random_dags(40, seed=5):
        plan = min_cut_partition(costs, rate, **options)
        best = exhaustive_partition(costs, rate, **options)[1]
        assert (plan.latency if objective == "latency" else plan.energy) == pytest.approx(best, rel=1e-9)


def test_among_equal_plans_the_one_with_the_fewest_device_layers_wins():
    rng = np.random.default_rng(8)
    for _ in range(100):
        drawn = random_dag_costs(rng, 9)
        whole = [rng.integers(0, 3, 9) for _ in range(3)]
        costs = DagCosts(drawn.names, drawn.edges, whole[0], whole[1], 125_000 * whole[2])
        device_layers, latency = exhaustive_partition(costs, RATE)
        plan = min_cut_partition(costs, RATE)
        assert plan.latency == latency and len(plan.device_layers) == len(device_layers)


def test_on_a_chain_the_minimum_cut_is_the_scan():
    rng = np.random.default_rng(12)
    for _ in range(100):
        chain = random_chain_costs(rng, int(rng.integers(1, 15)))
        for rate in (0.0, 5e5, 1e7, np.inf):
            scan = scan_cuts(chain, rate, rtt=0.1, server_load=1.5)
            plan = min_cut_partition(chain_as_dag(chain), rate, rtt=0.1, server_load=1.5)
            assert plan.device_layers == frozenset(chain.names[: scan.cuts[0]])
            assert plan.latency == pytest.approx(scan.values[0], rel=1e-12)
            assert topological_neurosurgeon(chain_as_dag(chain), rate, rtt=0.1, server_load=1.5).latency == plan.latency


def test_on_a_chain_min_cut_energy_is_the_scan_s_energy():
    chain = random_chain_costs(np.random.default_rng(1), 10)
    scan = scan_cuts(chain, [2e5, 2e6, 2e7], objective="energy")
    plans = [min_cut_partition(chain_as_dag(chain), rate, objective="energy").energy for rate in scan.rates]
    np.testing.assert_allclose(plans, scan.values, rtol=1e-12)


def test_printed_construction_returns_impossible_plans(optima, small_dags):
    """Without reverse links a server layer may feed a device layer for free; with them it never does."""
    printed = [printed_construction(costs, RATE) for costs in small_dags]
    impossible = [plan for plan in printed if not plan.is_closed]
    assert len(impossible) > 0
    for plan, (_, best) in zip(printed, optima, strict=True):
        assert plan.latency <= best * (1 + 1e-9)  # a cut with fewer constraints looks at least as cheap
        assert plan.is_closed or plan.device_layers
    looks_cheaper = [plan for plan, (_, best) in zip(printed, optima, strict=True) if plan.latency < best * (1 - 1e-9)]
    assert looks_cheaper and not any(plan.is_closed for plan in looks_cheaper)


def test_an_impossible_plan_by_hand():
    """The device is slow at the first layer only, the server at the second: ``slow`` would feed ``late`` for free."""
    costs = DagCosts(
        ("input", "slow", "late"), (("input", "slow"), ("slow", "late")), [0, 9, 1], [0, 1, 9], [12_500, 0, 0]
    )
    printed = printed_construction(costs, RATE)
    assert (printed.device_layers, printed.is_closed, printed.latency) == (frozenset({"late"}), False, 2.1)
    assert min_cut_partition(costs, RATE).latency == 10.0


def test_without_auxiliary_nodes_an_output_is_paid_once_per_reader(small_dags, optima):
    plans = [min_cut_partition(costs, RATE, auxiliary_nodes=False) for costs in small_dags]
    dearer = [plan.latency > best * (1 + 1e-9) for plan, (_, best) in zip(plans, optima, strict=True)]
    assert sum(dearer) > 40  # a tenth; brute force finds better plans
    costs = DagCosts(**DIAMOND)
    assert min_cut_partition(costs, RATE).device_layers == {"conv"}
    assert min_cut_partition(costs, RATE, auxiliary_nodes=False).device_layers != {"conv"}


def test_cutting_a_topological_order_is_never_better_and_often_worse():
    excess = [topological_neurosurgeon(c, RATE).latency / min_cut_partition(c, RATE).latency for c in random_dags(200)]
    assert min(excess) >= 1 - 1e-12
    assert np.mean(np.array(excess) > 1 + 1e-9) >= 0.1


def test_heavy_load_is_within_three_times_the_optimum_and_never_worse_than_light(small_dags):
    shorter = 0
    for costs in small_dags[:30] + small_dags[200:215]:
        heavy, light = heavy_load_partition(costs, RATE), min_cut_partition(costs, RATE)
        optimum = exhaustive_partition(costs, RATE, objective="throughput")[1]
        assert optimum * (1 - 1e-12) <= heavy.stages.longest <= min(3 * optimum, light.stages.longest)
        shorter += heavy.stages.longest < light.stages.longest
    assert shorter > 0


def two_layers(device, server, seconds_to_send=(0, 0)):
    """Two layers in a row; the input and the first output take `seconds_to_send` at RATE."""
    edges = (("input", "one"), ("one", "two"))
    sizes = [125_000 * seconds for seconds in seconds_to_send]
    return DagCosts(("input", "one", "two"), edges, [0, *device], [0, *server], [*sizes, 0])


def test_heavy_load_balances_the_pipeline_by_hand():
    """Least latency puts both layers on the server, the best pipeline one on each side."""
    costs = two_layers([1.25, 3.0], [1.0, 1.0])
    assert min_cut_partition(costs, RATE).device_layers == frozenset()
    heavy = heavy_load_partition(costs, RATE)
    assert heavy.device_layers == {"one"} and heavy.stages.longest == 1.25


def test_heavy_load_relieves_a_link_that_is_the_bottleneck():
    """Only a weight below one on the device shows that the link is what holds the pipeline up."""
    costs = two_layers([0.9375, 9.0], [0.0, 0.125], seconds_to_send=(1.0, 0.25))
    assert min_cut_partition(costs, RATE).stages.longest == 1.0
    heavy = heavy_load_partition(costs, RATE)
    assert heavy.device_layers == {"one"} and heavy.stages.longest == 0.9375


def test_heavy_load_cannot_split_equal_layers():
    """No weights prefer the plan in the middle of a straight line: the heuristic's limit, still within its bound."""
    costs = two_layers([1.5, 1.5], [1.0, 1.0])
    assert exhaustive_partition(costs, RATE, objective="throughput") == ({"one"}, 1.5)
    assert heavy_load_partition(costs, RATE).stages.longest == 2.0


def test_dads_changes_mode_where_the_longest_stage_crosses_the_frame_period():
    costs = two_layers([1.25, 3.0], [1.0, 1.0], seconds_to_send=(0.5, 0.5))
    light_limit, heavy_limit = 1 / 2.0, 1 / 1.25
    rates = [limit * factor for limit in (light_limit, heavy_limit) for factor in (0.999, 1.001)]
    assert [dads(costs, RATE, rate).mode for rate in rates] == ["light", "heavy", "heavy", "infeasible"]
    assert dads(costs, RATE, 5.0).highest_frame_rate == pytest.approx(heavy_limit)


def test_a_dead_link_leaves_all_on_the_device_and_a_free_one_to_a_faster_server_takes_all():
    for costs in random_dags(5, faster_server=True):
        assert min_cut_partition(costs, 0.0).device_layers == frozenset(costs.names[1:])
        assert heavy_load_partition(costs, 0.0).device_layers == frozenset(costs.names[1:])
        free = min_cut_partition(costs, np.inf)
        assert free.device_layers == frozenset() and free.sent == {"input"} and free.stages.link == 0


def test_the_input_is_paid_for_by_a_plan_that_sends_everything():
    plan = evaluate_plan(DagCosts(**DIAMOND), (), RATE, rtt=0.5)
    assert plan.stages.link == 1.6 and plan.latency == pytest.approx(1.6 + 0.4 + 0.5)
    assert plan.sent == {"input"}


def test_an_output_read_on_both_sides_is_sent_once():
    plan = evaluate_plan(DagCosts(**DIAMOND), {"conv", "left"}, RATE)
    assert plan.sent == {"conv", "left"} and plan.stages.link == pytest.approx(0.8)
    assert evaluate_plan(DagCosts(**DIAMOND), {"conv"}, RATE).stages.link == pytest.approx(0.4)


def test_plan_costs_equal_the_oracle_s_for_every_closed_set():
    for costs in random_dags(10, seed=3):
        for device_set in closed_sets(costs):
            plan = evaluate_plan(costs, device_set, RATE, rtt=0.2, server_load=2.0)
            assert plan.latency == pytest.approx(set_cost(costs, device_set, RATE, 0.2, 2.0), rel=1e-12)
            assert plan.energy == pytest.approx(set_cost(costs, device_set, RATE, objective="energy"), rel=1e-12)
            assert plan.stages.longest == pytest.approx(
                set_cost(costs, device_set, RATE, server_load=2.0, objective="throughput"), rel=1e-12
            )


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_a_faster_link_or_server_never_hurts(seed):
    costs = random_dag_costs(np.random.default_rng(seed), 10)
    by_rate = [min_cut_partition(costs, rate).latency for rate in (0.0, 1e5, 1e6, 1e7, np.inf)]
    by_load = [min_cut_partition(costs, RATE, server_load=load).latency for load in (8.0, 2.0, 1.0, 0.5)]
    assert (np.diff(by_rate) <= 1e-9).all() and (np.diff(by_load) <= 1e-9).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_a_busier_server_never_gets_more_of_the_work(seed):
    costs = random_dag_costs(np.random.default_rng(seed), 10)
    work = [min_cut_partition(costs, RATE, server_load=load).stages.server / load for load in (0.5, 1.0, 2.0, 8.0)]
    assert (np.diff(work) <= 1e-9).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_a_slower_link_never_gets_more_bytes(seed):
    costs = random_dag_costs(np.random.default_rng(seed), 10)
    seconds = [rate * min_cut_partition(costs, rate).stages.link for rate in (8e6, 2e6, 1e6, 1e5)]
    assert (np.diff(seconds) <= 1e-3).all()


@pytest.mark.parametrize("reach", [None, 30, 5])
def test_a_graph_of_300_nodes_is_cut_in_at_most_50_ms(reach):
    costs = random_dag_costs(np.random.default_rng(1), 300, reach=reach)

    def seconds():
        start = time.perf_counter()
        min_cut_partition(costs, RATE)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) <= 0.050


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ()}, "0 layers"),
        ({"names": ("input",), "edges": ()}, "0 layers: 'input' is the input"),
        ({"names": ("input", "conv", "left", "right", "left")}, "'left' occurs more than once"),
        ({"edges": (*DIAMOND["edges"], ("add", "conv"))}, r"\('add', 'conv'\) goes backwards.*topological"),
        ({"edges": (*DIAMOND["edges"], ("conv", "conv"))}, "goes backwards"),
        ({"edges": (*DIAMOND["edges"], ("conv", "pool"))}, "unknown layer 'pool'"),
        ({"edges": (*DIAMOND["edges"], ("conv", "left"))}, r"\('conv', 'left'\) occurs more than once"),
        ({"edges": DIAMOND["edges"][1:]}, "'conv' has no predecessor: connect it, to 'input'"),
        ({"device_latency": [0, 1, 1, 1]}, r"device_latency has shape \(4,\), expected \(5,\)"),
        ({"server_latency": [0, 1, 1, 1, np.nan]}, r"server_latency\[4\] is nan"),
        ({"output_bytes": [-1, 1, 1, 1, 0]}, r"output_bytes\[0\] is -1.0"),
        ({"radio_power": -2.0}, "radio_power is -2.0"),
    ],
)
def test_bad_graphs_are_refused_with_the_value_and_the_remedy(changes, message):
    with pytest.raises(ValueError, match=message):
        DagCosts(**(DIAMOND | changes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda costs: min_cut_partition(costs, -5.0), "rate -5.0 bit/s"),
        (lambda costs: min_cut_partition(costs, np.nan), "rate nan"),
        (lambda costs: min_cut_partition(costs, [1e6, 2e6]), "one rate at a time"),
        (lambda costs: min_cut_partition(costs, RATE, server_load=-1), "server_load is -1.0"),
        (lambda costs: min_cut_partition(costs, RATE, objective="throughput"), "choose 'latency' or 'energy'"),
        (lambda costs: min_cut_partition(costs, RATE, objective="energy"), "device_power is None"),
        (lambda costs: topological_neurosurgeon(costs, RATE, rtt=np.inf), "rtt is inf"),
        (lambda costs: dads(costs, RATE, 0.0), "frame_rate is 0.0: give a finite number above 0"),
        (lambda costs: evaluate_plan(costs, {"pool"}, RATE), "no layer 'pool': choose among conv, left"),
        (lambda costs: evaluate_plan(costs, {"left"}, RATE), "add all predecessors"),
    ],
)
def test_bad_settings_are_refused_with_the_value_and_the_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call(DagCosts(**DIAMOND))


def test_brute_force_refuses_what_would_take_too_long():
    with pytest.raises(ValueError, match="15 nodes are too many"):
        exhaustive_partition(random_dag_costs(np.random.default_rng(0), 15), RATE)


def test_the_papers_infinite_server_time_of_the_input_is_accepted():
    pinned = DagCosts(**(DIAMOND | {"server_latency": [np.inf, 0.1, 0.1, 0.1, 0.1]}))
    assert min_cut_partition(pinned, RATE).latency == min_cut_partition(DagCosts(**DIAMOND), RATE).latency
