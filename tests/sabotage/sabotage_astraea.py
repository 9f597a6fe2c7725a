"""Wrong versions of Astraea: groups of one, other divergences, traffic per round, a skewed test set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.astraea import scheduling, study

SHORT = 25  # rounds
FEW = range(4)


def groups_by(distance):
    """Divergences of greedy and of random groups with another distance, over a few seeds."""
    greedy, chance = [], []
    for seed in FEW:
        counts, rng = study.imbalanced(seed).label_counts(), np.random.default_rng([seed, 1])
        online = rng.permutation(len(counts)).tolist()
        groups = scheduling.balanced_groups(counts, online, study.CAPACITY, distance)
        greedy.append(scheduling.group_divergences(counts, groups))
        chance.append(scheduling.group_divergences(counts, scheduling.random_groups(online, study.CAPACITY, rng)))
    return np.array(greedy), np.array(chance)


@sabotage("astraea.acc", "astraea.traffic", "astraea.traffic_v1", "astraea.traffic_latest", "astraea.order")
def mediators_of_one():
    """A mediator for every client: federated averaging with twice the traffic."""
    data = study.imbalanced(0)
    alone = study.train(data, 0, rate=0.8, capacity=1, rounds=SHORT)
    plain = study.train(data, 0, rate=0.8, rounds=SHORT)
    gain = study.final_accuracy(alone) - study.final_accuracy(plain)
    saved = study.traffic_saved(alone, plain)
    names = ("astraea.traffic", "astraea.traffic_v1", "astraea.traffic_latest")
    return {"astraea.acc": gain, "astraea.order": gain, **dict.fromkeys(names, saved)}


@sabotage("astraea.kl_median", "astraea.kl_mean")
def sign_turned_round():
    """The largest divergence instead of the smallest: like joins like."""
    greedy, chance = groups_by(lambda counts: -scheduling.divergence_from_uniform(counts))
    median = (np.median(greedy, axis=1) / np.median(chance, axis=1)).mean()
    return {"astraea.kl_median": median, "astraea.kl_mean": greedy.mean() / chance.mean()}


@sabotage("astraea.leftovers")
def random_order():
    """Random groups have no leftovers."""
    _, chance = study.mediator_divergences(range(20), lambda seed: study.imbalanced(seed).label_counts())
    return chance[:, -1].mean() / chance[:, 0].mean()


@sabotage("astraea.kl_scale")
def nobody_looks():
    """Random against random."""
    _, chance = study.mediator_divergences(range(10), study.many_clients, 10, 50)
    return np.median(chance[:, ::2], axis=1).mean() / np.median(chance[:, 1::2], axis=1).mean()


@sabotage("astraea.round_traffic", "astraea.round_traffic.two_passes")
def clients_only():
    """The mediators' own way to the server and back forgotten, and passes after the first."""
    return {"astraea.round_traffic": 2 * 10, "astraea.round_traffic.two_passes": 2 * (2 + 10)}


@sabotage("astraea.iid")
def untuned():
    """Both at the small rate that suits mediators: averaging has simply not finished."""
    data = study.alike(0)
    runs = (study.train(data, 0, rate=0.05, capacity=capacity, rounds=SHORT) for capacity in (5, None))
    astraea, averaging = (study.final_accuracy(history) for history in runs)
    return astraea - averaging


@sabotage("astraea.global_imbalance_loss")
def test_set_as_skewed():
    """Tested on digits as rare as in training: what is seldom asked is seldom wrong."""
    falling = np.random.default_rng(0).permutation(study.class_sizes(130))
    equal = [int(falling.sum()) // study.CLASSES] * study.CLASSES
    accuracies = []
    for sizes in (equal, falling):
        data = study.alike(0, sizes)
        rare = np.ceil(np.array(sizes) / max(sizes) * 20).astype(int)
        skewed = study.thinned(data.test, rare, np.random.default_rng(1))
        history = study.train(replace(data, test=skewed), 0, rate=0.8, rounds=SHORT)
        accuracies.append(study.final_accuracy(history))
    return accuracies[0] - accuracies[1]
