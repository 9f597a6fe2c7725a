"""Wrong versions of MASM: the constraint forgotten, the wrong mean, no search, delay where only energy counts."""

from dataclasses import replace

import numpy as np

from edgedl_lib.offloading.integral.masm import study
from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms, Cloudlet
from edgedl_lib.offloading.integral.masm.solver import Allocation, solve_all, starts
from edgedl_lib.offloading.integral.masm.steps import capacity_step
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.queueing import lindley_waits

CLOUDLET = Cloudlet()
FIVE = Algorithms(
    ("a", "b", "c", "d", "e"),
    64 * np.array([320, 1280, 2544, 9536, 623616.0]),
    64 * np.array([16, 64, 16, 64, 64.0]),
    np.array([0.82, 0.93, 0.88, 0.96, 0.98]),
)


def served(cloudlet, algorithms, weights):
    """An allocation with the best capacities for some weights."""
    capacities = capacity_step(cloudlet, algorithms, weights[None])[0]
    return Allocation(algorithms, weights, capacities, float(cloudlet.cost(algorithms, weights, capacities)))


def no_promise(cloudlet, algorithms, qualities):
    """Quality is what comes out."""
    return solve_all(cloudlet, algorithms, [0.0] * len(qualities))


@sabotage("masm.qor_tradeoff", "masm.quality_slack")
def quality_not_constrained():
    """Minimise the cost, and hope for the quality."""
    result = study.sweep(CLOUDLET, FIVE, no_promise)
    return {"masm.qor_tradeoff": study.price_of_quality(result), "masm.quality_slack": study.least_slack(result)}


def best_single(cloudlet, algorithms, qualities):
    """One algorithm for all: what a service without mixing does."""
    found = []
    for quality in qualities:
        options = [served(cloudlet, algorithms, row) for row in np.eye(len(algorithms))]
        found.append(min((o for o in options if o.quality >= quality - 1e-9), key=lambda o: o.cost))
    return found


@sabotage("masm.energy_delay")
def one_algorithm():
    """A mean quality is read as a minimum, so every task needs an algorithm that reaches it."""
    return study.saving(study.sweep(CLOUDLET, FIVE, best_single))


def any_start(cloudlet, algorithms, qualities):
    """The first feasible mix, never improved."""
    found = []
    for index, quality in enumerate(qualities):
        rows = starts(algorithms, quality, index)
        found.append(served(cloudlet, algorithms, rows[(7 * index) % len(rows)]))
    return found


@sabotage("masm.cost_decreases", "masm.over_baselines", "masm.grid_gap")
def feasible_is_enough():
    """Stops at its start: every constraint holds, so it looks like a solution."""
    result = study.sweep(CLOUDLET, FIVE, any_start)
    pairs = FIVE.only(3, 4)
    return {
        "masm.cost_decreases": study.decreases(result),
        "masm.over_baselines": study.over_baselines(result),
        "masm.grid_gap": study.worst_grid_ratio(CLOUDLET, pairs, _in_proportion),
    }


def _in_proportion(cloudlet, algorithms, qualities):
    """Capacity in proportion to the work, all machines equally busy: fair, and wrong."""
    weights = np.full(2, 0.5)
    work = weights * algorithms.cycles
    capacities = cloudlet.capacity * work / work.sum()
    return [Allocation(algorithms, weights, capacities, float(cloudlet.cost(algorithms, weights, capacities)))]


@sabotage("masm.delay_error")
def mean_over_machines():
    """Delay averaged over the virtual machines, as a dashboard shows it."""
    allocation = solve_all(CLOUDLET, FIVE, [0.975])[0]
    generator, means = np.random.default_rng(0), []
    for index in np.flatnonzero(allocation.weights):
        rate = allocation.weights[index] * CLOUDLET.arrival_rate
        arrivals = np.cumsum(generator.exponential(1 / rate, 20_000))
        services = generator.exponential(FIVE.cycles[index] / allocation.capacities[index], 20_000)
        means.append(CLOUDLET.sending(FIVE)[index] + np.mean(lindley_waits(arrivals, services) + services))
    formula = CLOUDLET.delay(FIVE, allocation.weights, allocation.capacities)
    return 100 * abs(formula / np.mean(means) - 1)


@sabotage("masm.theta_zero")
def some_delay_left():
    """Half of the cost is delay, whatever was asked for."""
    allocation = solve_all(replace(CLOUDLET, delay_weight=0.5), FIVE, [0.9])[0]
    return 1 / study.loads(CLOUDLET, allocation).min()
