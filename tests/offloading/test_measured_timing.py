"""Timing in turn and the single-stream harness: order, ratios, minima and percentiles."""

import numpy as np
import pytest

from edgedl_lib.offloading.platform.measured.single_stream import SingleStream, single_stream
from edgedl_lib.offloading.platform.measured.timing import Timing, measure_in_turn, ratio_in_turn


class Clock:
    """A clock that moves only when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_rivals_are_timed_in_turn_and_warmed_first():
    order = []
    timings = measure_in_turn(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, windows=5, window_seconds=0.0
    )
    rounds = order[40:]  # twenty warm-up calls of each, which count in no window
    assert order[:40] == ["a"] * 20 + ["b"] * 20
    assert rounds == ["a", "b"] * 5
    assert [len(timing.windows) for timing in timings.values()] == [5, 5]


def test_a_longer_call_is_measured_as_longer():
    data = np.ones(2**20)
    timings = measure_in_turn({"long": data.sum, "short": data[: 2**10].sum}, windows=5)
    assert timings["long"].minimum > 5 * timings["short"].minimum
    assert timings["long"].minimum <= timings["long"].median


def test_a_ratio_in_turn_ignores_a_disturbance_that_met_both():
    slow_round = 10.0
    numerator = Timing((2.0, 2.0 * slow_round, 2.0))
    denominator = Timing((1.0, 1.0 * slow_round, 1.0))
    assert ratio_in_turn(numerator, denominator) == 2.0
    with pytest.raises(ValueError, match="same rounds"):
        ratio_in_turn(numerator, Timing((1.0,)))


@pytest.mark.parametrize("windows", [(), (0.0, 1.0), (-1.0,), (np.nan,), (np.inf,)])
def test_impossible_windows_are_refused(windows):
    with pytest.raises(ValueError, match="positive, finite windows"):
        Timing(windows)


@pytest.mark.parametrize(("calls", "windows"), [({}, 5), ({"a": int}, 0)])
def test_nothing_to_time_is_an_error(calls, windows):
    with pytest.raises(ValueError, match="nothing to time"):
        measure_in_turn(calls, windows=windows)


def test_single_stream_lasts_for_both_minima():
    clock = Clock()

    def query():
        clock.now += 0.5

    slow = single_stream(query, minimum_queries=4, minimum_seconds=1.0, clock=clock)
    long = single_stream(query, minimum_queries=1, minimum_seconds=3.0, clock=clock)
    assert (slow.queries, long.queries) == (4, 6)
    assert slow.mean == slow.percentile(90) == 0.5


def test_the_ninetieth_percentile_sees_a_tail_that_the_mean_hides():
    run = SingleStream((0.001,) * 88 + (0.1,) * 12)
    assert run.percentile(90) == pytest.approx(0.1)
    assert run.mean < 0.02
    assert run.percentile(50) == 0.001


def test_an_empty_run_is_an_error():
    with pytest.raises(ValueError, match="no run"):
        single_stream(int, minimum_queries=0)
