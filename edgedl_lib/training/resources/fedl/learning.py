"""FEDL and federated averaging on the engine: the same task, the same local steps, with and without the correction."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import logistic
from edgedl_lib.training.partition import shards
from edgedl_lib.training.resources.fedl.strategy import Fedl, surrogate_step
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task

CLIENTS, CLASSES_EACH, ROUNDS = 20, 3, 30
TRAINING = LocalTraining(learning_rate=0.3, batch_size=None, steps=10)


def digits_task(seed: int) -> Task:
    """Logistic regression on digits; each of twenty clients holds about three classes."""
    train, test = digits_pool(seed)
    partition = shards(train.targets.numpy(), CLIENTS, seed, CLASSES_EACH)
    data = federated(train, test, partition, classes=10, name="digits")
    return Task("digits", data, partial(logistic, 64, 10), TRAINING, seed=seed)


def duel(seed: int, eta: float = 1.0, rounds: int = ROUNDS) -> tuple[History, History]:
    """FEDL and federated averaging from the same start; everybody takes part."""
    task = digits_task(seed)
    corrected = replace(task, client_step=surrogate_step)
    fedl = run(corrected, Fedl(eta=eta, clients_per_round=CLIENTS, seed=seed), rounds)
    return fedl, run(task, FederatedAveraging(clients_per_round=CLIENTS, seed=seed), rounds, engine="vectorised")


def rounds_saved(fedl: History, averaging: History) -> float:
    """Rounds that averaging takes to its last test loss, over those that FEDL takes to the same; 0 if it never does."""
    reached = np.flatnonzero(fedl.loss <= averaging.loss[-1])
    return (len(averaging.loss) - 1) / reached[0] if len(reached) else 0.0


def points_gained(fedl: History, averaging: History) -> float:
    """Test accuracy of FEDL over that of averaging after the last round, in percentage points."""
    return 100 * float(fedl.accuracy[-1] - averaging.accuracy[-1])
