"""The reader's own machine: the fit finds known efficiencies, the file survives faults, measuring is quick."""

import dataclasses
import json
import time

import numpy as np
import pytest

from edgedl_lib.system import catalogue, host
from edgedl_lib.system.device import Calibration
from edgedl_lib.system.host import HostFileError, HostProfile, LayerTiming, fit_calibration, read_host, write_host

PEAK, BANDWIDTH = 1e11, 2e10


def timings(truth, kind="conv"):
    """Layers on both sides of the ridge that obey the roofline exactly."""
    for flop, moved in ((1e3, 1e3), (1e6, 1e5), (1e9, 1e6), (1e10, 1e7), (1e5, 1e6), (1e6, 1e8)):
        ideal = max(flop / (truth.compute_efficiency * PEAK), moved / (truth.bandwidth_efficiency * BANDWIDTH))
        yield LayerTiming(kind, "", flop, moved, 9.0, ideal + truth.overhead)  # the median is not what is fitted


@pytest.fixture
def profile():
    truth = Calibration(0.5, 0.3, 1e-5)
    return HostProfile(
        "machine", "2024-01-01", PEAK, BANDWIDTH, PEAK, truth, {"conv": truth}, tuple(timings(truth)), 9.0
    )


@pytest.mark.parametrize("truth", [Calibration(0.7, 0.4, 2e-5), Calibration(0.05, 0.9, 1e-6), Calibration(1, 1, 1e-4)])
def test_the_fit_finds_the_efficiencies(truth):
    fitted = fit_calibration(tuple(timings(truth)), PEAK, BANDWIDTH)
    assert dataclasses.astuple(fitted) == pytest.approx(dataclasses.astuple(truth), rel=0.01)


def test_a_layer_in_the_cache_may_beat_the_memory_only_if_allowed():
    layers = tuple(timings(Calibration(0.5, 4.0, 1e-6)))
    assert fit_calibration(layers, PEAK, BANDWIDTH).bandwidth_efficiency <= 1
    assert fit_calibration(layers, PEAK, BANDWIDTH, 50.0).bandwidth_efficiency == pytest.approx(4.0, rel=0.01)


def test_written_and_read_back(profile, tmp_path, monkeypatch):
    path = tmp_path / "new folder" / "host.json"
    assert write_host(profile, path) == path
    assert read_host(path) == profile
    assert [file.name for file in path.parent.iterdir()] == ["host.json"]
    monkeypatch.setenv("EDGEDL_HOST_FILE", str(path))
    device = catalogue.device("host")
    assert device.name == "host" and device.latency(1e9, 0) == pytest.approx(1e9 / (0.5 * PEAK) + 1e-5)
    assert device.calibration_for("conv") == profile.by_kind["conv"]


def test_a_failed_write_leaves_the_old_file(profile, tmp_path, monkeypatch):
    path = write_host(profile, tmp_path / "host.json")
    broken = dataclasses.replace(profile, machine=object())  # cannot be written as JSON
    with pytest.raises(TypeError):
        write_host(broken, path)
    assert read_host(path) == profile and len(list(tmp_path.iterdir())) == 1


def test_missing_host_file_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEDL_HOST_FILE", str(tmp_path / "none.json"))
    with pytest.raises(HostFileError, match="has not been measured .* run `edgedl profile` once"):
        catalogue.device("host")


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: "{not json",
        lambda stored: "[]",
        lambda stored: json.dumps({**stored, "schema": 99}),
        lambda stored: json.dumps({key: value for key, value in stored.items() if key != "overall"}),
        lambda stored: json.dumps({**stored, "peak_flop_per_s": -1.0}),
        lambda stored: json.dumps({**stored, "memory_bandwidth": float("nan")}),
        lambda stored: json.dumps({**stored, "peak_flop_per_s": "fast"}),
        lambda stored: json.dumps({**stored, "by_kind": {"conv": {"compute_efficiency": 2.0}}}),
        lambda stored: json.dumps(stored)[:200],
    ],
)
def test_corrupt_host_file_names_the_command(profile, tmp_path, damage):
    path = write_host(profile, tmp_path / "host.json")
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(HostFileError, match="holds no usable host profile .* run `edgedl profile` again"):
        read_host(path)


@pytest.fixture(scope="module")
def quick_measurement():
    """One short measurement of this machine, with the steps it reported and the seconds it took."""
    steps, began = [], time.perf_counter()
    measured = host.measure_host(lambda *step: steps.append(step), seconds_per_layer=0.03)
    return measured, steps, time.perf_counter() - began


def test_measuring_reports_progress_and_covers_every_kind(quick_measurement, tmp_path):
    measured, steps, seconds = quick_measurement
    assert seconds < 30
    assert [done for done, _, _ in steps] == list(range(len(measured.layers) + 1))
    assert {total for _, total, _ in steps} == {len(measured.layers)}
    assert set(measured.by_kind) == {"conv", "depthwise_conv", "dense", "pool", "activation", "norm", "lrn"}
    assert 1e8 < measured.peak_flop_per_s < 1e14 and 1e8 < measured.memory_bandwidth < 1e13
    assert all(0 < layer.minimum <= layer.latency for layer in measured.layers)
    assert all(layer.flop / layer.minimum <= measured.peak_flop_per_s for layer in measured.layers)
    assert 0.2 * measured.peak_flop_per_s < measured.gemm_flop_per_s <= measured.peak_flop_per_s
    assert read_host(write_host(measured, tmp_path / "host.json")) == measured


def test_the_calibrated_roofline_predicts_the_layers_it_was_fitted_to(quick_measurement):
    measured, _, _ = quick_measurement
    device = measured.device()
    ratios = [device.latency(layer.flop, layer.bytes_moved, layer.kind) / layer.minimum for layer in measured.layers]
    assert 0.7 < np.median(ratios) < 1.4


def test_measuring_leaves_the_number_of_threads_as_it_was():
    import torch

    from edgedl_lib.system.host_layers import one_thread

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), one_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == before


def test_the_grid_counts_two_flop_per_multiply_add():
    from edgedl_lib.system.host_layers import layer_cases

    cases = {(case.kind, case.config): case for case in layer_cases()}
    alexnet = cases["conv", "3x227x227 -> 96, 11x11/4"]
    assert alexnet.flop == 2 * 96 * 57 * 57 * 3 * 11 * 11  # padded by five, so 57 and not 55
    dense = cases["dense", "4096 -> 4096"]
    assert dense.flop == 2 * 4096**2 and dense.bytes_moved == 4 * (4096**2 + 3 * 4096)
    depthwise = cases["depthwise_conv", "512x14x14, 3x3/1"]
    assert depthwise.flop == 2 * 512 * 14 * 14 * 9


def test_the_command_writes_the_file_and_says_where(tmp_path, capsys, monkeypatch, profile):
    def measure(progress):
        progress(0, 2, "first")
        progress(2, 2, "done")
        return profile

    monkeypatch.setattr(host, "measure_host", measure)
    path = host.profile_host_command(tmp_path / "host.json")
    assert read_host(path) == profile
    assert "100.0 GFLOP/s" in capsys.readouterr().out
