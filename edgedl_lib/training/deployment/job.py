"""One job for another process: task and strategy in, history out, by file; and the two applications that read it.

Flower loads applications by name and calls them with a context.  Ours are called with the path of a job; what they run
is :func:`~edgedl_lib.training.task.server_app` and :func:`~edgedl_lib.training.task.client_app`, unchanged.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
import os
import pickle
import statistics
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgedl_lib.training.flower import ClientApp, MessageType, ServerApp
from edgedl_lib.training.history import History
from edgedl_lib.training.run import RunFailed
from edgedl_lib.training.task import Task, client_app, server_app

POLL = 0.1  # s, between two looks for replies
REGISTRATION = 60.0  # s, until all nodes must be there
START_LIMIT, ROUND_LIMIT = 180.0, 120.0  # s, far above what either takes on a busy machine


@dataclass(frozen=True)
class Job:
    """What a run needs.

    Attributes
    ----------
    task, strategy, rounds
        As :func:`~edgedl_lib.training.run.run` takes them.
    settings : dict
        Of :func:`~edgedl_lib.training.run.rounds_of`.
    nodes : dict, optional
        Node of each client's number, where the one who starts the nodes knows it.
    """

    task: Task
    strategy: object
    rounds: int
    settings: dict = field(default_factory=dict)
    nodes: dict[int, int] | None = None

    def write(self, path: Path) -> Path:
        """Save it; a task that only this process knows cannot be sent to another."""
        try:
            path.write_bytes(pickle.dumps(replace(self, strategy=_unused(self.strategy))))
        except (pickle.PicklingError, AttributeError, TypeError) as fault:
            remedy = "define models, client steps and strategies in a module, not in a notebook or inside a function"
            raise TypeError(f"this job cannot be sent to another process ({fault}); {remedy}") from fault
        return path

    @property
    def clients(self) -> int:
        """Number of clients."""
        return len(self.task.data.clients)

    @property
    def limit(self) -> float:
        """Seconds after which something must have gone wrong."""
        return START_LIMIT + self.rounds * min(ROUND_LIMIT, self.settings.get("timeout", ROUND_LIMIT))


def _unused(strategy):
    """The strategy without what it remembers of the grid on which it may have been used."""
    twin = copy.copy(strategy)
    twin.rounds, twin._nodes, twin._asked = [], {}, None
    return twin


@dataclass(frozen=True)
class Answer:
    """What came of a job.

    Attributes
    ----------
    history : History
    moments : tuple of float
        When each round's messages were sent, and when the last answers were there (s, time of the day).
    """

    history: History
    moments: tuple[float, ...]

    @property
    def round_seconds(self) -> float:
        """Typical seconds of a round once the first is over; not a number if there was only one."""
        rounds = [end - begin for begin, end in itertools.pairwise(self.moments)]
        return statistics.median(rounds[1:]) if len(rounds) > 1 else math.nan


@functools.lru_cache(maxsize=2)
def read_job(path: str) -> Job:
    """The job of a file."""
    return pickle.loads(Path(path).read_bytes())


def client_of(job: Job) -> ClientApp:
    """The clients' application of a job."""
    return client_app(job.task, upload=job.strategy.upload, download=job.strategy.download)


class JobServer(ServerApp):
    """A server application that runs a job and writes what came of it beside the job's file."""

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self.path = path

    def __call__(self, grid, context) -> None:
        """Run it; a failure is written too, then raised."""
        path, kept, moments = self.path or context.run_config["job"], [], []
        try:
            job = read_job(path)
            app = server_app(job.task, job.strategy, job.rounds, keep=kept.append, **job.settings)
            app(ready_grid(grid, job, moments), context)
            write_answer(path, Answer(kept[0], (*moments, time.time())))
        except BaseException as fault:
            write_answer(path, fault)
            raise


class JobClient(ClientApp):
    """A client application that looks up its job and hands the message on."""

    def __call__(self, message, context):
        """The reply of the job's own application."""
        return client_of(read_job(context.run_config["job"]))(message, context)


def ready_grid(grid, job: Job, moments: list[float]):
    """Flower's grid once all nodes are there, looked at more often, and told which node is which client.

    Flower starts the server before its nodes have registered, so that a first round may find two of a hundred; and it
    looks for replies every three seconds.  ``moments`` gets the time of every round.
    """
    deadline = time.monotonic() + REGISTRATION
    while len(list(grid.get_node_ids())) < job.clients:
        if time.monotonic() > deadline:
            there = len(list(grid.get_node_ids()))
            raise TimeoutError(f"{there} of {job.clients} nodes after {REGISTRATION:g} s; start a node for each client")
        time.sleep(POLL)
    grid.send_and_receive = functools.partial(_send_and_receive, grid, moments)
    if job.nodes is not None:
        grid.clients = dict(job.nodes)
    return grid


def _send_and_receive(grid, moments: list[float], messages, *, timeout: float | None = None) -> list:
    messages = list(messages)
    if all(message.metadata.message_type == MessageType.QUERY for message in messages):
        timeout = max(timeout or 0.0, START_LIMIT)  # the first question to a client waits until its process has started
    else:
        moments.append(time.time())
    waiting, replies = set(grid.push_messages(messages)), []
    deadline = time.monotonic() + (math.inf if timeout is None else timeout)
    while waiting:
        found = list(grid.pull_messages(waiting))
        replies += found
        waiting -= {message.metadata.reply_to_message_id for message in found}
        if time.monotonic() > deadline:
            break
        if waiting:
            time.sleep(POLL)
    return replies


def write_answer(job_path: str, answer) -> None:
    """Leave an answer or an exception for the one who waits; whole or not at all."""
    path = answer_path(job_path)
    failure = (type(answer).__name__, str(answer), getattr(answer, "history", None))
    content = answer if isinstance(answer, Answer) else failure
    draft = path.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(content))
    os.replace(draft, path)


def answer_path(job_path: str | Path) -> Path:
    """Where the answer to a job is written."""
    return Path(job_path).with_suffix(".answer")


def read_answer(job_path: str | Path) -> Answer:
    """What came of a job that has ended.

    Raises
    ------
    RunFailed
        The run ended in an error; the message says in which.
    """
    content = pickle.loads(answer_path(job_path).read_bytes())
    if isinstance(content, Answer):
        return content
    kind, message, history = content
    raise RunFailed(message if kind == "RunFailed" else f"{kind}: {message}", history)


server = JobServer()
client = JobClient()
