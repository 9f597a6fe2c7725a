"""A phone on a changing link with a changing server."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.chain import scan_cuts
from edgedl_lib.inference.studies import neurosurgeon_dynamics as study
from edgedl_lib.inference.studies.neurosurgeon_alexnet import alexnet_costs, upload_rate
from edgedl_lib.nets.zoo.alexnet import alexnet
from edgedl_lib.system.trace import Trace, synthetic_trace


@pytest.fixture(scope="module")
def costs():
    return alexnet_costs(alexnet())


def idle(seconds):
    return 0.0


def test_on_a_steady_link_the_simulation_equals_the_equation(costs):
    rate = upload_rate("wifi")
    steady = Trace("steady", [0.0, 1.0], [rate, rate])
    run = study.simulate_phone(costs, steady, idle, study.adaptive(costs), np.arange(5.0))
    assert (run.cut == 15).all()
    assert run.latency == pytest.approx(np.full(5, scan_cuts(costs, rate).values[0]))


def test_load_slows_the_server_part_alone(costs):
    steady = Trace("steady", [0.0, 1.0], [upload_rate("wifi")] * 2)
    run = study.simulate_phone(costs, steady, lambda seconds: 0.9, study.static(0), np.array([0.0]))
    assert run.latency[0] == pytest.approx(0.095 + 10 * 0.006)
    on_phone = study.simulate_phone(costs, steady, lambda seconds: 0.9, study.static(23), np.array([0.0]))
    assert on_phone.latency[0] == pytest.approx(0.081)


def test_queries_wait_for_the_phone_that_is_busy(costs):
    steady = Trace("steady", [0.0, 1.0], [1e6, 1e6])
    run = study.simulate_phone(costs, steady, idle, study.static(23), np.array([0.0, 0.0]))
    assert run.latency == pytest.approx([0.081, 0.162])


def test_adaptive_beats_the_installed_cut_and_the_best_fixed_one(costs):
    trace, load, starts = synthetic_trace(3, duration=200), study.changing_load(), np.arange(0, 190, 1.0)
    adaptive = study.simulate_phone(costs, trace, load, study.adaptive(costs), starts)
    installed = study.simulate_phone(costs, trace, load, study.static(15), starts)
    assert adaptive.p95 < 0.5 * installed.p95
    _, fixed = study.best_static(costs, trace, load, starts)
    assert adaptive.mean <= fixed.mean


def test_cut_moves_only_toward_the_device(costs):
    slower = np.geomspace(50e6, 1e5, 300)
    assert study.steps_back(scan_cuts(costs, slower).cuts) == 0
    assert study.steps_back(scan_cuts(costs, slower[::-1]).cuts) > 0
    busier = study.load_factor(np.linspace(0, 0.99, 100))
    assert study.steps_back(scan_cuts(costs, np.full(100, 12.8e6), server_load=busier).cuts) == 0


@pytest.mark.parametrize("load", [-0.1, 1.0, 1.5, np.nan])
def test_impossible_loads_are_refused(load):
    with pytest.raises(ValueError, match="load is"):
        study.load_factor(load)


def test_load_swings_between_its_bounds():
    load = study.changing_load(period=100, highest=0.8)
    values = load(np.linspace(0, 200, 401))
    assert values.min() == pytest.approx(0) and values.max() == pytest.approx(0.8)
