"""The inspection line: tiles, the network's two answers, thresholds at their ends, and the queues of the factory."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.early_exit.inspection import factory, network, policy, squeeze, study
from edgedl_lib.inference.early_exit.inspection.images import (
    LOWEST_DEGREE,
    OK,
    RAW_BYTES,
    SHAPES,
    TYPES,
    Tiles,
    draw_tiles,
)
from edgedl_lib.nets.export import layer_graph


@pytest.fixture(scope="module")
def tiles():
    return draw_tiles(0, 400)


@pytest.fixture(scope="module")
def outputs(tiles):
    torch.manual_seed(0)
    trained = network.train_inspection(tiles, seed=0, epochs=2)
    return network.exit_outputs(trained, tiles.images)


def test_tiles_depend_on_the_seed_alone(tiles):
    again = draw_tiles(0, 400)
    assert torch.equal(tiles.images, again.images)
    assert not torch.equal(tiles.images, draw_tiles(1, 400).images)


def test_tiles_are_byte_pictures_of_every_type(tiles):
    assert torch.equal((255 * tiles.images).round() / 255, tiles.images)
    assert set(tiles.kinds.tolist()) == set(range(len(TYPES)))


def test_degree_belongs_to_defects_only(tiles):
    assert (tiles.degrees[tiles.kinds == OK] == 0).all()
    assert (tiles.degrees[tiles.kinds != OK] >= LOWEST_DEGREE).all()


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_peak_one_and_stay_inside(name):
    for seed in range(20):
        mask = SHAPES[name](np.random.default_rng(seed))
        assert mask.shape == (32, 32)
        assert 0.6 < np.abs(mask).max() <= 1.0


def test_degree_is_contrast():
    rng = np.random.default_rng(3)
    mask = SHAPES["spot"](rng)
    assert np.abs(0.5 * mask).max() == pytest.approx(0.5 * np.abs(mask).max())
    weak, strong = (degree * mask for degree in (0.3, 0.9))
    assert np.abs(strong).sum() == pytest.approx(3 * np.abs(weak).sum())


def test_no_tiles_is_refused():
    with pytest.raises(ValueError, match="at least one tile"):
        draw_tiles(0, 0)


def test_second_exit_runs_only_if_asked_for():
    model = network.InspectionNetwork().eval()
    calls = []
    model.server.register_forward_hook(lambda *_: calls.append(1))
    exits = model(torch.zeros(1, 1, 32, 32))
    next(exits)
    assert calls == []
    next(exits)
    assert calls == [1]


def test_loss_does_not_read_the_degree_of_ok_tiles():
    model = network.InspectionNetwork().eval()
    images = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    kinds = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    first = torch.stack([kinds, torch.tensor([0.0, 0.0, 0.5, 0.5, 0.5, 0.5])], dim=1)
    second = first.clone()
    second[:2, 1] = 9.0
    assert network.inspection_loss(model, images, first) == network.inspection_loss(model, images, second)
    second[2, 1] = 0.9
    assert network.inspection_loss(model, images, first) != network.inspection_loss(model, images, second)


def test_loss_of_ok_tiles_alone_is_finite():
    model = network.InspectionNetwork().eval()
    assert torch.isfinite(network.inspection_loss(model, torch.zeros(2, 1, 32, 32), torch.zeros(2, 2)))


def test_sent_map_is_smaller_than_the_picture():
    assert network.feature_bytes() == 4 * 64 + 8 < RAW_BYTES


def test_fat_map_is_refused(monkeypatch):
    monkeypatch.setattr(network, "SENT_CHANNELS", 16)
    with pytest.raises(ValueError, match="no smaller than the picture"):
        network.feature_bytes()


def test_eight_bits_err_by_half_a_step():
    features = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    codes, lowest, step = network.quantise(features)
    assert codes.dtype == torch.uint8
    error = (network.restore(codes, lowest, step) - features).abs().flatten(1)
    assert (error <= step / 2 + 1e-6).all()
    assert error.max() > 0  # it really is quantised


def test_constant_map_survives_quantisation():
    features = torch.full((1, 4, 8, 8), 0.7)
    assert torch.allclose(network.restore(*network.quantise(features)), features)


def test_nan_image_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        network.exit_outputs(network.InspectionNetwork(), torch.full((1, 1, 32, 32), torch.nan))


def test_trained_network_exports_with_both_exits():
    graph = layer_graph(network.InspectionNetwork().eval(), (1, 32, 32))
    assert len(graph.exits) == 2


def test_threshold_zero_is_fog_only(outputs, tiles):
    split, fog = policy.inspect(outputs, "split", 0.0), policy.inspect(outputs, "fog only")
    assert split.at_fog.all()
    assert torch.equal(split.outputs, fog.outputs)
    assert split.bytes_per_image == fog.bytes_per_image == network.RESULT_BYTES
    assert split.accuracy(tiles) == fog.accuracy(tiles)


def test_threshold_above_one_never_leaves(outputs):
    split = policy.inspect(outputs, "split", 1.001)
    assert split.exit_ratio == 0.0
    assert torch.equal(split.outputs, outputs.server)
    assert split.bytes_per_image == network.feature_bytes()


def test_server_only_sends_pictures(outputs):
    assert policy.inspect(outputs, "server only").bytes_per_image == RAW_BYTES


def test_raising_the_threshold_never_raises_the_exit_ratio(outputs):
    ratios = policy.exit_ratios(outputs)
    assert (np.diff(ratios) <= 0).all()
    assert ratios[0] == 1.0
    assert ratios[-1] == 0.0


def test_bytes_per_image_follow_the_exit_ratio(outputs):
    split = policy.inspect(outputs, "split", 0.5)
    expected = split.exit_ratio * network.RESULT_BYTES + (1 - split.exit_ratio) * network.feature_bytes()
    assert split.bytes_per_image == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_bad_threshold_is_refused(outputs, threshold):
    with pytest.raises(ValueError, match="threshold"):
        policy.inspect(outputs, "split", threshold)


def test_unknown_policy_is_refused(outputs):
    with pytest.raises(ValueError, match="cloud"):
        policy.inspect(outputs, "cloud")
    with pytest.raises(ValueError, match="cloud"):
        factory.stations("cloud")


def test_chosen_threshold_keeps_the_accuracy_on_its_tiles(outputs, tiles):
    threshold = policy.choose_threshold(outputs, tiles, tolerance=0.01)
    never = policy.inspect(outputs, "split").accuracy(tiles)
    assert policy.inspect(outputs, "split", threshold).accuracy(tiles) >= never - 0.01 - 1e-9


def made_up(answers, degrees, kinds, true_degrees):
    scores = torch.zeros(len(answers), len(TYPES) + 1)
    scores[torch.arange(len(answers)), torch.tensor(answers)] = 3.0
    scores[:, -1] = torch.tensor(degrees)
    given = policy.Inspection(scores, torch.ones(len(answers), dtype=torch.bool), torch.zeros(len(answers)))
    return given, Tiles(torch.zeros(len(answers), 1, 1, 1), torch.tensor(kinds), torch.tensor(true_degrees))


def test_degree_error_counts_correctly_typed_defects_only():
    given, truth = made_up([0, 1, 2, 3], [0.9, 0.5, 0.9, 0.9], [0, 1, 2, 4], [0.0, 0.4, 0.6, 0.1])
    assert given.degree_error(truth) == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2))


def test_degree_error_without_a_right_defect_is_refused():
    given, truth = made_up([0, 0], [0.9, 0.5], [0, 1], [0.0, 0.4])
    with pytest.raises(ValueError, match="no defect"):
        given.degree_error(truth)


@pytest.mark.parametrize("name", policy.POLICIES)
@pytest.mark.parametrize("lines", [1, 5, 14])
def test_arrays_and_events_agree(name, lines):
    flags = np.zeros(1, bool) if name == "server only" else np.array([True, False, False])
    products, times = factory.draw_products(lines, lines, 8.0, flags), factory.stations(name)
    assert factory.run_factory(products, times) == pytest.approx(factory.simulate_factory(products, times), abs=1e-9)


@pytest.mark.parametrize("name", policy.POLICIES)
def test_one_line_waits_for_nothing(name):
    products, times = factory.draw_products(0, 1, 20.0, np.array([True, False])), factory.stations(name)
    assert factory.run_factory(products, times) == pytest.approx(times.service(products.at_fog), abs=1e-9)


def test_early_answers_pay_for_fog_part_and_exit():
    flop, times = factory.part_flop(), factory.stations("split")
    per_flop = factory.SERVER_SECONDS / (flop["fog"] + flop["narrow"] + flop["server"])
    assert times.fog == pytest.approx(factory.FOG_SLOWDOWN * per_flop * (flop["fog"] + flop["exit"]))
    assert times.fog_sent > times.fog > 0


def test_server_only_costs_the_whole_network_and_the_raw_picture():
    times = factory.stations("server only")
    assert times.server == factory.SERVER_SECONDS
    assert times.uplink == pytest.approx(8 * 1024 / 2e6)
    assert times.fog == times.fog_sent == 0


def test_server_only_saturates_where_its_server_does():
    sweep = factory.sweep_lines("server only", np.zeros(1, bool), duration=60.0)
    assert sweep.saturation == 1 / factory.SERVER_SECONDS / factory.IMAGES_PER_SECOND  # 10 lines at full load
    assert (sweep.p95 >= sweep.mean).all()


def test_fog_nodes_come_with_their_lines():
    sweep = factory.sweep_lines("fog only", np.ones(1, bool), duration=20.0, lines=[4, 8, 32])
    assert sweep.p95[2] < 1.5 * sweep.p95[0]


def test_saturation_at_the_ends():
    none = factory.LineSweep(np.array([1, 2]), np.array([2.0, 3.0]), np.array([2.0, 3.0]))
    always = factory.LineSweep(np.array([1, 2]), np.array([0.1, 0.1]), np.array([0.1, 0.1]))
    between = factory.LineSweep(np.array([1, 2, 3]), np.array([0.1] * 3), np.array([0.1, 1.2, 0.9]))
    assert (none.saturation, always.saturation, between.saturation) == (0, 2, 1)


@pytest.mark.parametrize(("lines", "duration", "flags"), [(0, 1.0, [True]), (1, 0.0, [True]), (1, 1.0, [])])
def test_factory_without_lines_time_or_images_is_refused(lines, duration, flags):
    with pytest.raises(ValueError, match="must be positive"):
        factory.draw_products(0, lines, duration, np.array(flags))


def test_squeezed_models_fit_into_the_fog_memory(tiles):
    model = network.InspectionNetwork()
    weights = sum(weight.numel() for weight in squeeze.whole_weights(model))
    assert squeeze.bits_that_fit(model) * weights / 8 <= squeeze.fog_bytes(model)
    small = squeeze.pruned(model, tiles, seed=0, epochs=1)
    left = sum(int((weight != 0).sum()) for weight in squeeze.whole_weights(small))
    assert 0.99 * squeeze.fog_bytes(model) / 1.5 < left <= squeeze.fog_bytes(model) / 1.5


def test_quantised_weights_take_few_values():
    model = network.InspectionNetwork()
    small = squeeze.quantised(model, bits=3)
    assert all(weight.unique().numel() <= 8 for weight in squeeze.whole_weights(small))
    assert all(weight.unique().numel() > 8 for weight in squeeze.whole_weights(model))
    with pytest.raises(ValueError, match="bits"):
        squeeze.quantised(model, bits=0)


def test_study_in_miniature():
    result = study.run_study(seed=3, train_count=200, test_count=100, epochs=1, retrain=0)
    assert set(result.answers) == set(policy.POLICIES)
    assert 0 < result.communication < 1
    assert result.rising_steps == 0
    assert result.answers["fog only"].bytes_per_image <= result.answers["split"].bytes_per_image


def test_network_has_two_answers_per_exit():
    assert network.heads(network.InspectionNetwork()) == ["types", "degree"]
    assert isinstance(network.InspectionNetwork().narrow, nn.Conv2d)
