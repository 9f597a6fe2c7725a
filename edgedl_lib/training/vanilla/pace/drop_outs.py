"""Federated averaging with devices that drop out, and a server that chooses more of them than it needs ([199])."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays, logistic
from edgedl_lib.training.partition import iid
from edgedl_lib.training.run import RunFailed, run
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging
from edgedl_lib.training.task import Task
from edgedl_lib.training.vanilla.pace.over_selection import selected

CLIENTS = 50
ROUNDS = 80


class DroppedOut(RuntimeError):
    """The device is no longer idle, charging, or on an unmetered network."""


class OverSelection(FederatedAveraging):
    """Choose more clients than must report; with fewer reports the round is abandoned, with more the rest is ignored.

    Parameters
    ----------
    target : int
        Reports that a round needs, and uses.
    factor : float
        Clients chosen for each of them.
    drop_out : float
        Chance with which a chosen client does not report.
    """

    def __init__(self, *, target: int, factor: float, drop_out: float, **settings) -> None:
        super().__init__(clients_per_round=selected(target, factor), minimum_updates=target, **settings)
        self.target, self.drop_out = target, drop_out

    def instructions(self, server_round: int, client: int) -> dict:
        """Tells our simulated devices how unreliable they are."""
        return {**super().instructions(server_round, client), "drop-out": self.drop_out}

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """The mean of those who report first; here that is anybody."""
        order = np.random.default_rng([self.seed, server_round, 199]).permutation(len(updates))
        used = [updates[place] for place in sorted(order[: self.target])]
        self.rounds[-1].participants = tuple(update.client for update in used)
        return super().aggregate(server_round, arrays, used)


def unreliable_sgd(model, arrays: Arrays, split, training, rng, *, state: dict, config: dict) -> LocalResult:
    """Local training of a device that may drop out; whether it does changes nothing about the others' training."""
    if rng.spawn(1)[0].random() < config["drop-out"]:
        raise DroppedOut("no longer idle and charging")
    return local_sgd(model, arrays, split, training, rng, state=state, config=config)


def unreliable_digits(seed: int) -> Task:
    """Fifty devices with thirty digits each."""
    train, test = digits_pool(seed)
    data = federated(train, test, iid(len(train), CLIENTS, seed), 10, "digits")
    training = LocalTraining(learning_rate=0.1, epochs=1, batch_size=10)
    return Task("drop-outs", data, partial(logistic, train.inputs.shape[1], 10), training, seed, unreliable_sgd)


def with_drop_outs(factor: float, seed: int, *, target: int = 10, drop_out: float = 0.1, rounds=ROUNDS) -> History:
    """Train the digits; a run in which no round can be held gives its history too."""
    strategy = OverSelection(target=target, factor=factor, drop_out=drop_out, seed=seed)
    try:
        return run(unreliable_digits(seed), strategy, rounds)
    except RunFailed as failure:
        return failure.history


def abandoned_share(histories: Sequence[History]) -> float:
    """Share of the rounds in which too few devices reported."""
    return sum(len(each.abandoned) for each in histories) / sum(each.rounds for each in histories)
