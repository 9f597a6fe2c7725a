"""What the book looks at: sweeps of one value, failures over time, and files that give the same run in any order."""

import numpy as np
import pytest

from edgedl_lib.system.simulator import changed, shipped_scenario, simulate
from edgedl_lib.system.simulator.study import (
    latency_between,
    little_error,
    reversed_tables,
    run_twice,
    slowdown_of_failure,
    sweep,
)


def test_a_faster_link_never_makes_a_scenario_slower():
    scenario = changed(shipped_scenario("integral"), "duration", 40.0)
    result = sweep(scenario, "connections.wifi.rate", [10e6, 20e6, 80e6], seed=0)
    assert np.all(np.diff(result.latency, axis=0) < 0) and np.all(np.diff(result.latency, axis=1) > 0)
    assert result.load == pytest.approx([0.7224, 0.3612, 0.3])


def test_a_board_that_leaves_slows_pictures_down_and_loses_none():
    run = simulate(shipped_scenario("horizontal"), seed=0)
    assert slowdown_of_failure(run) > 1.1 and not run.lost.any()
    failure = run.scenario.failures[0]
    before, after = latency_between(run, 10, failure.at), latency_between(run, failure.until + 1, 120)
    assert np.median(after) == pytest.approx(np.median(before), rel=1e-6)


@pytest.mark.parametrize("name", ["contention", "horizontal", "integral"])
def test_the_order_of_tables_changes_nothing(name):
    run, same = run_twice(name, seed=2)
    assert same and little_error([run]) < 1e-6
    assert reversed_tables(run.scenario).stations[0] == run.scenario.stations[-1]


def test_another_seed_is_another_run():
    scenario = shipped_scenario("integral")
    assert simulate(scenario, 0).left.tobytes() != simulate(scenario, 1).left.tobytes()
