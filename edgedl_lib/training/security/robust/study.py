"""The chapter's runs of robust averaging: many rules, attacks and seeds side by side.

All runs train in lockstep (:mod:`edgedl_lib.training.lockstep`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.lockstep import accuracy_side_by_side, one_round
from edgedl_lib.training.models import Arrays, flatten, perceptron
from edgedl_lib.training.partition import iid, shards
from edgedl_lib.training.security.robust import rules
from edgedl_lib.training.security.robust.attacks import poison, poisonable_sgd, relative_distance
from edgedl_lib.training.security.robust.strategy import RobustAveraging
from edgedl_lib.training.task import Task
from edgedl_lib.training.vectorised import local_sgd_all

DEVICES, EACH, CHOSEN, CLASSES = 50, 30, 10, 10
TRAINING = LocalTraining(learning_rate=0.2, epochs=1, batch_size=10)
RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": rules.mean,
    "trim 2": partial(rules.trimmed_mean, trim=2),
    "trim 4": partial(rules.trimmed_mean, trim=4),
    "median": rules.median,
    "Krum": partial(rules.krum, malicious=2),
}


@dataclass(frozen=True)
class Setting:
    """One cell of the study.

    Attributes
    ----------
    rule : str
        A key of :data:`RULES`.
    attack, poisoned : str, int
        What the poisoned ones of ten do, and how many they are.
    split : str
        ``"iid"`` or ``"two classes"``.
    unscaled : int
        Devices of 50, by number from 0, that leave their pixels at 0 to 16: an honest mistake.
    damped_from : int or None
        Round from which a round's result counts 0.3 in a moving average.
    """

    rule: str = "mean"
    attack: str = "none"
    poisoned: int = 0
    split: str = "iid"
    unscaled: int = 0
    damped_from: int | None = None

    def strategy(self, seed: int) -> RobustAveraging:
        """The strategy of this cell."""
        weight = partial(moving_weight, start=self.damped_from)
        attacks = {"attack": self.attack, "poisoned": self.poisoned}
        return RobustAveraging(
            rule=RULES[self.rule],
            moving_weight=weight,
            clients_per_round=CHOSEN,
            seed=seed,
            weighting="equal",
            **attacks,
        )


def moving_weight(server_round: int, start: int | None) -> float:
    """1 until round ``start``, 0.3 from then on."""
    return 1.0 if start is None or server_round < start else 0.3


def poison_task(setting: Setting, seed: int) -> Task:
    """Digits on fifty devices of thirty images, and the small network of the study."""
    train, test = digits_pool(seed)
    count = DEVICES * EACH
    rows = iid(count, DEVICES, seed) if setting.split == "iid" else shards(train.targets.numpy(), DEVICES, seed)
    data = federated(train, test, rows, classes=10, name="digits")
    make = partial(perceptron, 64, 32, 10)
    return Task("poison", _unscaled(data, setting.unscaled), make, TRAINING, seed=seed, client_step=poisonable_sgd)


def final_accuracy(curves: np.ndarray, last: int = 5) -> np.ndarray:
    """Mean accuracy of the last rounds, of curves (..., rounds + 1): one round more or less decides nothing."""
    return curves[..., -last:].mean(-1)


def accuracy_curves(settings: Sequence[Setting], seeds: Sequence[int], rounds: int) -> np.ndarray:
    """Accuracy of every setting, seed and round, shape (settings, seeds, rounds + 1)."""
    runs = [(poison_task(setting, seed), setting.strategy(seed)) for setting in settings for seed in seeds]
    return side_by_side(runs, rounds).reshape(len(settings), len(seeds), rounds + 1)


def side_by_side(runs: Sequence[tuple[Task, RobustAveraging]], rounds: int) -> np.ndarray:
    """Accuracy of each run after every round, shape (runs, rounds + 1), poisoned as the strategies say."""
    return accuracy_side_by_side(runs, rounds, _poisoned)


def attack_strength(seed: int, rounds: int) -> dict[str, np.ndarray]:
    """Relative distances of honest models and of both attacks in the round after ``rounds`` honest ones."""
    task, strategy = poison_task(Setting(), seed), Setting().strategy(seed)
    arrays = task.initial_arrays()
    for number in range(1, rounds + 1):
        arrays = one_round(task.make_model(), [(task, strategy)], [arrays], number)[0]
    chosen = strategy.choose(rounds + 1, list(range(DEVICES)))
    sent = {
        attack: np.stack([flatten(each) for each in _trained(task, arrays, chosen, attack, rounds + 1)])
        for attack in ("none", "flip", "reinitialise")
    }
    return {attack: relative_distance(sent["none"], stack) for attack, stack in sent.items()}


def _poisoned(arrays: Arrays, split: Split, orders: dict, rng: np.random.Generator) -> tuple[Arrays, Split]:
    return poison(arrays, split, orders.get("attack", "none"), CLASSES, rng)


def _trained(task: Task, arrays: Arrays, chosen: Sequence[int], attack: str, number: int) -> list[Arrays]:
    rngs = [task.client_rng(number, client) for client in chosen]
    data = [task.data.clients[client] for client in chosen]
    pairs = [poison(arrays, split, attack, CLASSES, rng) for split, rng in zip(data, rngs, strict=True)]
    starts, splits = zip(*pairs, strict=True)
    results = local_sgd_all(task.make_model(), list(starts), list(splits), task.training, rngs)
    return [result.arrays for result in results]


def _unscaled(data: FederatedData, count: int) -> FederatedData:
    clients = [
        replace(split, inputs=16 * split.inputs) if number < count else split
        for number, split in enumerate(data.clients)
    ]
    return replace(data, clients=tuple(clients))
