"""IONN on its authors' AlexNet profile: the plans that must come out, and what the paper claims about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.partial.ionn.execution_graph import (
    EdgeWeights,
    dijkstra,
    placement_cost,
    shortest_paths,
    time_weights,
)
from edgedl_lib.offloading.partial.ionn.planner import (
    Partition,
    energy_rule,
    everything,
    plan,
    query_time,
    unit_range,
)
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile, alexnet_profile
from edgedl_lib.offloading.partial.ionn.timeline import UploadTimeline, incremental_upload, upload_at_once

MEGABIT = 1024 * 1024  # bits, as the authors' code converts Mb
GOLDEN_RATES = (10, 20, 40, 80, 160)  # Mb/s


@dataclass(frozen=True)
class GoldenPlan:
    """What the authors' algorithm gives for their AlexNet at one rate: plans, and times in ms."""

    plans: tuple[str, ...]
    arrival_ms: tuple[float, ...]
    query_ms: tuple[float, ...]
    at_once_ms: float


SMALL, MIDDLE, LARGE = "conv1..pool2", "conv1..pool5", "conv1..prob"
GOLDEN = {
    10: GoldenPlan(("conv2..pool5", "conv2..prob"), (7016, 185944), (668.7, 331.8), 186051),
    20: GoldenPlan(("conv2..pool5", "conv2..prob"), (3508, 92972), (547.9, 223.5), 93026),
    40: GoldenPlan((SMALL, MIDDLE, LARGE), (261, 1781, 46513), (685.1, 438.5, 120.3), 46513),
    80: GoldenPlan((SMALL, MIDDLE, LARGE), (131, 890, 23256), (609.6, 376.0, 61.0), 23256),
    160: GoldenPlan((SMALL, MIDDLE, LARGE), (65, 445, 11628), (571.9, 344.7, 31.3), 11628),
}
"""Computed once, independently of this library, from the authors' profile and code (rates in Mb/s)."""
GOLDEN_QUERIES = {80: (61, 29), 40: (105, 57), 10: (277, 227)}  # in steps, at once, while the latter uploads


def bits_per_second(megabits: float) -> float:
    """Rate in bit/s as the authors' code reads Mb/s.

    >>> bits_per_second(80)
    83886080.0
    """
    return float(megabits * MEGABIT)


def golden_timelines(profile: UnitProfile | None = None) -> dict[int, tuple[UploadTimeline, UploadTimeline]]:
    """IONN's upload and the upload at once at the five golden rates (Mb/s)."""
    profile = alexnet_profile() if profile is None else profile
    rates = {megabits: bits_per_second(megabits) for megabits in GOLDEN_RATES}
    return {m: (incremental_upload(profile, rate), upload_at_once(profile, rate)) for m, rate in rates.items()}


def golden_agreement(timelines: dict[int, tuple[UploadTimeline, UploadTimeline]]) -> tuple[int, float]:
    """Rates at which the sequence of plans is the golden one, and the largest deviation of any time, percent."""
    profile, equal, deviations = alexnet_profile(), 0, []
    for megabits, (steps, at_once) in timelines.items():
        golden = GOLDEN[megabits]
        equal += tuple(unit_range(profile, chosen) for chosen in steps.plans) == golden.plans
        ours = 1e3 * np.concatenate([steps.arrival, steps.latency[1:], [at_once.total]])
        theirs = np.array([*golden.arrival_ms, *golden.query_ms, golden.at_once_ms])
        deviations.append(np.abs(ours / theirs - 1).max() if ours.size == theirs.size else np.inf)
    return equal, float(100 * max(deviations))


def upload_ratio(timelines: dict[int, tuple[UploadTimeline, UploadTimeline]]) -> float:
    """Largest ratio over the rates of the incremental upload's total time to the upload at once."""
    return max(steps.total / at_once.total for steps, at_once in timelines.values())


def query_counts(uploads: tuple[UploadTimeline, UploadTimeline]) -> tuple[int, int]:
    """Back-to-back queries that start before the upload at once would end: in steps, and at once."""
    steps, at_once = uploads
    return len(steps.query_starts(at_once.total)), len(at_once.query_starts())


def golden_counts(timelines: dict[int, tuple[UploadTimeline, UploadTimeline]]) -> int:
    """How many of the six golden numbers of queries come out."""
    pairs = [(query_counts(timelines[megabits]), golden) for megabits, golden in GOLDEN_QUERIES.items()]
    return sum(ours == theirs for counts, golden in pairs for ours, theirs in zip(counts, golden, strict=True))


