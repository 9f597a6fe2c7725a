"""Many federated runs side by side: settings and seeds in one vectorised program.

Runs do not know of each other, so the clients of all of them can train together.  The strategies' small steps are the
same as on the engine (:mod:`.run`), without messages; tests hold one against the other.  For sweeps over settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.models import Arrays, load_arrays
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging
from edgedl_lib.training.task import Task
from edgedl_lib.training.vectorised import local_sgd_all

Run = tuple[Task, FederatedAveraging]
Prepare = Callable[[Arrays, Split, dict, np.random.Generator], tuple[Arrays, Split]]


def as_received(arrays: Arrays, split: Split, orders: dict, rng: np.random.Generator) -> tuple[Arrays, Split]:
    """An honest client trains the model that it was sent on the data that it holds."""
    return arrays, split


def accuracy_side_by_side(runs: Sequence[Run], rounds: int, prepare: Prepare = as_received) -> np.ndarray:
    """Test accuracy of each run after every round, shape (runs, rounds + 1): see :func:`curves_side_by_side`."""
    return curves_side_by_side(runs, rounds, prepare)[1]


def curves_side_by_side(
    runs: Sequence[Run], rounds: int, prepare: Prepare = as_received
) -> tuple[np.ndarray, np.ndarray]:
    """Test loss (nats) and accuracy of each run after every round, shape (runs, rounds + 1) each.

    Parameters
    ----------
    runs : sequence of (Task, FederatedAveraging)
        All tasks share model, local training and client step (plain SGD); data, seeds and strategies may differ.
    prepare : callable
        What a client makes of model and data before it trains, given the strategy's instructions: poison, for one.
    """
    models, room = [task.initial_arrays() for task, _ in runs], runs[0][0].make_model()
    curves = [_tests(room, runs, models)]
    for number in range(1, rounds + 1):
        models = one_round(room, runs, models, number, prepare)
        curves.append(_tests(room, runs, models))
    loss, accuracy = np.array(curves).transpose(2, 1, 0)
    return loss, accuracy


def one_round(
    room: nn.Module, runs: Sequence[Run], models: list[Arrays], number: int, prepare: Prepare = as_received
) -> list[Arrays]:
    """The models of all runs after one more round."""
    jobs, owners = [], []
    for run, (task, strategy) in enumerate(runs):
        for client in strategy.choose(number, list(range(len(task.data.clients)))):
            rng = task.client_rng(number, client)
            sent = strategy.outgoing(number, client, models[run])
            orders = strategy.instructions(number, client)
            jobs.append((*prepare(sent, task.data.clients[client], orders, rng), rng))
            owners.append((run, client))
    arrays, splits, rngs = ([job[part] for job in jobs] for part in range(3))
    results = local_sgd_all(room, arrays, splits, runs[0][0].training, rngs) if jobs else []
    updates: list[list[ClientUpdate]] = [[] for _ in runs]
    for (run, client), result in zip(owners, results, strict=True):
        updates[run].append(ClientUpdate(client, result.arrays, result.examples, result.metrics, 0))
    return [
        strategy.aggregate(number, model, found)
        for (_, strategy), model, found in zip(runs, models, updates, strict=True)
    ]


@torch.no_grad()
def _tests(room: nn.Module, runs: Sequence[Run], models: list[Arrays]) -> list[tuple[float, float]]:
    """Loss and accuracy of each run's model."""
    tests = [task.data.test for task, _ in runs]
    scores = [load_arrays(room, arrays)(test.inputs) for arrays, test in zip(models, tests, strict=True)]
    return [
        (float(functional.cross_entropy(found, test.targets)), float((found.argmax(1) == test.targets).double().mean()))
        for found, test in zip(scores, tests, strict=True)
    ]
