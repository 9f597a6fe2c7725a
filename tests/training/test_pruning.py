"""PruneFL: the greedy rule is optimal, layers stay alive, pruned weights can grow, the engine gives the same."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.training.communication.dgc import network
from edgedl_lib.training.communication.pruning import baselines, selection, study, training
from edgedl_lib.training.communication.pruning.strategy import PruneFL, masked_step
from edgedl_lib.training.models import perceptron
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

SMALL = {"widths": (64, 12, 8, 10), "rounds": 4, "interval": 2}


def test_greedy_equals_all_subsets():
    assert study.greedy_share(1) == 1


def test_no_time_or_a_large_constant_keeps_everything():
    importance = np.random.default_rng(0).exponential(size=9)
    assert selection.best_ratio(importance, np.zeros(9), 1.0, 1.0).all()
    assert selection.best_ratio(importance, np.ones(9), 0.0, 1e9).all()


def test_without_a_constant_only_the_best_class_stays_and_the_guard_keeps_layers_alive():
    importance = np.array([1.0, 5.0, 2.0])
    assert selection.best_ratio(importance, np.ones(3), 0.0, 0.0).tolist() == [False, True, False]
    none = [np.zeros((10, 10), dtype=bool)]
    found = selection.adjust([np.zeros((10, 10))], none, [np.zeros((10, 10))], [1.0], 1.0, 1.0, 0, 0.05)
    assert found[0].sum() == 5


def test_negative_times_are_refused():
    with pytest.raises(ValueError, match="negative"):
        selection.best_ratio(np.ones(2), np.array([1.0, -1.0]), 0.0, 1.0)


def test_candidates_are_the_pruned_and_the_smallest():
    weights = np.arange(10.0)
    mask = weights > 1
    free = selection.candidates(weights, mask, 0)
    assert np.flatnonzero(free).tolist() == [0, 1, 2, 3]  # 30 % of eight kept weights: two


def test_pruned_weights_stay_zero_and_can_grow():
    plan = study.plan(0, **SMALL)
    masks = baselines.random_masks(plan, 0.3, 0)
    fixed = training.train(plan, 0, masks)
    for index, mask in zip(plan.prunable, masks, strict=True):
        assert (fixed.weights[index].numpy()[~mask] == 0).all()
    moved = training.train(plan, 0, masks, adapt=True)
    assert any((new & ~old).any() for new, old in zip(moved.masks, masks, strict=True))


def test_payload_counts_a_bitmap_only_where_something_is_pruned():
    plan = study.plan(0, **SMALL)
    weights = 64 * 12 + 12 * 8 + 8 * 10 + 30
    assert training.payload_bytes(plan, plan.full()) == 4 * weights
    masks = [np.zeros((64, 12), dtype=bool), np.ones((12, 8), dtype=bool)]
    assert training.payload_bytes(plan, masks) == 4 * (weights - 768) + 96


def test_baselines_keep_the_density():
    plan = study.plan(0, **SMALL)
    for choose in (baselines.random_masks, baselines.magnitude_masks, baselines.snip_masks):
        assert training.density(choose(plan, 0.25, 0)) == pytest.approx(0.25, abs=0.01)


def _task(plan, step):
    return Task("pruned", plan.data, partial(perceptron, *plan.widths), plan.training, client_step=step)


def _transposed(arrays):
    return [torch.from_numpy(np.ascontiguousarray(each.T)) for each in arrays.values()]


def test_unpruned_equals_federated_averaging_on_the_engine():
    plan = study.plan(0, **SMALL)
    task = replace(_task(plan, masked_step), client_step=Task.client_step)
    engine = run(task, FederatedAveraging(clients_per_round=10), plan.rounds)
    ours = training.train(plan, 0, start=_transposed(task.initial_arrays()))
    for mine, theirs in zip(ours.weights, _transposed(engine.arrays), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_strategy_equals_plain_arrays():
    plan = study.plan(0, **SMALL)
    task, masks = _task(plan, masked_step), baselines.random_masks(plan, 0.4, 0)
    names = [name for name in task.initial_arrays() if name.endswith("weight")][:-1]
    named = dict(zip(names, [mask.T for mask in masks], strict=True))
    strategy = PruneFL(masks=named, interval=2, clock=plan.clock, clients_per_round=10)
    engine = run(task, strategy, plan.rounds)
    ours = training.train(plan, 0, masks, adapt=True, start=_transposed(task.initial_arrays()))
    for mine, theirs in zip(ours.masks, strategy.masks.values(), strict=True):
        assert (mine == theirs.T).mean() > 0.99
    assert 100 * engine.accuracy[-1] == pytest.approx(ours.accuracy[-1], abs=2.0)


def test_a_sum_that_is_an_alias_of_the_gradient_ends_as_twice_the_last():
    """The released simulation: the running sum starts as the live buffer, which is then zeroed in place."""
    weight = torch.ones(1, requires_grad=True)
    total, wanted, steps = None, 0.0, [1.0, 2.0, 4.0]
    for step in steps:
        if weight.grad is not None:
            weight.grad.zero_()
        (step * weight).backward()
        wanted += step
        total = weight.grad if total is None else total.add_(weight.grad)
    assert float(total) == 2 * steps[-1] != wanted


def test_same_seed_same_weights():
    plan = study.plan(0, **SMALL)
    first, second = training.train(plan, 2), training.train(plan, 2)
    assert all(torch.equal(*pair) for pair in zip(first.weights, second.weights, strict=True))
    assert network.evaluate(first.weights, plan.data.test.inputs, plan.data.test.targets)[1] == first.accuracy[-1]
