"""The calibrated AlexNet: golden values worked out independently, degenerate settings, and the outside sweep."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.studies import neurosurgeon_alexnet as study
from edgedl_lib.inference.studies import neurosurgeon_replication as replication
from edgedl_lib.nets.zoo.alexnet import alexnet


@pytest.fixture(scope="module")
def graph():
    return alexnet()


def test_latency_table_equals_the_golden_one_to_the_printed_digit(graph):
    rows = study.latency_table(graph)
    assert {(row.phone, row.network): row.printed() for row in rows} == study.GOLDEN_LATENCY
    assert study.matching_latency_cells(rows) == 30


@pytest.mark.parametrize(
    ("network", "cut", "best", "cloud_only"), [("wifi", "pool5", 0.291, 0.357), ("lte", "pool5", 0.390, 0.765)]
)
def test_energy_of_the_best_cut(graph, network, cut, best, cloud_only):
    row = {row.network: row for row in study.energy_table(graph)}[network]
    assert (row.cut, round(row.best, 3), round(row.cloud_only, 3)) == (cut, best, cloud_only)


def test_on_3g_the_energy_golden_values_hold_to_one_unit_of_the_last_digit(graph):
    row = study.energy_table(graph)[2]
    assert (row.best, row.cloud_only) == (pytest.approx(0.634, abs=1e-3), pytest.approx(1.769, abs=1e-3))


def test_latency_and_energy_disagree_on_3g(graph):
    costs = study.alexnet_costs(graph)
    assert study.scan_networks(costs).cut_names()[2] == "all-device"
    assert study.scan_networks(costs, "energy").cut_names()[2] == "pool5"


def test_a_wrong_energy_is_not_counted_as_a_match(graph):
    rows = study.energy_table(graph)
    assert study.matching_energy_cells(rows, 0.6804) == 13
    assert study.matching_energy_cells(rows, 0.70) == 12
    forgotten_radio = tuple(study.EnergyRow(row.network, "all-server", 0.0, 0.0001) for row in rows)
    assert study.matching_energy_cells(forgotten_radio, 0.6804) < 5


@pytest.mark.parametrize("processor", study.PROCESSORS)
def test_layer_times_sum_to_the_reported_total(graph, processor):
    shares = study.PROCESSORS[processor]
    latency = study.calibrated_latency(graph, shares)
    assert latency.sum() == pytest.approx(shares.total)
    assert latency[graph.layer_names.index("fc6")] == pytest.approx(shares.fc6_share * shares.total)
    assert (latency > 0).all()


def test_a_share_that_leaves_nothing_is_refused(graph):
    with pytest.raises(ValueError, match="fc6_share 0.9 leaves nothing"):
        study.calibrated_latency(graph, study.LayerShares(0.1, 0.9))


@pytest.mark.parametrize(("call", "name"), [(study.upload_rate, "5g"), (study.alexnet_costs, "phone TPU")])
def test_unknown_names_list_the_known_ones(graph, call, name):
    with pytest.raises(KeyError, match="choose one of"):
        call(name) if call is study.upload_rate else call(graph, name)


def test_without_a_link_everything_stays_on_the_phone(graph):
    scan = scan_cuts(study.alexnet_costs(graph), 0.0)
    assert scan.cut_names() == ("all-device",)
    assert scan.values[0] == pytest.approx(0.081)


def test_with_a_free_link_everything_goes_to_the_faster_cloud(graph):
    scan = scan_cuts(study.alexnet_costs(graph), np.inf)
    assert scan.cut_names() == ("all-server",)
    assert scan.values[0] == pytest.approx(0.006)


def test_a_server_no_faster_than_the_phone_is_never_used(graph):
    costs = study.alexnet_costs(graph)
    equal = ChainCosts(costs.names, costs.device_latency, costs.device_latency, costs.transfer_bytes)
    assert (scan_cuts(equal, np.geomspace(1e5, 1e12, 50)).cuts == len(costs.names)).all()


def test_tensors_of_equal_size_are_cut_at_an_end(graph):
    costs = study.alexnet_costs(graph)
    sizes = np.append(np.full(len(costs.names), 1e5), 0)
    flat = ChainCosts(costs.names, costs.device_latency, costs.server_latency, sizes)
    assert set(scan_cuts(flat, np.geomspace(1e4, 1e10, 200)).cuts) == {0, len(costs.names)}


def test_a_network_of_one_layer_has_two_cuts():
    scan = scan_cuts(ChainCosts(("fc",), [0.1], [0.01], [1e5, 0]), [1e5, 1e9])
    assert scan.cut_names() == ("all-device", "all-server")


def test_outside_sweep_is_predicted_from_its_two_ends(graph):
    scan = replication.predict_sweep(graph)
    predicted = dict(zip(scan.names, scan.table[0], strict=True))
    for end in ("all-server", "all-device"):
        assert predicted[end] == pytest.approx(dict(replication.PHONE_SWEEP.measured)[end])
    assert scan.cut_names() == ("pool5",)
    errors = [abs(predicted[cut] / seconds - 1) for cut, seconds in replication.PHONE_SWEEP.measured]
    assert max(errors) < 0.25
    assert replication.link_rate(graph) == pytest.approx(44.6e6, rel=0.01)


def test_a_profile_that_knows_nothing_predicts_the_sweep_badly(graph):
    def uniform(graph, shares):
        return np.full(len(graph), shares.total / len(graph))

    scan = replication.predict_sweep(graph, profile=uniform)
    assert scan.cut_names() != ("pool5",) or abs(scan.values[0] / 0.073 - 1) > 0.5
