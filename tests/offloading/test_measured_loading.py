"""The package comparison: all formats give one answer, cells are separate processes, winners are counted."""

import numpy as np
import pytest

from edgedl_lib.offloading.platform.measured import load_worker
from edgedl_lib.offloading.platform.measured.model_loading import (
    LoadingCell,
    LoadingMatrix,
    PackageNetwork,
    alexnet_like,
    measure_loading,
    squeezenet_like,
    write_formats,
)

SMALL = [alexnet_like(widths=(64, 32, 10)), squeezenet_like(side=32, classes=10)]


def cell(package, network, load=1.0, steady=0.1, memory=1.0):
    return LoadingCell(package, network, load, steady, steady, steady, memory, ())


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    for network in SMALL:
        write_formats(network, folder)
    return folder


@pytest.mark.parametrize("package", load_worker.PACKAGES)
@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.name)
def test_all_packages_compute_the_same(formats, package, network):
    if package == "scikit-learn" and not network.is_dense:
        pytest.skip("scikit-learn knows no convolution: the cell does not exist")
    x = np.load(formats / f"{network.name}.input.npy")
    recipe = list(network.operations)
    expected = load_worker.numpy_forward(recipe, network.weights, x)
    answer = load_worker.PACKAGES[package](formats, network.name, x)()()
    tolerance = 0.15 if "int8" in package else 1e-4
    assert np.linalg.norm(np.ravel(answer) - expected) <= tolerance * np.linalg.norm(expected)


def test_a_convolution_by_hand():
    x = np.arange(16.0).reshape(1, 4, 4)
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 1, 1], weight[0, 0, 1, 2] = 1.0, 10.0  # the pixel and ten times its right neighbour
    y = load_worker.numpy_forward([{"op": "conv", "weight": "w", "stride": 1}], {"w": weight}, x)
    assert y[0, 0].tolist() == [10.0, 21.0, 32.0, 3.0]
    strided = load_worker.numpy_forward([{"op": "conv", "weight": "w", "stride": 2}], {"w": weight}, x)
    assert np.array_equal(strided, y[:, ::2, ::2])


def test_cells_are_measured_in_processes_of_their_own():
    matrix = measure_loading(SMALL, ["NumPy", "ONNX Runtime", "scikit-learn"])
    assert [(c.package, c.network) for c in matrix.cells] == [
        ("NumPy", "AlexNet-like"),
        ("ONNX Runtime", "AlexNet-like"),
        ("scikit-learn", "AlexNet-like"),
        ("NumPy", "SqueezeNet-like"),
        ("ONNX Runtime", "SqueezeNet-like"),
    ]
    assert all(min(c.load, c.first, c.steady) > 0 for c in matrix.cells)
    lean, scientific = matrix.cells[0].peak_memory, matrix.cells[2].peak_memory
    assert 5e6 < lean < scientific  # the parent's memory, with torch in it, is in neither
    assert lean < 100e6


def test_a_failing_cell_says_what_happened():
    with pytest.raises(RuntimeError, match="Caffe2 with AlexNet-like failed: KeyError"):
        measure_loading(SMALL[:1], ["Caffe2"])


def test_an_unknown_operation_is_named(tmp_path):
    network = alexnet_like(widths=(8, 4))
    wrong = PackageNetwork(network.name, ({"op": "attention"},), network.weights, network.input_shape)
    with pytest.raises(ValueError, match="'attention' is unknown"):
        write_formats(wrong, tmp_path)


def test_shares_and_ratios_of_loading():
    matrix = LoadingMatrix((cell("a", "n", load=1.0), cell("b", "n", load=0.05), cell("c", "n", load=0.4)))
    assert matrix.share_load_longer == pytest.approx(2 / 3)
    assert matrix.median_load_over_inference == pytest.approx(4.0)


def test_dominance_is_one_only_for_a_package_that_wins_everything():
    best = cell("best", "n", load=0.1, steady=0.01, memory=1.0)
    assert LoadingMatrix((best, cell("other", "n", memory=2.0))).dominance == 1.0
    frugal = cell("frugal", "n", memory=0.5)
    matrix = LoadingMatrix((best, frugal))
    assert matrix.winners()["n", "peak_memory"] == "frugal"
    assert matrix.dominance == pytest.approx(0.8)


def test_the_two_networks_are_of_opposite_kinds():
    heavy, light = alexnet_like(), squeezenet_like()
    assert heavy.is_dense and not light.is_dense
    assert heavy.parameter_bytes > 50 * light.parameter_bytes
