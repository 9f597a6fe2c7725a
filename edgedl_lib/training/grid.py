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
    RecordDict,
    copied,
    ensure_identity,
    name_message,
)


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
            return Message(Error(CLIENT_FAILED, f"{type(fault).__name__}: {fault}"), reply_to=message)
        finally:
            message.content = original


def _context(client: int, node: int, clients: int) -> Context:
    return Context(
        run_id=SERVER_RUN,
        node_id=node,
        node_config={"partition-id": client, "num-partitions": clients},
        state=RecordDict(),
        run_config={},
    )
