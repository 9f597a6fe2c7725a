"""EIE and ESE: encoding, cycle model, balanced pruning."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.offloading.platform import load_balance, sparse_engine
from edgedl_lib.offloading.platform.sparse_encoding import (
    compress,
    deal_rows,
    entries_per_column,
    filler_ratio,
    multiply,
)

BOOK = np.concatenate([[0], np.random.default_rng(1).integers(-99, 99, 15)])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 12),
    elements=st.integers(1, 9),
    density=st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    index_bits=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_compressed_product_equals_the_dense_one(rows, columns, elements, density, index_bits, seed):
    generator = np.random.default_rng(seed)
    codes = generator.integers(1, 16, (rows, columns)) * (generator.random((rows, columns)) < density)
    activations = generator.integers(-9, 9, columns)
    packed = compress(codes, elements, index_bits)
    assert np.array_equal(multiply(packed, activations, BOOK), BOOK[codes] @ activations)
    assert packed.zeros.max(initial=0) < 2**index_bits
    assert len(packed.codes) - packed.fillers == np.count_nonzero(codes)
    assert np.array_equal(packed.entries_per_column, entries_per_column(codes != 0, elements, index_bits))


def test_rows_are_dealt_in_turn():
    assert deal_rows(np.arange(5)[:, None], 2)[:, 0].tolist() == [[0, 2, 4], [1, 3, 0]]


def test_sixteen_zeros_need_a_filler_and_fifteen_do_not():
    for zeros, entries in ((15, 1), (16, 2), (31, 2), (32, 3)):
        column = np.zeros((zeros + 1, 1), int)
        column[-1] = 3
        assert len(compress(column, 1).codes) == entries


def test_code_zero_must_stand_for_zero():
    with pytest.raises(ValueError, match="code 0"):
        multiply(compress(np.ones((2, 2), int), 1), np.ones(2), np.ones(16))


def test_measured_fillers_agree_with_the_closed_form():
    for density in (0.03, 1 / 16, 0.2):
        measured = sparse_engine.measured_filler_ratio(density, length=200_000)
        assert measured == pytest.approx(filler_ratio(density), rel=0.05, abs=0.01)


def test_depth_one_marches_in_step_and_a_deep_queue_waits_only_for_the_fullest():
    work = np.random.default_rng(0).integers(1, 12, (8, 50))
    assert sparse_engine.simulate(work, 1).cycles == work.max(axis=0).sum()
    deep = sparse_engine.simulate(work, 1000).cycles
    assert work.sum(axis=1).max() <= deep <= work.sum(axis=1).max() + work.shape[1]


@settings(max_examples=40, deadline=None)
@given(elements=st.integers(1, 12), columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_deeper_queue_never_takes_longer(elements, columns, seed):
    work = np.random.default_rng(seed).integers(0, 9, (elements, columns))
    cycles = [sparse_engine.simulate(work, depth).cycles for depth in (1, 2, 3, 5, 8, 64)]
    assert cycles == sorted(cycles, reverse=True)


def test_queue_agrees_with_an_event_by_event_oracle():
    work = np.random.default_rng(3).integers(0, 9, (4, 30))
    for depth in (1, 2, 4):
        assert sparse_engine.simulate(work, depth).cycles == _oracle(np.maximum(work, 1), depth)


def _oracle(work, depth):
    """Cycle by cycle: queues of remaining cycles; a broadcast needs a free place in every queue."""
    queues, sent, cycle = [[] for _ in work], 0, 0
    while sent < work.shape[1] or any(queues):
        if sent < work.shape[1] and all(len(queue) < depth for queue in queues):
            for queue, cycles in zip(queues, work[:, sent].tolist(), strict=True):
                queue.append(cycles)
            sent += 1
        for queue in queues:
            if queue:
                queue[0] -= 1
                if queue[0] == 0:
                    queue.pop(0)
        cycle += 1
    return cycle


def test_one_element_is_always_busy():
    work = np.array([[3, 5, 2]])
    assert sparse_engine.simulate(work, 4) == sparse_engine.EngineRun(cycles=10, utilisation=1.0)


def test_depth_below_one_is_refused():
    with pytest.raises(ValueError, match="0"):
        sparse_engine.simulate(np.ones((2, 2), int), 0)


def test_gains_are_the_published_round_figures():
    assert sparse_engine.sparse_rate() == pytest.approx(102.4e9)
    assert sparse_engine.fetch_ratio() == 128
    assert round(sparse_engine.weight_gain()) == 10
    assert round(sparse_engine.activation_gain()) == 3
    with pytest.raises(ValueError, match="tape"):
        sparse_engine.layer_energy(1, "tape")


def test_simulated_frame_is_slower_than_the_ideal_one():
    study = sparse_engine.alexnet_study()
    assert study.ideal_seconds < study.seconds < 2 * study.ideal_seconds
    assert study.ideal_seconds == pytest.approx(41e-6, rel=0.02)  # 2.1 M multiply-accumulates on 64 elements


@settings(max_examples=40, deadline=None)
@given(turns=st.integers(1, 6), elements=st.integers(1, 8), density=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_balanced_pruning_keeps_the_same_total_in_equal_loads(turns, elements, density, seed):
    weights = np.random.default_rng(seed).standard_normal((turns * elements, 7))
    plain, balanced = load_balance.prune(weights, density), load_balance.prune_balanced(weights, density, elements)
    assert plain.sum() == balanced.sum() == round(density * weights.size)
    assert np.ptp(load_balance.load(balanced, elements)) <= 1
    assert load_balance.cycles(balanced, elements) <= load_balance.cycles(plain, elements)
    assert load_balance.cycles(plain, elements) <= load_balance.cycles(plain, elements, fifo=False)


def test_pruning_keeps_the_largest_of_each_element():
    weights = np.array([[9.0, 8.0], [1.0, 2.0]])
    assert load_balance.prune(weights, 0.5).tolist() == [[True, True], [False, False]]
    assert load_balance.prune_balanced(weights, 0.5, 2).tolist() == [[True, False], [False, True]]


def test_pruning_refuses_impossible_requests():
    with pytest.raises(ValueError, match="7 rows"):
        load_balance.prune_balanced(np.ones((7, 2)), 0.5, 2)
    with pytest.raises(ValueError, match="1.5"):
        load_balance.prune(np.ones((2, 2)), 1.5)


def test_lstm_layer_and_its_rates():
    assert sum(rows * columns for rows, columns in load_balance.lstm_shapes()) == 3_248_128
    study = load_balance.ese_study()
    assert study.dense_rate == pytest.approx(2.52e12, rel=0.01)
    assert study.speedup("gpu", load_balance.published_latency()) == pytest.approx(3.48, abs=0.005)
    assert dataclasses.replace(study, seconds=2 * study.seconds).speedup("cpu") == pytest.approx(
        study.speedup("cpu") / 2
    )


def test_task_study_learns_and_masks_stay():
    import torch

    from edgedl_lib.offloading.platform.load_balance_task import CharacterModel, markov_text, task_study, train

    torch.manual_seed(0)
    network, text = CharacterModel(hidden=32), markov_text(64, 8, seed=0)
    mask = torch.zeros_like(network.lstm.weight_hh_l0, dtype=torch.bool)
    mask[:, 0] = True
    train(network, text, steps=3, rate=1e-2, masks={"weight_hh_l0": mask})
    assert torch.count_nonzero(network.lstm.weight_hh_l0[:, 1:]) == 0
    study = task_study(hidden=32, steps=30, retraining=5)
    assert study.dense_loss < np.log(12)  # better than guessing among 12 symbols
    assert study.weights.shape == (128, 64)
