"""Early return is real: what is not asked for does not run, and the loop answers as the whole split does."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.early_exit.batch_one import run_batch, run_one_by_one, runner
from edgedl_lib.inference.early_exit.branchynet import b_lenet, trunk
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits
from edgedl_lib.inference.early_exit.segment_profile import (
    SegmentProfile,
    measure_agreement,
    measure_segments,
    thresholds_at,
)
from edgedl_lib.nets.training import build

torch.set_num_threads(1)


class Counting(nn.Module):
    """Counts the samples that pass."""

    def __init__(self, module):
        super().__init__()
        self.module, self.samples = module, 0

    def forward(self, inputs):
        self.samples += len(inputs)
        return self.module(inputs)


@pytest.fixture
def network():
    return build(lambda: b_lenet(8), 0).eval()


IMAGES = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
def test_loop_and_batches_decide_alike(network, share):
    thresholds = thresholds_at(network, IMAGES, (share,))
    expected = decide(exit_logits(network, IMAGES), thresholds)
    assert float(expected.shares[0]) == share
    answers = [run_one_by_one(network, IMAGES, thresholds)]
    answers += [run_batch(network, IMAGES, thresholds, compact=compact) for compact in (False, True)]
    for decision in answers:
        assert torch.equal(decision.exit, expected.exit)
        assert torch.equal(decision.prediction, expected.prediction)


def test_only_those_who_stay_reach_the_second_segment(network):
    counted = Counting(network.segments[1])
    network = MultiExitNetwork([network.segments[0], counted], list(network.branches)).eval()
    thresholds = thresholds_at(network, IMAGES, (0.75,))
    for run, reached in (
        (lambda: run_one_by_one(network, IMAGES, thresholds), 5),
        (lambda: run_batch(network, IMAGES, thresholds, compact=True), 5),
        (lambda: run_batch(network, IMAGES, thresholds, compact=False), 20),
    ):
        counted.samples = 0
        run()
        assert counted.samples == reached


def test_profile_predicts_by_the_expectation():
    profile = SegmentProfile(np.array([1.0, 5.0]), np.array([2.0, 0.0]), decision=0.5, answer=0.1, baseline=6.1)
    assert profile.predicted([1, 0]) == pytest.approx(3.6)
    assert profile.predicted([0, 1]) == pytest.approx(8.6)
    assert profile.predicted_speed_up([0.5, 0.5]) == pytest.approx(6.1 / 6.1)


def test_measured_times_fall_when_more_leave():
    network = build(b_lenet, 0)
    images = torch.rand(8, 1, 28, 28)
    agreement = measure_agreement(network, trunk(network), images, thresholds_at(network, images, (0, 1)), windows=5)
    assert agreement.exit_share.tolist() == [0, 1]
    assert agreement.seconds[1] < agreement.seconds[0]
    assert agreement.correlation == pytest.approx(-1)
    profile = measure_segments(network, trunk(network), images[:2], windows=3)
    assert profile.decision > 0 and min(profile.segments) > 0 and profile.branches[0] > profile.branches[1]


def test_bad_requests_are_refused(network):
    with pytest.raises(ValueError, match="thresholds"):
        runner(network, IMAGES, [0.1, 0.2])
    with pytest.raises(ValueError, match="threshold"):
        runner(network, IMAGES, [1.5], "probability")
    with pytest.raises(ValueError, match="NaN"):
        runner(network, IMAGES * torch.nan, [0.1])
    with pytest.raises(ValueError, match="training mode"):
        runner(network.train(), IMAGES, [0.1])
