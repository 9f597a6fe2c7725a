"""The 48 cases on the Jetson's roofline instead of a clock: what must hold whatever the machine."""

from dataclasses import replace

import numpy as np
import pytest

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.studies import neurosurgeon_cases as study
from edgedl_lib.inference.studies import neurosurgeon_throughput as throughput
from edgedl_lib.inference.studies.maui import maui_like_plan, placement_latency
from edgedl_lib.system.catalogue import device


@pytest.fixture(scope="module")
def profiles():
    tk1 = device("Jetson TK1")
    times = [(application, tk1.layer_latency(application.graph)) for application in study.applications()]
    return study.in_alexnets([study.LayerTimes(application, latency, latency) for application, latency in times])


def test_the_study_has_48_cases_of_8_applications(profiles):
    cases = study.run_cases(profiles)
    assert len(cases) == 48
    assert len({(case.code, case.network, case.phone) for case in cases}) == 48
    assert [times.application.code for times in profiles] == ["IMC", "VGG", "FACE", "DIG", "ASR", "POS", "NER", "CHK"]


def test_queries_have_the_sizes_of_the_benchmark_table():
    graphs = {application.code: application.graph for application in study.applications()}
    assert graphs["DIG"].batch == 100 and graphs["ASR"].batch == 548 and graphs["CHK"].batch == 28
    assert graphs["ASR"].input_bytes == 4_594_000 and graphs["IMC"].input_bytes == 152_000


@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_perfect_predictions_never_regret(profiles, objective):
    for case in study.run_cases(profiles, objective):
        assert case.cut == case.best_cut and case.hit
        assert case.regret == 0
        assert case.cost <= min(case.cloud_only, case.mobile_only)
        assert case.gain >= 1 and 0 <= case.saving < 100


def test_wrong_predictions_are_judged_by_the_measured_times(profiles):
    believer = [replace(times, predicted=1e6 * times.predicted) for times in profiles]  # computing looks hopeless here
    cases = study.run_cases(believer)
    assert all(case.cut == 0 and case.cost == case.cloud_only for case in cases)
    assert max(case.regret for case in cases) > 100


def test_alexnet_sets_the_unit(profiles):
    alexnet = next(times for times in profiles if times.application.code == "IMC")
    assert alexnet.measured.sum() == pytest.approx(1)
    costs = study.application_costs(alexnet.application, alexnet.measured, "phone CPU")
    assert costs.device_latency.sum() == pytest.approx(0.382)
    assert costs.server_latency.sum() == pytest.approx(0.006)


def test_the_unit_does_not_depend_on_the_speed_of_the_machine(profiles):
    slow = [replace(times, measured=7 * times.measured, predicted=7 * times.predicted) for times in profiles]
    assert [case.cut for case in study.run_cases(study.in_alexnets(slow))] == [
        case.cut for case in study.run_cases(profiles)
    ]


def test_without_alexnet_there_is_no_unit(profiles):
    with pytest.raises(ValueError, match="measure AlexNet too"):
        study.in_alexnets(profiles[1:])


def test_upload_dominates_cloud_only(profiles):
    shares = study.upload_shares(profiles)
    assert shares.shape == (8, 3)
    assert (np.diff(shares, axis=1) > 0).all()  # Wi-Fi, LTE, 3G: ever slower
    assert shares.mean() > 50


def test_a_placement_pays_wherever_the_side_changes():
    costs = ChainCosts(("a", "b", "c"), [1, 1, 1], [0.1, 0.1, 0.1], [1e6, 2e6, 4e6, 0])
    there_and_back = placement_latency(costs, np.array([False, True, False]), 8e6)
    assert there_and_back == pytest.approx(1 + 0.1 + 1 + (2 + 4))
    assert placement_latency(costs, np.array([True, True, True]), 8e6) == pytest.approx(0.3 + 1)
    assert placement_latency(costs, np.array([False, False, False]), 0.0) == pytest.approx(3)


def test_deciding_by_kind_is_never_better_than_the_best_cut(profiles):
    for times in profiles:
        kinds = tuple(layer.kind for layer in times.application.graph.layers)
        for network in study.UPLOAD_SECONDS:
            costs = study.application_costs(times.application, times.measured, "phone CPU")
            rate = study.upload_rate(network)
            plan = maui_like_plan(costs, kinds, rate)
            if len(plan.offloaded) in (0, len(set(kinds))):  # a plan that a prefix cut could also make
                assert plan.latency >= scan_cuts(costs, rate).values[0] * (1 - 1e-9)


def test_layers_of_one_kind_move_together():
    costs = ChainCosts(("a", "b"), [1.0, 0.001], [0.01, 0.01], [1e3, 1e3, 0])
    assert maui_like_plan(costs, ("dense", "dense"), 1e9).offloaded == {"dense"}
    assert maui_like_plan(costs, ("dense", "pool"), 1e9).offloaded == {"dense"}
    with pytest.raises(ValueError, match="1 kinds for 2 layers"):
        maui_like_plan(costs, ("dense",), 1e9)


def test_partitioning_frees_the_server_and_more_so_on_slow_links(profiles):
    gains = [throughput.server_work(profiles, network).gain for network in ("wifi", "lte", "3g")]
    assert gains[0] >= 1 and gains == sorted(gains)


def test_gain_is_infinite_when_nothing_reaches_the_server():
    assert throughput.ServerWork("3g", 0.3, (1.0,), (0.0,), (0.0,)).gain == np.inf


def test_simulated_server_delivers_one_query_per_mean_service_time(profiles):
    work = throughput.server_work(profiles, "lte")
    services = throughput.drawn_services(work, 3000, seed=0)
    run = throughput.simulate_server(services, rate=2 / work.mean_after, seed=0)
    assert run.throughput == pytest.approx(1 / services.mean(), rel=0.01)


def test_share_of_phones_is_checked(profiles):
    with pytest.raises(ValueError, match="gpu_phones is 30"):
        throughput.server_work(profiles, "wifi", gpu_phones=30)
