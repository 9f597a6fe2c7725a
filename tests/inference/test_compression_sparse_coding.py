"""SparseSep: codes against scikit-learn's pursuit, degenerate cases, counting with indices, the interpreter."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp
from torch import nn

from edgedl_lib.inference.compression.factors import low_rank_study
from edgedl_lib.inference.compression.factors import sparse_coding_study as study
from edgedl_lib.inference.compression.factors.interpreter import LayerwiseInterpreter
from edgedl_lib.inference.compression.factors.low_rank import replace_layers
from edgedl_lib.inference.compression.factors.sparse_coding import (
    SparseCodedLinear,
    identity_code,
    matching_pursuit,
    sparse_code,
)
from edgedl_lib.inference.compression.reference import digit_network, lenet_300_100
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, error, train


@pytest.fixture(scope="module")
def trained():
    data = digits(0)
    network = build(lambda: low_rank_study.dense_network(64), 0)
    train(network, data.train, epochs=5, seed=0, learning_rate=3e-3)
    return network, data


def unit(rows, columns, seed=0):
    values = np.random.default_rng(seed).standard_normal((rows, columns))
    return values / np.linalg.norm(values, axis=0)


@pytest.mark.parametrize("entries", [1, 3, 5])
def test_pursuit_agrees_with_scikit_learn(entries):
    dictionary, signals = unit(16, 24), np.random.default_rng(1).standard_normal((16, 40))
    theirs = orthogonal_mp(dictionary, signals, n_nonzero_coefs=entries)
    ours = matching_pursuit(dictionary, signals, entries)
    assert np.allclose(ours, theirs, atol=1e-6)
    assert (np.count_nonzero(ours, axis=0) <= entries).all()


def test_identity_dictionary_reproduces_the_matrix():
    matrix = np.random.default_rng(0).standard_normal((5, 9))
    code = identity_code(matrix)
    assert np.array_equal(code.matrix(), matrix)
    assert code.stored_numbers > matrix.size  # a degenerate case, not a compression


def test_full_code_on_a_complete_dictionary_is_exact():
    matrix = np.random.default_rng(0).standard_normal((4, 10))
    assert np.allclose(sparse_code(matrix, 4, 4, sweeps=2).matrix(), matrix, atol=1e-6)


def test_error_falls_with_entries_and_indices_are_counted():
    matrix = np.random.default_rng(0).standard_normal((12, 30))
    codes = [sparse_code(matrix, 10, entries) for entries in (1, 3, 6)]
    errors = [np.linalg.norm(code.matrix() - matrix) for code in codes]
    assert errors[0] > errors[1] > errors[2]
    assert codes[1].stored_numbers == 12 * 10 + 2 * codes[1].entries
    assert codes[1].mac == 12 * 10 + codes[1].entries and codes[1].entries <= 3 * 30


@pytest.mark.parametrize("atoms, entries, words", [
    (31, 2, "columns 1 to 30"), (0, 1, "columns 1 to 30"), (4, 5, "choose fewer"), (4, 0, "choose fewer"),
])  # fmt: skip
def test_impossible_sizes_are_refused(atoms, entries, words):
    with pytest.raises(ValueError, match=words):
        sparse_code(np.ones((12, 30)), atoms, entries)
    with pytest.raises(ValueError, match="NaN"):
        sparse_code(np.full((2, 3), np.nan), 1, 1)


@pytest.mark.parametrize("inputs, outputs", [(6, 20), (20, 6)])
def test_layer_computes_its_matrix_and_exports_its_cost(inputs, outputs):
    layer = build(lambda: nn.Linear(inputs, outputs), 0)
    coded = SparseCodedLinear(layer, 5, 2)
    matrix = torch.from_numpy(coded.coded.matrix()).float()
    matrix = matrix.T if coded.wide else matrix
    vectors = torch.rand(3, inputs)
    assert torch.allclose(coded(vectors), vectors @ matrix.T + layer.bias, atol=1e-5)
    exported = layer_graph(nn.Sequential(coded), (inputs,)).layers[0]
    assert exported.flop == 2 * coded.coded.mac and exported.output_shape == (outputs,)
    with pytest.raises(ValueError, match="expects a vector"):
        layer_graph(nn.Sequential(coded), (inputs + 1,))


def test_budget_decides_the_size(trained):
    network, data = trained
    candidates = study.sparse_candidates(network, data)
    assert [c.stored for c in candidates] == sorted(c.stored for c in candidates)
    tight, loose = (study.smallest_within(candidates, network, data, budget) for budget in (2, 40))
    assert loose.stored < tight.stored < 0.5 * tight.original
    assert tight.validation_error <= error(network, data.validation) + 2 + 1e-6
    with pytest.raises(ValueError, match="no size keeps the loss"):
        study.smallest_within(candidates[:1], network, data, -90)


def test_svd_rival_is_a_network_of_that_rank(trained):
    network, data = trained
    third = study.svd_candidates(network, data)[2]
    assert third.model.dense1.reduce.out_features == 3 and third.stored == 3 * 264
    assert third.speedup == pytest.approx(12_800 / 792)


def test_interpreter_computes_the_same_and_needs_the_largest_layer(tmp_path):
    network = build(lenet_300_100, 0)
    runtime = LayerwiseInterpreter.write(network, tmp_path / "network")
    vector = torch.rand(784)
    with torch.no_grad():
        assert np.allclose(runtime.run(vector.numpy()), network(vector).numpy(), atol=1e-5)
    assert runtime.peak_bytes == 4 * (784 * 300 + 300 + 784 + 300)
    assert runtime.resident_bytes == 4 * (266_610 + 784 + 300)
    assert runtime.measured_peak(vector.numpy()) == pytest.approx(runtime.peak_bytes, rel=0.1)


def test_interpreter_runs_sparse_codes_with_their_indices(tmp_path, trained):
    network, _ = trained
    coded = replace_layers(network, {"dense1": SparseCodedLinear(network.dense1, 12, 3)})
    runtime = LayerwiseInterpreter.write(coded, tmp_path / "coded")
    image = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        assert np.allclose(runtime.run(image.flatten().numpy()), coded(image)[0].numpy(), atol=1e-5)
    sparse_layer = runtime.layers[1]
    assert sparse_layer.stored_bytes == 4 * (2 * coded.dense1.coded.entries + 200 + 1 + 200)
    with pytest.raises(ValueError, match="not Conv2d"):
        LayerwiseInterpreter.write(build(digit_network, 0), tmp_path / "conv")


def test_separation_without_training_keeps_its_budget(trained):
    _, data = trained
    network = build(lambda: low_rank_study.conv_network(8), 0)
    train(network, data.train, epochs=4, seed=0, learning_rate=5e-3)
    found = study.separate_within(network, data, 30)
    assert found is not None and found.mac_gain > 1
    assert study.separate_within(network, data, -100) is None
