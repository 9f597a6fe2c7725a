"""ONNX graphs that we build, and what quantising does to their answers and sizes."""

import numpy as np
import pytest

from edgedl_lib.offloading.platform.fixed_point import convolve_direct, convolve_im2col
from edgedl_lib.offloading.platform.measured.int8_kernels import (
    convolve_one_by_one,
    measure_kernels,
    random_convolution,
)
from edgedl_lib.offloading.platform.measured.int8_runtime import (
    Int8Accuracy,
    dense_model,
    digits_accuracy,
    dot_product_instructions,
    measure_dense,
    quantise_dynamic,
    quantise_static,
    session,
)


@pytest.fixture
def network():
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal((20, 30)) / 4, rng.standard_normal((30, 5)) / 5]
    return weights, [rng.standard_normal(30), rng.standard_normal(5)], rng.standard_normal((64, 20)).astype(np.float32)


def by_hand(weights, biases, x):
    return np.maximum(x @ weights[0] + biases[0], 0) @ weights[1] + biases[1]


def relative_error(left, right):
    return np.linalg.norm(left - right) / np.linalg.norm(right)


def test_the_graph_computes_what_numpy_computes(network):
    weights, biases, x = network
    (answer,) = session(dense_model(weights, biases)).run(None, {"x": x})
    assert answer == pytest.approx(by_hand(weights, biases, x), rel=1e-4, abs=1e-5)


def test_both_quantisations_stay_close_and_are_not_the_float_model(network, tmp_path):
    weights, biases, x = network
    model = dense_model(weights, biases)
    (exact,) = session(model).run(None, {"x": x})
    for path in (quantise_dynamic(model, tmp_path), quantise_static(model, x, tmp_path)):
        (rounded,) = session(path).run(None, {"x": x})
        assert 1e-5 < relative_error(rounded, exact) < 0.05


def test_static_ranges_from_the_wrong_data_ruin_the_answers(network, tmp_path):
    weights, biases, x = network
    model = dense_model(weights, biases)
    (exact,) = session(model).run(None, {"x": x})
    (clipped,) = session(quantise_static(model, x / 50, tmp_path)).run(None, {"x": x})
    assert relative_error(clipped, exact) > 0.2


def test_int8_files_are_smaller(tmp_path):
    model = dense_model([np.random.default_rng(0).standard_normal((256, 256))], [np.zeros(256)])
    small = quantise_dynamic(model, tmp_path).stat().st_size
    assert small < 0.35 * len(model.SerializeToString())


@pytest.mark.parametrize(("weights", "biases"), [([], []), ([np.eye(2)], [])])
def test_a_network_needs_layers_and_biases(weights, biases):
    with pytest.raises(ValueError, match="one bias per layer"):
        dense_model(weights, biases)


def test_one_width_is_measured_in_both_types_with_a_small_error():
    (layer,) = measure_dense((64,), windows=2)
    assert layer.width == 64
    assert 0 < layer.relative_error < 0.05
    assert layer.speedup == pytest.approx(layer.float32.median / layer.int8.median, rel=2.0)
    assert layer.int8_bytes < layer.float32_bytes / 3


def test_the_error_is_the_same_in_every_run_with_one_seed():
    first, second, other = (measure_dense((64,), seed=seed, windows=1)[0].relative_error for seed in (0, 0, 1))
    assert first == second != other


def test_digits_keep_their_accuracy_in_eight_bits():
    result = digits_accuracy(seed=0)
    assert result.float32 > 94.0
    assert abs(result.drop) < 1.5
    assert result.agreement > 98.0


def test_drop_is_counted_in_points():
    assert Int8Accuracy(97.0, 95.5, 98.0).drop == -1.5


def test_dot_products_are_read_from_the_processor_flags(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu avx512f avx512_vnni sse2\n")
    assert dot_product_instructions(cpuinfo) == ("avx512_vnni",)
    cpuinfo.write_text("Features\t: fp asimd\n")
    assert dot_product_instructions(cpuinfo) == ()


@pytest.mark.parametrize(("side", "channels", "filters", "kernel"), [(5, 3, 4, 3), (4, 1, 1, 1), (6, 2, 3, 5)])
def test_the_naive_kernel_computes_the_same_integers(side, channels, filters, kernel):
    image, layer = random_convolution(side, channels, filters, kernel)
    naive = convolve_one_by_one(image, layer)
    assert np.array_equal(naive, convolve_direct(image, layer))
    assert np.array_equal(naive, convolve_im2col(image, layer))
    assert naive.shape == (side, side, filters)


def test_both_kernels_are_timed_on_equal_results():
    times = measure_kernels(windows=1)
    assert times.differing_values == 0
    assert times.speedup > 1.0
