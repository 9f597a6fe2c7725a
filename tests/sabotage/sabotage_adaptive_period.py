"""Wrong versions of the adaptive aggregation period: no divergence, wrong labels, no reserve, free aggregation."""

from __future__ import annotations

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.adaptive import study
from edgedl_lib.training.communication.adaptive.clock import BUDGET, Times
from edgedl_lib.training.communication.adaptive.control import Costs, Estimates, best_period, divergence
from edgedl_lib.training.communication.adaptive.descent import descend_fixed
from edgedl_lib.training.communication.adaptive.nodes import case_parts, digit_halves, even_or_odd, spread


def always_aggregate(estimates, costs, control, previous):
    """One step, then everybody meets."""
    return 1


@sabotage("adaptau.metric")
def labels_zero_and_one():
    """Labels 0 and 1 as if they were -1 and +1: half of the samples count as the other class."""
    inputs, labels, test_inputs, test_labels = digit_halves(0)
    parts, even = case_parts(1, labels, 5), test_labels % 2 == 0
    runs = [
        descend_fixed(spread(inputs, signs, parts), (10,), budget=5.0)[0]
        for signs in (np.ones(1500), even_or_odd(labels))
    ]
    wrong, right = (np.mean((test_inputs @ run.model > 0) == even) for run in runs)
    return 100 * (wrong - right)


@sabotage("adaptau.guarantee")
def divergence_of_a_tenth():
    """Estimates taken where the nodes agree: delta a hundred times too small."""
    held = study.even_odd_nodes(2, 0)[0]
    gaps, bounds = study.gap_and_bound(held, 0.05, 10, 10, lambda *x: divergence(*x) / 100)
    return np.mean(gaps <= bounds + 1e-12)


@sabotage("adaptau.near_optimal", "adaptau.regret")
def synchronous():
    """Synchronous descent: the network takes the budget."""
    run = study.compare(1, 0, choose=always_aggregate)
    return {"adaptau.near_optimal": run.ratio, "adaptau.regret": run.regret}


@sabotage("adaptau.near_optimal.fast")
def never_aggregate():
    """The longest period everywhere: at a large step the nodes are gone before they meet."""
    return study.compare(4, 0, step=0.05, choose=lambda estimates, costs, control, previous: 100).ratio


@sabotage("adaptau.near_optimal.sgd")
def synchronous_sgd():
    """Synchronous mini-batches."""
    return study.compare(1, 0, batch=100, choose=always_aggregate).ratio


@sabotage("adaptau.tau_skew")
def divergence_not_measured():
    """The controller is told the same divergence whatever the nodes hold."""

    def constant(estimates, costs, control, previous):
        return best_period(Estimates(estimates.rho, estimates.beta, 0.5), costs, control, previous)

    periods = [study.compare(case, 0, choose=constant, periods=(10,)).adaptive.mean_period for case in (1, 2)]
    return periods[0] / periods[1]


@sabotage("adaptau.divergence")
def without_the_second_term():
    """h without eta delta x: one step already counts as drift."""
    wrong = divergence(np.arange(101), 0.01, 10.0, 1.0) + 0.01 * np.arange(101)
    return study.share_of_conditions(wrong)


@sabotage("adaptau.cost_ratio")
def aggregation_is_free():
    """A budget that counts local steps alone."""
    return study.lengthening(lambda local, aggregation, budget: Costs(local, 0.0, budget))


@sabotage("adaptau.budget")
def no_reserve():
    """Rounds are begun while any budget is left: neither the round nor the last evaluation is held back."""
    rng, times, spent, period = np.random.default_rng(0), Times(), 0.0, 100
    while spent < BUDGET:
        local, aggregation = times.draw(period, rng)
        spent += local * period + aggregation
    return spent / BUDGET


@sabotage("adaptau.over_centralised")
def synchronous_against_the_centre():
    """Synchronous descent in the same time."""
    run = study.compare(1, 0, choose=always_aggregate, periods=(10,))
    return study.against_neighbours({1: [run]}, [0])[0].max()


@sabotage("adaptau.over_asynchronous")
def one_step_for_all():
    """Waiting for everybody at each step."""
    run = study.compare(1, 0, choose=always_aggregate, periods=(10,))
    return study.against_neighbours({1: [run]}, [0])[1].max()


@sabotage("adaptau.sim_scale")
def always_the_longest():
    """Synchronous whatever the number of clients."""
    return study.largest_within(study.over_clients((5, 50), 0, choose=always_aggregate, periods=(10, 20)))
