"""What clients do in the tests of the deployment; other processes import it."""

import time
from pathlib import Path

from edgedl_lib.training.local import local_sgd
from edgedl_lib.training.strategy import FederatedAveraging

SMALLEST = 10  # examples of client 0


def failing(model, arrays, split, training, rng, *, state, config):
    """Never succeeds."""
    raise OSError("battery empty")


class Interruptible(FederatedAveraging):
    """Tells the smallest client to hang in the second round, after it has left a mark."""

    def __init__(self, mark: str, **settings) -> None:
        super().__init__(**settings)
        self.mark = mark

    def instructions(self, server_round, client):
        return {"mark": self.mark if server_round == 2 else ""}


def hanging(model, arrays, split, training, rng, *, state, config):
    """Local training, unless this is the client and the round in which to hang."""
    if config["mark"] and len(split) == SMALLEST:
        Path(config["mark"]).touch()
        time.sleep(120)
    return local_sgd(model, arrays, split, training, rng, state=state, config=config)
