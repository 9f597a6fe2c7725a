"""Wrong versions of ADSP: a barrier in disguise, loose thresholds, forgotten commits, a search that never stops."""

import functools

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.clock import one_slow_worker
from edgedl_lib.training.resources.adsp import study
from edgedl_lib.training.resources.adsp.events import StaleSynchronous
from edgedl_lib.training.resources.adsp.problem import digits_problem
from edgedl_lib.training.resources.adsp.rule import AdaptiveSynchronous


@functools.cache
def _fixed():
    problem = digits_problem(0)
    return problem, study.fixed_runs(problem, (16, 40))


class EqualSteps(AdaptiveSynchronous):
    """Every worker commits after the same number of its own steps."""

    def wants_commit(self, fleet, worker, now):
        return fleet.steps[worker] % 20 == 0


BARRIERS = {
    "adsp.acceleration": 3.2,
    "adsp.vs_fixed_adacomm_h3_2": 3.2,
    "adsp.script.saving_fixed_adacomm": 7 / 3,
    "adsp.script.saving_adacomm": 7 / 3,
    "adsp.saving_h2_33": 7 / 3,
    "adsp.saving_h5_5": 5.5,
    "adsp.saving_slow_commits": 7 / 3,
}


@sabotage(*BARRIERS)
def equal_steps_behind_a_barrier():
    """Steps are equalised instead of commits, and whoever is ahead waits: a period like any other."""
    _, runs = _fixed()
    return {
        name: study.saved(runs[16].time_to_loss(one_slow_worker(level), 1.0), study.best_fixed(runs, level, 1.0)[0])
        for name, level in BARRIERS.items()
    }


@sabotage("adsp.script.saving_bsp", "adsp.script.saving_ssp")
def thresholds_of_their_own():
    """ADSP may stop at three times the loss of the others, as in the authors' plotting script."""
    problem, _ = _fixed()
    run = study.run_adsp(problem, study.MIDDLE, 1.0, target=0.3)
    steady = 1100 * 4.0  # BSP's rounds at this step size, a step of the slow worker and a commit each
    return {
        name: study.saved(run.time_to_loss, steady) for name in ("adsp.script.saving_bsp", "adsp.script.saving_ssp")
    }


@sabotage("adsp.saving_h1")
def looser_threshold_for_one():
    """Nothing can be saved with equal workers, unless one method may stop at a higher loss."""
    problem, runs = _fixed()
    return study.saved(study.run_adsp(problem, 1.0, 1.0, target=0.13).time_to_loss, study.best_fixed(runs, 1.0, 1.0)[0])


@sabotage("adsp.no_wait")
def workers_wait():
    """The same workers at a barrier."""
    _, runs = _fixed()
    return 100 * runs[16].waiting_share(one_slow_worker(study.MIDDLE), 1.0)


@sabotage("adsp.waiting_bsp")
def slowest_worker_only():
    """The share that the slowest worker loses, which never waits for anybody."""
    return 100 * (1 - max(one_slow_worker(study.MIDDLE)) / (max(one_slow_worker(study.MIDDLE)) + 1.0))


@sabotage("adsp.commit_spread")
def commits_by_steps():
    """A commit after so many own steps: the fast ones commit three times as often."""
    problem, _ = _fixed()
    return study.run_adsp(problem, study.MIDDLE, 1.0, EqualSteps(), target=0.0, until=300.0).commit_spread


@sabotage("adsp.ssp_over_bsp")
def no_limit_to_the_lead():
    """SSP that lets the fast workers run away."""
    problem, _ = _fixed()
    run = study.run_ssp(problem, study.MIDDLE, 1.0, limit=10**9)
    return run.time_to_loss / (1100 * 4.0)


@sabotage("adsp.too_many_commits")
def commits_for_free():
    """A clock that does not charge the commits."""
    problem, _ = _fixed()
    often = study.run_adsp(problem, study.MIDDLE, 0.0, AdaptiveSynchronous(8, search=False, shortest=0.0))
    return often.time_to_loss / study.run_adsp(problem, study.MIDDLE, 0.0).time_to_loss


@sabotage("adsp.search_over_best")
def search_that_never_stops():
    """One commit more in every period, whatever the reward: it ends where commits are all that is done."""
    problem, _ = _fixed()
    often = study.run_adsp(problem, study.MIDDLE, 5.0, AdaptiveSynchronous(9, search=False, shortest=0.0))
    once = study.run_adsp(problem, study.MIDDLE, 5.0, AdaptiveSynchronous(1, search=False))
    return often.time_to_loss / once.time_to_loss


@sabotage("adsp.dead_worker")
def waiting_for_the_dead():
    """A bounded lead over a worker that takes no more steps."""
    problem, _ = _fixed()
    return study.pace_after_death(problem, StaleSynchronous(40))


@sabotage("adsp.bound_h3_2")
def heterogeneity_of_step_times():
    """The longest step over the mean step, instead of the mean speed over the lowest."""
    steps = np.array(one_slow_worker(3.2))
    return 100 * (1 - steps.mean() / steps.max())
