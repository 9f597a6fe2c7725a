"""A whole run in one process: who falls silent when, and every message that the server saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.keys import Entropy, secure_entropy
from edgedl_lib.training.security.secure_aggregation.parameters import Parameters
from edgedl_lib.training.security.secure_aggregation.server import Server

STAGES = ("advertise", "share", "mask", "sign", "unmask")  # "sign" only against an active server, see consistency.py


@dataclass(frozen=True)
class Message:
    """What went over the network; the server sees exactly these."""

    stage: str
    client: int
    upward: bool
    payload: bytes


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Attributes
    ----------
    total : numpy.ndarray, shape (length,)
        Sum of the contributors' vectors.
    contributors : tuple of int
    transcript : tuple of Message
        The server's whole view.
    clients : tuple of Client
    server : Server
    inboxes : dict of int to bytes
        What the server holds for each client that shared its keys, delivered or not.
    """

    total: np.ndarray
    contributors: tuple[int, ...]
    transcript: tuple[Message, ...]
    clients: tuple[Client, ...]
    server: Server
    inboxes: Mapping[int, bytes]

    def traffic(self, client: int) -> int:
        """Bytes that a client sent and received."""
        return sum(len(message.payload) for message in self.transcript if message.client == client)

    def masked_vector(self, client: int) -> np.ndarray:
        """What the server received in place of a client's vector."""
        (found,) = (m for m in self.transcript if m.stage == "mask" and m.upward and m.client == client)
        return self.server.read_vector(found.payload)


class Network:
    """Delivers messages, keeps a copy of each, and loses those of clients that have fallen silent.

    Parameters
    ----------
    silent_before : mapping of int to str
        Client to the first stage in which nothing comes from it any more.
    """

    def __init__(self, silent_before: Mapping[int, str]) -> None:
        unknown = set(silent_before.values()) - set(STAGES)
        if unknown:
            raise ValueError(f"no stage {sorted(unknown)}; the stages are {', '.join(STAGES)}")
        self.silent_from = {client: STAGES.index(stage) for client, stage in silent_before.items()}
        self.transcript: list[Message] = []

    def ask(self, clients: Sequence[Client], stage: str, requests: Mapping[int, bytes]) -> dict[int, bytes]:
        """Replies of the clients that still answer at this stage; a stage is a method of the client."""
        replies = {}
        for number, request in requests.items():
            if self.silent_from.get(number, len(STAGES)) <= STAGES.index(stage):
                continue
            step = getattr(clients[number], stage)
            replies[number] = step(request) if request else step()
            self.transcript.append(Message(stage, number, False, request))
            self.transcript.append(Message(stage, number, True, replies[number]))
        return replies


def run(
    parameters: Parameters,
    inputs: Sequence[np.ndarray],
    silent_before: Mapping[int, str] | None = None,
    entropy: Entropy = secure_entropy,
    *,
    make_client: Callable[..., Client] = Client,
    make_server: Callable[[Parameters], Server] = Server,
) -> Outcome:
    """Sum the inputs of the clients that stay until they have sent their masked vectors.

    Raises
    ------
    TooFewClients
        If at any stage fewer than the threshold answer.

    Examples
    --------
    >>> numbers = [np.array([1, 2]), np.array([10, 20]), np.array([100, 200]), np.array([1000, 2000])]
    >>> outcome = run(Parameters(clients=4, threshold=3, length=2), numbers, {2: "mask"})
    >>> outcome.total, outcome.contributors
    (array([1011, 2022], dtype=uint32), (0, 1, 3))
    """
    clients = make_clients(parameters, inputs, lambda *about: make_client(*about, entropy))
    server, network = make_server(parameters), Network(silent_before or {})
    survivors, inboxes = collect(network, clients, server)
    requests = dict.fromkeys(server.contributors, survivors)
    answers = network.ask(clients, "unmask", requests)
    total = server.unmask(answers)
    return Outcome(total, server.contributors, tuple(network.transcript), clients, server, inboxes)


def make_clients(
    parameters: Parameters, inputs: Sequence[np.ndarray], make_client: Callable[..., Client]
) -> tuple[Client, ...]:
    """One client for each input; `make_client` takes its number, its input and the parameters."""
    if len(inputs) != parameters.clients:
        raise ValueError(f"{len(inputs)} inputs for {parameters.clients} clients")
    return tuple(make_client(number, values, parameters) for number, values in enumerate(inputs))


def collect(network: Network, clients: Sequence[Client], server: Server) -> tuple[bytes, dict[int, bytes]]:
    """Stages 0 to 2: keys, shares and masked vectors; who is in the sum, and the inboxes."""
    keys = network.ask(clients, "advertise", dict.fromkeys(range(len(clients)), b""))
    directory = server.collect_keys(keys)
    boxes = network.ask(clients, "share", dict.fromkeys(server.mask_keys, directory))
    inboxes = server.collect_shares(boxes)
    vectors = network.ask(clients, "mask", inboxes)
    return server.collect_vectors(vectors), inboxes
