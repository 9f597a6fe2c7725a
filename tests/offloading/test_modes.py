"""The four modes against hand calculations, their limits, and the answers of the network they share."""

import dataclasses

import pytest
import torch

from edgedl_lib.inference.early_exit.network import exit_logits
from edgedl_lib.inference.tiles.execution import run_tiled
from edgedl_lib.nets.datasets import Split
from edgedl_lib.offloading.modes import scenarios
from edgedl_lib.offloading.modes.answers import Answers, boundary_grids, choose_threshold, crossed_logits
from edgedl_lib.offloading.modes.network import PIXELS, segment_graphs, three_level_network, trunk, trunk_graph
from edgedl_lib.offloading.modes.scenarios import MODES, Setting, best_cut, best_depth, mode_scenario, tile_tasks
from edgedl_lib.offloading.modes.study import fastest_modes, measure_run
from edgedl_lib.system.simulator.run import simulate

ALL_CLIMB = Answers(whole=0.9, exits=0.9, shares=(0.0, 0.0, 1.0), threshold=1.0)
ALL_STAY = dataclasses.replace(ALL_CLIMB, shares=(1.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return three_level_network().eval()


def setting(network, answers=ALL_CLIMB, **changes) -> Setting:
    levels = tuple(float(graph.flop) for graph in segment_graphs(network))
    return Setting(trunk_graph(network), levels, answers, **changes)


def mean_latency(mode, chosen, rate):
    return simulate(mode_scenario(mode, chosen, rate, duration=8.0), 0).latency().mean()


def test_the_trunk_is_the_network_without_its_early_answers(network):
    images = torch.rand(5, 1, PIXELS, PIXELS)
    assert torch.equal(trunk(network)(images), exit_logits(network, images)[-1])


def test_the_end_alone_takes_its_operations_over_its_speed(network):
    chosen = setting(network)
    assert mean_latency("end alone", chosen, 1e5) == pytest.approx(chosen.graph.flop / chosen.speeds["end"])


def test_integral_offloading_adds_picture_edge_and_label(network):
    chosen, rate = setting(network), 2e5
    crossing = 8 * (chosen.picture_bytes + 4) / rate + 2 * chosen.latencies["air"]
    assert mean_latency("integral", chosen, rate) == pytest.approx(crossing + chosen.graph.flop / chosen.speeds["edge"])


def test_vertical_collaboration_with_nobody_sure_visits_all_levels(network):
    chosen, rate = setting(network), 2e5
    parts = sum(
        flop / chosen.speeds[level] for flop, level in zip(chosen.levels, ("end", "edge", "cloud"), strict=True)
    )
    up = 8 * chosen.sent_bytes("pool2") / rate + 8 * chosen.sent_bytes("pool3") / chosen.backhaul_rate
    down = 8 * 4 / rate + 8 * 4 / chosen.backhaul_rate
    expected = parts + up + down + 2 * sum(chosen.latencies.values())
    assert mean_latency("vertical", chosen, rate) == pytest.approx(expected)


def test_vertical_collaboration_with_everybody_sure_stays_on_the_camera(network):
    chosen = setting(network, ALL_STAY)
    run = simulate(mode_scenario("vertical", chosen, 2e5, duration=8.0), 0)
    assert run.bytes_carried("air") == 0
    assert run.latency().mean() == pytest.approx(chosen.levels[0] / chosen.speeds["end"])


@pytest.mark.parametrize(("rate", "like"), [(1.0, "end alone"), (1e12, "integral")])
def test_the_best_cut_moves_from_one_end_to_the_other(network, rate, like):
    chosen = setting(network)
    assert best_cut(chosen, rate) == (0 if like == "integral" else len(chosen.graph.layers))
    assert mean_latency("partial", chosen, rate) == mean_latency(like, chosen, rate)


@pytest.mark.parametrize("depth", scenarios.TILE_DEPTHS)
def test_tiles_change_no_value_and_never_less_work_than_the_network(network, depth):
    chosen, layers = setting(network), trunk(network)
    until = layers[: chosen.graph.layer_names.index(depth) + 1]
    image = torch.rand(1, 1, PIXELS, PIXELS)
    assert torch.allclose(run_tiled(until, image, scenarios.TILE_GRID), until(image), atol=1e-6)
    tiles, rest = tile_tasks(chosen, depth)
    convolutions = 2 * sum(layer.mac for layer in chosen.graph.layers[: len(until)])
    assert tiles.copies * tiles.flop >= convolutions
    assert tiles.copies * tiles.input_bytes >= chosen.picture_bytes
    assert rest.flop < chosen.graph.flop


def test_deeper_tiles_pay_on_a_fast_link_only(network):
    chosen = setting(network)
    names = chosen.graph.layer_names
    assert names.index(best_depth(chosen, 1e3)) <= names.index(best_depth(chosen, 1e9))


def test_a_mode_that_cannot_keep_up_has_no_latency(network):
    result = measure_run(simulate(mode_scenario("integral", setting(network), 1e3, 20.0), 0), 1e3, 0.9)
    assert result.latency == float("inf") and result.load > 0.99


def test_the_fastest_mode_is_found_at_every_rate(network):
    chosen = setting(network, ALL_STAY)
    runs = [(rate, simulate(mode_scenario(mode, chosen, rate, 8.0), 0)) for rate in (1e4, 1e5) for mode in MODES]
    assert fastest_modes([measure_run(run, rate, 0.9) for rate, run in runs]) == {1e4: "vertical", 1e5: "vertical"}


def test_an_unknown_mode_is_named_with_the_known_ones(network):
    with pytest.raises(ValueError, match="mode 'diagonal' is unknown: use one of end alone, integral"):
        mode_scenario("diagonal", setting(network), 1e5)


def test_eight_bits_between_levels_change_logits_little(network):
    split = Split(torch.rand(20, 1, PIXELS, PIXELS), torch.zeros(20, dtype=torch.int64))
    crossed = crossed_logits(network, split, boundary_grids(network, split.inputs))
    plain = exit_logits(network, split.inputs)
    assert torch.equal(crossed[0], plain[0])
    assert 0 < float((crossed[1:] - plain[1:]).abs().max()) < 0.02


def test_the_threshold_is_the_smallest_that_loses_little():
    targets = torch.zeros(100, dtype=torch.int64)
    early = torch.zeros(100, 2)
    early[:, 0] = 0.5  # right, with probability 0.62
    early[:40] = torch.tensor([0.0, 1.5])  # wrong, with probability 0.82
    late = torch.tensor([[5.0, 0.0]]).expand(100, 2)
    split = Split(torch.zeros(100, 1), targets)
    assert choose_threshold(torch.stack([early, late]), split, 0.005) == pytest.approx(0.82, abs=0.011)
    assert choose_threshold(torch.stack([early, late]), split, 0.5) == pytest.approx(0.5)
