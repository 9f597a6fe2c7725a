"""The simulated clock: rounds, deadlines, drop-outs, and the order of events."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedl_lib.system.link import Link
from edgedl_lib.training.clock import (
    ClientClock,
    EventQueue,
    barrier_waste,
    heterogeneity,
    one_slow_worker,
    play_round,
)


def test_a_round_ends_with_the_slowest():
    clients = [ClientClock(1.0), ClientClock(2.0), ClientClock(0.5, Link("slow", rate=8e3))]
    played = play_round(clients, [4, 3, 2], start=10.0, size_bytes=9_000)
    assert played.answered_at.tolist() == [14.0, 16.0, 20.0]
    assert played.duration == 10.0 and played.arrived == (0, 1, 2)


def test_a_deadline_leaves_the_late_out():
    played = play_round([ClientClock(1.0), ClientClock(5.0)], 2, start=1.0, deadline=4.0)
    assert played.end == 5.0 and played.arrived == (0,)
    assert play_round([ClientClock(1.0)], 2, deadline=4.0).end == 2.0


def test_the_dead_never_answer_and_a_round_without_deadline_says_so():
    clients = [ClientClock(1.0), ClientClock(1.0, silent_from=2.5)]
    assert play_round(clients, 2).arrived == (0, 1)
    with pytest.raises(ValueError, match=r"clients \[1\] never answer"):
        play_round(clients, 2, start=1.0)
    assert play_round(clients, 2, start=1.0, deadline=9.0).arrived == (0,)


def test_drop_outs_are_drawn_from_the_given_generator():
    clients = [ClientClock(1.0, drop_rate=0.3)] * 1000
    with pytest.raises(ValueError, match="give a generator"):
        play_round(clients, 1, deadline=2.0)
    first, second = (play_round(clients, 1, deadline=2.0, rng=np.random.default_rng(4)).arrived for _ in range(2))
    assert first == second and 650 < len(first) < 750


@pytest.mark.parametrize("wrong", [{"step_time": 0.0}, {"step_time": math.inf}, {"step_time": 1.0, "drop_rate": 1.2}])
def test_clocks_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        ClientClock(**wrong)
    with pytest.raises(ValueError, match="at least one client"):
        play_round([], 1)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_a_barrier_wastes_what_heterogeneity_says(step_times):
    assert barrier_waste(step_times) == pytest.approx(1 - 1 / heterogeneity(step_times), abs=1e-9)


@given(st.floats(1.0, 20.0), st.integers(2, 9))
def test_one_slow_worker_has_the_heterogeneity_asked_for(level, workers):
    assert heterogeneity(one_slow_worker(level, workers)) == pytest.approx(level)


def test_impossible_heterogeneity_is_refused():
    for level, workers in ((0.5, 3), (2.0, 1)):
        with pytest.raises(ValueError, match="is not possible"):
            one_slow_worker(level, workers)
    assert one_slow_worker(1.0, 1) == (1.0,)


def test_events_come_by_time_then_rank_then_as_pushed():
    queue = EventQueue()
    for time, name, rank in ((2.0, "c", 1), (1.0, "a", 5), (2.0, "b", 0), (2.0, "d", 1), (math.inf, "never", 0)):
        queue.push(time, name, rank)
    assert [queue.pop()[1] for _ in range(len(queue))] == ["a", "b", "c", "d"]
    with pytest.raises(IndexError, match="nothing happens"):
        queue.pop()
    with pytest.raises(ValueError, match="has no time"):
        queue.push(math.nan, "x")
