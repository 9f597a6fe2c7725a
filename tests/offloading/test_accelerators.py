"""GPU, FPGA and CPU models: shape of their curves, and bad input."""

import numpy as np
import pytest

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import accelerators
from edgedl_lib.offloading.platform.accelerators import Accelerator


def test_time_of_a_batch_by_hand():
    machine = Accelerator("machine", setup=10.0, wave=2.0, width=4, power=5.0)
    assert machine.latency(1) == machine.latency(4) == 12.0
    assert machine.latency(5) == 14.0
    assert machine.throughput(4) == pytest.approx(4 / 12)
    assert machine.energy_per_item(4) == pytest.approx(15.0)
    assert machine.latency(np.array([1, 5])).tolist() == [12.0, 14.0]


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        accelerators.fpga().throughput(0)


def test_throughput_rises_to_the_limit_of_each_machine():
    for machine in (accelerators.gpu(), accelerators.fpga()):
        rates = machine.throughput(machine.width * np.array([1, 4, 64, 4096]))
        assert np.all(np.diff(rates) > 0)
        assert rates[-1] == pytest.approx(machine.width / machine.wave, rel=0.05)


def test_limits_follow_from_the_peaks():
    graph = model("lenet5")
    limit = {build: build().width / build().wave for build in (accelerators.gpu, accelerators.fpga)}
    assert limit[accelerators.gpu] * graph.flop == pytest.approx(0.5 * 4290e9)
    assert limit[accelerators.fpga] * graph.flop == pytest.approx(0.5 * 1366e9)


def test_gpu_overtakes_exactly_at_the_crossover():
    study = accelerators.accelerator_study()
    batch = study.crossover_batch
    assert study.gpu.throughput(batch) > study.fpga.throughput(batch)
    earlier = np.arange(1, batch)
    assert np.all(study.gpu.throughput(earlier) <= study.fpga.throughput(earlier))


def test_no_crossover_is_none():
    assert accelerators.accelerator_study(batches=(1, 2)).crossover_batch is None


def test_energy_advantage_falls_with_the_batch():
    assert np.all(np.diff(accelerators.accelerator_study().energy_ratio) < 0)


def test_chains_cost_nothing_when_absent_and_hurt_the_gpu_more():
    assert accelerators.gpu_kept(0, 1) == accelerators.fpga_kept(0) == 1
    chains = [0.1, 0.3, 0.6, 1.0]
    kept = [accelerators.gpu_kept(chain, 64) for chain in chains]
    assert kept == sorted(kept, reverse=True)
    assert accelerators.gpu_kept(1.0, 10**6) == 1  # enough items fill every lane
    assert accelerators.fpga_kept(1.0) == pytest.approx(1 / 4)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_zero_and_one_is_refused(share):
    with pytest.raises(ValueError, match="dependent share"):
        accelerators.fpga_kept(share)


def test_served_latency_is_at_least_the_service_and_repeats_with_the_seed():
    first, again = accelerators.serving_study(requests=300), accelerators.serving_study(requests=300)
    assert np.array_equal(first.gpu_latency, again.gpu_latency)
    study = accelerators.accelerator_study()
    assert first.gpu_latency.min() >= study.gpu.latency(1) - 1e-12
    assert first.fpga_latency.min() >= study.fpga.latency(1) - 1e-12


def test_light_load_approaches_the_single_item_ratio():
    ratio = accelerators.serving_study(load=0.01, requests=500).latency_ratio
    assert ratio == pytest.approx(accelerators.accelerator_study().latency_ratio, rel=0.02)
