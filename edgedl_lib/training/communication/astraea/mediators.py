"""Mediators on the federated engine: a strategy that forms groups, and a client step that walks through one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.communication.astraea.scheduling import balanced_groups
from edgedl_lib.training.exchange import dense_bytes
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays
from edgedl_lib.training.strategy import FederatedAveraging


@dataclass(frozen=True)
class MediatorStep:
    """What a mediator does: its clients train one after the other, each from its predecessor's weights.

    In the engine a mediator runs where its first client is; it reaches the others itself.  A mediator with one client
    and one pass does what the client alone would do.

    Attributes
    ----------
    clients : tuple of Split
        Data of all clients.
    seed : int
        The task's: every client draws as it would draw alone.
    """

    clients: tuple[Split, ...]
    seed: int

    def __call__(
        self, model, arrays: Arrays, split: Split, training: LocalTraining, rng, *, state, config
    ) -> LocalResult:
        members = [int(member) for member in config["members"].split(",")]
        rngs = {member: np.random.default_rng([self.seed, int(config["server-round"]), member]) for member in members}
        results = []
        for _ in range(int(config["passes"])):
            for member in members:
                results.append(local_sgd(model, arrays, self.clients[member], training, rngs[member]))
                arrays = results[-1].arrays
        return LocalResult(arrays, sum(len(self.clients[member]) for member in members), results[0].metrics)


class Mediators(FederatedAveraging):
    """Astraea's rescheduling: the online clients in groups of ``capacity``, each balanced as well as possible.

    Parameters
    ----------
    counts : ndarray, shape (K, classes)
        Labels that every client reported.
    capacity : int
        Clients per mediator (gamma).
    passes : int
        Times that a mediator walks through its clients (E_m).
    """

    def __init__(self, counts: np.ndarray, capacity: int, passes: int = 1, **averaging) -> None:
        super().__init__(**averaging)
        if passes < 1:
            raise ValueError(f"passes {passes}: a mediator has to walk through its clients at least once")
        self.counts, self.capacity, self.passes = np.asarray(counts), capacity, passes
        self.groups: dict[int, tuple[int, ...]] = {}

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """The first client of each group stands for its mediator."""
        groups = self.group(super().choose(server_round, clients))
        self.groups = {group[0]: group for group in groups}
        return list(self.groups)

    def group(self, online: list[int]) -> tuple[tuple[int, ...], ...]:
        """The greedy groups; another rule may be put in their place."""
        return balanced_groups(self.counts, online, self.capacity)

    def instructions(self, server_round: int, client: int) -> dict:
        """Who belongs to this mediator."""
        return {"members": ",".join(map(str, self.groups[client])), "passes": self.passes}

    def aggregate(self, server_round: int, arrays: Arrays, updates) -> Arrays:
        """The mean of the mediators' models; what went to their clients and back is added to the traffic."""
        hops = self.passes * sum(len(self.groups[update.client]) for update in updates)
        self.rounds[-1].downlink_bytes += hops * dense_bytes(arrays)
        self.rounds[-1].uplink_bytes += hops * dense_bytes(arrays)
        return super().aggregate(server_round, arrays, updates)
