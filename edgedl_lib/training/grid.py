"""Flower's grid in one process: a message is a function call.  No server to start, no network, no waiting."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from edgedl_lib.training.flower import (
    CLIENT_FAILED,
    SERVER_RUN,
    Context,
    Error,
    Grid,
    Message,
    MessageType,
    RecordDict,
    copied,
    ensure_identity,
    name_message,
)
from edgedl_lib.training.local import LocalResult, local_sgd
from edgedl_lib.training.task import Request, client_app, keep_state, read_request, reply, stored_state
from edgedl_lib.training.vectorised import local_sgd_all, pool


class InProcessGrid(Grid):
    """Clients of a Flower application in this process, one after the other, in the order of the messages.

    Parameters
    ----------
    client_app : ClientApp
    clients : int
        Client i is node i + 1 and holds partition i.
    """

    def __init__(self, client_app, clients: int) -> None:
        if clients < 1:
            raise ValueError(f"clients {clients} must be at least 1")
        ensure_identity()
        self.client_app = client_app
        self.clients = {client: client + 1 for client in range(clients)}
        self._contexts = {node: _context(client, node, clients) for client, node in self.clients.items()}
        self._replies: dict[str, Message] = {}
        self._numbers = itertools.count(1)

    def set_run(self, run) -> None:
        """There is one run."""

    @property
    def run(self):
        """There is one run, without a description."""
        return None

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None) -> Message:
        """As Flower's."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> list[int]:
        """Sorted node numbers."""
        return sorted(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Run the application on each message; a client that raises answers with an error."""
        return [self._push(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies to the messages; each can be pulled once."""
        found = (self._replies.pop(identifier, None) for identifier in message_ids)
        return [reply for reply in found if reply is not None]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Push and pull; nothing is ever waited for."""
        return self.pull_messages(self.push_messages(messages))

    def _push(self, message: Message) -> str:
        identifier = str(next(self._numbers))
        name_message(message, identifier)
        self._replies[identifier] = self._answer(message)
        return identifier

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        if node not in self._contexts:
            return Message(Error(CLIENT_FAILED, f"there is no node {node}"), reply_to=message)
        original, message.content = message.content, copied(message.content)  # the client may edit its request
        try:
            return self.client_app(message, self._contexts[node])
        except Exception as fault:  # whatever a client does, the others go on; the strategy names it
            return _failed(message, fault)
        finally:
            message.content = original


class VectorisedGrid(InProcessGrid):
    """The same interface; all clients of a round are trained in one program (:mod:`.vectorised`).

    Parameters
    ----------
    task : Task
        With the plain client step, local SGD.
    upload, download : codec, optional
        As the strategy's.
    """

    def __init__(self, task, *, upload=None, download=None) -> None:
        if task.client_step is not local_sgd:
            raise ValueError(f"{task.client_step} cannot be vectorised: only local_sgd can; use engine='in-process'")
        super().__init__(client_app(task, upload=upload, download=download), len(task.data.clients))
        self.task, self.upload, self.download = task, upload, download
        self.model, self.pool = task.make_model(), pool(task.data.clients)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Train the clients of all training messages together; other messages one by one."""
        messages = list(messages)
        training = [message.metadata.message_type == MessageType.TRAIN for message in messages]
        if not all(training) or not messages:
            return super().push_messages(messages)
        identifiers = [str(next(self._numbers)) for _ in messages]
        for message, identifier in zip(messages, identifiers, strict=True):
            name_message(message, identifier)
        self._replies |= zip(identifiers, self._trained(messages), strict=True)
        return identifiers

    def _trained(self, messages: list[Message]) -> list[Message]:
        contexts = [self._contexts[message.metadata.dst_node_id] for message in messages]
        requests = self._requests(messages, contexts)
        rngs = [self.task.client_rng(request.round, request.client) for request in requests]
        results = self._results(requests, rngs)
        replies = []
        for message, context, request, result, rng in zip(messages, contexts, requests, results, rngs, strict=True):
            try:
                state = stored_state(context)
                replies.append(reply(message, request, result, self.upload, rng, state))
                keep_state(context, state)
            except Exception as fault:  # what one client cannot encode is not the others' fault
                replies.append(_failed(message, fault))
        return replies

    def _requests(self, messages: list[Message], contexts: list[Context]) -> list[Request]:
        """Read every request; a model that was sent to all is decoded once."""
        read, decoded = [], {}
        for message, context in zip(messages, contexts, strict=True):
            record = message.content["arrays"]
            if id(record) not in decoded:
                decoded[id(record)] = read_request(message, context, self.download).arrays
            client = int(context.node_config["partition-id"])
            read.append(Request(client, decoded[id(record)], dict(message.content["config"])))
        return read

    def _results(self, requests: list[Request], rngs) -> list[LocalResult]:
        """Clients that train alike are trained together."""
        results: list = [None] * len(requests)
        settings = [self.task.training.changed(request.config) for request in requests]
        for training in dict.fromkeys(settings):
            group = [k for k, each in enumerate(settings) if each == training]
            models = [requests[k].arrays for k in group]
            same = all(model is models[0] for model in models)
            held = self.pool.of([requests[k].client for k in group])
            trained = local_sgd_all(self.model, models[0] if same else models, held, training, [rngs[k] for k in group])
            for k, result in zip(group, trained, strict=True):
                results[k] = result
        return results


def _failed(message: Message, fault: Exception) -> Message:
    return Message(Error(CLIENT_FAILED, f"{type(fault).__name__}: {fault}"), reply_to=message)


def _context(client: int, node: int, clients: int) -> Context:
    return Context(
        run_id=SERVER_RUN,
        node_id=node,
        node_config={"partition-id": client, "num-partitions": clients},
        state=RecordDict(),
        run_config={},
    )
