"""Exits: what is sure, who leaves where, what it costs, and what is refused."""

import math

import pytest
import torch
from torch import nn

from edgedl_lib.inference.early_exit.cost import break_even_share, cost_per_exit, expected_cost
from edgedl_lib.inference.early_exit.criteria import entropy, largest_probability, margin, normalised_entropy
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits, joint_objective
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, train

NAN = float("nan")


def test_known_confidences():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]]))
    assert entropy(logits).tolist() == pytest.approx([1.5 * math.log(2), math.log(3), 0.0], abs=1e-6)
    assert normalised_entropy(logits).tolist() == pytest.approx([1.5 * math.log(2) / math.log(3), 1, 0], abs=1e-6)
    assert largest_probability(logits).tolist() == pytest.approx([0.5, 1 / 3, 1.0])
    assert margin(logits).tolist() == pytest.approx([0.25, 0, 1.0])


@pytest.mark.parametrize("measure", [entropy, normalised_entropy, largest_probability, margin])
def test_broken_logits_have_no_confidence(measure):
    with pytest.raises(ValueError, match="NaN"):
        measure(torch.tensor([[0.0, NAN]]))
    with pytest.raises(ValueError, match="at least two classes"):
        measure(torch.zeros(3, 1))


@pytest.fixture
def logits():
    return 3 * torch.randn(3, 200, 10, generator=torch.Generator().manual_seed(0))


def slow_rule(logits, thresholds):
    """One sample at a time, as the paper writes it."""
    exits, answers = [], []
    for sample in logits.unbind(1):
        for index, scores in enumerate(sample):
            probability = scores.softmax(-1)
            value = -(probability * probability.log()).sum()
            if index == len(sample) - 1 or value < thresholds[index]:
                exits.append(index)
                answers.append(int(scores.argmax()))
                break
    return exits, answers


def test_decisions_equal_the_rule_one_by_one(logits):
    thresholds = (0.4, 0.8)
    decision = decide(logits, thresholds)
    exits, answers = slow_rule(logits, thresholds)
    assert decision.exit.tolist() == exits
    assert decision.prediction.tolist() == answers
    assert decision.shares.tolist() == [exits.count(index) / 200 for index in range(3)]
    assert 0 < min(decision.shares)


def test_zero_threshold_never_leaves_and_a_large_one_always_does(logits):
    last, first = decide(logits, (0, 0)), decide(logits, (10, 10))
    assert last.shares.tolist() == [0, 0, 1]
    assert torch.equal(last.prediction, logits[2].argmax(-1))
    assert first.shares.tolist() == [1, 0, 0]
    assert decide(logits, (0, 0), "probability").shares.tolist() == [1, 0, 0]


@pytest.mark.parametrize("criterion", ["entropy", "normalised_entropy", "probability", "margin"])
def test_shares_are_monotone_in_the_threshold(logits, criterion):
    grid = [step / 20 for step in range(21)]
    shares = [float(decide(logits, (threshold, threshold), criterion).shares[0]) for threshold in grid]
    expected = sorted(shares, reverse=criterion in ("probability", "margin"))
    assert shares == expected and len(set(shares)) > 3


def test_a_certain_sample_stays_at_threshold_zero():
    certain = torch.tensor([[[200.0, 0.0]], [[0.0, 200.0]]])
    assert decide(certain, (0.0,)).exit.tolist() == [1]
    assert decide(certain, (1e-9,)).exit.tolist() == [0]


@pytest.mark.parametrize(
    ("thresholds", "criterion", "message"),
    [
        ((0.5,), "entropy", "3 exits need 2 thresholds, got 1"),
        ((-0.1, 0.5), "entropy", "threshold -0.1 of entropy"),
        ((NAN, 0.5), "entropy", "threshold nan of entropy"),
        ((1.5, 0.5), "normalised_entropy", "threshold 1.5 of normalised_entropy must lie within 0 and 1"),
        ((0.5, 1.1), "probability", "threshold 1.1 of probability must lie within 0 and 1"),
        ((0.5, 0.5), "loss", "unknown criterion 'loss'; choose one of entropy"),
    ],
)
def test_bad_thresholds_are_refused(logits, thresholds, criterion, message):
    with pytest.raises(ValueError, match=message):
        decide(logits, thresholds, criterion)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="none of them 0"):
        decide(torch.zeros(2, 0, 10), (0.5,))


def test_costs_count_every_branch_that_was_passed():
    assert cost_per_exit([10, 20, 30], [1, 2, 0]).tolist() == [11, 33, 63]
    assert expected_cost([0.5, 0.25, 0.25], [10, 20, 30], [1, 2, 0]) == 0.5 * 11 + 0.25 * 33 + 0.25 * 63
    share = break_even_share(2, 8)
    assert expected_cost([share, 1 - share], [4, 8], [2, 0]) == pytest.approx(12)


@pytest.mark.parametrize(
    ("shares", "message"), [((0.5, 0.4), "sum to 1"), ((1.5, -0.5), "at least zero"), ((1,), "1 shares for 2 exits")]
)
def test_bad_shares_are_refused(shares, message):
    with pytest.raises(ValueError, match=message):
        expected_cost(shares, [1, 2], [1, 0])


def test_bad_costs_are_refused():
    with pytest.raises(ValueError, match="one segment and one branch per exit"):
        cost_per_exit([1, 2], [1])
    with pytest.raises(ValueError, match="finite"):
        cost_per_exit([1, NAN], [1, 0])
    with pytest.raises(ValueError, match="skipped cost above 0"):
        break_even_share(1, 0)


def network():
    segments = [nn.Sequential(nn.Linear(64, 48), nn.ReLU()), nn.Sequential(nn.Linear(48, 48), nn.ReLU())]
    return MultiExitNetwork(segments, [nn.Linear(48, 10), nn.Linear(48, 10)])


def test_what_nobody_asks_for_is_not_computed():
    model, calls = network(), []
    model.segments[1].register_forward_hook(lambda *_: calls.append("second segment"))
    answers = iter(model(torch.zeros(1, 64)))
    next(answers)
    assert not calls
    next(answers)
    assert calls == ["second segment"]


def test_empty_and_unequal_lists_of_exits_are_refused():
    with pytest.raises(ValueError, match="the list of branches is empty"):
        MultiExitNetwork([], [])
    with pytest.raises(ValueError, match="1 segments but 2 branches"):
        MultiExitNetwork([nn.Identity()], [nn.Identity(), nn.Identity()])


def test_joint_training_teaches_every_exit():
    data = digits().flat()
    model = build(network, 0)
    train(model, data.train, epochs=8, seed=0, objective=joint_objective())
    logits = exit_logits(model, data.test.inputs)
    assert logits.shape == (2, 450, 10)
    assert ((logits.argmax(-1) == data.test.targets).float().mean(1) > 0.85).all()


def test_weight_zero_leaves_a_branch_untouched():
    data, model = digits().flat(), build(network, 0)
    before = model.branches[0].weight.clone()
    train(model, data.train, epochs=1, seed=0, objective=joint_objective((0, 1)))
    assert torch.equal(model.branches[0].weight, before)
    with pytest.raises(ValueError, match="3 weights for 2 exits"):
        train(model, data.train, epochs=1, seed=0, objective=joint_objective((1, 1, 1)))
    with pytest.raises(ValueError, match="at least zero"):
        joint_objective((1, -1))


def test_broken_inputs_are_refused():
    with pytest.raises(ValueError, match="1 of the inputs are NaN"):
        exit_logits(network(), torch.tensor([[NAN] + [0.0] * 63]))
