"""Federated averaging under Secure Aggregation: the server of the engine sees masked updates and their sum, no more.

The four stages are messages of Flower: two before training, the masked update in place of the model, one after it.
An update is quantised, weighted by the client's number of examples, and this number is one more masked entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.training.flower import ClientApp, ConfigRecord, Message, MessageType, RecordDict
from edgedl_lib.training.local import LocalResult
from edgedl_lib.training.models import Arrays, flatten, unflatten
from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.keys import seeded_entropy
from edgedl_lib.training.security.secure_aggregation.parameters import Parameters, TooFewClients
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser
from edgedl_lib.training.security.secure_aggregation.server import Server
from edgedl_lib.training.security.secure_aggregation.wire import entries_size
from edgedl_lib.training.strategy import BadUpdate, ClientUpdate, FederatedAveraging
from edgedl_lib.training.task import Task, client_app, keep_state, stored_state

CLIENT = "secure-aggregation"  # the protocol's state machine in a client's own state
DropOut = Callable[[int, int], str | None]  # of round and client: the stage before which it falls silent


def nobody(server_round: int, client: int) -> None:
    """No drop-outs."""


@dataclass(frozen=True)
class Scheme:
    """How updates become whole numbers.

    Attributes
    ----------
    quantiser : Quantiser
        For a change of the weights times the client's share of `most_examples`.
    most_examples : int
        No client has more.
    """

    quantiser: Quantiser
    most_examples: int

    def encode(self, change: np.ndarray, examples: int) -> np.ndarray:
        """Weighted change and number of examples, shape (d + 1,).

        Raises
        ------
        OverflowError
            If a change is too large, or the client has too many examples.
        """
        if not 1 <= examples <= min(self.most_examples, 2**self.quantiser.bits - 1):
            raise OverflowError(f"{examples} examples; the scheme allows 1 to {self.most_examples}")
        return np.append(self.quantiser.encode(change * (examples / self.most_examples)), examples)

    def mean(self, total: np.ndarray, count: int) -> np.ndarray:
        """Mean change of `count` clients, weighted by their examples, shape (d,)."""
        return self.quantiser.decode_sum(total[:-1], count) * (self.most_examples / int(total[-1]))

    def moved(self, arrays: Arrays, total: np.ndarray, count: int) -> Arrays:
        """The model after the mean change."""
        return unflatten((flatten(arrays) + self.mean(total, count)).astype(np.float32), arrays)


@dataclass(frozen=True)
class MaskedStep:
    """A client's step of training whose result leaves it masked."""

    task: Task
    scheme: Scheme
    drop_out: DropOut

    def __call__(self, model, arrays, split, training, rng, *, state: dict, config: dict) -> LocalResult:
        """Train, quantise, mask; neither the examples nor the loss are told in the clear."""
        _fall_silent(self.drop_out, config, "mask")
        result = self.task.client_step(model, arrays, split, training, rng, state=state, config=config)
        client: Client = state[CLIENT]
        change = self.scheme.encode(flatten(result.arrays) - flatten(arrays), result.examples)
        client.values = client.parameters.check_input(change)
        masked = client.mask(config["inbox"])
        return LocalResult({"masked": np.frombuffer(masked, dtype=np.uint8)}, 1, {})


def secure_client_app(task: Task, scheme: Scheme, seed: int | None = None, drop_out: DropOut = nobody) -> ClientApp:
    """The application of the clients: the engine's, with a masked step and three more messages.

    Parameters
    ----------
    seed : int, optional
        Repeats all keys, for a demonstration only; without it they come from the operating system.
    drop_out : callable
        Who falls silent when, for a demonstration.
    """
    app = client_app(replace(task, client_step=MaskedStep(task, scheme, drop_out)))

    @app.query("advertise")
    def advertise(message: Message, context) -> Message:
        config = _heard(message, drop_out, "advertise")
        parameters = Parameters(*(int(number) for number in config["parameters"]))
        source = {} if seed is None else {"entropy": seeded_entropy([seed, config["server-round"], config["number"]])}
        client = Client(config["number"], None, parameters, **source)
        return _answer(message, context, client, client.advertise())

    @app.query("share")
    def share(message: Message, context) -> Message:
        config, client = _heard(message, drop_out, "share"), stored_state(context)[CLIENT]
        return _answer(message, context, client, client.share(config["message"]))

    @app.query("unmask")
    def unmask(message: Message, context) -> Message:
        config, client = _heard(message, drop_out, "unmask"), stored_state(context)[CLIENT]
        return _answer(message, context, client, client.unmask(config["message"]))

    return app


def _fall_silent(drop_out: DropOut, config: dict, stage: str) -> None:
    if drop_out(config["server-round"], config["client"]) == stage:
        raise ConnectionError(f"silent before it should {stage}")


