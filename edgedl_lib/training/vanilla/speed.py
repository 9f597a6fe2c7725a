"""How fast the engine is: the vectorised twin against the loop over clients, and the start of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.system.timing import measure_in_turn
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.flower import ConfigRecord
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.local import LocalTraining, local_sgd
from edgedl_lib.training.models import logistic, small_cnn
from edgedl_lib.training.partition import iid
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task, client_app
from edgedl_lib.training.vectorised import local_sgd_all, pool


def logistic_task(clients: int = 100) -> Task:
    """Logistic regression on the digits: 100 clients of 15 images, E=1, B=5."""
    train, test = digits_pool(0)
    data = federated(train, test, iid(len(train), clients, 0), 10, "digits")
    return Task("logistic regression", data, partial(logistic, 64, 10), LocalTraining(0.1, 1, 5))


def cnn_task(clients: int = 50) -> Task:
    """The small CNN on the digits: 50 clients of 30 images, E=1, B=10."""
    train, test = (Split(part.inputs.view(-1, 1, 8, 8), part.targets) for part in digits_pool(0))
    data = federated(train, test, iid(len(train), clients, 0), 10, "digits")
    return Task("small CNN", data, small_cnn, LocalTraining(0.1, 1, 10))


def mnist_sized_task(clients: int = 100, images: int = 60) -> Task:
    """Logistic regression with 784 inputs on generated images: the size of MNIST without MNIST."""
    generator = torch.Generator().manual_seed(0)
    count = clients * images
    split = Split(torch.rand(count, 784, generator=generator), torch.randint(10, (count,), generator=generator))
    return Task(
        "784x10",
        FederatedData("generated", _cut(split, images), split.subset(images), 10),
        partial(logistic, 784, 10),
        LocalTraining(0.1, 1, None),
    )


def speed_up(task: Task, windows: int = 7, twin: Callable = local_sgd_all) -> np.ndarray:
    """Time of one round's training, loop over twin, in neighbouring windows; shape (windows,).

    Every client of the task trains once; the data lie ready in both.
    """
    model, arrays, clients = task.make_model(), task.initial_arrays(), range(len(task.data.clients))
    held = pool(task.data.clients)

    def loop() -> None:
        for client in clients:
            local_sgd(model, arrays, task.data.clients[client], task.training, task.client_rng(1, client))

    def together() -> None:
        twin(model, arrays, held, task.training, [task.client_rng(1, client) for client in clients])

    timings = measure_in_turn({"loop": loop, "twin": together}, windows=windows)
    return np.divide(timings["loop"].windows, timings["twin"].windows)


def startup_seconds(task: Task, repeats: int = 5, start: Callable | None = None) -> float:
    """Least time of several from the task to a grid whose clients have their first messages (s)."""
    from edgedl_lib.training.exchange import to_record

    def ready() -> None:
        grid = (start or InProcessGrid)(client_app(task), len(task.data.clients))
        strategy = FederatedAveraging(clients_per_round=len(task.data.clients))
        strategy.configure_train(1, to_record(task.initial_arrays()), ConfigRecord(), grid)

    return min(_seconds(ready) for _ in range(repeats))


def _cut(split: Split, size: int) -> Sequence[Split]:
    pieces = zip(split.inputs.split(size), split.targets.split(size), strict=True)
    return tuple(Split(inputs, targets) for inputs, targets in pieces)


def _seconds(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
