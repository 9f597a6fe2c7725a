"""SLSGD on the federated engine: a robust average, then a moving average (Xie, Koyejo and Gupta 2019 [201])."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgedl_lib.training.models import Arrays, flatten, unflatten
from edgedl_lib.training.security.robust.rules import mean
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging

Rule = Callable[[np.ndarray], np.ndarray]  # (k, d) models to (d,)


def always_one(server_round: int) -> float:
    """Weight of a round's result without a moving average."""
    return 1.0


class RobustAveraging(FederatedAveraging):
    """Federated averaging with the average replaced, and with poisoned clients if a study asks for them.

    Parameters
    ----------
    rule : callable
        From the stack of client models, shape (k, d), to one model (d,): see :mod:`.rules`.
    moving_weight : callable
        Of the round's number: weight of the round's result against the model so far, in (0, 1].
    attack, poisoned : str, int
        How many of the clients chosen in each round attack, and how; they are the first ones chosen.
    """

    def __init__(
        self,
        *,
        rule: Rule = mean,
        moving_weight: Callable[[int], float] = always_one,
        attack: str = "none",
        poisoned: int = 0,
        **settings,
    ) -> None:
        super().__init__(**settings)
        if not 0 <= poisoned <= self.clients_per_round:
            raise ValueError(f"cannot poison {poisoned} of {self.clients_per_round} clients a round")
        self.rule, self.moving_weight, self.attack, self.poisoned = rule, moving_weight, attack, poisoned

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """As federated averaging; remembers who attacks in this round."""
        chosen = super().choose(server_round, clients)
        self.attackers = frozenset(chosen[: self.poisoned])
        return chosen

    def instructions(self, server_round: int, client: int) -> dict:
        """Tells an attacker what to do."""
        orders = super().instructions(server_round, client)
        return {**orders, "attack": self.attack} if client in self.attackers else orders

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Robust average of the models, moved into the global one."""
        stack = np.stack([flatten(update.arrays) for update in updates])
        weight = self.moving_weight(server_round)
        return unflatten((1 - weight) * flatten(arrays) + weight * self.rule(stack), arrays)
