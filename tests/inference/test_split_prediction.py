"""The prediction of a split run's latency, held against sums by hand and against the partition scan."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.split.shaper import Shaper
from edgedl_lib.inference.split.sweep import SplitSweep, predict_latency
from edgedl_lib.system.link import Link
from edgedl_lib.system.trace import Trace


def sweep_of(predicted, measured):
    measured = np.atleast_2d(np.asarray(measured, dtype=float))
    nothing = np.zeros(measured.shape[1])
    names = tuple(map(str, range(len(nothing))))
    return SplitSweep(names, np.asarray(predicted, dtype=float), measured, nothing, nothing, nothing, nothing, 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_neurosurgeons_scan(seed):
    generator = np.random.default_rng(seed)
    layers = int(generator.integers(1, 12))
    ours, theirs = generator.random((2, layers)) * 0.1
    sizes = np.append(generator.integers(1, 10**6, layers), 0)
    rate, rtt = 10 ** generator.uniform(4, 8), generator.random() * 0.1
    costs = ChainCosts(tuple(f"layer{i}" for i in range(layers)), 3 * ours, theirs, sizes)
    expected = scan_cuts(costs, np.array([rate]), rtt=rtt).table[0]
    predicted = predict_latency(ours, theirs, sizes, Shaper(Link("link", rate, rtt=rtt)), device_slowdown=3.0)
    np.testing.assert_allclose(predicted, expected, rtol=1e-9)


def test_overhead_is_paid_by_every_exchange_and_not_by_the_device_alone():
    plain = predict_latency([1.0], [1.0], [100, 0], Shaper(1e6))
    paid = predict_latency([1.0], [1.0], [100, 0], Shaper(1e6), overhead=0.25)
    np.testing.assert_allclose(paid - plain, [0.25, 0.0])


def test_a_late_transfer_meets_the_rate_of_its_own_moment():
    trace = Trace("drop", time=[0.0, 1.0], rate=[8e6, 8e3])
    latency = predict_latency([2.0, 0.0], [0.0, 0.0], [1000, 1000, 0], Shaper(trace))
    np.testing.assert_allclose(latency, [0.001, 3.0, 2.0])


def test_a_dead_link_leaves_the_device_alone():
    latency = predict_latency([1.0, 1.0], [0.1, 0.1], [10, 10, 0], Shaper(0.0))
    np.testing.assert_array_equal(np.isinf(latency), [True, True, False])


@pytest.mark.parametrize("sizes", [[1, 2], [1, 2, 3, 0]])
def test_lengths_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match="N \\+ 1"):
        predict_latency([1.0, 1.0], [1.0, 1.0], sizes, Shaper(1e6))


def test_figures_of_a_sweep_by_hand():
    sweep = sweep_of([1.0, 0.5, 3.0], [[1.0, 2.0, 4.0], [1.0, 1.0, 4.0], [1.0, 1.0, 4.0]])
    np.testing.assert_allclose(sweep.relative_error, [0.0, 0.5, 0.25])
    assert sweep.median_relative_error == 0.25
    assert (sweep.best_predicted, sweep.best_measured, sweep.best_cut_excess) == (1, 0, 0.0)


def test_a_wrong_best_cut_costs_what_it_costs():
    assert sweep_of([1.0, 2.0], [3.0, 2.0]).best_cut_excess == pytest.approx(0.5)
