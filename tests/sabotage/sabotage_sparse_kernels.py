"""Multiplications counted for time, indices forgotten, memory added up."""

import numpy as np
from scipy import sparse

from edgedl_lib.inference.compression import reference
from edgedl_lib.inference.compression.factors import run_time_memory, sparse_kernels
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage(
    "sparse_kernel.half.batch1", "sparse_kernel.tenth.batch1", "sparse_kernel.fifth.batch64", "sparse_kernel.toy",
    "sparse_kernel.break_even",
)  # fmt: skip
def multiplications_counted():
    """The ratio of multiplications taken for speed: every zero would pay, down to the first."""
    counts = {d: 1 / (np.count_nonzero(sparse_kernels.random_sparse(64, 64, d)) / 64**2) for d in (0.1, 0.2, 0.5)}
    return {
        "sparse_kernel.half.batch1": counts[0.5],
        "sparse_kernel.tenth.batch1": counts[0.1],
        "sparse_kernel.fifth.batch64": counts[0.2],
        "sparse_kernel.toy": counts[0.1],
        "sparse_kernel.break_even": 1.0,
    }


@sabotage("sparse_kernel.exact")
def columns_read_as_rows():
    """CSR arrays handed to a CSC kernel multiply by the transposed matrix."""
    matrix = sparse_kernels.random_sparse(64, 64, 0.2)
    vector, coded = np.arange(64.0), sparse.csr_array(matrix)
    swapped = sparse.csc_array((coded.data, coded.indices, coded.indptr), shape=matrix.shape)
    truth = matrix @ vector
    return float(np.abs(swapped @ vector - truth).max() / np.abs(truth).max())


@sabotage("sparse_kernel.bytes")
def indices_forgotten():
    """Only the values of the entries counted."""
    dense = sparse_kernels.VALUE_BYTES * 2048**2
    return dense / (sparse_kernels.VALUE_BYTES * 2048**2)


@sabotage("runtime_memory.activations", "runtime_memory.low_rank", "runtime_memory.batch")
def every_activation_kept():
    """The sum over all layers, as training needs it; parameters for activations; weights that grow with the batch."""
    graph = layer_graph(build(reference.digit_network, 0), (1, 8, 8))
    model = run_time_memory.memory_model(graph.with_batch(16))
    everything = sum(graph.with_batch(16).output_bytes_per_layer())
    scaled = run_time_memory.MemoryModel(64 * graph.parameter_count * 4, 64 * model.activations // 16)
    plain = run_time_memory.MemoryModel(graph.parameter_count * 4, model.activations // 16)
    return {
        "runtime_memory.activations": model.activations / everything,
        "runtime_memory.low_rank": 0.25 * graph.parameter_count / graph.parameter_count,
        "runtime_memory.batch": scaled.activation_share - plain.activation_share,
    }
