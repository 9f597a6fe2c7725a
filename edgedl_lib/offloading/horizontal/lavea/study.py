"""Experiments on LAVEA: speed-ups, random flow shops, random selections, and the schemes side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.horizontal.lavea import flow_shop, frames, selection
from edgedl_lib.offloading.horizontal.lavea.cluster import draw_stream, front_and_neighbours, periodic_stream
from edgedl_lib.offloading.horizontal.lavea.placement import place
from edgedl_lib.offloading.horizontal.lavea.schemes import SCHEMES, Scheme
from edgedl_lib.offloading.horizontal.lavea.selection import SelectionProblem

ARRIVAL_RATES = (2.5, 3.5)
PLACEMENT_SEEDS = 8
INSTANCES = 300
JOBS = 7
SELECTION_INSTANCES = 200


@dataclass(frozen=True)
class SpeedUps:
    """Client-edge against the two other configurations.

    Attributes
    ----------
    over_local : numpy.ndarray, shape (2, S)
        Slow and fast client, by frame size.
    over_cloud : numpy.ndarray, shape (S,)
    """

    over_local: np.ndarray
    over_cloud: np.ndarray


def speed_ups(edge_link=frames.TO_EDGE, cloud_link=frames.TO_CLOUD, edge=frames.EDGE) -> SpeedUps:
    """Speed-ups of one unhindered frame, all of it sent to the edge."""
    clients = (frames.SLOW_CLIENT, frames.FAST_CLIENT)
    at_edge = frames.response(clients[0], edge, edge_link)
    local = np.array([frames.response(client, None, None) for client in clients])
    return SpeedUps(local / at_edge, frames.response(clients[0], frames.CLOUD, cloud_link) / at_edge)


def geometric_mean(ratios: np.ndarray) -> float:
    """Mean of ratios that gives a ratio and its inverse the same weight."""
    return float(np.exp(np.mean(np.log(ratios))))


@dataclass(frozen=True)
class FlowShopTrial:
    """Random instances, each served in three orders (I instances).

    Attributes
    ----------
    best, johnson, arrival : numpy.ndarray, shape (I,)
        Makespan (s) of the best of all orders, of Johnson's, and of the order of arrival.
    johnson_completion, arrival_completion : numpy.ndarray, shape (I,)
        Mean completion time (s).
    """

    best: np.ndarray
    johnson: np.ndarray
    arrival: np.ndarray
    johnson_completion: np.ndarray
    arrival_completion: np.ndarray

    @property
    def optimal_share(self) -> float:
        """Percent of instances in which Johnson's order has the best makespan."""
        return float(100 * np.mean(self.johnson <= self.best * (1 + 1e-12)))


def random_jobs(generator: np.random.Generator, count: int = JOBS) -> flow_shop.Jobs:
    """Stage times uniform in (0, 1) s; every third instance in tenths of a second, so that stages tie."""
    times = generator.uniform(0, 1, (2, count))
    if generator.integers(3) == 0:
        times = np.ceil(10 * times) / 10
    return flow_shop.Jobs(*times)


def flow_shop_trial(seed: int, order=flow_shop.johnson_order, instances: int = INSTANCES) -> FlowShopTrial:
    """Compare an order with the best and with the order of arrival on random instances."""
    generator, rows = np.random.default_rng(seed), []
    every, arrival = flow_shop.all_orders(JOBS), np.arange(JOBS)
    for _ in range(instances):
        jobs = random_jobs(generator)
        chosen, plain = (flow_shop.completion_times(jobs, each) for each in (order(jobs), arrival))
        best = flow_shop.makespan(jobs, every).min()
        rows.append((best, chosen[-1], plain[-1], chosen.mean(), plain.mean()))
    return FlowShopTrial(*np.array(rows).T)


def stream_study(seeds: Sequence[int], load: float = 0.8, count: int = 4000) -> dict[str, np.ndarray]:
    """Mean latency (s) of a Poisson stream by rule, one value per seed; both stages have the same mean."""
    means = {name: [] for name in flow_shop.RULES}
    for seed in seeds:
        generator = np.random.default_rng(seed)
        jobs = flow_shop.Jobs(*generator.uniform(0, 1, (2, count)))
        arrivals = np.cumsum(generator.exponential(0.5 / load, count))
        for name, rule in flow_shop.RULES.items():
            means[name].append(flow_shop.stream_latencies(arrivals, jobs, rule).mean())
    return {name: np.array(values) for name, values in means.items()}


