"""Sparse kernels are right and timed fairly; memory at run time follows from the largest layer."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.factors import run_time_memory, sparse_kernels
from edgedl_lib.inference.compression.factors.sparse_kernels import SparseTiming
from edgedl_lib.inference.compression.reference import digit_network, lenet5, lenet_300_100
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build
from edgedl_lib.system.timing import Timing, measure_in_turn


def timing(density, gain):
    dense, sparse = Timing((gain, gain)), Timing((1.0, 1.0))
    return SparseTiming(density, 1, dense, sparse, sparse, 0.0)


def test_products_agree_and_every_case_is_timed():
    timings = sparse_kernels.time_sparse(64, 48, (0.1, 0.9), (1, 4), windows=2)
    assert [(t.density, t.batch) for t in timings] == [(0.1, 1), (0.1, 4), (0.9, 1), (0.9, 4)]
    assert max(t.error for t in timings) < 1e-5 and min(t.speedup for t in timings) > 0


def test_random_matrix_has_the_density_asked():
    matrix = sparse_kernels.random_sparse(300, 300, 0.2)
    assert np.count_nonzero(matrix) / matrix.size == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(matrix, sparse_kernels.random_sparse(300, 300, 0.2))


@pytest.mark.parametrize("density", [0.0, -0.1, 1.1])
def test_sparsity_of_one_leaves_nothing(density):
    with pytest.raises(ValueError, match="sparsity 1 leaves nothing"):
        sparse_kernels.random_sparse(4, 4, density)


def test_break_even_is_interpolated_and_clamped():
    crossing = [timing(0.4, 0.5), timing(0.1, 2.0)]
    assert sparse_kernels.break_even_density(crossing) == pytest.approx(0.2)
    assert sparse_kernels.break_even_density([timing(0.1, 0.5), timing(0.4, 0.2)]) == pytest.approx(0.1)
    assert sparse_kernels.break_even_density([timing(0.1, 9.0), timing(0.4, 2.0)]) == pytest.approx(0.4)


def test_the_faster_sparse_kernel_counts():
    fast, slow, dense = Timing((1.0,)), Timing((5.0,)), Timing((4.0,))
    assert SparseTiming(0.1, 1, dense, slow, fast, 0.0).speedup == 4.0


def test_bytes_are_even_at_the_density_computed():
    density = sparse_kernels.equal_size_density(100, 200)
    assert sparse_kernels.csr_bytes(100, 200, density) == pytest.approx(4 * 100 * 200)


def test_warm_up_can_be_short():
    calls = []
    measure_in_turn({"a": lambda: calls.append(1)}, windows=1, window_seconds=1e-9, warm_up_seconds=0.0)
    assert len(calls) <= 2
    measure_in_turn({"a": lambda: calls.append(1)}, windows=1, window_seconds=1e-9)
    assert len(calls) > 20


@pytest.mark.parametrize("make, shape", [(digit_network, (1, 8, 8)), (lenet5, (1, 28, 28)), (lenet_300_100, (784,))])
def test_live_tensors_of_a_real_run_match_the_model(make, shape):
    model = build(make, 0)
    graph = layer_graph(model, shape).with_batch(8)
    measured = run_time_memory.measured_activation_peak(model, torch.rand(8, *shape))
    assert measured == run_time_memory.memory_model(graph).activations


def test_peak_is_the_largest_layer_and_grows_with_the_batch_only():
    graph = layer_graph(build(digit_network, 0), (1, 8, 8))
    one, many = run_time_memory.memory_model(graph), run_time_memory.memory_model(graph.with_batch(32))
    assert many.activations == 32 * one.activations and many.weights == one.weights == 4 * 36_268
    assert one.activations == 4 * (2 * 20 * 64 + 64)  # relu1 reads and writes the largest maps; the image is kept
    assert run_time_memory.memory_model(graph, keeps_input=False).activations == 4 * 2 * 20 * 64
    assert one.activation_share < many.activation_share < 100


def test_branches_are_refused():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.left(x) + self.right(x)

    with pytest.raises(ValueError, match="branches"):
        run_time_memory.memory_model(layer_graph(Branch(), (4,)))


def test_views_and_weights_count_nothing():
    layer = nn.Linear(32, 32)
    with run_time_memory.LiveTensors(without=list(layer.parameters())) as live, torch.no_grad():
        _ = layer.weight.t()
    assert live.peak == 0
    with run_time_memory.LiveTensors() as live:
        kept = torch.zeros(10)
        _ = kept.view(2, 5)
        torch.zeros(100)
        torch.zeros(50)
    assert live.peak == 440 and live.current == 40
