"""The scan of a chain's cuts against brute force, known answers and properties."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.partition import ChainCosts, exhaustive_cuts, random_chain_costs, scan_cuts, stage_times
from edgedl_lib.inference.partition.chain import OBJECTIVES
from edgedl_lib.inference.partition.exhaustive import cut_cost

RATES = [0.0, 1e4, 1e6, 8e6, 1e9, np.inf]
TWO_LAYERS = {
    "names": ("conv", "dense"),
    "device_latency": [0.25, 0.5],
    "server_latency": [0.125, 0.25],
    "transfer_bytes": [1_000, 500, 0],
}


def whole_numbers(rng, layer_count):
    """Chain of small whole numbers, so that many cuts cost exactly the same."""
    sizes = np.append(1_000 * rng.integers(0, 3, layer_count), 0)
    names = tuple(f"layer{position}" for position in range(layer_count))
    return ChainCosts(names, rng.integers(0, 3, layer_count), rng.integers(0, 3, layer_count), sizes, 2.0, 1.0)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("draw", [random_chain_costs, whole_numbers])
def test_scan_equals_exhaustive_search_on_1000_random_chains(draw, objective):
    rng = np.random.default_rng(12)
    for _ in range(500):
        costs = draw(rng, int(rng.integers(1, 13)))
        rates = [0.0, float(rng.uniform(1e5, 1e7)), 8_000.0, np.inf]
        options = {"rtt": float(rng.integers(0, 2)), "server_load": float(rng.choice([1.0, 2.0, 7.5]))}
        scan = scan_cuts(costs, rates, objective=objective, **options)
        expected = exhaustive_cuts(costs, rates, objective=objective, **options)
        assert scan.cuts.tolist() == [cut for cut, _ in expected]
        np.testing.assert_allclose(scan.values, [value for _, value in expected], rtol=1e-12)


def test_ties_go_to_the_cut_with_the_fewest_layers_on_the_device():
    costs = ChainCosts(("a", "b", "c"), [0.1] * 3, [0.1] * 3, [0, 0, 0, 0])
    assert scan_cuts(costs, [1e6, np.inf]).cuts.tolist() == [0, 0]
    dearer_input = ChainCosts(("a", "b", "c"), [0.1] * 3, [0.1] * 3, [9, 0, 0, 0])
    assert scan_cuts(dearer_input, [1e6]).cuts.tolist() == [1]


def test_ties_survive_the_rounding_of_sums_in_another_order():
    times = np.random.default_rng(0).random(30)
    scan = scan_cuts(ChainCosts(tuple(map(str, range(30))), times, times, np.zeros(31)), 1e6)
    assert scan.table[0].argmin() != 0  # equal on paper, but rounding favours a later cut
    assert scan.cuts.tolist() == [0]


def test_a_link_that_is_down_leaves_everything_on_the_device():
    for objective in OBJECTIVES:
        costs = ChainCosts(("a", "b"), [5.0, 5.0], [0.0, 0.0], [0, 0, 0], 1.0, 0.0)
        scan = scan_cuts(costs, 0.0, objective=objective)
        assert scan.cut_names() == ("all-device",)
        assert np.isinf(scan.table[0, :-1]).all() and scan.values[0] == 10.0


def test_a_free_link_to_a_faster_server_takes_everything():
    scan = scan_cuts(ChainCosts(**TWO_LAYERS), np.inf)
    assert scan.cut_names() == ("all-server",) and scan.values[0] == 0.375


def test_all_device_cut_sends_nothing_and_pays_no_round_trip():
    scan = scan_cuts(ChainCosts(**TWO_LAYERS), [1.0, 1e9], rtt=9.0)
    assert scan.device_only.tolist() == [0.75, 0.75]


def test_cut_zero_pays_the_raw_input_and_one_round_trip():
    scan = scan_cuts(ChainCosts(**TWO_LAYERS), 8_000.0, rtt=0.5)
    assert scan.server_only.tolist() == [1.0 + 0.375 + 0.5]


def test_server_load_slows_the_server_only():
    costs = ChainCosts(**TWO_LAYERS)
    idle, loaded = (stage_times(costs, 8_000.0, server_load=load) for load in (1.0, 4.0))
    np.testing.assert_array_equal(loaded.server, 4 * idle.server)
    np.testing.assert_array_equal(loaded.link, idle.link)
    np.testing.assert_array_equal(loaded.device, idle.device)


def test_load_and_radio_power_may_differ_from_rate_to_rate():
    costs = ChainCosts(**TWO_LAYERS, device_power=2.0)
    loads, watts, rates = [1.0, 3.0], [4.0, 1.0], [8e3, 8e4]
    together = scan_cuts(costs, rates, server_load=loads)
    energy = scan_cuts(costs, rates, objective="energy", radio_power=watts)
    for row, (rate, load, power) in enumerate(zip(rates, loads, watts, strict=True)):
        np.testing.assert_array_equal(together.table[row], scan_cuts(costs, rate, server_load=load).table[0])
        one = scan_cuts(costs, rate, objective="energy", radio_power=power)
        np.testing.assert_array_equal(energy.table[row], one.table[0])


def test_energy_counts_computing_and_sending_but_no_waiting():
    costs = ChainCosts(**TWO_LAYERS, device_power=8.0, radio_power=4.0)
    scan = scan_cuts(costs, 8_000.0, objective="energy", server_load=100.0, rtt=100.0)
    assert scan.table[0].tolist() == [4.0, 8 * 0.25 + 4 * 0.5, 8 * 0.75]


def test_power_may_differ_from_layer_to_layer():
    costs = ChainCosts(**TWO_LAYERS, device_power=[4.0, 2.0], radio_power=0.0)
    assert scan_cuts(costs, 1e6, objective="energy").device_only.tolist() == [2.0]


def test_throughput_is_set_by_the_longest_stage():
    costs = ChainCosts(**TWO_LAYERS)
    scan = scan_cuts(costs, 8_000.0, objective="throughput")
    assert scan.table[0].tolist() == [1.0, 0.5, 0.75]
    assert stage_times(costs, 8_000.0).throughput[0, 1] == 2.0


def test_one_layer_network_has_two_cuts():
    costs = ChainCosts(("only",), [1.0], [0.5], [1_000, 0])
    assert costs.cut_names == ("all-server", "all-device")
    assert scan_cuts(costs, [8_000.0, 80_000.0]).cuts.tolist() == [1, 0]


def test_equal_sizes_and_a_uniform_speed_up_leave_only_the_two_ends():
    rng = np.random.default_rng(4)
    for _ in range(50):
        server = rng.random(8)
        costs = ChainCosts(tuple("abcdefgh"), 4 * server, server, [1e5] * 8 + [0])
        assert set(scan_cuts(costs, np.geomspace(1e4, 1e8, 20)).cuts) <= {0, 8}


def test_cut_index_finds_cuts_by_name():
    costs = ChainCosts(**TWO_LAYERS)
    assert [costs.cut_index(name) for name in ("all-server", "conv", "all-device", "dense")] == [0, 1, 2, 2]
    with pytest.raises(KeyError, match="no cut 'pool9'.*choose one of all-server, conv, all-device"):
        costs.cut_index("pool9")


# Powers of two and whole numbers keep the sums exact, so that the properties hold to the bit.
layers = st.lists(st.tuples(st.integers(0, 64), st.integers(1, 64), st.integers(0, 64)), min_size=1, max_size=9)


def chain_of(rows):
    device, server, sizes = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return ChainCosts(tuple(map(str, range(len(rows)))), device, server, np.append(sizes, 0), 1.0, 1.0)


FALLING_RATES = 2.0 ** np.arange(10, -6, -1)


@settings(deadline=None)
@given(layers, st.sampled_from(["latency", "energy"]))
def test_as_the_rate_falls_the_best_cut_never_sends_more_bytes(rows, objective):
    costs = chain_of(rows)
    sent = costs.transfer_bytes[scan_cuts(costs, FALLING_RATES, objective=objective).cuts]
    assert (np.diff(sent) <= 0).all()


@settings(deadline=None)
@given(layers, st.sampled_from(["latency", "energy"]))
def test_where_outputs_shrink_layer_by_layer_a_falling_rate_moves_the_cut_to_the_device(rows, objective):
    shrinking = [(device, server, 1_000 - 100 * row) for row, (device, server, _) in enumerate(rows)]
    cuts = scan_cuts(chain_of(shrinking), FALLING_RATES, objective=objective).cuts
    assert (np.diff(cuts) >= 0).all()


def test_where_outputs_grow_a_falling_rate_may_move_the_cut_to_the_server():
    """Why the property above asks for shrinking outputs: a wide first layer is only worth sending over a fast link."""
    costs = ChainCosts(("wide", "last"), [1.0, 90.0], [3.0, 1.0], [100, 200, 0])
    assert scan_cuts(costs, [8e3, 8e1]).cuts.tolist() == [1, 0]


@settings(deadline=None)
@given(layers)
def test_a_busier_server_never_gets_more_layers(rows):
    costs = chain_of(rows)
    loads = 2.0 ** np.arange(0, 8)
    cuts = scan_cuts(costs, np.full(loads.size, 16.0), server_load=loads).cuts
    assert (np.diff(cuts) >= 0).all()


@settings(deadline=None)
@given(layers, st.sampled_from(OBJECTIVES))
def test_the_best_value_never_rises_with_the_rate(rows, objective):
    assert (np.diff(scan_cuts(chain_of(rows), FALLING_RATES, objective=objective).values) >= 0).all()


@settings(deadline=None)
@given(layers)
def test_the_longest_stage_lies_between_a_third_of_the_latency_and_all_of_it(rows):
    costs = chain_of(rows)
    latency, longest = (scan_cuts(costs, FALLING_RATES, objective=goal).values for goal in ("latency", "throughput"))
    assert (longest <= latency).all() and (3 * longest >= latency).all()


@settings(deadline=None)
@given(layers, st.sampled_from([2.0, 8.0]))
def test_the_cut_depends_on_ratios_only(rows, factor):
    costs = chain_of(rows)
    slower = ChainCosts(costs.names, factor * costs.device_latency, factor * costs.server_latency, costs.transfer_bytes)
    expected = scan_cuts(costs, FALLING_RATES).cuts
    np.testing.assert_array_equal(scan_cuts(slower, FALLING_RATES / factor).cuts, expected)


def test_100_layers_at_1000_rates_take_at_most_20_ms():
    costs = random_chain_costs(np.random.default_rng(0), 100)
    rates = np.geomspace(1e4, 1e9, 1_000)

    def seconds(objective):
        start = time.perf_counter()
        scan_cuts(costs, rates, objective=objective)
        return time.perf_counter() - start

    for objective in OBJECTIVES:
        assert min(seconds(objective) for _ in range(5)) <= 0.020


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ()}, "0 layers.*at least one"),
        ({"names": ("a", "a")}, "'a' occurs more than once"),
        ({"device_latency": [0.1]}, r"device_latency has shape \(1,\), expected \(2,\)"),
        ({"server_latency": [[0.1, 0.1]]}, "server_latency has shape"),
        ({"transfer_bytes": [1, 0]}, r"transfer_bytes has shape \(2,\), expected \(3,\).*cut"),
        ({"device_latency": [0.1, np.nan]}, r"device_latency\[1\] is nan: give a finite"),
        ({"server_latency": [-0.1, 0.1]}, r"server_latency\[0\] is -0.1"),
        ({"transfer_bytes": [1, np.inf, 0]}, r"transfer_bytes\[1\] is inf"),
        ({"transfer_bytes": [1, 1, 4_000]}, r"transfer_bytes\[-1\] is 4000.0: set it to 0"),
        ({"device_power": -1.0}, "device_power is -1.0"),
        ({"device_power": [1.0]}, "device_power has shape"),
        ({"radio_power": np.nan}, "radio_power is nan"),
    ],
)
def test_bad_costs_are_refused_with_the_value_and_the_remedy(changes, message):
    with pytest.raises(ValueError, match=message):
        ChainCosts(**(TWO_LAYERS | changes))


@pytest.mark.parametrize(
    ("rates", "options", "message"),
    [
        (-1.0, {}, "rate -1.0 bit/s is no link rate"),
        ([1e6, np.nan], {}, "rate nan"),
        ([], {}, "rates has shape"),
        (1e6, {"rtt": -0.1}, "rtt is -0.1"),
        (1e6, {"server_load": 0.0}, "server_load is 0.0: give a finite number above 0"),
        ([1e6, 1e7], {"server_load": [1.0, 0.0]}, r"server_load\[1\] is 0.0"),
        ([1e6, 1e7], {"server_load": [1.0]}, "server_load has shape"),
        (1e6, {"server_load": np.inf}, "server_load is inf"),
        (1e6, {"objective": "speed"}, "objective 'speed' is unknown: choose one of latency, energy, throughput"),
        (1e6, {"objective": "energy"}, "device_power is None"),
    ],
)
def test_bad_settings_are_refused_with_the_value_and_the_remedy(rates, options, message):
    with pytest.raises(ValueError, match=message):
        scan_cuts(ChainCosts(**TWO_LAYERS), rates, **options)


def test_costs_cannot_be_changed_behind_the_scan():
    times = np.array([0.25, 0.5])
    costs = ChainCosts(**(TWO_LAYERS | {"device_latency": times}))
    times[0] = 99.0
    assert costs.device_latency[0] == 0.25
    with pytest.raises(ValueError, match="read-only"):
        costs.device_latency[0] = 99.0


def test_the_oracle_itself_follows_the_equation():
    """The brute force is checked by hand once, so that two equal mistakes cannot agree."""
    costs = ChainCosts(**TWO_LAYERS, device_power=8.0, radio_power=4.0)
    by_hand = {
        "latency": [1.0 + 2 * 0.375 + 0.5, 0.25 + 0.5 + 2 * 0.25 + 0.5, 0.75],
        "energy": [4.0, 4.0, 6.0],
        "throughput": [1.0, 0.5, 0.75],
    }
    for objective, cut in itertools.product(OBJECTIVES, range(3)):
        assert cut_cost(costs, cut, 8_000.0, 0.5, 2.0, objective) == by_hand[objective][cut]
