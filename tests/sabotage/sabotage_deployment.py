"""Deployments that go wrong unnoticed; each must be caught."""

import time
from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.deployment import comparison
from edgedl_lib.training.run import run
from edgedl_lib.training.vanilla.pace import drop_outs


@sabotage("flscale.three_ways")
def batches_of_another_seed():
    """A node that draws its own seed trains on other batches: nearly the same accuracy, other weights."""
    job = comparison.small_job()
    here, there = (run(replace(job.task, seed=seed), job.strategy, job.rounds).arrays for seed in (0, 1))
    return max(float(np.abs(here[name] - there[name]).max()) for name in here)


@sabotage("flscale.killed_rounds")
def a_server_that_needs_everybody():
    """Without an answer from every client the rounds after the first are abandoned."""
    return 1


@sabotage("flscale.grid_speed")
def the_same_engine_on_both_sides():
    """Nothing is gained over oneself."""
    cost = comparison.in_process(comparison.crowd(rounds=3, clients=4))
    return cost.round / cost.round


@sabotage("flscale.grid_start")
def a_grid_that_looks_for_nodes_once_a_second():
    """Flower's own waiting for nodes sleeps a second before it looks again."""
    begin = time.perf_counter()
    time.sleep(1.0)
    return time.perf_counter() - begin


class Lenient(drop_outs.OverSelection):
    """Averages whatever came."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.minimum_updates = 1


def _runs(strategy, factor: float, rounds: int = 12):
    job = drop_outs.unreliable_digits(0)  # half the digits right is reached within a few rounds
    return run(job, strategy(target=10, factor=factor, drop_out=0.1, seed=0), rounds)


@sabotage("flscale.abandoned.factor_1_0", "flscale.rounds_lost")
def rounds_that_are_never_abandoned():
    """A server that goes on with whoever reports abandons nothing and loses nothing."""
    strict, lenient = _runs(drop_outs.OverSelection, 1.3), _runs(Lenient, 1.0)
    lost = lenient.rounds_to(0.5) / strict.rounds_to(0.5)
    return {"flscale.abandoned.factor_1_0": drop_outs.abandoned_share([lenient]), "flscale.rounds_lost": lost}


@sabotage("flscale.abandoned.factor_1_3")
def over_selection_that_is_not_applied():
    """Ten chosen, ten needed."""
    return drop_outs.abandoned_share([_runs(drop_outs.OverSelection, 1.0)])
