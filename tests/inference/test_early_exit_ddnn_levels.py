"""DDNN's surroundings: joints of scores and maps, latency of the levels, the rival on one device, export."""

import dataclasses

import numpy as np
import pytest
import torch

from edgedl_lib.inference.early_exit.distributed import (
    aggregation,
    alone,
    communication,
    export,
    latency,
    network,
    views,
)
from edgedl_lib.inference.early_exit.network import exit_logits
from edgedl_lib.inference.partition.costs import dag_costs
from edgedl_lib.inference.partition.dag import min_cut_partition
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link

DESIGN = network.Design(view=(12, 12))


@pytest.fixture(scope="module")
def sets():
    torch.set_num_threads(1)
    return [views.six_cameras(digits(seed), seed, copies=2) for seed in (0, 1)]


def levels(radio=250e3, backhaul=1e6):
    end, edge, cloud = (Device(name, peak, 1e9) for name, peak in (("end", 1e8), ("edge", 1e10), ("cloud", 1e12)))
    return latency.Levels(end, edge, cloud, Link("radio", radio), Link("backhaul", backhaul))


class TestLatency:
    def test_each_level_answers_later_and_by_hand(self):
        seconds = latency.exit_latencies(DESIGN, levels())
        local = (62_208 + 5_184) / 6 / 1e8 + 12 * 8 / 250e3
        edge = local + 18 * 8 / 250e3 + (124_416 + 3_456) / 2 / 1e10
        cloud = edge + 36 * 8 / 1e6 + (331_776 + 3_456) / 1e12
        np.testing.assert_allclose(seconds, [local, edge, cloud], rtol=1e-9)

    def test_a_dead_backhaul_leaves_the_lower_levels_alone(self):
        seconds = latency.exit_latencies(DESIGN, levels(backhaul=0.0))
        assert np.isfinite(seconds[:2]).all() and seconds[2] == np.inf

    def test_two_levels_have_no_edge(self):
        with pytest.raises(ValueError, match="needs? a design with edges"):
            latency.exit_latencies(dataclasses.replace(DESIGN, edges=()), levels())

    def test_raw_pictures_take_longer_on_a_slow_radio_and_not_on_a_fast_one_with_slow_devices(self):
        assert latency.raw_latency(DESIGN, levels()) > latency.exit_latencies(DESIGN, levels())[2]
        fast = levels(radio=1e12, backhaul=1e12)
        assert latency.raw_latency(DESIGN, fast) < latency.exit_latencies(DESIGN, fast)[0]


class TestExport:
    def test_blocks_state_their_operations(self):
        graph = export.ddnn_graph(DESIGN)
        devices = graph.layers[0]
        assert devices.flop == 2 * 9 * 4 * 6 * 12 * 12 and devices.output_shape == (24, 6, 6)
        assert sum(layer.output_shape == (3,) for layer in graph.layers) == 3
        assert graph.parameter_count == sum(p.numel() for p in network.ddnn(DESIGN).parameters())

    def test_bits_move_the_cut_behind_the_devices(self):
        graph = export.ddnn_graph(DESIGN)
        on_device, on_server = np.array([1e-3, 1e-4, 1, 1, 1, 1]), np.full(6, 1e-4)
        bits = min_cut_partition(export.partition_costs(DESIGN, on_device, on_server), 1e5)
        floats = min_cut_partition(dag_costs(graph, on_device, on_server), 1e5)
        assert graph.layers[0].name in bits.device_layers and not floats.device_layers
        assert bits.latency < floats.latency


class TestAlone:
    def test_memory_is_at_least_the_devices(self, sets):
        rival = alone.train_alone(DESIGN, sets[0], 0)
        assert rival.memory >= communication.device_memory(DESIGN) > alone.model_memory(rival.side - 1, 3)
        assert 0.5 < rival.accuracy < 0.95

    def test_a_blind_camera_guesses(self, sets):
        blind = dataclasses.replace(sets[0], test=sets[0].test.without(range(6)))
        rival = alone.train_alone(DESIGN, blind, 0, epochs=1)
        counts = torch.bincount(blind.test.targets).double() / len(blind.test)
        assert rival.accuracy in [pytest.approx(float(share)) for share in counts]


class TestAggregation:
    def test_shared_devices_give_nine_pairs_of_three_local_and_three_cloud_exits(self, sets):
        design = network.Design(edges=(), view=(12, 12))
        table = aggregation.aggregation_table(design, sets, 0, shared_devices=True, epochs=1)
        assert table["local"].shape == (3, 3, 2)
        assert np.ptp(table["local"], axis=1).max() == 0 and np.ptp(table["cloud"], axis=0).max() == 0
        assert table["local"].min() > 0.2

    def test_networks_apart_may_differ_in_every_cell(self, sets):
        design = network.Design(edges=(), view=(12, 12))
        small = [dataclasses.replace(each, train=each.validation) for each in sets]
        table = aggregation.aggregation_table(design, small, 0, shared_devices=False, epochs=1)
        assert np.ptp(table["local"], axis=1).max() > 0

    def test_the_bank_joins_as_the_networks_do(self, sets):
        design = network.Design(edges=(), view=(12, 12), replicas=1)
        bank = build(lambda: aggregation.JointBank(design), 0).eval()
        single = network.ddnn(dataclasses.replace(design, local="AP", features="MP")).eval()
        single.segments[0].load_state_dict(bank.devices.state_dict())
        single.branches[0].heads.load_state_dict(bank.locals[0].heads.state_dict())
        single.segments[1].load_state_dict(bank.clouds[0].state_dict())
        single.branches[1].load_state_dict(bank.answers[0].state_dict())
        inputs = sets[0].test.inputs[:20]
        with torch.no_grad():
            together = bank(inputs)[:, 0]  # (batch, 6, classes)
        torch.testing.assert_close(together[:, [1, 3]].transpose(0, 1), exit_logits(single, inputs))