def selection_problem(pixels, clients, uplink: float, crowd: float = 1.0) -> SelectionProblem:
    """One frame for each client, three stages in a chain; the acquisition before them stays on the client.

    Parameters
    ----------
    pixels : array_like, shape (clients,)
    clients : sequence of frames.Machine
    uplink : float
        bit/s that all of them share.
    crowd : float
        How many times longer a stage takes at the edge because others are there.
    """
    cycles, sizes = frames.stage_cycles(pixels), frames.stage_input_bytes(pixels)
    local = np.concatenate([machine.seconds(row) for machine, row in zip(clients, cycles, strict=True)])
    stages = cycles.shape[1]
    tasks = np.arange(cycles.size)
    sources = np.where(tasks % stages == 0, -1, tasks - 1)
    return SelectionProblem(
        client=np.repeat(np.arange(len(clients)), stages),
        local_seconds=local,
        edge_seconds=crowd * frames.EDGE.seconds(cycles.ravel()),
        sources=sources,
        targets=tasks,
        size_bytes=sizes.ravel(),
        uplink=uplink,
    )


def random_selection(generator: np.random.Generator) -> SelectionProblem:
    """Three clients of two speeds with four tasks each, random work and data, and a random uplink."""
    tasks, clients = 4, 3
    clocks = np.where(generator.integers(2, size=clients), frames.SLOW_CLIENT.clock, frames.FAST_CLIENT.clock)
    cycles = generator.uniform(0.05, 1.0, (clients, tasks)) * 1e9
    number = np.arange(clients * tasks)
    return SelectionProblem(
        client=np.repeat(np.arange(clients), tasks),
        local_seconds=(cycles / clocks[:, None]).ravel(),
        edge_seconds=cycles.ravel() / frames.EDGE_CLOCK,
        sources=np.where(number % tasks == 0, -1, number - 1),
        targets=number,
        size_bytes=10 ** generator.uniform(3.5, 6, clients * tasks),
        uplink=10 ** generator.uniform(6, 8),
    )


@dataclass(frozen=True)
class SelectionTrial:
    """Total response (s) of random instances, shape (I,) each."""

    exhaustive: np.ndarray
    chosen: np.ndarray
    selfish: np.ndarray
    all_local: np.ndarray
    all_edge: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Percent above the optimum, shape (I,)."""
        return 100 * (self.chosen / self.exhaustive - 1)

    @property
    def never_worse(self) -> float:
        """Percent of instances no worse than all-local and no worse than all-edge."""
        bound = np.minimum(self.all_local, self.all_edge)
        return float(100 * np.mean(self.chosen <= bound * (1 + 1e-12)))


def selection_trial(seed: int, choose=selection.relaxed_selection, instances=SELECTION_INSTANCES) -> SelectionTrial:
    """Compare a way to select with the optimum on random instances."""
    generator, rows = np.random.default_rng(seed), []
    for _ in range(instances):
        problem = random_selection(generator)
        picks = [selection.exhaustive_selection(problem), choose(problem), selection.selfish_selection(problem)]
        picks += [np.zeros(problem.tasks, bool), np.ones(problem.tasks, bool)]
        rows.append(selection.total_response(problem, np.array(picks)))
    return SelectionTrial(*np.array(rows).T)


def placement_study(
    schemes: Mapping[str, Scheme] = SCHEMES,
    rates: Sequence[float] = ARRIVAL_RATES,
    seeds: Sequence[int] = tuple(range(PLACEMENT_SEEDS)),
    report_period: float = 1.0,
    duration: float = 1000.0,
) -> dict[str, np.ndarray]:
    """Mean response (s) of each scheme on the same streams, shape (rates, seeds)."""
    means = {name: np.empty((len(rates), len(seeds))) for name in schemes}
    for row, rate in enumerate(rates):
        cluster = front_and_neighbours(rate)
        for column, seed in enumerate(seeds):
            stream = draw_stream(cluster, duration, seed)
            for name, scheme in schemes.items():
                means[name][row, column] = place(cluster, stream, scheme, report_period).mean_response
    return means


def kept_when_unloaded(schemes: Sequence[Scheme], seed: int, period: float = 4.0, count: int = 200) -> float:
    """Percent of jobs that stay at an idle front node, the least over the schemes."""
    cluster = front_and_neighbours(1 / period)
    stream = periodic_stream(period, count, seed)
    return 100 * min(place(cluster, stream, scheme).kept_share for scheme in schemes)
