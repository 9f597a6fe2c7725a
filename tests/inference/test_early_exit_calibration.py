"""Reliability and temperature: known answers, a scale that is undone, answers that stay."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.early_exit.calibration import (
    calibrated,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)
from edgedl_lib.inference.early_exit.calibration_study import study_calibration


def honest(samples=4000, seed=0):
    """Labels drawn from the softmax of the logits: perfectly calibrated."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(samples, 10, generator=generator)
    return logits, torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]


def test_reliability_by_hand():
    logits = torch.log(torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.55, 0.45]]))
    diagram = reliability(logits, torch.tensor([0, 1, 0, 0]), bins=10)
    assert diagram.share[[9, 5]].tolist() == [0.5, 0.5]
    assert diagram.accuracy[[9, 5]].tolist() == [0.5, 1.0]
    assert diagram.expected_error == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert np.isnan(diagram.accuracy[0])


def test_an_honest_classifier_needs_no_temperature():
    logits, targets = honest()
    assert fit_temperature(logits, targets) == pytest.approx(1, abs=0.06)
    assert reliability(logits, targets).expected_error < 0.03
    assert reliability(3 * logits, targets).expected_error > 0.1


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 5))
def test_any_factor_on_the_logits_is_undone(factor):
    logits, targets = honest(500)
    assert fit_temperature(factor * logits, targets) == pytest.approx(
        factor * fit_temperature(logits, targets), rel=2e-3
    )


def test_the_fit_is_the_minimum():
    logits, targets = honest(500)
    best = fit_temperature(3 * logits, targets)
    grid = np.geomspace(0.1, 20, 200)
    assert negative_log_likelihood(3 * logits, targets, best) <= min(
        negative_log_likelihood(3 * logits, targets, t) for t in grid
    )


def test_answers_stay_and_doubling_is_forgotten():
    logits, targets = honest(600)
    both = torch.stack([logits, 3 * logits])
    study = study_calibration(both[:, :300], targets[:300], both[:, 300:], targets[300:])
    assert study.answers_changed == 0
    assert study.share_recovered == pytest.approx(0, abs=0.5)
    assert study.temperatures[1] == pytest.approx(3 * study.temperatures[0], rel=2e-3)
    assert study.nll_final < 0 and study.share_moved > 1


def test_bad_input_is_named():
    logits, targets = honest(10)
    for call, message in (
        (lambda: reliability(logits * torch.nan, targets), "NaN"),
        (lambda: reliability(logits, targets, bins=0), "bins"),
        (lambda: reliability(logits[None], targets), "samples"),
        (lambda: negative_log_likelihood(logits, targets, 0), "temperature"),
        (lambda: calibrated(logits[None], torch.stack([logits, logits]), targets), "exits"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
