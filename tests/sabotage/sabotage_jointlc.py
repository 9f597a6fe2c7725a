"""Wrong versions of joint learning and communications: weights of the wrong sign, limits that are ignored."""

from functools import cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.resources.joint import cell, matching, study


def infeasible_preferred(pairs, rng=None):
    """The released baseline: feasible pairs weigh q > 0, infeasible ones 0, and the solver minimises."""
    users, blocks = linear_sum_assignment(np.where(pairs.feasible, pairs.error, 0.0))
    return matching._keep_feasible(pairs, users, blocks)


@cache
def cells():
    """Sixty random cells."""
    return [study.random_pairs(0, number) for number in range(60)]


@sabotage("jointlc.residual", "jointlc.residual_order", "jointlc.mean_order")
def minimises_the_error_itself():
    """Weighs feasible pairs with q instead of q - 1: a minimiser then likes infeasible pairs best."""
    wrong = np.array([matching.residual(pairs, infeasible_preferred(pairs)) for pairs in cells()])
    rngs = [np.random.default_rng(number) for number in range(60)]
    others = np.array(
        [
            [matching.residual(pairs, scheme(pairs, rng)) for pairs, rng in zip(cells(), rngs, strict=True)]
            for scheme in (matching.least_error, matching.random_blocks, matching.random_users)
        ]
    )
    means = [wrong.mean(), *others.mean(1)]
    return {
        "jointlc.residual": wrong.mean(),
        "jointlc.residual_order": float((wrong <= others + 1e-12).all(0).mean()),
        "jointlc.mean_order": int((np.diff(means) > 0).sum()),
    }


@sabotage("jointlc.power_step")
def full_power():
    """Sends at full power whatever it costs: the energy limit breaks where the channel is weak."""
    gain = np.random.default_rng(0).exponential(size=(50, 1)) * 250.0**-2
    disturbance = np.linspace(*cell.INTERFERENCE, 12)[None]
    energy = cell.upload_energy(np.full((50, 12), cell.MAXIMUM_POWER), gain, disturbance)
    return float((energy <= cell.ENERGY_LIMIT).mean())


@sabotage("jointlc.hungarian_used")
def one_after_the_other():
    """Gives each user the best block that is left: greedy, and rarely optimal."""
    right = 0
    for number in range(40):
        pairs = study.random_pairs(0, number, users=5, blocks=4)
        value = np.where(pairs.feasible, pairs.samples[:, None] * (1 - pairs.error), 0.0)
        chosen, free = np.full(5, matching.UNSELECTED), set(range(4))
        for user in range(5):
            best = max(free, key=lambda block, user=user: value[user, block], default=None)
            if best is not None and value[user, best] > 0:
                chosen[user] = best
                free.remove(best)
        right += abs(matching.residual(pairs, chosen) - matching.brute_force(pairs)) < 1e-12
    return right / 40


@sabotage("jointlc.per_links_fl")
def residual_upside_down():
    """Counts what arrives instead of what is missed: the formula orders the schemes the wrong way round."""
    means = study.residuals(0, 60).mean(1)
    return float(np.corrcoef(np.argsort(np.argsort(1 - means)), np.arange(4))[0, 1])


@cache
def short_training():
    """Losses and accuracies of one seed, few rounds."""
    return study.learning([0], rounds=25)


@sabotage("jointlc.loss_reduction_max", "jointlc.loss_reduction_vs_random_rb", "jointlc.accuracy_gain_random")
def the_baseline_called_proposed():
    """Trains on random users under the proposed scheme's name: no better than random, worse than the others."""
    losses, accuracies = short_training()
    wrong, right = losses[3, 0, -1], 100 * accuracies[:, 0, -1]
    return {
        "jointlc.loss_reduction_max": 100 * (1 - wrong / losses[3, 0, -1]),
        "jointlc.loss_reduction_vs_random_rb": 100 * (1 - wrong / losses[0, 0, -1]),
        "jointlc.accuracy_gain_random": right[3] - right[3],
    }


@sabotage("jointlc.accuracy_gain_minper", "jointlc.accuracy_gain_optsel_randrb")
def a_share_minus_a_percentage():
    """Subtracts percent from a share: the gain becomes a large loss."""
    accuracies = short_training()[1][:, 0, -1]
    return {
        "jointlc.accuracy_gain_minper": accuracies[0] - 100 * accuracies[1],
        "jointlc.accuracy_gain_optsel_randrb": accuracies[0] - 100 * accuracies[2],
    }
