"""The chapter's runs of robust averaging: many rules, attacks and seeds side by side.

Runs do not know of each other, so all their clients can train in one vectorised program: :func:`side_by_side` takes the
same small steps of the same strategies as the engine, without messages.  A test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import Arrays, flatten, load_arrays, perceptron
from edgedl_lib.training.partition import iid, shards
from edgedl_lib.training.security.robust import rules
from edgedl_lib.training.security.robust.attacks import poison, poisonable_sgd, relative_distance
from edgedl_lib.training.security.robust.strategy import RobustAveraging
from edgedl_lib.training.strategy import ClientUpdate
from edgedl_lib.training.task import Task
from edgedl_lib.training.vectorised import local_sgd_all

DEVICES, EACH, CHOSEN = 50, 30, 10
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
    """Accuracy of each run after every round, shape (runs, rounds + 1), all clients of all runs trained together."""
    models = [task.initial_arrays() for task, _ in runs]
    room = runs[0][0].make_model()
    curves = [_accuracies(room, runs, models)]
    for number in range(1, rounds + 1):
        models = _one_round(room, runs, models, number)
        curves.append(_accuracies(room, runs, models))
    return np.array(curves).T


@torch.no_grad()
def _accuracies(room: nn.Module, runs: Sequence[tuple[Task, RobustAveraging]], models: list[Arrays]) -> list[float]:
    tests = [task.data.test for task, _ in runs]
    found = [load_arrays(room, arrays)(test.inputs).argmax(1) for arrays, test in zip(models, tests, strict=True)]
    return [float((labels == test.targets).double().mean()) for labels, test in zip(found, tests, strict=True)]


def attack_strength(seed: int, rounds: int) -> dict[str, np.ndarray]:
    """Relative distances of honest models and of both attacks in the round after ``rounds`` honest ones."""
    task, strategy = poison_task(Setting(), seed), Setting().strategy(seed)
    arrays = task.initial_arrays()
    for number in range(1, rounds + 1):
        arrays = _one_round(task.make_model(), [(task, strategy)], [arrays], number)[0]
    chosen = strategy.choose(rounds + 1, list(range(DEVICES)))
    sent = {
        attack: np.stack([flatten(each) for each in _trained(task, arrays, chosen, attack, rounds + 1)])
        for attack in ("none", "flip", "reinitialise")
    }
    return {attack: relative_distance(sent["none"], stack) for attack, stack in sent.items()}


def _one_round(
    room: nn.Module, runs: Sequence[tuple[Task, RobustAveraging]], models: list[Arrays], number: int
) -> list[Arrays]:
    jobs, owners = [], []
    for run, (task, strategy) in enumerate(runs):
        for client in strategy.choose(number, list(range(len(task.data.clients)))):
            attack = strategy.instructions(number, client).get("attack", "none")
            jobs.append(_job(task, models[run], client, attack, number))
            owners.append((run, client))
    arrays, splits, rngs = zip(*jobs, strict=True)
    results = local_sgd_all(room, list(arrays), list(splits), runs[0][0].training, list(rngs))
    updates: list[list[ClientUpdate]] = [[] for _ in runs]
    for (run, client), result in zip(owners, results, strict=True):
        updates[run].append(ClientUpdate(client, result.arrays, result.examples, result.metrics, 0))
    return [
        strategy.aggregate(number, model, found)
        for (_, strategy), model, found in zip(runs, models, updates, strict=True)
    ]


def _job(
    task: Task, arrays: Arrays, client: int, attack: str, number: int
) -> tuple[Arrays, Split, np.random.Generator]:
    rng = task.client_rng(number, client)
    return (*poison(arrays, task.data.clients[client], attack, task.data.classes, rng), rng)


def _trained(task: Task, arrays: Arrays, chosen: Sequence[int], attack: str, number: int) -> list[Arrays]:
    starts, splits, rngs = zip(*(_job(task, arrays, client, attack, number) for client in chosen), strict=True)
    results = local_sgd_all(task.make_model(), list(starts), list(splits), task.training, list(rngs))
    return [result.arrays for result in results]


def _unscaled(data: FederatedData, count: int) -> FederatedData:
    clients = [
        replace(split, inputs=16 * split.inputs) if number < count else split
        for number, split in enumerate(data.clients)
    ]
    return replace(data, clients=tuple(clients))
