"""Wrong versions of PruneFL: no pruning, a random mask, importance without time, a mask that never moves."""

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.pruning import baselines, study
from edgedl_lib.training.communication.pruning.training import density, payload_bytes, train


@sabotage("prunefl.load", "prunefl.time_to_90", "prunefl.random_slower", "prunefl.random_lower")
def a_random_mask_instead():
    """Weights kept by lot under the name of PruneFL: no less load, no less time, no better end than by lot."""
    plan = study.plan(0, rounds=14)
    full, lot = train(plan, 0), train(plan, 0, baselines.random_masks(plan, 0.97, 0))
    other = train(plan, 0, baselines.random_masks(plan, 0.97, 1))
    target = 0.98 * min(full.accuracy.max(), lot.accuracy.max(), other.accuracy.max())
    loads = [full.until(target, getattr(full, of)) / lot.until(target, getattr(lot, of)) for of in ("payload", "work")]
    return {
        "prunefl.load": min(loads),
        "prunefl.time_to_90": full.until(target, full.seconds) / lot.until(target, lot.seconds),
        "prunefl.random_slower": other.until(target, other.seconds) / lot.until(target, lot.seconds),
        "prunefl.random_lower": min(lot.final - other.final, other.final - lot.final),
    }


@sabotage("prunefl.density_moves")
def the_first_mask_for_ever():
    """No second stage."""
    plan = study.plan(0, rounds=3, interval=1)
    run = train(plan, 0, baselines.random_masks(plan, 0.2, 0), adapt=False)
    return float(abs(run.density[-1] / run.density[0] - 1))


@sabotage("prunefl.upload", "prunefl.density")
def zeros_are_sent():
    """Pruned weights travel as zeros: every update is full."""
    plan = study.plan(0)
    masks = plan.full()
    return {
        "prunefl.upload": payload_bytes(plan, masks) / payload_bytes(plan, plan.full()),
        "prunefl.density": density(masks),
    }


@sabotage("prunefl.final_gap")
def one_weight_in_two_hundred():
    """A random mask that keeps half a percent."""
    plan = study.plan(0, rounds=12)
    return train(plan, 0).final - train(plan, 0, baselines.random_masks(plan, 0.005, 0)).final


@sabotage("prunefl.greedy_optimal")
def importance_without_time():
    """Candidates sorted by importance alone, as if every weight took as long."""

    def choose(importance, seconds, base_importance, base_seconds):
        kept = np.zeros(len(importance), dtype=bool)
        for each in np.argsort(-importance):
            total = base_importance + importance[kept].sum(), base_seconds + seconds[kept].sum()
            if importance[each] / seconds[each] <= total[0] / total[1]:
                break
            kept[each] = True
        return kept

    return study.greedy_share(0, choose=choose)
