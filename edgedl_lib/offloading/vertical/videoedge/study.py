"""Experiments on VideoEdge: sizes, scarcity, the Pareto band, merging, and small instances with a known optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.vertical.videoedge.baselines import fair_accuracies, network_blind
from edgedl_lib.offloading.vertical.videoedge.greedy import greedy_plan
from edgedl_lib.offloading.vertical.videoedge.merging import MergedPlan, merge_queries
from edgedl_lib.offloading.vertical.videoedge.optimum import accuracy_bound, exhaustive_plan, optimal_plan
from edgedl_lib.offloading.vertical.videoedge.pareto import BAND, pareto_band
from edgedl_lib.offloading.vertical.videoedge.problem import InfeasiblePlan, PlanProblem
from edgedl_lib.offloading.vertical.videoedge.queries import draw_queries, four_cameras, plan_problem

SIZES = (8, 16, 24, 32)
SEEDS = 4
SMALL_INSTANCES = 40
SCALES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03, 0.02, 0.01)


@dataclass(frozen=True)
class SizeStudy:
    """Mean accuracy by number of queries, shape (sizes, seeds) each.

    Attributes
    ----------
    bound, greedy, used, fair, blind, thinned : numpy.ndarray
        Linear bound; greedy by dominant demand and by used capacity; fair shares; the planner blind to the network,
        with lost frames answered wrongly and with lost frames as a lower frame rate.
    sizes : tuple of int
    """

    bound: np.ndarray
    greedy: np.ndarray
    used: np.ndarray
    fair: np.ndarray
    blind: np.ndarray
    thinned: np.ndarray
    sizes: tuple[int, ...]

    def gap(self, name: str = "greedy") -> np.ndarray:
        """Percent below the bound, shape (sizes, seeds)."""
        return 100 * (1 - getattr(self, name) / self.bound)


def size_study(sizes: Sequence[int] = SIZES, seeds: Sequence[int] = range(SEEDS), plan=greedy_plan) -> SizeStudy:
    """All planners on the same queries over four cameras."""
    hierarchy = four_cameras()
    table = np.empty((6, len(sizes), len(seeds)))
    for row, size in enumerate(sizes):
        for column, seed in enumerate(seeds):
            queries = draw_queries(size, hierarchy.cameras, seed)
            problem = plan_problem(hierarchy, queries)
            blind = network_blind(problem, hierarchy, queries)
            table[:, row, column] = (
                accuracy_bound(problem),
                problem.mean_accuracy(plan(problem)),
                problem.mean_accuracy(greedy_plan(problem, measure="used")),
                fair_accuracies(problem).mean(),
                blind.wrong_when_lost.mean(),
                blind.sampled_less.mean(),
            )
    return SizeStudy(*table, tuple(sizes))


@dataclass(frozen=True)
class Scarcity:
    """Accuracies while every capacity shrinks together, shape (scales,) each; queries may go unserved.

    Attributes
    ----------
    scales, greedy, fair : numpy.ndarray
    unserved : numpy.ndarray
        Share of queries for which no plan fits a fair share.
    """

    scales: np.ndarray
    greedy: np.ndarray
    fair: np.ndarray
    unserved: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Greedy over fair; infinite where fair shares serve nobody."""
        with np.errstate(divide="ignore"):
            return self.greedy / self.fair

    @property
    def largest_ratio(self) -> float:
        """Largest finite ratio."""
        return float(self.ratio[np.isfinite(self.ratio)].max())


def scarcity_study(count: int = 32, seed: int = 0, scales: Sequence[float] = SCALES) -> Scarcity:
    """Greedy and fair shares from plenty to next to nothing."""
    queries, rows = draw_queries(count, four_cameras().cameras, seed), []
    for scale in scales:
        problem = plan_problem(four_cameras(scale), queries)
        optional = problem.with_nobody()
        fair = fair_accuracies(problem)
        rows.append((optional.mean_accuracy(greedy_plan(optional)), fair.mean(), np.mean(fair == 0)))
    return Scarcity(np.array(scales), *np.array(rows).T)


@dataclass(frozen=True)
class BandStudy:
    """Planning over all configurations and within the Pareto band, shape (seeds,) each.

    Attributes
    ----------
    full, banded : numpy.ndarray
        Mean accuracy.
    outside : numpy.ndarray
        Percent of configurations outside the band.
    """

    full: np.ndarray
    banded: np.ndarray
    outside: np.ndarray

    @property
    def lost(self) -> np.ndarray:
        """Percent of the accuracy lost, shape (seeds,)."""
        return 100 * (1 - self.banded / self.full)


def band_study(count: int = 32, seeds: Sequence[int] = range(SEEDS), factor: float = BAND) -> BandStudy:
    """Compare the greedy with and without the band."""
    rows = []
    for seed in seeds:
        problem = random_problem(count, seed)
        kept = pareto_band(problem, factor)
        accuracies = [each.mean_accuracy(greedy_plan(each)) for each in (problem, problem.keep(kept))]
        rows.append((*accuracies, 100 * np.mean(~kept)))
    return BandStudy(*np.array(rows).T)


def random_problem(count: int, seed: int) -> PlanProblem:
    """Random queries over four cameras."""
    hierarchy = four_cameras()
    return plan_problem(hierarchy, draw_queries(count, hierarchy.cameras, seed))


def merging_study(count: int = 8, seeds: Sequence[int] = range(SEEDS), scale: float = 0.5) -> list[MergedPlan]:
    """Merging where all queries of a camera are of one kind and capacity is short."""
    hierarchy = four_cameras(scale)
    return [merge_queries(hierarchy, draw_queries(count, hierarchy.cameras, seed, kinds=1)) for seed in seeds]


def small_problem(
    generator: np.random.Generator, queries: int = 3, options: int = 12, resources: int = 3
) -> PlanProblem:
    """Random configurations of random demand; capacities so that about half of the plans fit."""
    count = queries * options
    demand = generator.uniform(0, 1, (count, resources)) * (generator.random((count, resources)) < 0.7)
    return PlanProblem(
        np.repeat(np.arange(queries), options),
        np.round(generator.uniform(0.1, 1, count), 3),
        demand,
        generator.uniform(0.3, 0.6, resources) * queries,
        tuple(f"resource {index}" for index in range(resources)),
    )


def exact_share(seed: int, plan=optimal_plan, instances: int = SMALL_INSTANCES) -> float:
    """Percent of small instances in which a plan has the accuracy of the best of all plans, or both find none."""
    generator, equal = np.random.default_rng(seed), 0
    for _ in range(instances):
        problem = small_problem(generator)
        found, best = (_accuracy(problem, solve) for solve in (plan, exhaustive_plan))
        equal += found == best or abs(found - best) < 1e-9
    return 100 * equal / instances


def _accuracy(problem: PlanProblem, solve) -> float:
    try:
        return problem.mean_accuracy(solve(problem))
    except InfeasiblePlan:
        return -np.inf
