"""What the ways to run the same job cost: seconds until the first round, and seconds for each round once warm."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.deployment.job import Answer, Job
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import logistic
from edgedl_lib.training.partition import iid
from edgedl_lib.training.run import rounds_of
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task, client_app

PIXELS, CLASSES = 784, 10  # MNIST's


@dataclass(frozen=True)
class Cost:
    """One way to run a job.

    Attributes
    ----------
    start : float
        Seconds from the call to the first message of the first round.
    round : float
        Median seconds of the later rounds.
    history : History
    """

    start: float
    round: float
    history: History


def cost_table(costs: Mapping[str, Cost]) -> list[dict]:
    """One row for each way to run a job: clients in a round, seconds until the first and for each."""
    return [
        {
            "where": name,
            "clients in a round": len(cost.history.participants[0]),
            "until the first round (s)": f"{cost.start:.2g}",
            "each round (s)": f"{cost.round:.2g}",
            "of it for a client (ms)": f"{1000 * cost.round / len(cost.history.participants[0]):.2g}",
        }
        for name, cost in costs.items()
    ]


class _Stopwatch(InProcessGrid):
    """The grid of this process; it notes when each round begins."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.moments: list[float] = []

    def send_and_receive(self, messages, *, timeout: float | None = None):
        self.moments.append(time.time())
        return super().send_and_receive(messages, timeout=timeout)


def in_process(job: Job) -> Cost:
    """In this process."""
    begin = time.time()
    app = client_app(job.task, upload=job.strategy.upload, download=job.strategy.download)
    grid = _Stopwatch(app, job.clients)
    history = rounds_of(grid, job.task, job.strategy, job.rounds, **job.settings)
    return _cost(begin, Answer(history, (*grid.moments, time.time())))


def on_ray(job: Job) -> Cost:
    """On Flower's simulation engine, in a process of its own; the start of that process counts."""
    from edgedl_lib.training.deployment.simulation import simulate

    begin = time.time()
    return _cost(begin, simulate(job))


def ray_over_in_process(job: Job) -> tuple[float, Cost]:
    """How many times as long a warm round takes on Ray, and what Ray costs.

    The rival is measured before and after, so that a neighbour's load meets both.
    """
    before = in_process(job)
    ray = on_ray(job)
    after = in_process(job)
    return 2 * ray.round / (before.round + after.round), ray


def _cost(begin: float, answer: Answer) -> Cost:
    return Cost(answer.moments[0] - begin, answer.round_seconds, answer.history)


def crowd(rounds: int, clients: int = 100, images: int = 20) -> Job:
    """All of a hundred clients in every round, one gradient step each on inputs of MNIST's shape (generated)."""
    generator = torch.Generator().manual_seed(0)
    train = _images(generator, clients * images)
    data = federated(train, _images(generator, 200), iid(len(train), clients, 0), CLASSES, "generated")
    training = LocalTraining(learning_rate=0.1, epochs=1, batch_size=None)
    task = Task("crowd", data, partial(logistic, PIXELS, CLASSES), training)
    return Job(task, FederatedAveraging(clients_per_round=clients), rounds, {"evaluate_every": rounds})


def small_job(rounds: int = 3, clients: int = 4, seed: int = 0) -> Job:
    """Digits on a few clients of unequal sizes, three of them in each round."""
    train, test = digits_pool(seed)
    sizes = [10 * (client + 1) for client in range(clients)]
    data = federated(train, test, iid(len(train), clients, seed, sizes=sizes), CLASSES, "digits")
    task = Task("digits", data, partial(logistic, train.inputs.shape[1], CLASSES), LocalTraining(), seed)
    return Job(task, FederatedAveraging(clients_per_round=max(1, clients - 1), seed=seed), rounds)


def _images(generator: torch.Generator, count: int) -> Split:
    return Split(torch.rand(count, PIXELS, generator=generator), torch.randint(CLASSES, (count,), generator=generator))


def largest_difference(first: History, second: History) -> float:
    """Of any two weights of two models that should be equal."""
    return max(float(np.abs(first.arrays[name] - second.arrays[name]).max()) for name in first.arrays)
