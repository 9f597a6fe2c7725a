"""The checks of the exercises on security: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from edgedl_lib.exercises import security as checks
from edgedl_lib.training.security.robust import rules


def scipy_trimmed(models, trim):
    return trim_mean(models, (trim + 1e-9) / len(models), axis=0)


def test_right_answers_pass():
    for answer in (
        checks.check_trimmed_mean(scipy_trimmed),
        checks.check_trimmed_mean(rules.trimmed_mean),
        checks.check_krum_choice(lambda models, malicious: int(rules.krum_scores(models, malicious).argmin())),
        checks.check_noise_scale(lambda bound, budget, rounds: 2 * bound / (budget / rounds)),
    ):
        assert "Right." in repr(answer)


WRONG_TRIMS = {
    "Nothing is left out": lambda m, t: m.mean(0),
    "at BOTH ends": lambda m, t: np.sort(m, 0)[: len(m) - t].mean(0),
    "not only below": lambda m, t: np.sort(m, 0)[t:].mean(0),
    "each coordinate by itself": checks._trims_whole_models,
    "per side": lambda m, t: rules.trimmed_mean(m, t // 2),
    "sort along the first axis": lambda m, t: m[t : len(m) - t].mean(0),
    "values that are left": lambda m, t: np.sort(m, 0)[t : len(m) - t].sum(0) / len(m),
    "median": lambda m, t: np.median(m, 0),
    "winsorising": checks._winsorised,
    "one model of": lambda m, t: 0.0,
    "raised": lambda m, t: m[len(m)],
    "but .* is right": lambda m, t: rules.trimmed_mean(m, t) + 1,
}


@pytest.mark.parametrize("hint", WRONG_TRIMS)
def test_wrong_trimmed_means_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_trimmed_mean(WRONG_TRIMS[hint])


WRONG_CHOICES = {
    "one more": lambda m, f: checks._krum(m, f, neighbours=1),
    "own neighbour": lambda m, f: checks._krum(m, f, own=True),
    "squared": lambda m, f: checks._krum(m, f, power=1),
    "moved by the liars": lambda m, f: int(np.linalg.norm(m - m.mean(0), axis=1).argmin()),
    "not largest": lambda m, f: int(rules.krum_scores(m, f).argmax()),
    "whole number": lambda m, f: m[0],
    "row of one of": lambda m, f: len(m),
    "you choose row": lambda m, f: 0,
}


@pytest.mark.parametrize("hint", WRONG_CHOICES)
def test_wrong_choices_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_krum_choice(WRONG_CHOICES[hint])


WRONG_SCALES = {
    "twice the bound": lambda b, e, r: b * r / e,
    "share of it": lambda b, e, r: 2 * b / e,
    "MORE noise": lambda b, e, r: 2 * b * r * e,
    "square root": lambda b, e, r: 2 * b * np.sqrt(r) / e,
    "variance": lambda b, e, r: 2 * (2 * b * r / e) ** 2,
    "Return a number": lambda b, e, r: None,
    "is right": lambda b, e, r: 1.0,
}


@pytest.mark.parametrize("hint", WRONG_SCALES)
def test_wrong_scales_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_noise_scale(WRONG_SCALES[hint])
