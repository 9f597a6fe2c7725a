"""What is to be learned, and the two Flower applications that learn it: one for the clients, one for the server.

The same two applications run in this process (:mod:`.grid`), on Flower's simulation engine and on real machines.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgedl_lib.nets.training import build
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.exchange import decoded_record, difference, encoded_record, from_record, shapes_of, to_record
from edgedl_lib.training.flower import (
    ClientApp,
    ConfigRecord,
    Message,
    MetricRecord,
    RecordDict,
    ServerApp,
)
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays, load_arrays, to_arrays

STATE = "edgedl-state"  # name of our record in Flower's Context.state
MEMORY = "upload-memory"  # what an upload codec with memory still owes, in the client's state


@dataclass(frozen=True)
class Task:
    """Data, model and local training.

    Attributes
    ----------
    name : str
    data : FederatedData
    make_model : callable
        Without arguments, at module level (or a ``functools.partial`` of such), so that it can be sent to another
        process: ``partial(logistic, 64, 10)``.
    training : LocalTraining
    seed : int
        Of the initial weights and of every client's order of samples.
    client_step : callable
        ``client_step(model, arrays, split, training, rng, *, state, config) -> LocalResult``.  ``state`` is a dict
        that this client keeps over the rounds, ``config`` what the strategy instructs.
    """

    name: str
    data: FederatedData
    make_model: Callable[[], nn.Module]
    training: LocalTraining = field(default_factory=LocalTraining)
    seed: int = 0
    client_step: Callable[..., LocalResult] = local_sgd

    def __post_init__(self) -> None:
        if isinstance(self.make_model, nn.Module):
            raise TypeError("make_model is a model, not a function that makes one; give partial(logistic, 64, 10)")

    def initial_arrays(self) -> Arrays:
        """The weights everybody starts from; they depend on the seed alone."""
        return to_arrays(build(self.make_model, self.seed))

    def client_rng(self, server_round: int, client: int) -> np.random.Generator:
        """Randomness of one client in one round: it depends on nobody else."""
        return np.random.default_rng([self.seed, server_round, client])

    @torch.no_grad()
    def evaluate(self, arrays: Arrays) -> tuple[float, float]:
        """Mean loss (nats) and accuracy, in [0, 1], on the server's test set."""
        model = load_arrays(self.make_model(), arrays).eval()
        test = self.data.test
        scores = torch.cat([model(batch) for batch in test.inputs.split(2048)])
        right = (scores.argmax(dim=1) == test.targets).double().mean()
        return float(functional.cross_entropy(scores, test.targets)), float(right)


def client_app(task: Task, *, upload=None, download=None) -> ClientApp:
    """The application of the clients.

    Which data a client holds is said by ``context.node_config["partition-id"]``, never by its node's number.

    Parameters
    ----------
    upload, download : codec, optional
        As the strategy's: what it sends comes through ``download``, what comes back goes through ``upload``.
    """
    app, room = ClientApp(), []

    @app.query()
    def present(message: Message, context) -> Message:
        return Message(RecordDict({"client": identity(context)}), reply_to=message)

    @app.train()
    def train(message: Message, context) -> Message:
        if not room:
            room.append(task.make_model())
        request = read_request(message, context, download)
        state, rng = stored_state(context), task.client_rng(request.round, request.client)
        result = task.client_step(
            room[0],
            request.arrays,
            task.data.clients[request.client],
            task.training.changed(request.config),
            rng,
            state=state,
            config=request.config,
        )
        answer = reply(message, request, result, upload, rng, state)
        keep_state(context, state)
        return answer

    return app


def server_app(task: Task, strategy, rounds: int, *, keep=None, **settings) -> ServerApp:
    """The application of the server: the strategy's rounds, then ``keep(history)``.

    Parameters
    ----------
    keep : callable, optional
        Gets the :class:`~edgedl_lib.training.history.History`; ``list.append`` in the same process, a function that
        writes a file elsewhere.
    settings
        ``evaluate_every``, ``target``, ``timeout`` and ``patience`` of :func:`edgedl_lib.training.run.rounds_of`.
    """
    from edgedl_lib.training.run import rounds_of

    app = ServerApp()

    @app.main()
    def main(grid, context) -> None:
        history = rounds_of(grid, task, strategy, rounds, **settings)
        if keep is not None:
            keep(history)

    return app


@dataclass(frozen=True)
class Request:
    """What the server asks of one client.

    Attributes
    ----------
    client : int
    arrays : Arrays
        The model it received, decoded.
    config : dict
        The server's instructions.
    """

    client: int
    arrays: Arrays
    config: dict

    @property
    def round(self) -> int:
        """Number of the round."""
        return int(self.config["server-round"])


def identity(context) -> ConfigRecord:
    """Who this client is: its partition."""
    return ConfigRecord({"client": int(context.node_config["partition-id"])})


def read_request(message: Message, context, download=None) -> Request:
    """The model and the instructions in a message to this client.

    Raises
    ------
    ValueError
        The server encodes what it sends and this client was not given the codec.
    """
    content = message.content
    if "shapes" in content and download is None:
        raise ValueError("the model came through a codec; give client_app the strategy's download codec")
    record = content["arrays"]
    arrays = decoded_record(download, record, content["shapes"]) if "shapes" in content else from_record(record)
    return Request(int(context.node_config["partition-id"]), arrays, dict(content["config"]))


def reply(message: Message, request: Request, result: LocalResult, upload, rng, state: dict) -> Message:
    """The client's answer: its model, or what changed in it, its metrics and its name."""
    metrics = {name: float(value) for name, value in result.metrics.items()}
    sends_change = request.config.get("reply") == "update"
    arrays = difference(result.arrays, request.arrays) if sends_change else result.arrays
    content = {
        "metrics": MetricRecord({"num-examples": int(result.examples), **metrics}),
        "client": ConfigRecord({"client": request.client}),
    }
    if upload is None:
        content["arrays"] = to_record(arrays)
    else:
        codec = state.setdefault(MEMORY, copy.deepcopy(upload)) if hasattr(upload, "residuals") else upload
        content |= {"arrays": encoded_record(codec, arrays, rng), "shapes": shapes_of(arrays)}
    return Message(RecordDict(content), reply_to=message)


def stored_state(context) -> dict:
    """What this client kept of earlier rounds; it never leaves the client."""
    return pickle.loads(context.state[STATE]["kept"]) if STATE in context.state else {}


def keep_state(context, state: dict) -> None:
    """Keep the client's state for its next round."""
    if state:
        context.state[STATE] = ConfigRecord({"kept": pickle.dumps(state)})
    elif STATE in context.state:
        del context.state[STATE]
