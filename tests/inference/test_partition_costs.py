"""From layer graphs to costs, and Neurosurgeon's golden AlexNet."""

import numpy as np
import pytest

from edgedl_lib.inference.partition import chain_as_dag, chain_costs, dag_costs, min_cut_partition, scan_cuts
from edgedl_lib.nets.zoo import model

WIFI, LTE, UMTS = (8 * 152_000 / seconds for seconds in (0.095, 0.180, 0.870))  # bit/s, from the upload of 152 kB
RADIO_POWER = [  # W while sending at these rates (Huang et al. 2012)
    1e-3 * (per_mbit * 1e-6 * rate + base)
    for rate, per_mbit, base in ((WIFI, 283.17, 132.86), (LTE, 438.39, 1288.04), (UMTS, 868.98, 817.88))
]


def calibrated_alexnet(total, fc6_share):
    """AlexNet's `total` seconds shared out over its layers: fc by parameters, then 9 : 1 to conv and the rest."""
    graph = model("alexnet")
    latency = np.zeros(len(graph))
    kinds = np.array([layer.kind for layer in graph])
    parameters = np.array([layer.parameter_count for layer in graph], dtype=float)
    dense, conv = kinds == "dense", kinds == "conv"
    latency[dense] = total * fc6_share * parameters[dense] / graph["fc6"].parameter_count
    remainder = total - latency.sum()
    flop = graph.flop_per_layer()
    latency[conv] = 0.9 * remainder * flop[conv] / flop[conv].sum()
    elements = np.array([layer.output_elements for layer in graph], dtype=float)
    rest = ~(dense | conv)
    latency[rest] = 0.1 * remainder * elements[rest] / elements[rest].sum()
    return latency


@pytest.fixture(scope="module")
def golden():
    cloud = calibrated_alexnet(0.006, 0.12)
    return {
        phone: chain_costs(
            model("alexnet"), calibrated_alexnet(total, share), cloud, input_bytes=152_000, device_power=8.4
        )
        for phone, total, share in (("gpu", 0.081, 0.45), ("cpu", 0.382, 0.25))
    }


@pytest.mark.parametrize(
    ("phone", "cuts", "best_ms", "server_only_ms", "device_only_ms"),
    [
        ("gpu", ("pool5", "pool5", "all-device"), (48.5, 69.1, 81.0), (101.0, 186.0, 876.0), 81.0),
        ("cpu", ("all-server", "all-server", "all-device"), (101.0, 186.0, 382.0), (101.0, 186.0, 876.0), 382.0),
    ],
)
def test_golden_alexnet_latency(golden, phone, cuts, best_ms, server_only_ms, device_only_ms):
    """The table that was worked out by hand from the totals that Kang et al. 2017 [12] report."""
    scan = scan_cuts(golden[phone], [WIFI, LTE, UMTS])
    assert scan.cut_names() == cuts
    np.testing.assert_allclose(1e3 * scan.values, best_ms, atol=0.06)
    np.testing.assert_allclose(1e3 * scan.server_only, server_only_ms, atol=0.06)
    np.testing.assert_allclose(1e3 * scan.device_only, device_only_ms, atol=0.06)


def test_golden_alexnet_energy(golden):
    scan = scan_cuts(golden["gpu"], [WIFI, LTE, UMTS], objective="energy", radio_power=RADIO_POWER)
    assert scan.cut_names() == ("pool5",) * 3
    np.testing.assert_allclose(scan.values, [0.291, 0.390, 0.634], atol=0.001)
    np.testing.assert_allclose(scan.server_only, [0.357, 0.765, 1.769], atol=0.005)
    np.testing.assert_allclose(scan.device_only, 0.680, atol=0.001)


def test_a_load_that_the_server_cannot_bear_moves_alexnet_to_the_phone(golden):
    loads = 1 / (1 - np.array([0.0, 0.9, 0.99]))
    assert scan_cuts(golden["gpu"], [WIFI] * 3, server_load=loads).cut_names() == ("pool5", "pool5", "all-device")


def test_chain_costs_send_float32_activations_and_the_raw_input():
    graph = model("lenet5").with_batch(3)
    times = np.ones(len(graph))
    costs = chain_costs(graph, times, times)
    assert costs.names == graph.layer_names
    assert costs.transfer_bytes[0] == graph.input_bytes
    np.testing.assert_array_equal(costs.transfer_bytes[1:-1], graph.output_bytes_per_layer()[:-1])
    assert costs.transfer_bytes[1] == 3 * 4 * graph.layers[0].output_elements
    assert costs.transfer_bytes[-1] == 0
    assert chain_costs(graph, times, times, input_bytes=7).transfer_bytes[0] == 7


def test_dag_costs_pin_the_input_before_the_entries():
    graph = model("resnet18")
    times = np.ones(len(graph))
    costs = dag_costs(graph, 2 * times, times, device_power=1.0, radio_power=2.0)
    assert costs.names == ("input", *graph.layer_names)
    assert costs.edges[0] == ("input", graph.layers[0].name) and set(graph.edges) < set(costs.edges)
    assert costs.device_latency[0] == 0 and costs.output_bytes[0] == graph.input_bytes
    assert min_cut_partition(costs, 0.0).stages.device == 2 * len(graph)


def test_a_chain_as_graph_equals_the_graph_of_the_chain():
    graph = model("alexnet")
    times = np.linspace(1, 2, len(graph))
    direct, through = dag_costs(graph, times, times), chain_as_dag(chain_costs(graph, times, times))
    assert direct.edges == through.edges
    np.testing.assert_array_equal(direct.output_bytes[:-1], through.output_bytes[:-1])


def test_a_network_with_branches_is_no_chain():
    graph = model("resnet18")
    with pytest.raises(ValueError, match="resnet18 has branches: use dag_costs and min_cut_partition"):
        chain_costs(graph, np.ones(len(graph)), np.ones(len(graph)))


def test_times_of_another_network_are_refused():
    graph = model("alexnet")
    with pytest.raises(ValueError, match=r"device_latency has shape \(5,\), expected \(23,\)"):
        chain_costs(graph, np.ones(5), np.ones(len(graph)))
