"""Hybrid edge-cloud learning: codes that survive the wire, fair baselines, and histories that count everything."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, predict
from edgedl_lib.offloading.vertical.hybrid_learning import (
    Design,
    Work,
    code_frames,
    design_for,
    divide,
    encoder_payload,
    learn_hybrid,
    networks,
    raw_frames,
    read_codes,
    study,
    timeline,
)
from edgedl_lib.offloading.vertical.hybrid_learning.messages import total_bytes
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link

DESIGN = design_for(8)


@pytest.fixture(scope="module")
def parts():
    return divide(digits(0), 500)


@pytest.mark.parametrize("variant", ["cnn", "lstm"])
def test_codes_cross_the_wire_unchanged_and_take_a_byte_each(parts, variant):
    edge_part = build(lambda: networks.encoder(DESIGN, variant), 0)
    codes = predict(edge_part, parts.test.inputs)
    frames = code_frames(codes)
    assert codes.shape == (450, 12)
    assert torch.equal(read_codes(frames), codes)
    assert total_bytes(frames) - codes.numel() < 50 * len(frames)


def test_raw_frames_take_a_byte_a_pixel_and_pixels_must_fit(parts):
    frames = raw_frames(parts.test.inputs)
    assert 0 < total_bytes(frames) - 450 * 64 < 50 * len(frames)
    with pytest.raises(ValueError, match="normalisation"):
        raw_frames(parts.test.inputs - 0.5)


def test_the_encoder_travels_whole(parts):
    edge_part = networks.encoder(DESIGN)
    values = [each for each in edge_part.state_dict().values() if each.is_floating_point()]
    weights = sum(each.numel() for each in values)
    assert 4 * weights < len(encoder_payload(edge_part)) < 4 * weights + 50 * len(values)


def test_rounding_keeps_the_gradient():
    values = torch.linspace(-2, 2, 9, requires_grad=True)
    networks.ToCode()(values).sum().backward()
    smooth = networks.LEVELS * networks.CODES.scale * torch.sigmoid(values) * (1 - torch.sigmoid(values))
    assert torch.allclose(values.grad, smooth.detach(), atol=1e-5)


def test_parts_are_disjoint_and_complete(parts):
    data = digits(0)
    assert len(parts.start) + len(parts.new) == len(data.train)
    assert torch.equal(torch.cat([parts.start.inputs, parts.new.inputs]), data.train.inputs)
    with pytest.raises(ValueError, match="start images"):
        divide(data, len(data.train))


def test_learning_is_seeded_and_an_untrained_encoder_is_worse(parts):
    first, second = (learn_hybrid(parts, DESIGN, 0, passes=4) for _ in range(2))
    untrained = learn_hybrid(parts, DESIGN, 0, passes=4, trained=False)
    assert first.accuracy == second.accuracy > untrained.accuracy + 0.02


def test_an_untrained_encoder_uses_its_grid(parts):
    """Without calibration its codes would crowd on a few levels, and the baseline would be a straw man."""
    codes = predict(learn_hybrid(parts, DESIGN, 0, passes=1, trained=False).encoder, parts.test.inputs)
    assert min(len(column.unique()) for column in codes.T) > 80


@pytest.mark.parametrize(("fields", "message"), [({"code": 0}, "carries nothing"), ({"rows_per_step": 3}, "divisor")])
def test_impossible_designs_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        replace(DESIGN, **fields)


def test_codes_that_do_not_divide_over_the_steps_are_refused():
    with pytest.raises(ValueError, match="multiple"):
        networks.encoder(Design(code=10), "lstm")


def test_recurrent_layers_count_every_step():
    layers = layer_graph(networks.raw_network(DESIGN, "lstm").eval(), (1, 8, 8)).layers
    lstm = next(layer for layer in layers if layer.kind == "dense")
    assert lstm.flop == 2 * 4 * 64 * (16 + 64) * 4


def test_forward_time_counts_full_batches_and_the_rest():
    device = Device("unit", 1e9, 1e12, compute_efficiency=1.0, bandwidth_efficiency=1.0)
    network = nn.Sequential(nn.Linear(10, 5))
    graph = layer_graph(network, (10,))
    expected = graph.flop * 100 / 1e9
    assert timeline.forward_time(device, network, (10,), 100, 64) == pytest.approx(expected, rel=1e-6)
    work = Work(0, 0, 0, passes=3, batch=64)
    assert timeline.training_time(device, network, (10,), 100, work) == pytest.approx(9 * expected, rel=1e-6)


def test_histories_over_a_free_link_hold_only_computing(parts):
    slow, free = (study.histories(parts, DESIGN, rate) for rate in (1e6, float("inf")))
    for name, stages in free.items():
        sending = [seconds for stage, seconds in stages.items() if stage.startswith("send")]
        assert sending == [0.0] * len(sending)
        computing = sum(seconds for stage, seconds in slow[name].items() if not stage.startswith("send"))
        assert sum(stages.values()) == pytest.approx(computing)


def test_histories_send_what_was_really_encoded(parts):
    stages = study.histories(parts, DESIGN, 1e6)
    sent = study.measured_messages(parts, networks.encoder(DESIGN).eval())
    link = Link("", 1e6)
    assert stages["hybrid"]["send codes"] == link.transfer_time(sent.codes)
    assert stages["hybrid"]["send the encoder"] == link.transfer_time(sent.encoder)
    assert stages["cloud only"]["send raw images"] == link.transfer_time(sent.raw_start + sent.raw_new)


def test_a_code_as_large_as_the_image_saves_nothing(parts):
    whole = study.raw_size_messages(parts, DESIGN)
    assert whole.share >= 1 and whole.share_with_download > whole.share
