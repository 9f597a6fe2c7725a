"""Wrong sparse codes, and wrong ways to count them."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgedl_lib.inference.compression import reference
from edgedl_lib.inference.compression.factors import low_rank_study, sparse_coding, sparse_coding_study
from edgedl_lib.inference.compression.factors.interpreter import LayerwiseInterpreter
from edgedl_lib.inference.compression.factors.low_rank import replace_layers
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, train
from edgedl_lib.reproduce.sabotage import sabotage


@cache
def trained():
    data = digits(0)
    network = build(lambda: low_rank_study.dense_network(64), 0)
    train(network, data.train, epochs=6, seed=0, learning_rate=3e-3)
    return network, data


@sabotage("sparsesep.storage", "sparsesep.against_svd", "sparsesep.time")
def dictionary_of_full_width():
    """The usual overcomplete dictionary of image processing: as many atoms as columns stores the matrix and more."""
    network, _ = trained()
    matrix = network.dense1.weight.detach().double().numpy().T
    code = sparse_coding.sparse_code(matrix, atoms=200, per_column=4, sweeps=1)
    svd = 8 * sum(matrix.shape)
    return {
        "sparsesep.storage": code.stored_numbers / matrix.size,
        "sparsesep.against_svd": code.stored_numbers / svd,
        "sparsesep.time": matrix.size / code.mac,
    }


@sabotage("sparsesep.accuracy_loss")
def places_drawn_at_random():
    """The right number of entries in places that no pursuit has chosen."""
    network, data = trained()
    coded = sparse_coding.SparseCodedLinear(network.dense1, 12, 2)
    generator = np.random.default_rng(0)
    coded.second.copy_(coded.second[:, generator.permutation(coded.second.shape[1])])
    return error(replace_layers(network, {"dense1": coded}), data.test) - error(network, data.test)


@sabotage("sparsesep.adaptive_trend")
def one_size_for_every_budget():
    """A fixed sparsity, whatever the budget."""
    network, data = trained()
    candidates = sparse_coding_study.sparse_candidates(network, data)[-1:]
    sizes = [sparse_coding_study.smallest_within(candidates, network, data, budget).stored for budget in (5, 60)]
    return sizes[1] / sizes[0]


@sabotage("sparsesep.memory", "sparsesep.interpreter_peak")
def all_layers_at_once():
    """A runtime that keeps every layer: compression helps it, layer-wise loading does not happen."""
    network, _ = trained()
    with TemporaryDirectory() as folder:
        lenet = LayerwiseInterpreter.write(build(reference.lenet_300_100, 0), Path(folder) / "lenet")
        whole = LayerwiseInterpreter.write(network, Path(folder) / "small")
        everything = sum(layer.working_bytes for layer in lenet.layers)
        return {
            "sparsesep.memory": whole.resident_bytes / whole.peak_bytes,
            "sparsesep.interpreter_peak": lenet.peak_bytes / everything,
        }


@sabotage("sparsesep.identity")
def code_transposed():
    """Columns for rows: the identity hides it only for symmetric matrices."""
    square = trained()[0].dense1.weight.detach().numpy()[:64]
    code = sparse_coding.identity_code(square)
    return float(np.abs(code.dictionary @ code.code.T - square).max())
