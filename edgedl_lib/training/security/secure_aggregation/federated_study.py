"""One job trained twice: through Secure Aggregation, and by a server that sees every update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import flatten, logistic
from edgedl_lib.training.partition import iid
from edgedl_lib.training.run import rounds_of
from edgedl_lib.training.security.secure_aggregation.federated import (
    DropOut,
    QuantisedAveraging,
    Scheme,
    SecureAveraging,
    secure_client_app,
)
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser
from edgedl_lib.training.task import Task, client_app

CLIENTS, CHOSEN, THRESHOLD = 20, 8, 5


def digits_task(seed: int) -> Task:
    """Softmax regression on digits, 20 clients with as many images each."""
    train, test = digits_pool(seed)
    data: FederatedData = federated(train, test, iid(len(train), CLIENTS, seed), 10, "digits")
    return Task("digits", data, partial(logistic, 64, 10), LocalTraining(learning_rate=0.3, epochs=1), seed)


def digits_scheme(bits: int = 20, limit: float = 4.0) -> Scheme:
    """Weights change by less than four in a round."""
    return Scheme(Quantiser(limit, bits), most_examples=100)


@dataclass(frozen=True)
class FirstOfRound:
    """Of the clients chosen in a round one falls silent, before another stage in each round."""

    chosen: dict[int, int]

    def __call__(self, server_round: int, client: int) -> str | None:
        """The stage, for the one client."""
        stages = ("advertise", "share", "mask", "unmask")
        return stages[server_round % 4] if self.chosen.get(server_round) == client else None


def one_silent(seed: int, rounds: int) -> FirstOfRound:
    """The client that is chosen first."""
    strategy = QuantisedAveraging(scheme=digits_scheme(), clients_per_round=CHOSEN, seed=seed)
    return FirstOfRound({number: strategy.choose(number, list(range(CLIENTS)))[0] for number in range(1, rounds + 1)})


@dataclass(frozen=True)
class UnlessSilent:
    """A step in the open that fails where the masked one would not have contributed."""

    task: Task
    drop_out: DropOut

    def __call__(self, model, arrays, split, training, rng, *, state: dict, config: dict):
        """Train, unless the client is silent by then."""
        if self.drop_out(config["server-round"], config["client"]) in ("advertise", "share", "mask"):
            raise ConnectionError("silent")
        return self.task.client_step(model, arrays, split, training, rng, state=state, config=config)


class Announced(QuantisedAveraging):
    """Tells clients their number, which the drop-outs of a demonstration need."""

    def instructions(self, server_round: int, client: int) -> dict:
        """The number."""
        return {**super().instructions(server_round, client), "client": client}


@dataclass(frozen=True)
class Comparison:
    """Both runs.

    Attributes
    ----------
    secure, open : History
    hidden : SecureAveraging
    shown : QuantisedAveraging
    """

    secure: History
    open: History
    hidden: SecureAveraging
    shown: QuantisedAveraging

    @property
    def largest_difference(self) -> float:
        """Of any weight of the two models."""
        return float(np.abs(flatten(self.secure.arrays) - flatten(self.open.arrays)).max())

    @property
    def updates_seen(self) -> int:
        """Clients' own updates among the vectors that the secure server received."""
        server, found = self.hidden._server, 0
        for server_round, stage, client, data in self.hidden.view:
            if stage == "mask":
                found += np.array_equal(server.read_vector(data), self.shown.seen.get((server_round, client)))
        return found


def compare(
    seed: int,
    rounds: int = 5,
    drop_out: DropOut | None = None,
    scheme: Scheme | None = None,
) -> Comparison:
    """Train the same job with a server that sees sums only and with one that sees updates."""
    task, scheme = digits_task(seed), scheme or digits_scheme()
    drop_out = one_silent(seed, rounds) if drop_out is None else drop_out
    hidden = SecureAveraging(scheme=scheme, clients_per_round=CHOSEN, minimum_updates=THRESHOLD, seed=seed)
    shown = Announced(scheme=scheme, clients_per_round=CHOSEN, minimum_updates=THRESHOLD, seed=seed)
    masked = InProcessGrid(secure_client_app(task, scheme, seed, drop_out), CLIENTS)
    plain = InProcessGrid(client_app(replace(task, client_step=UnlessSilent(task, drop_out))), CLIENTS)
    secure = rounds_of(masked, task, hidden, rounds)
    return Comparison(secure, rounds_of(plain, task, shown, rounds), hidden, shown)
