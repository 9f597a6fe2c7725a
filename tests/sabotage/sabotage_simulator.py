"""Wrong versions of the simulator: its queues, its books, its speed, its random numbers, its failures."""

from dataclasses import replace
from time import perf_counter

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.estimate import estimate
from edgedl_lib.system.queue_arrays import random_waits, replicated_waits
from edgedl_lib.system.queue_theory import md1_wait, mm1_wait, mmk_wait
from edgedl_lib.system.queueing import lindley_waits
from edgedl_lib.system.simulator import shipped_scenario, simulate
from edgedl_lib.system.simulator.draws import draw
from edgedl_lib.system.simulator.queues import LOADS, random_jobs, run_queue
from edgedl_lib.system.simulator.study import little_error, slowdown_of_failure


@sabotage("simulator.mm1_wait_error", "simulator.md1_wait_error")
def arrivals_like_a_clock():
    """Evenly spaced arrivals of the right rate, and exponential service where it should be constant."""
    works = np.random.default_rng(0).exponential(1.0, 200_000)
    even = [lindley_waits(np.arange(len(works)) / load, works).mean() / mm1_wait(load, 1.0) for load in LOADS]
    random = [random_waits(load, 1.0, 200_000, 0).mean() / md1_wait(load, 1.0) for load in LOADS]
    return {
        "simulator.mm1_wait_error": 100 * max(abs(ratio - 1) for ratio in even),
        "simulator.md1_wait_error": 100 * max(abs(ratio - 1) for ratio in random),
    }


@sabotage("simulator.mm4_wait_error")
def a_line_for_each_server():
    """Four lines and no changing of lanes: each server is an M/M/1 of its own."""
    ratios = [random_waits(load, 1.0, 200_000, 0).mean() / mmk_wait(4 * load, 1.0, 4) for load in LOADS]
    return 100 * max(abs(ratio - 1) for ratio in ratios)


@sabotage("simulator.twin_difference")
def newest_first():
    """Last come, first served: the mean wait is the same, and job by job everything differs."""
    arrivals, works = random_jobs(0.9, 2000, 0)
    line, waits, now, job = [], np.zeros(len(works)), 0.0, 0
    while job < len(works) or line:
        while job < len(works) and (not line or arrivals[job] <= now):
            if not line:
                now = max(now, arrivals[job])
            line.append(job)
            job += 1
        newest = line.pop()
        waits[newest] = now - arrivals[newest]
        now += works[newest]
    return float(np.abs(waits - lindley_waits(arrivals, works)).max())


@sabotage("simulator.simpy_wait_distance")
def only_those_who_wait():
    """The mean wait over the jobs that had to wait, which is what one sees when looking at the line."""
    waits = run_queue(*random_jobs(0.6, 30_000, 0)).wait
    mean = estimate([part[part > 0].mean() for part in np.array_split(waits, 20)])
    return abs(mean.mean - mm1_wait(0.6, 1.0)) / ((mean.high - mean.low) / 2)


@sabotage("simulator.little_error")
def lost_jobs_count_in_one_book_only():
    """Mean latency of the jobs that were done, arrival rate of all."""
    scenario = shipped_scenario("integral")
    application = replace(scenario.applications[0], timeout=0.06)
    run = simulate(replace(scenario, applications=(application,)), seed=0)
    done = replace(run, left=np.where(run.lost, run.arrival, run.left))
    return little_error([done])


@sabotage("simulator.sharing_error")
def one_after_the_other():
    """First come, first served where work should be shared: right for exponential work alone."""
    arrivals, works = random_jobs(0.4, 30_000, 0, "a few huge")
    return 100 * abs(run_queue(arrivals, works).latency.sum() / works.sum() * (1 - 0.4) - 1)


@sabotage("simulator.simpy_jobs_per_s")
def a_clock_that_ticks():
    """Stepping through time in hundredths of a service, whether something happens or not."""
    arrivals, works = (each.tolist() for each in random_jobs(0.8, 200, 0))
    begin, now, job, left = perf_counter(), 0.0, 0, 0.0
    while job < len(works) or left > 0:
        while job < len(works) and arrivals[job] <= now:
            left += works[job]
            job += 1
        left = max(left - 0.001, 0.0)
        now += 0.001
    return len(works) / (perf_counter() - begin)


@sabotage("simulator.array_jobs_per_s")
def a_loop_over_the_recursion():
    """One job at a time in Python, its two random numbers drawn when they are needed."""
    generator, begin, wait = np.random.default_rng(0), perf_counter(), 0.0
    for _ in range(20_000):
        wait = max(0.0, wait + generator.exponential(1.0) - generator.exponential(1.25))
    return 20_000 / (perf_counter() - begin)


@sabotage("simulator.wait_growth")
def a_short_run_from_an_empty_server():
    """The first two hundred jobs: the long line of a high load has not built up yet."""
    arrivals = np.random.default_rng(0).exponential(1.0, (200, 2000)).cumsum(axis=0)
    works = np.random.default_rng(1).exponential(1.0, (200, 2000))
    high, low = (replicated_waits(arrivals / load, works, 1).mean() for load in (0.95, 0.5))
    return float(high / low)


@sabotage("simulator.file_determinism")
def numbers_in_the_order_of_the_file():
    """One generator for all workloads, used up in the order in which they stand in the file."""
    scenario = shipped_scenario("integral")
    arrivals = [draw(scenario, seed)[0].arrival for seed in (0, 1)]  # the second workload's turn is another stretch
    return float(np.array_equal(*arrivals))


@sabotage("simulator.failure_latency", "simulator.failure_lost")
def tiles_bound_to_boards():
    """Each board has its tile and nobody else may do it; and a failure that nobody notices."""
    scenario = shipped_scenario("horizontal")
    unnoticed = simulate(replace(scenario, failures=()), seed=0)
    bound = replace(scenario.applications[0], placement={"tile": "board 3", "merge": "board 1"})
    return {
        "simulator.failure_latency": slowdown_of_failure(replace(unnoticed, scenario=scenario)),
        "simulator.failure_lost": int(simulate(replace(scenario, applications=(bound,)), seed=0).lost.sum()),
    }
