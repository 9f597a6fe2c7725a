"""What goes wrong on purpose: clients that fail, and a node that loses its power in the middle of a round."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from edgedl_lib.training.deployment.job import Job
from edgedl_lib.training.history import History
from edgedl_lib.training.local import LocalResult, local_sgd
from edgedl_lib.training.strategy import FederatedAveraging

VICTIM = 0
FATAL_ROUND = 2
NEVER = 600.0  # s
SHORTEST_WAIT, STARTS_TO_WAIT = 20.0, 4.0  # s, and in times that the start took
NO_REPLY = "no reply"  # what the strategy says of a client that did not answer in time


def failing(model, arrays, split, training, rng, *, state, config) -> LocalResult:
    """A client that never succeeds."""
    raise OSError("battery empty")


def hanging(model, arrays, split, training, rng, *, state, config) -> LocalResult:
    """Local training, unless the server's instructions are to leave a mark and hang."""
    if config["mark"]:
        Path(config["mark"]).touch()
        time.sleep(NEVER)
    return local_sgd(model, arrays, split, training, rng, state=state, config=config)


class Interruptible(FederatedAveraging):
    """Tells one client to hang in one round, so that its node can be killed at a known moment.

    Whoever has been silent once is not chosen again: each time would cost the round's time limit.
    """

    def __init__(self, mark: Path, **settings) -> None:
        super().__init__(**settings)
        self.mark = mark

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """As federated averaging, without the silent ones."""
        silent = {bad.client for each in self.rounds for bad in each.rejected if bad.reason == NO_REPLY}
        return [client for client in super().choose(server_round, clients) if client not in silent]

    def instructions(self, server_round: int, client: int) -> dict:
        """Empty for all others."""
        fatal = (server_round, client) == (FATAL_ROUND, VICTIM)
        return {"mark": str(self.mark) if fatal else ""}


def kill_a_node(deployment, job: Job) -> History:
    """Run a job with all clients and kill one node's programs while it trains; afterwards it is started again.

    How long the server waits for the answers of a round follows from how long this deployment took to start: on a busy
    machine both take longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "hangs"
        strategy = Interruptible(mark, clients_per_round=job.clients)
        task = replace(job.task, client_step=hanging)

        def pull_the_plug() -> None:
            if mark.exists() and deployment.supernodes[VICTIM].running:
                deployment.supernodes[VICTIM].kill()

        try:
            timeout = max(SHORTEST_WAIT, STARTS_TO_WAIT * deployment.start_seconds)
            settings = {**job.settings, "timeout": timeout}
            return deployment.run(Job(task, strategy, job.rounds, settings), meanwhile=pull_the_plug).history
        finally:
            deployment.supernodes[VICTIM].stop()  # the run may have ended before the mark was there
            deployment.supernodes[VICTIM] = deployment.connect(VICTIM, deployment.keys[VICTIM])