def _heard(message: Message, drop_out: DropOut, stage: str) -> dict:
    config = dict(message.content["config"])
    _fall_silent(drop_out, config, stage)
    return config


def _answer(message: Message, context, client: Client, payload: bytes) -> Message:
    keep_state(context, {**stored_state(context), CLIENT: client})
    return Message(RecordDict({"answer": ConfigRecord({"message": payload})}), reply_to=message)


class SecureAveraging(FederatedAveraging):
    """Federated averaging with a server that learns sums only.

    Parameters
    ----------
    scheme : Scheme
    minimum_updates : int
        The protocol's threshold.

    Attributes
    ----------
    view : list of (int, str, int, bytes)
        All that the server received: round, stage, client, message.
    """

    def __init__(self, *, scheme: Scheme, **settings) -> None:
        super().__init__(**settings)
        self.scheme, self.view = scheme, []

    def configure_train(self, server_round: int, arrays, config, grid) -> Iterable[Message]:
        """Stages 0 and 1, then one training message to each client that has shared its keys."""
        self._grid, self._inboxes = grid, {}
        self._length = sum(values.size for values in arrays.to_numpy_ndarrays()) + 1
        return super().configure_train(server_round, arrays, config, grid)

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """Of the clients chosen as always, those that have advertised and shared; nobody if they are too few."""
        self._order = super().choose(server_round, clients)
        bits = self.scheme.quantiser.bits
        self._parameters = Parameters(len(self._order), self.minimum_updates, self._length, bits)
        self._server = Server(self._parameters)
        try:
            directory = self._server.collect_keys(self._ask(server_round, "advertise", range(len(self._order)), b""))
            shared = self._ask(server_round, "share", self._server.mask_keys, directory)
            self._inboxes = self._server.collect_shares(shared)
        except TooFewClients:
            return []
        return [self._order[number] for number in self._inboxes]

    def instructions(self, server_round: int, client: int) -> dict:
        """The client's inbox."""
        orders = super().instructions(server_round, client)
        return {**orders, "client": client, "inbox": self._inboxes[self._order.index(client)]}

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """A masked vector can only be measured; a sum of wrong ones is wrong, and nobody sees whose fault it is."""
        size = entries_size(self._length, self._parameters.modulus_bits)
        masked = update.arrays.get("masked")
        if masked is None or masked.dtype != np.uint8 or masked.shape != (size,):
            raise BadUpdate(update.client, f"sent no masked vector of {size} bytes")

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Stage 3: the sum, and the model that it gives; unchanged if too few answer."""
        vectors = {self._order.index(each.client): each.arrays["masked"].tobytes() for each in updates}
        self._note(server_round, "mask", vectors)
        try:
            survivors = self._server.collect_vectors(vectors)
            answers = self._ask(server_round, "unmask", self._server.contributors, survivors)
            total = self._server.unmask(answers)
        except TooFewClients:
            self.rounds[-1].abandoned = True
            return arrays
        return self.scheme.moved(arrays, total, len(self._server.contributors))

    def _ask(self, server_round: int, stage: str, numbers: Iterable[int], payload: bytes) -> dict[int, bytes]:
        """Send a stage's message to clients, by their numbers in this round; what came back."""
        nodes, known = self.clients_of(self._grid), self._parameters
        shared = {"parameters": [known.clients, known.threshold, known.length, known.input_bits], "message": payload}
        messages, senders = [], {}
        for number in numbers:
            client = self._order[number]
            config = {"server-round": server_round, "client": client, "number": number, **shared}
            content = RecordDict({"config": ConfigRecord(config)})
            messages.append(Message(content, nodes[client], f"{MessageType.QUERY}.{stage}"))
            senders[nodes[client]] = number
        replies = [reply for reply in self._grid.send_and_receive(messages) if not reply.has_error()]
        answers = {senders[reply.metadata.src_node_id]: reply.content["answer"]["message"] for reply in replies}
        self._note(server_round, stage, answers)
        return answers

    def _note(self, server_round: int, stage: str, answers: dict[int, bytes]) -> None:
        self.view += [(server_round, stage, self._order[number], data) for number, data in answers.items()]


class QuantisedAveraging(FederatedAveraging):
    """The same mean of the same quantised updates with a server that sees every one of them: what to compare with.

    Attributes
    ----------
    seen : dict of (int, int) to numpy.ndarray
        Round and client to the update in whole numbers.
    """

    def __init__(self, *, scheme: Scheme, **settings) -> None:
        super().__init__(**settings)
        self.scheme, self.seen = scheme, {}

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Sum of the quantised updates, in the open."""
        for each in updates:
            change = flatten(each.arrays) - flatten(arrays)
            self.seen[server_round, each.client] = self.scheme.encode(change, each.examples)
        total = sum(self.seen[server_round, each.client] for each in updates)
        return self.scheme.moved(arrays, total, len(updates))
