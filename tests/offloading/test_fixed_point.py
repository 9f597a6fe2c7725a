"""q7 arithmetic and the memory of CMSIS-NN's networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.offloading.platform import fixed_point, microcontroller
from edgedl_lib.offloading.platform.fixed_point import Convolution, Fixed


def _integers(generator, *shape):
    return generator.integers(-128, 128, shape).astype(np.int8)


@given(st.floats(1e-6, 1e6))
def test_fraction_bits_are_the_most_that_fit(largest):
    bits = fixed_point.fraction_bits(largest)
    assert 64 < largest * 2.0**bits <= 128


@pytest.mark.parametrize("largest", [0.0, float("nan"), float("inf")])
def test_a_tensor_without_magnitude_has_no_format(largest):
    with pytest.raises(ValueError, match="largest magnitude"):
        fixed_point.fraction_bits(largest)


def test_quantising_errs_by_at_most_half_a_step():
    real = np.random.default_rng(0).uniform(-0.99, 0.99, 1000)
    fixed = fixed_point.quantise(real)
    assert np.abs(fixed.real - real).max() <= 0.5 / 2**fixed.fraction_bits + 1e-12
    assert Fixed(np.array([64], np.int8), 7).real.tolist() == [0.5]


@given(st.integers(-(2**30), 2**30), st.integers(0, 20))
def test_requantise_rounds_to_nearest_and_saturates(total, shift):
    exact = np.floor(total / 2**shift + 0.5)
    assert fixed_point.requantise(np.array([total]), shift)[0] == np.clip(exact, -128, 127)


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="-1"):
        fixed_point.requantise(np.array([1]), -1)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    channels=st.integers(1, 4),
    kernel=st.sampled_from([1, 3]),
    columns=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_im2col_is_bit_exact(height, width, channels, kernel, columns, seed):
    generator = np.random.default_rng(seed)
    layer = Convolution(_integers(generator, 3, kernel, kernel, channels), _integers(generator, 3), 1, 4, 8)
    image = _integers(generator, height, width, channels)
    direct = fixed_point.convolve_direct(image, layer)
    assert np.array_equal(fixed_point.convolve_im2col(image, layer, columns), direct)


def test_convolution_equals_a_plain_loop():
    generator = np.random.default_rng(5)
    image, weights, bias = _integers(generator, 5, 4, 2), _integers(generator, 3, 3, 3, 2), _integers(generator, 3)
    layer = Convolution(weights, bias, padding=0, bias_shift=3, shift=7)
    for row, column, filter_ in ((0, 0, 0), (2, 1, 2)):
        window = image[row : row + 3, column : column + 3].astype(int)
        total = int((window * weights[filter_].astype(int)).sum()) + (int(bias[filter_]) << 3)
        expected = np.clip((total + 64) >> 7, -128, 127)
        assert fixed_point.convolve_direct(image, layer)[row, column, filter_] == expected


def test_sums_that_could_overflow_are_refused():
    with pytest.raises(ValueError, match="overflow"):
        Convolution(np.zeros((1, 1, 1, fixed_point.LONGEST_DOT + 1), np.int8), np.zeros(1, np.int8), 0, 0, 0)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_pooling_in_place_equals_pooling_aside(height, width, kernel, stride, seed):
    image = _integers(np.random.default_rng(seed), height, width, 2)
    expected = fixed_point.max_pool(image, kernel, stride)
    assert np.array_equal(fixed_point.max_pool_in_place(image.copy(), kernel, stride), expected)


def test_pooling_keeps_caffes_last_partial_window():
    image = np.arange(32, dtype=np.int8).reshape(32, 1, 1)
    assert fixed_point.max_pool(image, 3, 2).shape == (16, 1, 1)


def test_memory_of_both_networks():
    paper, shipped = microcontroller.memory_use(), microcontroller.memory_use(microcontroller.SHIPPED_FILTERS)
    assert (paper.weights, shipped.weights) == (89_440, 33_120)
    assert shipped.activations == 40 * 1024
    assert shipped.im2col == 2 * 25 * 32 * 2
    assert paper.total == 89_440 + 40_960 + 3_200


def test_float_network_does_not_fit_the_board_and_the_int8_one_does():
    assert microcontroller.board_share(1) < 1 < microcontroller.board_share(4)


def test_fixed_forward_pass_follows_the_real_one():
    generator = np.random.default_rng(0)
    layers = [
        (generator.normal(0, 0.3, (8, 6)), generator.normal(0, 0.1, 8)),
        (generator.normal(0, 0.3, (3, 8)), np.zeros(3) + 0.01),
    ]
    x = generator.uniform(0, 1, (200, 6))
    real = microcontroller.forward_real(x, layers)
    fixed = microcontroller.forward_fixed(x, layers, calibration=x)
    scale = np.abs(real).max() / np.abs(fixed).max()
    assert np.abs(fixed * scale - real).max() < 0.1 * np.abs(real).max()
