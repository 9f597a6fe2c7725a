"""Training memory by formula against what autograd keeps, and times of a step."""

import pytest
import torch
from torch import nn

from edgedl_lib.offloading.platform.measured.timing import Timing
from edgedl_lib.offloading.platform.measured.training_step import (
    StepTiming,
    convolutional_network,
    dense_network,
    measure_steps,
    size_cases,
    smallest_growth,
    stored_activation_bytes,
    tracked_activation_bytes,
    training_memory,
    training_step,
)

CASES = {
    "convolutional": (lambda: convolutional_network(8, 2), (5, 3, 32, 32)),
    "deep convolutional": (lambda: convolutional_network(4, 3), (2, 3, 32, 32)),
    "dense": (lambda: dense_network(32, 3, inputs=16), (7, 16)),
    "one layer": (lambda: nn.Sequential(nn.Linear(16, 10)), (7, 16)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_formula_counts_what_autograd_keeps(case):
    build, shape = CASES[case]
    memory = training_memory(build(), torch.randn(shape))
    assert memory.activations == pytest.approx(memory.tracked_activations, abs=64)
    assert abs(memory.activation_error) < 0.1


def test_a_dense_layer_by_hand():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    memory = training_memory(network, torch.randn(5, 3), optimiser_slots=2)
    weights = 4 * (3 * 4 + 4 + 4 * 2 + 2)
    assert (memory.parameters, memory.gradients, memory.optimiser) == (weights, weights, 2 * weights)
    assert memory.activations == 4 * 5 * (3 + 4 + 2)  # the input, what the ReLU lets through, and the softmax
    assert memory.formula == 4 * weights + memory.activations


def test_activations_grow_with_the_batch_and_weights_do_not():
    network = convolutional_network(4, 2)
    small, large = (training_memory(network, torch.randn(batch, 3, 32, 32)) for batch in (1, 8))
    assert large.activations == 8 * small.activations
    assert large.parameters == small.parameters


def test_a_pre_activation_that_no_one_needs_is_not_counted():
    linear, x = nn.Sequential(nn.Linear(8, 8)), torch.randn(4, 8)
    with_relu = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    assert stored_activation_bytes(with_relu, x) == stored_activation_bytes(linear, x) + 4 * 4 * 8


def test_tracking_leaves_weights_out():
    network, x = dense_network(64, 1, inputs=8), torch.randn(2, 8)
    tracked = tracked_activation_bytes(network, x, torch.zeros(2, dtype=torch.long))
    assert tracked < 4 * sum(p.numel() for p in network.parameters()) / 2


def test_a_negative_number_of_slots_is_an_error():
    with pytest.raises(ValueError, match="-1 numbers per parameter"):
        training_memory(dense_network(4, 1), torch.randn(1, 256), optimiser_slots=-1)


def test_a_step_moves_the_weights():
    network = dense_network(8, 1, inputs=4)
    before = [parameter.clone() for parameter in network.parameters()]
    training_step(network, torch.randn(3, 4))()
    assert any(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_a_step_takes_longer_than_an_inference():
    torch.manual_seed(0)
    (step,) = measure_steps({"small": (dense_network(128, 2), torch.randn(32, 256))}, windows=3).values()
    assert step.step_over_inference > 1.2
    assert step.parameters == 256 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10


def test_step_over_inference_is_a_ratio_in_turn():
    assert StepTiming("n", 1, Timing((3.0, 30.0)), Timing((1.0, 10.0))).step_over_inference == 3.0


def test_sizes_differ_one_at_a_time():
    cases = size_cases((8, 16), (1,), (4,))
    assert list(cases) == ["width 8", "width 16", "depth 1", "filters 4"]
    assert all(network(batch).shape == (len(batch), 10) for network, batch in cases.values())


def test_smallest_growth_finds_the_weakest_step():
    steps = [StepTiming("n", 1, Timing((seconds,)), Timing((1.0,))) for seconds in (1.0, 3.0, 4.5)]
    assert smallest_growth(steps) == 1.5
