"""The threshold search is exact: every entry of its table is what ``decide`` says, and nothing beats its choice."""

import itertools

import numpy as np
import pytest
import torch

from edgedl_lib.inference.early_exit.cost import expected_cost
from edgedl_lib.inference.early_exit.criteria import CRITERIA
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.thresholds import threshold_table

SEGMENTS, BRANCHES = (1, 5, 9), (2, 1, 0)


def example(exits, samples=17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(exits, samples, 4, generator=generator).round()  # many ties
    targets = torch.randint(0, 4, (samples,), generator=generator)
    branches = (*BRANCHES[: exits - 1], 0)
    return logits, targets, SEGMENTS[:exits], branches


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("exits", [2, 3])
def test_each_entry_is_what_the_decision_gives(criterion, exits):
    logits, targets, segments, branches = example(exits)
    table = threshold_table(logits, targets, segments, branches, criterion)
    for index in itertools.product(*(range(len(values)) for values in table.candidates)):
        thresholds = [values[i] for values, i in zip(table.candidates, index, strict=True)]
        decision = decide(logits, thresholds, criterion)
        assert table.accuracy[index] == pytest.approx(decision.accuracy(targets))
        assert table.cost[index] == pytest.approx(expected_cost(decision.shares.numpy(), segments, branches))


@pytest.mark.parametrize("exits", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_grid_beats_the_choice(exits, seed):
    logits, targets, segments, branches = example(exits, seed=seed)
    table = threshold_table(logits, targets, segments, branches)
    grid = np.linspace(0, 1.5, 16)
    floor = decide(logits, [0.0] * (exits - 1)).accuracy(targets)
    cheapest, limited = table.cheapest(floor), table.most_accurate(8.0)
    for thresholds in itertools.product(grid, repeat=exits - 1):
        decision = decide(logits, thresholds)
        cost = expected_cost(decision.shares.numpy(), segments, branches)
        accuracy = decision.accuracy(targets)
        assert accuracy < floor - 1e-9 or cost >= cheapest.cost - 1e-9
        assert cost > 8.0 + 1e-9 or accuracy <= limited.accuracy + 1e-9


def test_the_choice_gives_what_it_promises():
    logits, targets, segments, branches = example(3)
    choice = threshold_table(logits, targets, segments, branches).most_accurate(10)
    decision = decide(logits, choice.thresholds)
    assert decision.accuracy(targets) == pytest.approx(choice.accuracy)
    assert expected_cost(decision.shares.numpy(), segments, branches) == pytest.approx(choice.cost)
    assert choice.cost <= 10


def test_bad_requests_are_refused():
    logits, targets, segments, branches = example(2)
    table = threshold_table(logits, targets, segments, branches)
    with pytest.raises(ValueError, match="cheapest cost"):
        table.most_accurate(0.5)
    with pytest.raises(ValueError, match="best is"):
        table.cheapest(1.1)
    with pytest.raises(ValueError, match="2 or 3 exits"):
        threshold_table(logits[:1], targets, segments, branches)
    with pytest.raises(ValueError, match="costs for"):
        threshold_table(logits, targets, SEGMENTS, BRANCHES)
    with pytest.raises(ValueError, match="NaN"):
        threshold_table(logits * torch.nan, targets, segments, branches)