def queries_ratio(timelines: dict[int, tuple[UploadTimeline, UploadTimeline]], slowest: int = 40) -> float:
    """Least ratio, over rates of at least `slowest` Mb/s, of the queries during the upload, in steps over at once."""
    counts = [query_counts(uploads) for megabits, uploads in timelines.items() if megabits >= slowest]
    return min(steps / at_once for steps, at_once in counts)


def benefit_per_megabyte(timeline: UploadTimeline) -> np.ndarray:
    """Seconds that a query gains by each step, per MB uploaded for it, (P,)."""
    return -np.diff(timeline.latency) / (timeline.sent_bytes / 1e6)


def ordered_share(timelines: dict[int, tuple[UploadTimeline, UploadTimeline]]) -> float:
    """Percent of the successive steps of all uploads whose benefit per byte is at most that of the step before."""
    falls = [np.diff(benefit_per_megabyte(steps)) <= 0 for steps, _ in timelines.values()]
    return float(100 * np.concatenate(falls).mean())


def never_uploaded(profile: UnitProfile, timeline: UploadTimeline) -> tuple[str, ...]:
    """Units that could move and never do."""
    moved = np.any(timeline.plans, axis=0) if timeline.plans else np.zeros(len(profile), bool)
    return tuple(profile.names[i] for i in np.flatnonzero(everything(profile) & ~moved))


def largest_rise(rates_megabits: np.ndarray, profile: UnitProfile | None = None) -> float:
    """Largest rise of the query time (s) from one step of an upload to the next, over all rates; at most 0."""
    profile = alexnet_profile() if profile is None else profile
    timelines = [incremental_upload(profile, bits_per_second(rate)) for rate in rates_megabits]
    return float(max(np.diff(timeline.latency).max(initial=-np.inf) for timeline in timelines))


def slow_link(megabits: float = 5) -> tuple[float, float, float]:
    """Query (s) at a slow link: all local, all on the server, and IONN's last plan."""
    profile, rate = alexnet_profile(), bits_per_second(megabits)
    last = plan(profile, rate)[-1].on_server
    return profile.local_time, query_time(profile, rate, everything(profile)), query_time(profile, rate, last)


def plan_counts(bases, megabits: float = 80) -> list[int]:
    """Number of partitions for each K."""
    return [len(plan(alexnet_profile(), bits_per_second(megabits), base=base)) for base in bases]


def energy_of_plans(megabits: float = 80, profile: UnitProfile | None = None) -> tuple[float, np.ndarray]:
    """Client's energy (J) of a local query, and of one under each plan of the energy variant."""
    profile, rate = alexnet_profile() if profile is None else profile, bits_per_second(megabits)
    rule = energy_rule()
    free = rule(profile, rate, 1.0)
    plans: tuple[Partition, ...] = plan(profile, rate, weights=rule)
    return float(free.local.sum()), np.array([float(placement_cost(free, step.on_server)) for step in plans])


def random_profile(rng: np.random.Generator, units: int) -> UnitProfile:
    """A chain whose units are sometimes faster on the client, with sizes and times of the same order."""
    client = rng.exponential(1.0, units)
    return UnitProfile(
        names=tuple(f"unit{i}" for i in range(units)),
        client_time=client,
        server_time=client * 10 ** rng.uniform(-2, 0.5, units),
        load_time=0.1 * rng.random(units),
        output_bytes=1e6 * rng.random(units),
        parameter_bytes=1e6 * rng.exponential(1.0, units),
        input_bytes=1e6 * rng.random(),
        pinned=int(rng.integers(0, 2)),
    )


def agreement_with_dijkstra(seed: int, instances: int = 200) -> float:
    """Percent of random profiles on which the sweep over the units costs what Dijkstra's path costs."""
    rng, equal = np.random.default_rng(seed), 0
    for _ in range(instances):
        weights = random_weights(rng)
        swept = shortest_paths(weights)
        own = placement_cost(weights, swept.on_server)
        equal += np.allclose([swept.cost, own], dijkstra(weights).cost, rtol=1e-9, atol=0)
    return 100 * equal / instances


def random_weights(rng: np.random.Generator) -> EdgeWeights:
    """Execution graph of a random profile at a random rate and discount."""
    profile = random_profile(rng, int(rng.integers(1, 13)))
    return time_weights(profile, 10 ** rng.uniform(5, 8), rng.random())


def first_plan_over_best_cut(megabits: float = 10) -> float:
    """First plan's query time (s) over that of the best single cut which only uses what has arrived by then."""
    profile, rate = alexnet_profile(), bits_per_second(megabits)
    first = plan(profile, rate)[0].on_server
    cuts = [np.arange(len(profile)) >= cut for cut in range(len(profile) + 1)]
    possible = [chosen for chosen in cuts if not (chosen & ~first).any()]
    return query_time(profile, rate, first) / min(query_time(profile, rate, chosen) for chosen in possible)
