"""The roofline: which side binds, what is unknown, what is refused."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedl_lib.system.device import Calibration, Device
from edgedl_lib.system.specification import MissingSpecification

BOARD = Device("board", peak_flop_per_s=1e9, memory_bandwidth=1e8, compute_efficiency=0.5, bandwidth_efficiency=0.25)
amounts = st.floats(0, 1e15)


def test_compute_bound_and_memory_bound_times():
    assert BOARD.latency(1e9, 1e6) == 2.0  # 1 GFLOP at half of 1 GFLOP/s
    assert BOARD.latency(1e6, 1e8) == 4.0  # 0.1 GB at a quarter of 0.1 GB/s


def test_overhead_is_paid_once_per_call():
    device = Device("board", 1e9, 1e8, overhead=0.5)
    assert device.latency(0, 0) == 0.5
    assert device.latency([1e9, 0], [0, 0]).tolist() == [1.5, 0.5]


def test_tpu_ridge_in_multiply_adds_per_byte():
    tpu = Device("TPU v1", 2 * 65536 * 700e6, 34e9)
    assert 1345 <= tpu.ridge_point / 2 <= 1355


@given(flop=amounts, moved=amounts)
def test_no_layer_beats_either_peak(flop, moved):
    latency = BOARD.latency(flop, moved)
    assert latency >= flop / BOARD.peak_flop_per_s and latency >= moved / BOARD.memory_bandwidth


@given(intensity=st.floats(0, 1e6))
def test_attainable_meets_the_peak_at_the_ridge(intensity):
    rate = BOARD.attainable(intensity)
    assert rate <= BOARD.peak_flop_per_s
    assert (rate == BOARD.peak_flop_per_s) == (intensity >= BOARD.ridge_point)


def test_energy_needs_a_power():
    with pytest.raises(MissingSpecification, match="busy power of 'board' is unknown"):
        BOARD.energy(1.0)
    assert Device("board", 1e9, 1e8, busy_power=8.0).energy([0.5, 1]).tolist() == [4.0, 8.0]


def graph_of(*kinds, groups=1, function="relu"):
    layer = [
        SimpleNamespace(kind=kind, input_shapes=((4, 8, 8),), config={"groups": groups, "function": function})
        for kind in kinds
    ]
    ones = np.ones(len(kinds))
    return SimpleNamespace(
        layers=layer,
        flop_per_layer=lambda: 1e9 * ones,
        parameter_bytes_per_layer=lambda: 1e8 * ones,
        input_bytes_per_layer=lambda: 2e8 * ones,
        output_bytes_per_layer=lambda: 3e8 * ones,
    )


def test_layer_latency_moves_weights_input_and_output_once():
    assert Device("board", 1e9, 1e8).layer_latency(graph_of("conv", "dense")).tolist() == [6.0, 6.0]


def test_layers_that_only_rename_their_input_are_free():
    assert BOARD.layer_latency(graph_of("dropout", "flatten", "reshape")).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "groups", "function", "measured"),
    [
        ("conv", 4, "", "depthwise_conv"),
        ("conv", 2, "", "conv"),
        ("norm", 1, "lrn", "lrn"),
        ("norm", 1, "batch", "norm"),
    ],
)
def test_efficiencies_by_kind_are_used_for_that_kind_alone(kind, groups, function, measured):
    slow = Calibration(compute_efficiency=0.01)
    graph = graph_of(kind, groups=groups, function=function)
    assert Device("board", 1e9, 1e12, by_kind={measured: slow}).layer_latency(graph)[0] == pytest.approx(100.0)
    assert Device("board", 1e9, 1e12, by_kind={"pool": slow}).layer_latency(graph)[0] == pytest.approx(1.0)


def test_a_conv_of_one_channel_is_not_depthwise():
    graph = graph_of("conv", groups=1)
    graph.layers[0].input_shapes = ((1, 8, 8),)
    device = Device("board", 1e9, 1e12, by_kind={"depthwise_conv": Calibration(compute_efficiency=0.01)})
    assert device.layer_latency(graph)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak_flop_per_s": 0.0}, "peak_flop_per_s must be a positive number of FLOP/s, not 0.0"),
        ({"peak_flop_per_s": math.nan}, "not nan"),
        ({"memory_bandwidth": -1.0}, "memory_bandwidth must be a positive number of bytes/s, not -1.0"),
        ({"memory_bandwidth": math.inf}, "not inf"),
        ({"compute_efficiency": 0.0}, r"compute_efficiency must lie in \(0, 1\], not 0.0"),
        ({"bandwidth_efficiency": 1.5}, r"bandwidth_efficiency must lie in \(0, 1\], not 1.5"),
        ({"overhead": -1e-6}, "overhead must be zero or a positive number of s"),
        ({"busy_power": math.nan}, "busy_power must be zero or a positive number of W"),
    ],
)
def test_impossible_devices_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Device(**{"name": "board", "peak_flop_per_s": 1e9, "memory_bandwidth": 1e8, **change})


@pytest.mark.parametrize("wrong", [-1.0, math.nan])
def test_impossible_work_is_refused(wrong):
    with pytest.raises(ValueError, match="flop must be zero or more"):
        BOARD.latency([1.0, wrong], 0)
    with pytest.raises(ValueError, match="bytes_moved must be zero or more"):
        BOARD.latency(0, wrong)
