"""Wrong versions of PruneFL: no pruning, a random mask, importance without time, a mask that never moves."""

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.pruning import baselines, study
from edgedl_lib.training.communication.pruning.training import density, payload_bytes, train


@sabotage(
    "prunefl.load", "prunefl.time_to_90", "prunefl.random_slower", "prunefl.random_lower", "prunefl.density_moves"
)
def nothing_is_pruned():
    """Conventional training under the name of PruneFL, and a first mask for ever: no gain, no movement."""
    plan = study.plan(0, rounds=3)
    run = train(plan, 0)
    one = float(run.seconds[-1] / run.seconds[-1])
    return {
        "prunefl.load": float(run.payload[-1] / run.payload[-1]),
        "prunefl.time_to_90": one,
        "prunefl.random_slower": one,
        "prunefl.random_lower": float(run.final - run.final),
        "prunefl.density_moves": float(abs(run.density[-1] / run.density[0] - 1)),
    }


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
