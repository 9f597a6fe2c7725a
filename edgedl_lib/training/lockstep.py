"""Many federated runs side by side: settings and seeds in one vectorised program.

Runs do not know of each other, so the clients of all of them can train together.  The strategies' small steps are the
same as on the engine (:mod:`.run`), without messages; tests hold one against the other.  For sweeps over settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

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
    """Test accuracy of each run after every round, shape (runs, rounds + 1).

    Parameters
    ----------
    runs : sequence of (Task, FederatedAveraging)
        All tasks share model, local training and client step (plain SGD); data, seeds and strategies may differ.
    prepare : callable
        What a client makes of model and data before it trains, given the strategy's instructions: poison, for one.
    """
    models, room = [task.initial_arrays() for task, _ in runs], runs[0][0].make_model()
    curves = [_accuracies(room, runs, models)]
    for number in range(1, rounds + 1):
        models = one_round(room, runs, models, number, prepare)
        curves.append(_accuracies(room, runs, models))
    return np.array(curves).T


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
    arrays, splits, rngs = zip(*jobs, strict=True)
    results = local_sgd_all(room, list(arrays), list(splits), runs[0][0].training, list(rngs))
    updates: list[list[ClientUpdate]] = [[] for _ in runs]
    for (run, client), result in zip(owners, results, strict=True):
        updates[run].append(ClientUpdate(client, result.arrays, result.examples, result.metrics, 0))
    return [
        strategy.aggregate(number, model, found)
        for (_, strategy), model, found in zip(runs, models, updates, strict=True)
    ]


@torch.no_grad()
def _accuracies(room: nn.Module, runs: Sequence[Run], models: list[Arrays]) -> list[float]:
    tests = [task.data.test for task, _ in runs]
    found = [load_arrays(room, arrays)(test.inputs).argmax(1) for arrays, test in zip(models, tests, strict=True)]
    return [float((labels == test.targets).double().mean()) for labels, test in zip(found, tests, strict=True)]
