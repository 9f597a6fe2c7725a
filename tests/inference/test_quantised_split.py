"""The auto-tuned quantised split: its grid, its bytes, its tuner, and its two degenerate cuts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgedl_lib.inference.quantised_split import (
    CostModel,
    Quantiser,
    auto_tune,
    boundary_bytes,
    calibrate,
    candidate_cuts,
    decode_boundary,
    describe_boundaries,
    digits_graph,
    encode_boundary,
    fold_batch_norm,
    load_splits,
    run_study,
    split_at,
    split_latency,
    train_network,
)

FINITE = st.floats(-1e3, 1e3, allow_nan=False)


@pytest.fixture(scope="module")
def study():
    return run_study(0, epochs=3, max_drop=0.05)


@pytest.fixture(scope="module")
def trained():
    digits = load_splits(0)
    network = train_network(digits.training, 0, epochs=2)
    return network, calibrate(network, digits.validation.images), digits


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=40), st.integers(1, 8))
def test_rounding_errs_by_half_a_step_and_keeps_zero(values, bits):
    tensor = torch.tensor(values, dtype=torch.float32)
    grid = Quantiser.for_tensor(tensor, bits)
    assert float(grid.round_trip(torch.zeros(1))) == 0.0
    # One step at most: half for rounding, half because the range is shifted until zero has a code.
    assert float((grid.round_trip(tensor) - tensor).abs().max()) <= 1.001 * grid.scale + 1e-6
    assert len(grid.codes(tensor).unique()) <= 2**bits


@pytest.mark.parametrize("low, high, bits, words", [
    (1.0, -1.0, 8, "cannot be quantised"), (float("nan"), 1.0, 8, "cannot be quantised"),
    (0.0, float("inf"), 8, "cannot be quantised"), (0.0, 1.0, 9, "9 bits do not fit"), (0.0, 1.0, 0, "0 bits"),
])  # fmt: skip
def test_impossible_grids_are_refused(low, high, bits, words):
    with pytest.raises(ValueError, match=words):
        Quantiser.for_range(low, high, bits)


def test_tensor_of_zeros_survives():
    assert Quantiser.for_tensor(torch.zeros(3)).round_trip(torch.zeros(3)).tolist() == [0, 0, 0]


def test_folded_normalisation_computes_the_same():
    generator = torch.Generator().manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5)
    norm.running_mean.normal_(generator=generator)
    norm.running_var.uniform_(0.1, 3, generator=generator)
    images = torch.randn(4, 3, 6, 6, generator=generator)
    apart = norm.eval()(conv(images))
    assert torch.allclose(fold_batch_norm(conv, norm)(images), apart, atol=1e-5)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_bytes_on_the_wire_are_those_that_the_tuner_counts(shape):
    values = torch.linspace(-1, 2, int(np.prod(shape))).reshape(shape)
    grid = Quantiser.for_tensor(values)
    data = encode_boundary(grid, values)
    assert len(data) == boundary_bytes(tuple(shape))
    assert torch.equal(decode_boundary(data), grid.round_trip(values))


def test_cut_zero_is_the_float_network_and_needs_no_grid(trained):
    network, ranges, digits = trained
    images = digits.test.images
    whole = split_at(network, 0, ranges)
    assert torch.equal(whole.edge(images), images) and torch.equal(whole.cloud(images), network(images))


def test_last_cut_runs_everything_on_the_edge(trained):
    network, ranges, digits = trained
    last = len(network.graph)
    part = split_at(network, last, ranges)
    scores = part.edge(digits.test.images)
    assert torch.equal(part.cloud(scores), scores)
    boundaries = describe_boundaries(network.graph)
    assert boundaries.transfer_bytes[-1] == boundaries.cloud_flop[-1] == boundaries.edge_flop[0] == 0


def test_suffix_and_original_weights_stay_float32(trained):
    network, ranges, digits = trained
    before = network(digits.test.images)
    split_at(network, 4, ranges, bits=2).accuracy(digits.test)
    assert torch.equal(network(digits.test.images), before)


@pytest.mark.parametrize("cut", [-1, 100])
def test_cut_that_does_not_exist(trained, cut):
    network, ranges, _ = trained
    with pytest.raises(ValueError, match=f"cut {cut} does not exist"):
        split_at(network, cut, ranges)


@pytest.mark.parametrize("rate", [1e4, 1e5, 1e6, 1e7, 1e9])
def test_candidate_rule_keeps_the_optimum_at_every_rate(rate):
    boundaries = describe_boundaries(digits_graph())
    latency = split_latency(boundaries, CostModel(), rate)
    assert latency[candidate_cuts(boundaries)].min() == pytest.approx(latency.min(), rel=1e-12)


def test_tuner_takes_the_fastest_that_keeps_the_accuracy():
    latency, drop, candidates = np.array([3.0, 1.0, 2.0, 0.5]), np.array([0, 0.2, 0.001, 0.0]), np.array([0, 1, 2])
    assert auto_tune(latency, drop, candidates) == 2
    assert auto_tune(latency, drop, candidates, max_drop=0.5) == 1
    with pytest.raises(ValueError, match="no candidate loses at most"):
        auto_tune(latency, drop + 1, candidates)


def test_study_is_repeatable_and_two_bits_hurt_more_than_eight(study):
    again = run_study(0, epochs=3, max_drop=0.05)
    assert np.array_equal(study.latency, again.latency) and np.array_equal(study.chosen, again.chosen)
    assert all(np.array_equal(study.test_accuracy[b], again.test_accuracy[b]) for b in (8, 2))
    assert study.worst_drop(2) > study.worst_drop(8)
    assert np.array_equal(study.frame_bytes, study.boundaries.transfer_bytes[:-1])


def test_free_link_sends_the_image_and_a_dead_one_keeps_everything(study):
    boundaries, costs = study.boundaries, study.costs
    assert int(np.argmin(split_latency(boundaries, costs, np.inf))) == 0
    assert int(np.argmin(split_latency(boundaries, costs, 1.0))) == len(boundaries.names) - 1


def test_study_needs_eight_bits():
    with pytest.raises(ValueError, match="lack 8"):
        run_study(0, bits=(4, 2))
