"""Export to ONNX: the same numbers as PyTorch, for every layer that exports; eight bits agree on labels."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.eight_bits import int8_timing
from edgedl_lib.inference.compression.eight_bits.int8 import quantise_int8
from edgedl_lib.inference.compression.eight_bits.onnx_runtime import (
    NotConvertible,
    OrtSession,
    latencies,
    quantise_static,
    to_onnx,
)
from edgedl_lib.inference.compression.factors.factorise import factorise
from edgedl_lib.inference.compression.reference import digit_network, lenet5, lenet_300_100
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, predict, train


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.drop = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Dropout()
        self.pool, self.flat, self.last = nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.cat([self.pool(x + self.drop(self.second(x))), self.pool(x)], 1)
        return torch.sigmoid(self.last(self.flat(x)))


@pytest.mark.parametrize("make, shape", [
    (digit_network, (1, 8, 8)), (lenet5, (1, 28, 28)), (lenet_300_100, (784,)), (Residual, (2, 8, 8)),
    (lambda: factorise(digit_network(), ranks={"conv2": (8, 12), "conv1": 2, "dense1": 9}), (1, 8, 8)),
])  # fmt: skip
def test_exported_network_answers_as_in_pytorch(make, shape):
    model = build(make, 0).eval()
    if isinstance(model, Residual):
        model.norm.running_mean.uniform_(-1, 1)
        model.norm.running_var.uniform_(0.5, 2)
    inputs = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    session = OrtSession(to_onnx(model, shape))
    assert session.input_shape == shape
    assert np.abs(session.run(inputs) - predict(model, inputs).numpy()).max() < 1e-4


def test_layers_of_an_own_kind_are_refused_by_name():
    quantised = quantise_int8(build(digit_network, 0), torch.rand(4, 1, 8, 8)).module
    with pytest.raises(NotConvertible, match="conv1: QuantisedLayer"):
        to_onnx(quantised, (1, 8, 8))
    with pytest.raises(NotConvertible, match="leaky_relu"):
        to_onnx(nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU()), (4,))


def test_nan_and_unknown_calibration_are_refused():
    exported = to_onnx(build(digit_network, 0), (1, 8, 8))
    with pytest.raises(ValueError, match="NaN"):
        OrtSession(exported).run(torch.full((1, 1, 8, 8), float("nan")))
    with pytest.raises(ValueError, match="unknown calibration"):
        quantise_static(exported, torch.rand(4, 1, 8, 8), method="guess")


def test_int8_agrees_on_labels_and_is_smaller():
    data = digits(0)
    network = build(digit_network, 0)
    train(network, data.train, epochs=6, seed=0, learning_rate=3e-3)
    agreement = int8_timing.runtime_agreement(network, data.train.inputs[:128], data.test.inputs)
    assert agreement.export_error < 1e-4
    assert agreement.same_label > 97 and agreement.deviation < 0.1
    exported = to_onnx(network, (1, 8, 8))
    assert len(quantise_static(exported, data.train.inputs[:64])) < 0.4 * len(exported)


def test_latencies_come_in_the_order_asked_with_all_windows():
    session = OrtSession(to_onnx(build(digit_network, 0), (1, 8, 8)))
    timings = latencies({"a": session, "b": session}, windows=3)
    assert list(timings) == ["a", "b"] and len(timings["a"].windows) == 3
    assert 0.2 < timings["a"].minimum / timings["b"].minimum < 5
    assert session.latency(batch=2, windows=2).minimum > 0


def test_speed_study_times_both_types():
    model = nn.Sequential(build(lambda: nn.Linear(256, 256), 0))
    speed = int8_timing.time_int8({"dense": (model, (256,))}, windows=2)["dense"]
    assert speed.int8_bytes < 0.4 * speed.float32_bytes and speed.speedup > 0
