"""Astraea against federated averaging on digits imbalanced twice: few classes per client, and rare classes at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training import partition
from edgedl_lib.training.communication.astraea.augmentation import augmented
from edgedl_lib.training.communication.astraea.mediators import Mediators, MediatorStep
from edgedl_lib.training.communication.astraea.scheduling import (
    balanced_groups,
    group_divergences,
    random_groups,
)
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.exchange import dense_bytes
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import perceptron
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

CLIENTS, ONLINE, CAPACITY, ROUNDS = 40, 10, 5, 60
DECAY = 0.75  # a class has this share of the class before it
MODEL = partial(perceptron, 64, 64, 10)
CLASSES = 10

# Each variant with its best learning rate of 0.05, 0.1, 0.2, 0.4, 0.8 by the accuracy on seeds 100 and 101.
VARIANTS = {
    "FedAvg": {"rate": 0.8},
    "augmentation": {"rate": 0.8, "strength": 1.0},
    "rescheduling": {"rate": 0.2, "capacity": CAPACITY},
    "Astraea": {"rate": 0.2, "strength": 1.0, "capacity": CAPACITY},
    "Astraea, 2 passes": {"rate": 0.4, "strength": 1.0, "capacity": CAPACITY, "passes": 2},
}


def class_sizes(largest: int, decay: float = DECAY, classes: int = CLASSES) -> np.ndarray:
    """Samples of each class, falling geometrically, the largest first."""
    return np.maximum(1, np.rint(largest * decay ** np.arange(classes))).astype(int)


def thinned(split: Split, sizes: Sequence[int], rng: np.random.Generator) -> Split:
    """At most ``sizes[y]`` samples of class y, drawn at random."""
    labels = split.targets.numpy()
    rows = [rng.permutation(np.flatnonzero(labels == label))[:size] for label, size in enumerate(sizes)]
    kept = np.sort(np.concatenate(rows))
    return Split(split.inputs[kept], split.targets[kept])


def balanced_test(split: Split, rng: np.random.Generator) -> Split:
    """As many samples of each class as the rarest has."""
    return thinned(split, [int(np.bincount(split.targets).min())] * CLASSES, rng)


def imbalanced(seed: int) -> FederatedData:
    """40 clients with two label shards each, class sizes falling geometrically, and a balanced test set."""
    train, test = digits_pool(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(class_sizes(130))  # which class is rare depends on the seed
    train = thinned(train, order, rng)
    parts = partition.shards(train.targets.numpy(), CLIENTS, seed)
    return federated(train, balanced_test(test, rng), parts, CLASSES, "imbalanced digits")


def alike(seed: int, sizes: Sequence[int] | None = None) -> FederatedData:
    """40 IID clients; all training samples, or the given number of each class."""
    train, test = digits_pool(seed)
    rng = np.random.default_rng(seed)
    train = train if sizes is None else thinned(train, sizes, rng)
    parts = partition.iid(len(train), CLIENTS, seed)
    return federated(train, balanced_test(test, rng), parts, CLASSES, "IID digits")


def train(
    data: FederatedData,
    seed: int,
    *,
    rate: float,
    capacity: int | None = None,
    passes: int = 1,
    strength: float = 0.0,
    rounds: int = ROUNDS,
    target: float | None = None,
) -> History:
    """One run; without a capacity there are no mediators, with a strength of zero no copies."""
    if strength:
        data = augmented(data, strength, seed)
    task = Task(data.name, data, MODEL, LocalTraining(learning_rate=rate, epochs=1, batch_size=10), seed)
    if capacity is None:
        return run(task, FederatedAveraging(clients_per_round=ONLINE, seed=seed), rounds, target=target)
    task = replace(task, client_step=MediatorStep(data.clients, seed))
    strategy = Mediators(data.label_counts(), capacity, passes, clients_per_round=ONLINE, seed=seed)
    return run(task, strategy, rounds, target=target)


def final_accuracy(history: History) -> float:
    """Mean accuracy of the last five tests, in percent: a skewed round moves the last one alone."""
    return 100 * float(np.mean(history.accuracy[-5:]))


def traffic_saved(history: History, baseline: History) -> float:
    """Percent of the bytes, both ways, that the baseline needs to its own best accuracy."""
    target = float(baseline.accuracy.max())
    return 100 * (1 - history.bytes_to(target) / baseline.bytes_to(target))


def mediator_divergences(
    seeds: Sequence[int],
    counts_of: Callable[[int], np.ndarray],
    capacity: int = CAPACITY,
    online: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Divergences of greedy and of random groups, each of shape (seeds, mediators), greedy in the order of filling."""
    greedy, chance = [], []
    for seed in seeds:
        counts, rng = counts_of(seed), np.random.default_rng([seed, 1])
        present = rng.permutation(len(counts))[: online or len(counts)].tolist()
        greedy.append(group_divergences(counts, balanced_groups(counts, present, capacity)))
        chance.append(group_divergences(counts, random_groups(present, capacity, rng)))
    return np.array(greedy), np.array(chance)


def many_clients(seed: int, clients: int = 500) -> np.ndarray:
    """Histograms of 500 clients with two shards each of a large pool, without images: the paper's number of clients."""
    sizes = class_sizes(6000)
    labels = np.repeat(np.random.default_rng(seed).permutation(CLASSES), sizes)
    parts = partition.shards(labels, clients, seed)
    return np.stack([np.bincount(labels[part], minlength=CLASSES) for part in parts])


def ablation(seed: int, rounds: int = ROUNDS) -> dict[str, History]:
    """Every variant on the same clients, in the same rounds."""
    data = imbalanced(seed)
    return {name: train(data, seed, rounds=rounds, **settings) for name, settings in VARIANTS.items()}


def smallest_gain(runs: dict[str, History]) -> float:
    """Percentage points: augmentation over FedAvg, rescheduling over FedAvg, both over augmentation, the smallest."""
    accuracy = {name: final_accuracy(history) for name, history in runs.items()}
    pairs = (("augmentation", "FedAvg"), ("rescheduling", "FedAvg"), ("Astraea", "augmentation"))
    return min(accuracy[better] - accuracy[worse] for better, worse in pairs)


def controls(seed: int) -> tuple[float, float]:
    """Two differences in percentage points where clients are alike, all with the same number of samples.

    What Astraea gains where classes are balanced too, and what FedAvg loses because some classes are rare.
    """
    falling = np.random.default_rng(seed).permutation(class_sizes(130))
    equal = [int(falling.sum()) // CLASSES] * CLASSES
    runs = (("FedAvg", equal), ("Astraea", equal), ("FedAvg", falling))
    averaging, astraea, skewed = (
        final_accuracy(train(alike(seed, sizes), seed, **VARIANTS[name])) for name, sizes in runs
    )
    return astraea - averaging, averaging - skewed


def models_sent(history: History) -> float:
    """Models that crossed a link per round."""
    return float((history.uplink_bytes + history.downlink_bytes).mean() / dense_bytes(history.arrays))
