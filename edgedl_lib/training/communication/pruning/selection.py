"""Which weights to keep: those that lower the loss most for each second of a round."""

from __future__ import annotations

from itertools import combinations

import numpy as np

LARGEST_CUT = 0.3  # share of the kept weights that one adjustment may question; it halves every 10,000 rounds
HALVING = 10_000


def best_ratio(importance: np.ndarray, seconds: np.ndarray, base_importance: float, base_seconds: float) -> np.ndarray:
    """Candidates to keep, as booleans of shape (n,): the greedy rule, optimal for importance over time.

    Candidates are taken in decreasing order of importance per second, as long as each raises the ratio so far.

    Parameters
    ----------
    importance : numpy.ndarray, shape (n,)
        Squared gradients: the loss that training this weight is expected to save.
    seconds : numpy.ndarray, shape (n,)
        What keeping it adds to a round.
    base_importance, base_seconds : float
        Of what is kept in any case; the time holds the round's constant.

    Examples
    --------
    >>> best_ratio(np.array([4.0, 1.0, 9.0]), np.array([1.0, 1.0, 1.0]), 0.0, 2.0).tolist()
    [True, False, True]
    """
    if len(importance) != len(seconds) or np.any(np.asarray(seconds) < 0) or base_seconds < 0:
        raise ValueError("importance and seconds must be as long as each other, and no time may be negative")
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(seconds > 0, importance / seconds, np.inf)  # what costs no time is kept
    order = np.argsort(-worth, kind="stable")
    gains = base_importance + np.concatenate([[0.0], np.cumsum(importance[order])[:-1]])
    times = base_seconds + np.concatenate([[0.0], np.cumsum(seconds[order])[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        so_far = np.where(times > 0, gains / times, -np.inf)  # nothing yet: the first one is taken
    stops = np.flatnonzero(~((worth[order] > so_far) | np.isposinf(worth[order])))
    kept = np.zeros(len(importance), dtype=bool)
    kept[order[: stops[0] if len(stops) else len(order)]] = True
    return kept


def exhaustive_ratio(importance, seconds, base_importance: float, base_seconds: float) -> float:
    """Best ratio over all subsets; for tests on few candidates."""
    best = -np.inf
    for count in range(len(importance) + 1):
        for chosen in combinations(range(len(importance)), count):
            chosen = list(chosen)
            best = max(best, ratio(importance[chosen], seconds[chosen], base_importance, base_seconds))
    return best


def ratio(importance, seconds, base_importance: float, base_seconds: float) -> float:
    """Importance over time of what is kept."""
    total = base_seconds + np.sum(seconds)
    return float((base_importance + np.sum(importance)) / total) if total > 0 else -np.inf


def candidates(weights: np.ndarray, mask: np.ndarray, server_round: int) -> np.ndarray:
    """Which weights of a layer an adjustment may change: all pruned ones and the smallest of the kept."""
    share = LARGEST_CUT * 0.5 ** (server_round / HALVING)
    kept = np.flatnonzero(mask)
    questioned = kept[np.argsort(np.abs(weights.ravel()[kept]), kind="stable")[: int(share * len(kept))]]
    open_to_change = ~mask.ravel()
    open_to_change[questioned] = True
    return open_to_change.reshape(mask.shape)


def adjust(
    weights: list[np.ndarray],
    masks: list[np.ndarray],
    importance: list[np.ndarray],
    seconds: list[float],
    fixed_seconds: float,
    fixed_importance: float,
    server_round: int,
    minimum_density: float = 0.01,
) -> list[np.ndarray]:
    """New masks of the prunable layers.

    Parameters
    ----------
    seconds : list of float
        What one weight of each layer adds to a round.
    fixed_seconds, fixed_importance : float
        The round's constant with all that is never pruned, and the squared gradients of the latter.
    minimum_density : float
        At least this share of a layer stays, by importance: a network with an empty layer is dead.
    """
    free = [candidates(*pair, server_round) for pair in zip(weights, masks, strict=True)]
    stay = [mask & ~each for mask, each in zip(masks, free, strict=True)]
    base = fixed_importance + sum(float(g[each].sum()) for g, each in zip(importance, stay, strict=True))
    time = fixed_seconds + sum(t * int(each.sum()) for t, each in zip(seconds, stay, strict=True))
    pool = np.concatenate([g[each] for g, each in zip(importance, free, strict=True)])
    costs = np.concatenate([np.full(int(each.sum()), t) for t, each in zip(seconds, free, strict=True)])
    chosen = np.split(best_ratio(pool, costs, base, time), np.cumsum([int(each.sum()) for each in free])[:-1])
    found = []
    for mask, each, taken, values in zip(stay, free, chosen, importance, strict=True):
        new = mask.copy()
        new[each] = taken
        found.append(_alive(new, values, minimum_density))
    return found


def _alive(mask: np.ndarray, importance: np.ndarray, minimum_density: float) -> np.ndarray:
    missing = max(1, int(np.ceil(minimum_density * mask.size))) - int(mask.sum())
    if missing <= 0:
        return mask
    outside = np.flatnonzero(~mask)
    best = outside[np.argsort(-importance.ravel()[outside], kind="stable")[:missing]]
    mask.ravel()[best] = True
    return mask
