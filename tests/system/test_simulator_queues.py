"""The simulator's own parts as queues: equal to recursions job by job, within the interval of theory, and fast."""

import numpy as np
import pytest

from edgedl_lib.system.estimate import estimate
from edgedl_lib.system.queue_theory import md1_wait, mm1_wait, mmk_wait, sharing_latency
from edgedl_lib.system.queueing import lindley_waits, multi_server_waits
from edgedl_lib.system.simulator import shipped_names, shipped_path, shipped_scenario
from edgedl_lib.system.simulator.queues import (
    LOADS,
    check_queue,
    enough_jobs,
    random_jobs,
    run_queue,
    sharing_error,
    worst_error,
)
from edgedl_lib.system.timing import measure_in_turn


@pytest.mark.parametrize("works", ["constant", "exponential", "a few huge"])
@pytest.mark.parametrize("load", LOADS)
def test_events_equal_the_recursion_job_by_job(load, works):
    arrivals, seconds = random_jobs(load, 10_000, 3, works)
    np.testing.assert_allclose(run_queue(arrivals, seconds).wait, lindley_waits(arrivals, seconds), atol=1e-9)
    fast = arrivals / 4
    several = run_queue(fast, seconds, slots=4).wait
    np.testing.assert_allclose(several, multi_server_waits(fast, seconds, 4), atol=1e-9)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
@pytest.mark.parametrize(
    ("works", "slots", "theory"),
    [
        ("exponential", 1, lambda load: mm1_wait(load, 1.0)),
        ("constant", 1, lambda load: md1_wait(load, 1.0)),
        ("exponential", 4, lambda load: mmk_wait(4 * load, 1.0, 4)),
    ],
    ids=["M/M/1", "M/D/1", "M/M/4"],
)
def test_a_long_run_of_events_holds_theory_in_its_interval(load, works, slots, theory):
    arrivals, seconds = random_jobs(load, 60_000, 5, works)
    waits = run_queue(arrivals / slots, seconds, slots=slots).wait[10_000:]
    mean = estimate([part.mean() for part in np.array_split(waits, 20)])
    half = (mean.high - mean.low) / 2
    assert abs(mean.mean - theory(load)) < 1.5 * half  # 99.4 %, fixed seed


def test_sharing_agrees_with_theory_for_jobs_of_every_size():
    arrivals, seconds = random_jobs(0.6, 60_000, 8, "a few huge")
    latency = run_queue(arrivals, seconds, discipline="sharing").latency
    for low, high in ((0.0, 0.3), (0.3, 1.0), (1.0, 4.0), (4.0, 99.0)):
        chosen = (seconds > low) & (seconds <= high)
        expected = sharing_latency(0.6, seconds[chosen].mean(), 1.0)
        assert latency[chosen].mean() == pytest.approx(expected, rel=0.1)


def test_sharing_error_is_small_for_every_distribution():
    assert all(error < 5 for error in sharing_error(seed=1, count=20_000).values())


def test_checks_of_long_runs():
    checks = [check_queue(queue, 0.5, 2_000_000, 4) for queue in ("M/M/1", "M/D/1", "M/M/4")]
    assert all(check.error < 2 for check in checks)
    assert worst_error(checks, "M/D/1") == checks[1].error
    assert enough_jobs("M/M/1", 0.9) > enough_jobs("M/M/1", 0.8) > enough_jobs("M/M/1", 0.1)
    with pytest.raises(ValueError, match="queue 'M/G/1' is unknown"):
        check_queue("M/G/1", 0.5, 10, 0)


def test_tens_of_thousands_of_jobs_a_second_on_any_machine():
    jobs = random_jobs(0.8, 5000, 0)
    timing = measure_in_turn({"events": lambda: run_queue(*jobs)}, windows=5)["events"]
    assert 5000 / timing.minimum > 3e4  # the book reports the real figure, well over a hundred thousand


def test_no_jobs():
    run = run_queue([], [])
    assert run.wait.size == 0 and run.throughput == 0.0


def test_shipped_scenarios_are_the_files_in_the_folder():
    folder = shipped_path("queue").parent
    assert {shipped_path(name) for name in shipped_names()} == set(folder.glob("*.toml"))
    assert shipped_scenario("vertical").name.startswith("vertical")
    with pytest.raises(KeyError, match="no scenario 'fog' comes with the repository"):
        shipped_path("fog")
