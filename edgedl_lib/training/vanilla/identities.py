"""Three cases in which the outcome of federated averaging is known exactly, and what is left of each."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.local import LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays, flatten, logistic, perceptron
from edgedl_lib.training.partition import iid, shards
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task
from edgedl_lib.training.vanilla.fedavg import central_sgd, digits_data, full_gradient_step, network
from edgedl_lib.training.vectorised import local_sgd_all

UNEQUAL = (10, 20, 30, 40, 60, 80, 120, 160, 200, 280)  # images of ten clients
SMALL = partial(perceptron, 64, 32, 10)


def unequal_task(seed: int, training: LocalTraining, sizes: tuple[int, ...] = UNEQUAL) -> Task:
    """Digits on clients of unequal size."""
    train, test = digits_pool(seed)
    data = federated(train, test, iid(len(train), len(sizes), seed, sizes), 10, "digits, unequal")
    return Task("unequal", data, SMALL, training, seed)


def distance_from_gradient_step(seed: int, weighting: str = "examples") -> float:
    """Largest difference of a weight between one round of E=1, B=all, C=1 and one full-batch gradient step."""
    task = unequal_task(seed, LocalTraining(0.1, 1, None))
    everybody = FederatedAveraging(clients_per_round=len(UNEQUAL), weighting=weighting)
    _, after = full_gradient_step(task)
    return float(np.abs(flatten(run(task, everybody, 1).arrays) - flatten(after)).max())


def entries_off_central_sgd(seed: int, momentum: float = 0.0) -> int:
    """Weights that differ between one client that holds everything and central SGD, after three rounds of E=2."""
    central = unequal_task(seed, LocalTraining(0.1, 2, 10), (300,))
    training = LocalTraining(0.1, 2, 10, momentum=momentum)
    alone = run(unequal_task(seed, training, (300,)), FederatedAveraging(clients_per_round=1), 3)
    return differing(alone.arrays, central_sgd(central, 3))


def entries_off_repetition(seed: int, strategy: type[FederatedAveraging] = FederatedAveraging) -> int:
    """Weights that differ between two runs of three rounds with the same seed."""
    task = Task("digits", digits_data("shards", seed), network, LocalTraining(0.2, 1, 10), seed)
    first, second = (run(task, strategy(clients_per_round=5, seed=seed), 3).arrays for _ in range(2))
    return differing(first, second)


def twin_difference(seed: int, twin=local_sgd_all) -> float:
    """Largest difference of a weight between the loop and the vectorised twin, clients of 5 to 40 images."""
    train, test = digits_pool(seed)
    parts = iid(len(train), 4, seed, (5, 12, 17, 40))
    data = federated(train, test, parts, 10, "digits, unequal")
    task = Task("twin", data, partial(logistic, 64, 10), LocalTraining(0.2, 2, 10), seed)
    model, start, clients = task.make_model(), task.initial_arrays(), range(4)
    together = twin(model, start, data.clients, task.training, [task.client_rng(1, client) for client in clients])
    return max(
        float(np.abs(flatten(one.arrays) - flatten(alone.arrays)).max())
        for one, alone in zip(together, (_alone(task, model, start, client) for client in clients), strict=True)
    )


def paper_shards(shards_per_client: int = 2) -> int:
    """Unbroken runs of samples in the clients' parts when 60,000 sorted labels go to 100 clients."""
    parts = shards(np.repeat(np.arange(10), 6000), 100, seed=0, shards_per_client=shards_per_client)
    firsts = {
        int(piece[0]) for rows in parts for piece in np.split(rows, shards_per_client) if np.all(np.diff(piece) == 1)
    }
    return len(firsts)


def differing(first: Arrays, second: Arrays) -> int:
    """Entries that are not equal bit for bit."""
    return int(np.sum(flatten(first).view(np.uint32) != flatten(second).view(np.uint32)))


def _alone(task: Task, model, start: Arrays, client: int):
    return local_sgd(model, start, task.data.clients[client], task.training, task.client_rng(1, client))
