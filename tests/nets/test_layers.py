"""Shape and cost rules of single layers, against known answers, against torch and on bad input."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from edgedl_lib.nets import layers
from edgedl_lib.nets.shapes import window_output


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    groups=st.integers(1, 3),
)
def test_conv_shape_and_parameters_are_those_of_torch(size, kernel, stride, padding, groups):
    assume(all(s + 2 * p >= k for s, p, k in zip(size, padding, kernel, strict=True)))
    layer = layers.conv("c", (2 * groups, *size), 3 * groups, kernel, stride, padding, groups)
    twin = nn.Conv2d(2 * groups, 3 * groups, kernel, stride, padding, groups=groups, device="meta")
    output = twin(torch.empty((1, 2 * groups, *size), device="meta"))
    assert layer.output_shape == tuple(output.shape[1:])
    assert layer.parameter_count == sum(parameter.numel() for parameter in twin.parameters())
    assert layer.weight_count == twin.weight.numel()


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 9),
    padding=st.integers(0, 3),
    ceil=st.booleans(),
    function=st.sampled_from(["max", "average"]),
)
def test_pool_shape_is_that_of_torch_for_floor_and_ceil(size, kernel, stride, padding, ceil, function):
    assume(2 * padding <= kernel <= size + 2 * padding)
    layer = layers.pool("p", (2, size, size), kernel, stride, padding, function, ceil)
    twin = (nn.MaxPool2d if function == "max" else nn.AvgPool2d)(kernel, stride, padding, ceil_mode=ceil)
    assert layer.output_shape == tuple(twin(torch.zeros(1, 2, size, size)).shape[1:])


def test_caffe_keeps_the_last_partial_window_where_floor_drops_it():
    assert window_output(112, kernel=3, stride=2, ceil=True) == 56
    assert window_output(112, kernel=3, stride=2, ceil=False) == 55


def test_grouped_convolution_costs_one_share_per_group():
    whole = layers.conv("c", (96, 27, 27), 256, kernel=5, padding=2, bias=False)
    grouped = layers.conv("c", (96, 27, 27), 256, kernel=5, padding=2, groups=2, bias=False)
    assert whole.flop == 2 * grouped.flop
    assert whole.parameter_count == 2 * grouped.parameter_count


def test_local_layer_has_the_work_of_a_convolution_and_its_weights_at_every_position():
    shared = layers.conv("c", (8, 10, 12), 4, kernel=3)
    own = layers.local("l", (8, 10, 12), 4, kernel=3)
    assert own.output_shape == shared.output_shape == (4, 8, 10)
    assert own.flop == shared.flop
    assert own.weight_count == 8 * 10 * shared.weight_count


@pytest.mark.parametrize(
    ("layer", "flop", "parameters"),
    [
        (layers.dense("d", (4, 3, 3), 10), 2 * 36 * 10, 370),
        (layers.dense("d", (36,), 10, bias=False), 2 * 36 * 10, 360),
        (layers.pool("p", (4, 6, 6), 2), 4 * 9 * 4, 0),
        (layers.pool("p", (4, 6, 5), function="average"), 4 * 30, 0),
        (layers.activation("a", (4, 6, 6)), 144, 0),
        (layers.norm("n", (4, 6, 6)), 288, 8),
        (layers.norm("n", (4, 6, 6), "lrn", size=5), 13 * 144, 0),
        (layers.softmax("s", (10,)), 30, 0),
        (layers.argmax("s", (10,)), 10, 0),
        (layers.dropout("d", (10,)), 0, 0),
        (layers.add("a", [(4, 2, 2)] * 3), 32, 0),
        (layers.concat("c", [(4, 2, 2), (3, 2, 2)]), 0, 0),
        (layers.flatten("f", (4, 2, 2)), 0, 0),
    ],
)
def test_cost_of_each_kind_by_hand(layer, flop, parameters):
    assert (layer.flop, layer.parameter_count) == (flop, parameters)


def test_sizes_in_bytes_count_all_inputs_as_float32():
    layer = layers.concat("c", [(4, 2, 2), (3, 2, 2)])
    assert layer.output_shape == (7, 2, 2)
    assert (layer.input_bytes, layer.output_bytes) == (112, 112)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: layers.conv("c", (3, 4, 4), 8, kernel=5), r"c: kernel \(5, 5\) is larger than the padded input"),
        (lambda: layers.pool("p", (3, 4, 4), kernel=5), "larger than the padded input"),
        (lambda: layers.local("l", (3, 4, 2), 8, kernel=3), "larger than the padded input"),
        (lambda: layers.conv("c", (3, 8, 8), 8, kernel=3, groups=2), "2 groups must divide 3 input channels"),
        (lambda: layers.conv("c", (4, 8, 8), 3, kernel=3, groups=2), "2 groups must divide 4 input channels and 3"),
        (lambda: layers.conv("c", (4, 8, 8), 0, kernel=3), "filters is 0"),
        (lambda: layers.conv("c", (4, 8, 8), 2.5, kernel=3), "filters is 2.5"),
        (lambda: layers.conv("c", (4, 8, 8), 8, kernel=0), r"kernel \(0, 0\) must be at least 1"),
        (lambda: layers.conv("c", (4, 8, 8), 8, kernel=3, stride=0), r"stride \(0, 0\) must be at least 1"),
        (lambda: layers.conv("c", (4, 8, 8), 8, kernel=3, padding=-1), r"padding \(-1, -1\) must be at least 0"),
        (lambda: layers.conv("c", (64,), 8, kernel=3), r"shape \(64,\) is not \(channels, height, width\)"),
        (lambda: layers.conv("c", (4, 0, 8), 8, kernel=3), "all of them positive integers"),
        (lambda: layers.conv("c", (4, 8, 8), 8, kernel=3, activation="swish"), "unknown activation 'swish'"),
        (lambda: layers.dense("d", (64,), -1), "units is -1"),
        (lambda: layers.dense("d", (), 10), "at least one dimension"),
        (lambda: layers.pool("p", (4, 8, 8), 2, function="median"), "unknown pooling function 'median'"),
        (lambda: layers.pool("p", (4, 8, 8), 2, padding=2), "exceeds half the pooling kernel"),
        (lambda: layers.activation("a", (4,), "softsign"), "unknown activation 'softsign'"),
        (lambda: layers.norm("n", (4, 8, 8), "group"), "unknown normalisation 'group'"),
        (lambda: layers.norm("n", (4,), "lrn"), "is not"),
        (lambda: layers.dropout("d", (4,), rate=1.0), "rate 1.0 lies outside"),
        (lambda: layers.add("a", [(4, 8, 8), (8, 8, 8)]), r"cannot add \(4, 8, 8\) and \(8, 8, 8\)"),
        (lambda: layers.add("a", [(4, 8, 8)]), "joins 1 inputs"),
        (lambda: layers.concat("c", [(4, 8, 8), (4, 8, 4)]), "differ beyond the channels"),
        (lambda: layers.reshape("r", (4, 4), (3, 5)), "numbers of elements differ"),
    ],
)
def test_bad_layers_say_what_is_wrong(build, says):
    with pytest.raises(ValueError, match=says):
        build()
