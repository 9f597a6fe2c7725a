"""Means over seeds and their intervals."""

import math

import numpy as np
import pytest

from edgedl_lib.system.estimate import estimate, paired


def test_interval_is_students():
    result = estimate([10.0, 12.0, 14.0])
    half = 4.302653 * 2 / math.sqrt(3)  # t of 2 degrees of freedom, deviation 2
    assert result.mean == 12
    assert result.interval == pytest.approx((12 - half, 12 + half), rel=1e-6)


def test_interval_holds_the_true_mean_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = [estimate(generator.normal(5, 2, 4)).interval for _ in range(2000)]
    assert 0.935 < np.mean([low <= 5 <= high for low, high in held]) < 0.965


def test_pairing_removes_what_the_seeds_have_in_common():
    seeds = np.array([0.0, 40.0, 90.0])
    difference = paired(list(seeds + [1.0, 1.1, 0.9]), list(seeds))
    assert difference.mean == pytest.approx(1)
    assert difference.high - difference.low < 1


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_too_few_or_broken_runs_are_refused(values):
    with pytest.raises(ValueError, match="two runs|finite"):
        estimate(values)


def test_unequal_numbers_of_runs_are_refused():
    with pytest.raises(ValueError, match="paired runs need equal numbers, got 3 and 2"):
        paired([1, 2, 3], [1, 2])
