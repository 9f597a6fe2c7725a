"""Four ways to give blocks to users, and what each leaves unheard [220].

The bound on the expected loss grows with ``sum_i K_i (1 - a_i + a_i q_i)``: samples that are not selected, or selected
and lost.  To minimise it is to match users and blocks with the weights ``K_i (q_in - 1)``, zero where delay or energy
forbid the pair: the Hungarian method [225] does it exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

from edgedl_lib.training.resources.joint.cell import Pairs

UNSELECTED = -1
Scheme = Callable[[Pairs, np.random.Generator], np.ndarray]


def hungarian(pairs: Pairs, rng: np.random.Generator | None = None) -> np.ndarray:
    """Block of every user, or -1: the proposed scheme."""
    return _matched(pairs, pairs.samples[:, None] * (pairs.error - 1))


def least_error(pairs: Pairs, rng: np.random.Generator | None = None) -> np.ndarray:
    """The same without looking at how many samples a user has."""
    return _matched(pairs, pairs.error - 1)


def random_blocks(pairs: Pairs, rng: np.random.Generator) -> np.ndarray:
    """The proposed users on blocks at random; who lands on an infeasible one is not heard."""
    chosen = np.flatnonzero(hungarian(pairs) != UNSELECTED)
    return _placed(pairs, chosen, rng)


def random_users(pairs: Pairs, rng: np.random.Generator) -> np.ndarray:
    """Users and blocks at random."""
    users, blocks = pairs.error.shape
    return _placed(pairs, rng.permutation(users)[: min(users, blocks)], rng)


SCHEMES: dict[str, Scheme] = {
    "proposed": hungarian,
    "least error": least_error,
    "random blocks": random_blocks,
    "random": random_users,
}


def residual(pairs: Pairs, blocks: np.ndarray) -> float:
    """Share of the samples that the round is expected to miss, in [0, 1]."""
    users = np.flatnonzero(blocks != UNSELECTED)
    missed = pairs.samples.astype(float)
    missed[users] *= pairs.error[users, blocks[users]]
    return float(missed.sum() / pairs.samples.sum())


def brute_force(pairs: Pairs) -> float:
    """The least residual over all matchings; for a handful of users."""
    users, blocks = pairs.error.shape
    best = 1.0
    places = list(range(blocks)) + [UNSELECTED] * users
    for order in set(permutations(places, users)):
        chosen = np.array(order)
        taken = np.flatnonzero(chosen != UNSELECTED)
        if pairs.feasible[taken, chosen[taken]].all():
            best = min(best, residual(pairs, chosen))
    return best


def _matched(pairs: Pairs, weights: np.ndarray) -> np.ndarray:
    """Minimum-weight matching; pairs of weight zero that the solver adds are dropped."""
    users, blocks = linear_sum_assignment(np.where(pairs.feasible, weights, 0.0))
    return _keep_feasible(pairs, users, blocks)


def _placed(pairs: Pairs, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _keep_feasible(pairs, chosen, rng.permutation(pairs.error.shape[1])[: len(chosen)])


def _keep_feasible(pairs: Pairs, users: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    assigned = np.full(len(pairs.samples), UNSELECTED)
    kept = pairs.feasible[users, blocks]
    assigned[users[kept]] = blocks[kept]
    return assigned
